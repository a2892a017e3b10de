"""How the book, and each claim, is cited; what is said of the digits is so."""

from __future__ import annotations

import hashlib
import re
from importlib import metadata
from pathlib import Path

import citation
import pytest
import sklearn
import yaml
from environment import ROOT
from pybtex.database import parse_string

from ibcore.claims import all_claims

CLAIMS = all_claims()


def test_the_version_that_is_cited_is_the_package():
    assert citation.about()["version"] == metadata.version("ibcore")


def test_the_entry_of_the_book_is_bibtex():
    [entry] = parse_string(citation.book(), "bibtex").entries.values()
    assert entry.fields["title"] == citation.about()["title"]
    assert entry.fields["year"] == str(citation.about()["date-released"])[:4]


@pytest.mark.parametrize("name", CLAIMS)
def test_the_entry_of_a_claim_names_it_and_its_page(name):
    [entry] = parse_string(citation.claim(CLAIMS[name]), "bibtex").entries.values()
    assert name in entry.fields["note"]
    assert CLAIMS[name].page in entry.fields["note"]


def test_the_digits_are_the_file_that_the_page_names():
    said = (ROOT / "book" / "about.md").read_text(encoding="utf-8")
    [digest] = re.findall(r"^[0-9a-f]{64}$", said, re.MULTILINE)
    path = Path(sklearn.__file__).parent / "datasets" / "data" / "digits.csv.gz"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=str)
def test_forms_and_workflows_are_read_as_yaml(path):
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["name"]
