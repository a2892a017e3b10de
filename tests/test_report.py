"""Verdicts as text and as a page's table: numbers where they belong, and the same text
on every processor.
"""

from __future__ import annotations

import math
from html.parser import HTMLParser

import pytest
import torch

from ibcore.claims import Claim, Setting, Verdict
from ibcore.evidence import Check, Control, Evidence
from ibcore.report import show_summary, show_verdicts, tell, verdict_table
from ibcore.report.page import number, summary_html, typeset, verdicts_html
from ibcore.report.shown import NUMBERS, Shown
from ibcore.report.text import required
from tests.made_up import steps

ABOUT = {"tag": "proved", "reason": "rounding"}


def verdict(
    *checks: Check, failure: float = 1.0, broken: tuple[str, ...] = ()
) -> Verdict:
    control = Control(
        "an assumption broken",
        Check.each("failure", failure, at_least=0.5, tag="observed", reason="half"),
        math="$n > d$ broken",
    )
    claim = Claim(
        "some-claim",
        "page",
        "theorem",
        "source",
        r"It holds & $w < \gamma$.",
        {},
        **steps(dict),
    )
    setting = Setting("quick", 0, torch.device("cpu"))
    return Verdict(claim, setting, Evidence(checks, control, broken=broken), 0.0)


def rows(check: Check, **options: bool) -> list[list[str]]:
    return [
        line.split() for line in verdict_table(verdict(check), **options).splitlines()
    ]


@pytest.mark.parametrize(
    ("check", "row"),
    [
        (
            Check.each("x", 0.98765, equals=1, atol=0.07, **ABOUT),
            "holds 0.987 1 ± 0.07 x",
        ),
        (Check.each("x", 0.123, at_most=0.1, **ABOUT), "FAILS 0.12 ≤ 0.1 x"),
        (
            Check.each("x", [3.0, 1.0], at_most=[4.0, 5.0], **ABOUT),
            "holds 3 ≤ its own x",
        ),
        (
            Check.each("x", 1e-14, at_most=1e-12, precision=True, **ABOUT),
            "holds within ≤ 1e-12 x",
        ),
        (
            Check.each("x", 1e-9, at_most=1e-12, precision=True, **ABOUT),
            "FAILS 1e-09 ≤ 1e-12 x",
        ),
        (Check.each("x", math.nan, at_most=1, **ABOUT), "FAILS no number ≤ 1 x"),
        (
            Check.share("x", [0.1] * 20, at_most=1, least=0.9, **ABOUT),
            "holds 20 of 20 ≥ 13 of 20 x (median 0.1)",
        ),
        (
            Check.share("x", [False] * 10, most=0.25, **ABOUT),
            "holds 0 of 10 ≤ 2 of 10 x",
        ),
    ],
)
def test_a_row_says_outcome_measurement_bar_and_statement(check, row):
    assert " ".join(rows(check)[1]) == row


def test_the_text_of_a_page_holds_no_measured_number():
    one, other = (
        Check.each("x", value, at_most=0.5, **ABOUT) for value in (0.123, 0.321)
    )
    assert verdict_table(verdict(one), numbers=False) == verdict_table(
        verdict(other), numbers=False
    )
    assert "0.12" in verdict_table(verdict(one))


def test_a_headline_counts_what_is_proved_and_what_fails():
    good = Check.each("x", 0.1, at_most=0.5, **ABOUT)
    bad = Check.each("y", 1, at_most=0.5, tag="observed", reason="r")
    assert rows(good)[0] == ["some-claim", "(theorem):", "stands", "(1", "proved)"]
    title = verdict_table(verdict(good, bad, failure=0.1)).splitlines()[0]
    assert (
        title == "some-claim (theorem): DOES NOT STAND (1 proved, 1 observed, 1 FAIL)"
    )


