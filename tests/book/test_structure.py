"""One name for one thing: a page, the module with its claims, and their test; listings
that fit the page.
"""

from __future__ import annotations

import importlib
import itertools
import re
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from build_book import pages
from environment import ROOT
from sphinx.directives.code import LiteralInclude, LiteralIncludeReader

from ibcore.claims import PAGES, all_claims

ROOMS = ROOT / "ibcore" / "pages"


def test_every_room_is_a_page_and_every_page_has_one():
    rooms = [
        path.parent.relative_to(ROOMS).as_posix()
        for path in (*ROOMS.rglob("claims.py"), *ROOMS.rglob("claims/"))
    ]
    assert sorted(PAGES) == sorted(rooms)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_an_entry_a_notebook_and_a_test(page):
    folder, _, name = page.rpartition("/")
    assert f"book/{page}" in pages(), f"add `- file: book/{page}` to _toc.yml"
    assert (ROOT / "book" / f"{page}.ipynb").is_file(), f"write book/{page}.ipynb"
    test = ROOT / "tests" / "pages" / folder / f"test_{name}.py"
    assert test.is_file(), f"write {test.relative_to(ROOT)}"


def test_a_module_in_a_folder_of_claims_holds_the_claim_of_its_name():
    for path in ROOMS.rglob("claims/[a-z]*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        own = [
            name
            for name, claim in all_claims().items()
            if claim.judge.__module__ == module
        ]
        assert own == [path.stem.replace("_", "-")], path


@pytest.mark.parametrize("page", PAGES)
def test_a_page_makes_claims(page):
    assert any(claim.page == page for claim in all_claims().values())


@pytest.mark.parametrize("name", all_claims())
def test_a_claim_is_shown_on_its_page(name):
    page = all_claims()[name].page
    source = (ROOT / "book" / f"{page}.ipynb").read_text(encoding="utf-8")
    assert f"{name.replace('-', '_')}.verify(" in source, (
        f"verify {name} in a cell of book/{page}.ipynb, and add it to the closing table"
    )


def test_the_table_of_contents_lists_files_that_exist():
    for page in pages():
        assert any(
            (ROOT / f"{page}{suffix}").is_file() for suffix in (".ipynb", ".md")
        ), page


def test_every_notebook_is_in_the_table_of_contents():
    written = {
        path.relative_to(ROOT).with_suffix("").as_posix()
        for path in (ROOT / "book").rglob("*.ipynb")
        if ".ipynb_checkpoints" not in path.parts
    }
    assert written <= set(pages())


LISTING = re.compile(
    r"^[`:]{3,}\{literalinclude\} *(\S+)\n((?::[\w-]+:.*\n)*)", re.MULTILINE
)
WIDTH = 76


def listings(path: Path) -> list[tuple[str, dict[str, str | None]]]:
    """The files that a page lists, with the options of the listing as Sphinx reads
    them.
    """
    cells = (
        [cell.source for cell in nbformat.read(path, as_version=4).cells]
        if path.suffix == ".ipynb"
        else [path.read_text(encoding="utf-8")]
    )
    found = []
    for text in cells:
        assert len(LISTING.findall(text)) == text.count("{literalinclude}")
        for name, lines in LISTING.findall(text):
            pairs = re.findall(r"^:([\w-]+):(.*)$", lines, re.MULTILINE)
            options = {
                key: LiteralInclude.option_spec[key](value.strip().strip('"') or None)
                for key, value in pairs
            }
            found.append((name, options))
    return found


LISTINGS = [
    pytest.param(
        (path.parent / name).resolve(), options, id=f"{path.stem}-{Path(name).stem}"
    )
    for path in sorted((ROOT / "book").rglob("*"))
    if path.suffix in (".ipynb", ".md") and ".ipynb_checkpoints" not in path.parts
    for name, options in listings(path)
]


def listed(path: Path, options: dict[str, str | None]) -> list[str]:
    """The lines of code that the page shows."""
    reader = LiteralIncludeReader(
        str(path), options, SimpleNamespace(source_encoding="utf-8")
    )
    return reader.read()[0].splitlines()


def test_pages_list_code():
    assert len(LISTINGS) >= 20


@pytest.mark.parametrize(("path", "options"), LISTINGS)
def test_a_listing_fits_the_page(path, options):
    lines = listed(path, options)
    assert lines
    assert [line for line in lines if len(line) > WIDTH] == []
    assert min(len(line) - len(line.lstrip()) for line in lines if line) == 0, (
        "the listing is indented: give it `:dedent: 4`"
    )


def test_a_line_that_is_too_wide_is_seen(tmp_path):
    long = "x = " + "1" * (WIDTH - 3)
    path = tmp_path / "a.py"
    path.write_text(f"def f():\n    pass\n\n\nclass A:\n    {long}\n")
    assert [len(line) for line in listed(path, {"pyobject": "A"})] == [8, WIDTH + 5]
    assert listed(path, {"lines": "6", "dedent": 4}) == [long]


CONVERTED = [page for page in PAGES if (ROOMS / page / "exercises.py").is_file()]
EXERCISE = re.compile(r"^`{3,}\{exercise\}.*\n:label: *(\S+)", re.MULTILINE)
ASKS = re.compile(r'^check\("([\w-]+)"\)$', re.MULTILINE)


def questions_of(page: str) -> list[str]:
    """The labels for which the room of a page has questions."""
    module = ".".join(("ibcore.pages", *page.split("/"), "exercises"))
    return list(importlib.import_module(module).EXERCISES)


def test_pages_take_answers():
    assert len(CONVERTED) >= 3


@pytest.mark.parametrize("page", CONVERTED)
def test_every_exercise_has_questions_and_a_cell_that_asks_before_the_solution(page):
    cells = nbformat.read(ROOT / "book" / f"{page}.ipynb", as_version=4).cells
    exercises = [EXERCISE.findall(cell.source) for cell in cells]
    labels = [label for found in exercises for label in found]
    assert labels == questions_of(page), "one entry in EXERCISES for each, in order"
    for found, after in itertools.pairwise(zip(exercises, cells, strict=True)):
        for label in found[0]:
            assert f"{{solution}} {label}" not in found[1].source, (
                f"put the solution of {label} into a cell of its own"
            )
            assert ASKS.findall(after[1].source) == [label], (
                f'let a cell that only says check("{label}") follow'
            )


@pytest.mark.parametrize("page", CONVERTED)
def test_the_first_explorer_is_preceded_by_a_prediction(page):
    cells = nbformat.read(ROOT / "book" / f"{page}.ipynb", as_version=4).cells
    [first, *_] = [
        number
        for number, cell in enumerate(cells)
        if re.search(r"\bexplore\w*\(", cell.source)
    ]
    assert "{predict}" in cells[first - 1].source
