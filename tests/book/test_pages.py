"""The built book as a reader gets it: from files, without a network, in light and dark,
on a phone, by keyboard.
"""

from __future__ import annotations

import functools
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from build_book import HTML, pages
from downloads import downloadable, wheel_name
from environment import ROOT

from ibcore.claims import PAGES

LISTED = pages()
WITH_EXPLORERS = ["book/index", *(f"book/{page}" for page in PAGES)]
IMAGES = "() => [...document.images].map((image) => [image.currentSrc, image.naturalWidth, image.alt])"
# What a reader sees, without code, where a dollar is a dollar.
TEXT = """() => {
  const copy = document.querySelector("main").cloneNode(true);
  copy.querySelectorAll("pre, code, script, style, mjx-container").forEach((element) => element.remove());
  return copy.textContent;
}"""
# The formula that has the focus though it needs no scrolling, and whether the foot of
# the page is reached.
STOP = """() => {
  const stop = document.activeElement, formula = stop.closest("mjx-container");
  const scrolls = formula && formula.scrollWidth > formula.clientWidth;
  return [formula && !scrolls ? formula.textContent : null, stop.matches(".prev-next-area a")];
}"""

pytestmark = pytest.mark.usefixtures("book")


def barriers(page) -> list[str]:
    """What axe calls a serious or critical barrier; it loads style sheets, so it runs
    after the console is read.
    """
    found = [
        rule
        for rule in Axe().run(page).response["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    return [
        f"{rule['impact']} {rule['id']}: {rule['help']} "
        f"{[node['html'][:300] for node in rule['nodes']]}"
        for rule in found
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*LISTED, "search?q=gradient"])
def test_a_page_stands_alone(reader, name, scheme):
    with reader.visit(name, scheme=scheme) as visit:
        page = visit.page
        assert page.locator("h1:visible").count() == 1
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        assert not re.findall(
            r".{0,40}(?:\$|\\[()\[\]]).{0,40}", page.evaluate(TEXT)
        ), "mathematics is not typeset"
        assert (
            page.locator("mjx-container").count() >= page.locator("main .math").count()
        )
        for source, width, alt in page.evaluate(IMAGES):
            assert width > 0, f"{source} does not load"
            assert len(alt.split()) > 2, f"{source} has the alternative text {alt!r}"
        assert visit.outside == []
        assert visit.complaints == []
        assert barriers(page) == []


@pytest.mark.parametrize("name", LISTED)
def test_a_page_fits_a_phone(reader, name):
    with reader.visit(name, width=390) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        for title in visit.page.locator(".ibx").all():
            box = title.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
        assert barriers(visit.page) == []


@pytest.mark.parametrize("name", WITH_EXPLORERS)
def test_explorers_answer_the_keyboard(reader, name):
    with reader.visit(name) as visit:
        explorers = visit.page.locator(".ibx")
        assert explorers.count() >= 1
        for number in range(explorers.count()):
            sliders = explorers.nth(number).locator("input[type=range]")
            assert sliders.count() >= 1
            for axis in range(sliders.count()):
                moves(explorers.nth(number), sliders.nth(axis))
        assert visit.page.evaluate("document.getAnimations().length") == 0
        assert visit.complaints == []


def moves(explorer, slider):
    """One step by keyboard changes picture, sentence and read-out; Home and End go to
    the ends.
    """
    last = int(slider.get_attribute("max"))
    before = shown(explorer)
    readout = slider.get_attribute("aria-valuetext")
    slider.focus()
    slider.press("ArrowLeft" if int(slider.input_value()) == last else "ArrowRight")
    assert (
        slider.evaluate("(element) => getComputedStyle(element).outlineStyle") != "none"
    ), "the focus is not visible"
    picture, sentence = shown(explorer)
    assert picture != before[0]
    assert sentence != before[1]
    assert slider.get_attribute("aria-valuetext") != readout
    output = explorer.locator(f"output[for={slider.get_attribute('id')}]")
    assert output.text_content() == slider.get_attribute("aria-valuetext")
    for key, value in (("End", last), ("Home", 0)):
        slider.press(key)
        assert int(slider.input_value()) == value


def shown(explorer) -> tuple[str, str]:
    """Picture and sentence; the picture must be drawn, and the sentence announced."""
    picture, sentence = (
        explorer.locator(".ibx-picture"),
        explorer.locator("[aria-live=polite]"),
    )
    visible = [svg for svg in picture.locator("svg.ibx-svg").all() if svg.is_visible()]
    assert len(visible) == 1
    assert visible[0].bounding_box()["width"] > 200
    assert len(sentence.text_content().split()) > 3
    return picture.inner_html(), sentence.text_content()


@pytest.mark.parametrize("name", WITH_EXPLORERS)
def test_explorers_show_their_start_without_scripts(reader, name):
    with reader.visit(name, scripts=False) as visit:
        for explorer in visit.page.locator(".ibx").all():
            shown(explorer)
            assert not explorer.locator(".ibx-controls").is_visible()
            assert explorer.locator(".ibx-words li").count() > 1


def test_search_finds_pages(reader):
    with reader.visit("book/index") as visit:
        visit.page.keyboard.press("Control+k")
        visit.page.keyboard.type("gradient")
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_url("**/search.html?q=gradient*")
        visit.page.locator("#search-results li a").first.wait_for()
        assert visit.outside == []
        assert visit.complaints == []


def test_the_entrance_leads_to_the_landing_page(reader):
    with reader.visit("index", scripts=False) as visit:
        visit.page.wait_for_url("**/book/index.html")


class Links(HTMLParser):
    """The places that a page links to and the names that it can be entered at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.targets += [
            value for name, value in attrs if tag == "a" and name == "href" and value
        ]
        self.names |= {value for name, value in attrs if name == "id" and value}


@functools.cache
def links(page: Path) -> Links:
    """Those of a built page."""
    return Links(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["index", *LISTED])
def test_links_within_the_book_lead_somewhere(name):
    page = HTML / f"{name}.html"
    for target in links(page).targets:
        path, _, place = unquote(target.partition("?")[0]).partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        led = (page.parent / path).resolve() if path else page
        assert led.exists(), target
        if place and led.suffix == ".html":
            assert place in links(led).names, target


@pytest.mark.parametrize("name", WITH_EXPLORERS)
def test_a_page_can_be_downloaded_with_the_package_that_it_runs_with(name):
    page = HTML / f"{name}.html"
    found = links(page).targets
    targets = [unquote(link) for link in found if not re.match(r"[a-z]+:", link)]
    [notebook] = {page.parent / target for target in targets if ".ipynb" in target}
    [wheel] = {page.parent / target for target in targets if ".whl" in target}
    assert wheel.name == wheel_name()
    assert wheel.is_file()
    assert notebook.read_text(encoding="utf-8") == downloadable(ROOT / f"{name}.ipynb")


@pytest.mark.parametrize("name", WITH_EXPLORERS)
def test_the_tab_key_passes_formulas_that_are_still_read_out(reader, name):
    with reader.visit(name) as visit:
        page = visit.page
        formulas = page.locator("mjx-container").count()
        assert (
            page.locator("mjx-container > mjx-assistive-mml math").count() == formulas
        )
        assert page.locator("mjx-container[aria-hidden=true]").count() == 0
        page.locator(".ibx input[type=range]").first.focus()
        for _ in range(1000):
            page.keyboard.press("Tab")
            formula, at_foot = page.evaluate(STOP)
            assert formula is None
            if at_foot:
                break
        assert at_foot, "the tab key does not come to the foot of the page"
