"""The ledger and the map: all claims, each with its record, its page, its code and its
tests; filters that a keyboard moves.
"""

from __future__ import annotations

import json
import re

import ledger_page
import pytest
import source_pages
from build_book import HTML
from environment import RECORDS
from source_pages import module_of, sources

from ibcore.claims import PAGES, all_claims
from ibcore.report.book_records import kept
from ibcore.report.page import anchor
from ibcore.review import SECTIONS, SINCE

CLAIMS = all_claims()
SHOWN = "(rows) => rows.filter((row) => !row.hidden).map((row) => row.dataset.name)"
COLUMNS = (
    "(rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent))"
)


def rows(visit):
    return visit.page.locator(".ledger > table > tbody > tr")


def shown(visit) -> list[str]:
    return rows(visit).evaluate_all(SHOWN)


def said(visit) -> str:
    return visit.page.locator(".ledger-filters output").text_content()


def article(name: str) -> str:
    """What a built page shows between its own head and foot."""
    text = (HTML / f"{name}.html").read_text(encoding="utf-8")
    return text.partition("<article")[2].partition("</article>")[0]


@pytest.mark.usefixtures("book")
def test_every_claim_has_a_record_of_this_build():
    assert set(kept(RECORDS)) >= set(CLAIMS)


def test_the_ledger_has_every_claim_with_what_its_page_measured(reader):
    records = kept(RECORDS)
    with reader.visit("book/ledger") as visit:
        assert shown(visit) == list(CLAIMS)
        cells = rows(visit).evaluate_all(COLUMNS)
        for name, (first, _page, verdict, seconds, _seeds) in zip(
            CLAIMS, cells, strict=True
        ):
            record = records[name]
            assert first.startswith(f"{name} ({CLAIMS[name].kind})")
            word = "stands" if record.stands else "does not stand"
            assert verdict.startswith(f"{word}: {record.tally}; control ")
            assert seconds == f"{record.record['seconds']:.1f}"
        assert visit.complaints == []


@pytest.mark.usefixtures("book")
def test_the_ledger_links_page_code_and_tests_of_every_claim():
    rows = article("book/ledger").split("<tr id='ledger-")[1:]
    for claim, row in zip(CLAIMS.values(), rows, strict=True):
        assert f"{claim.page.rpartition('/')[2]}.html#{anchor(claim)}" in row
        for name in (module_of(claim), *source_pages.tests_of(claim.page)):
            assert f"{sources()[name]}.html" in row


@pytest.mark.usefixtures("book")
def test_the_map_has_every_page_with_its_claims_their_code_and_tests():
    text = article("book/map")
    for section in (*SECTIONS, SINCE):
        assert f">{section.title}<" in text
    for page in PAGES:
        [row] = re.findall(
            rf"<tr [^>]*><td><p><a [^>]*{page}\.html.*?</tr>", text, re.DOTALL
        )
        claims = [claim for claim in CLAIMS.values() if claim.page == page]
        assert claims
        assert source_pages.tests_of(page)
        for claim in claims:
            assert f"#{anchor(claim)}" in row
            assert f"{sources()[module_of(claim)]}.html" in row
        for name in source_pages.tests_of(page):
            assert f"{sources()[name]}.html" in row


def test_words_and_choices_filter_the_ledger_by_keyboard(reader):
    with reader.visit("book/ledger") as visit:
        visit.page.locator("[name=words]").focus()
        visit.page.keyboard.type("Mirror Margin")
        found = shown(visit)
        assert "mirror-descent-margin" in found
        assert len(found) < len(CLAIMS)
        assert said(visit) == f"{len(found)} claims"
        visit.page.keyboard.press("Tab")
        visit.page.keyboard.type("theorem")
        kinds = {CLAIMS[name].kind for name in shown(visit)}
        assert kinds == {"theorem"}
        visit.page.locator("[name=words]").fill("no such words")
        assert said(visit) == "0 claims"


def test_the_ledger_is_ordered_by_seconds(reader):
    with reader.visit("book/ledger") as visit:
        visit.page.locator("[name=order]").select_option("seconds")
        seconds = rows(visit).evaluate_all(
            "(rows) => rows.map((row) => Number(row.dataset.seconds))"
        )
        assert seconds == sorted(seconds, reverse=True)
        visit.page.locator("[name=order]").select_option("")
        assert shown(visit) == list(CLAIMS)


def test_without_scripts_the_whole_ledger_is_there_and_no_filter(reader):
    with reader.visit("book/ledger", scripts=False) as visit:
        assert rows(visit).count() == len(CLAIMS)
        assert visit.page.locator(".ledger-filters").is_hidden()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_with_code_fits(reader, width):
    [name] = {module_of(CLAIMS["gd-convex-rate"])}
    with reader.visit(sources()[name], width=width) as visit:
        assert visit.page.locator("h1:visible").count() == 1
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        assert visit.complaints == []
        assert visit.outside == []


def test_a_stored_sweep_is_told_with_its_interval():
    told = ledger_page._seeds({"seeds": 40, "stands": 39, "interval": [0.868, 0.999]})
    assert told == "39 of 40 (87 to 100 %)"
    assert ledger_page._seeds(None) == "not swept"


def test_what_is_stored_of_a_sweep_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger_page, "SWEEP", tmp_path / "sweep.json")
    assert ledger_page.stored_sweep() == {}
    one = {"seeds": 20, "stands": 20, "interval": [0.83, 1.0]}
    ledger_page.SWEEP.write_text(json.dumps({"claims": {"a-claim": one}}))
    assert ledger_page.stored_sweep() == {"a-claim": one}
