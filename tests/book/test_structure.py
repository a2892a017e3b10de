"""One name for one thing: a page, the module with its claims, and their test."""

from __future__ import annotations

import pytest
from build_book import pages
from environment import ROOT

from ibcore.claims import PAGES, all_claims

CLAIMS = ROOT / "ibcore" / "claims"
MODULES = sorted(
    path.relative_to(CLAIMS).with_suffix("").as_posix()
    for path in CLAIMS.rglob("*.py")
    if not path.name.startswith("_")
)


def test_every_module_of_claims_is_a_page_and_every_page_has_one():
    assert sorted(PAGES) == MODULES


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_an_entry_a_notebook_and_a_test(page):
    folder, _, name = page.rpartition("/")
    assert f"book/{page}" in pages(), f"add `- file: book/{page}` to _toc.yml"
    assert (ROOT / "book" / f"{page}.ipynb").is_file(), f"write book/{page}.ipynb"
    test = ROOT / "tests" / "claims" / folder / f"test_{name}.py"
    assert test.is_file(), f"write {test.relative_to(ROOT)}"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_makes_claims(page):
    assert any(claim.page == page for claim in all_claims().values())


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