def test_members_that_broke_down_are_told():
    check = Check.each("x", 0.1, at_most=0.5, **ABOUT)
    text = verdict_table(verdict(check, broken=("LinAlgError: singular",)))
    assert text.endswith("broke down: LinAlgError: singular")
    assert "LinAlgError: singular" in verdicts_html(
        (verdict(check, broken=("LinAlgError: singular",)),)
    )


class Tree(HTMLParser):
    """Raises where tags do not close in order, and collects classes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, _attributes):
        self.open.append(tag)
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_page_gets_a_real_table_with_the_control_in_words():
    check = Check.each("x < y", 1e-9, at_most=1e-5, math=r"$x < y$ & so on", **ABOUT)
    page = verdicts_html((verdict(check), verdict(check, failure=0.1)))
    assert Tree(page).seen.count("table") == 2
    assert r"\(x &lt; y\)</span> &amp; so on" in page
    assert "<strong>Control:</strong>" in page
    assert "fails, as it must" in page
    assert "should fail here and does not" in page
    assert "Why these bars" in page
    assert page.count("rounding") == 2


def test_a_summary_has_one_row_a_claim():
    check = Check.each("x", 0.1, at_most=0.5, **ABOUT)
    page = summary_html((verdict(check), verdict(check)))
    assert Tree(page).seen.count("tr") == 3
    assert ">refuted<" in page
    assert page.count(r"It holds &amp; <span") == 2
    assert page.count(r"\(w &lt; \gamma\)</span>.") == 2


def test_numbers_become_powers_of_ten_and_formulas_formulas():
    assert r"\(10^{-5}\)" in number("≤ 1e-05")
    assert r"\(2.5 \cdot 10^{3}\)" in number("2.5e+03")
    assert number("12 of 20") == "12 of 20"
    assert (
        typeset("a & $b$")
        == 'a &amp; <span class="math notranslate nohighlight">\\(b\\)</span>'
    )


@pytest.fixture
def outputs(monkeypatch):
    found: list[Shown] = []
    monkeypatch.setattr("ibcore.report.shown.display", found.append)
    return found


def test_outputs_carry_text_for_comparison_and_numbers_for_a_tolerance(
    outputs, monkeypatch
):
    check = Check.each("x", 0.123, at_most=0.5, **ABOUT)
    precise = Check.each("y", 1e-14, at_most=1e-12, precision=True, **ABOUT)
    show_verdicts(verdict(check, precise))
    show_summary(verdict(check))
    tell(
        r"The angle is {angle:.1e}, and $\sqrt{{2}} = {root:.3f}$.",
        angle=1.3e-5,
        root=2**0.5,
    )
    monkeypatch.setenv("IBCORE_BUILDING_BOOK", "1")
    table, summary, sentence = (one._repr_mimebundle_() for one in outputs)
    assert {*table[0]} == {*summary[0]} == {*sentence[0]} == {"text/plain", "text/html"}
    assert table[1][NUMBERS] == {
        "some-claim: x": {"measured": 0.123, "repeats": 0.1},
        "some-claim: y": {"precision": True},
        "some-claim: control: an assumption broken": {"measured": 1.0, "repeats": 0.1},
    }
    assert sentence[0]["text/plain"] == r"The angle is …, and $\sqrt{2} = …$."
    assert r"\(1.3 \cdot 10^{-5}\)" in sentence[0]["text/html"]
    assert r"\(\sqrt{2} = 1.414\)" in sentence[0]["text/html"]
    assert [one["measured"] for one in sentence[1][NUMBERS].values()] == [
        1.3e-5,
        2**0.5,
    ]
    monkeypatch.delenv("IBCORE_BUILDING_BOOK")
    live = outputs[0]._repr_mimebundle_()[0]
    assert "application/vnd.jupyter.widget-view+json" in live
    assert "text/html" not in live


@pytest.mark.parametrize("met", range(101))
def test_as_many_members_are_allowed_as_the_control_takes(met):
    check = Check.share(
        "a", [True] * met + [False] * (100 - met), most=met / 100, **ABOUT
    )
    assert check.holds
    assert required(check) == f"≤ {met} of 100"
