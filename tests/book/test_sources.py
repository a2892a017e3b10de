"""Where a theorem comes from: each block says so in its last line, and the bibliography agrees."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from environment import ROOT

BOOK = ROOT / "book"
BLOCK = re.compile(
    r"^(`{3,})\{prf:theorem\} *([^\n]*)\n(.*?)^\1`*$", re.MULTILINE | re.DOTALL
)
LINE = re.compile(r"\*Source:\* .+\.")
KNOWN = ("read", "abstract read, theorem recalled", "recalled")
WORK = re.compile(
    r"\{cite:t\}`(?P<key>\w+)`(?:, (?P<place>[^();]+?))? \((?P<known>[^()]+)\)"
)
OWN = re.compile(r"\b[Pp]roved (?:below|above|on this page)")
PLACE = re.compile(r"[A-Z]\w+ [\dA-Z][\w.]*")


def blocks(path: Path) -> list[tuple[str, str]]:
    """Heading and text of the theorems of a page."""
    text = "\n\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    return [(found[2], found[3].strip()) for found in BLOCK.finditer(text)]


def bibliography() -> dict[str, str]:
    """The printed note of every work by its key; empty where there is none."""
    text = (BOOK / "references.bib").read_text(encoding="utf-8")
    entries = re.findall(r"^@\w+\{(\w+),\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    notes = {}
    for key, fields in entries:
        note = re.search(r"^  note = \{(.*)\},?$", fields, re.MULTILINE)
        notes[key] = note[1] if note else ""
    return notes


def disagreement(source: str, notes: dict[str, str]) -> str | None:
    """What is wrong with the last line of a theorem, or None."""
    if not LINE.fullmatch(source):
        return "the last line is not `*Source:* ....`"
    works = list(WORK.finditer(source))
    if not works:
        return None if OWN.search(source) else "neither a work nor a proof is named"
    if len(works) != source.count("{cite:"):
        return "a work without a word on how it is known"
    for work in works:
        if work["known"] not in KNOWN:
            return f"'{work['known']}' is none of {KNOWN}"
        if work["key"] not in notes:
            return f"{work['key']} is not in the bibliography"
        read, _, recalled = notes[work["key"]].partition("Recalled")
        if work["known"] == "read":
            places = PLACE.findall(work["place"] or "")
            if "Read:" not in read or any(place not in read for place in places):
                return f"the note of {work['key']} does not say that this was read"
        elif not recalled and "Recalled" not in notes[work["key"]]:
            return f"the note of {work['key']} does not say that this is recalled"
        elif work["known"].startswith("abstract") and "abstract" not in read:
            return f"the note of {work['key']} does not say that the abstract was read"
    return None


THEOREMS = [
    pytest.param(text, id=f"{path.stem}: {heading}")
    for path in sorted(BOOK.rglob("*.ipynb"))
    if ".ipynb_checkpoints" not in path.parts
    for heading, text in blocks(path)
]


def test_pages_state_theorems():
    assert len(THEOREMS) >= 30


@pytest.mark.parametrize("text", THEOREMS)
def test_a_theorem_says_where_it_comes_from(text):
    assert disagreement(text.splitlines()[-1], bibliography()) is None


NOTES = {
    "A2000": "Read: Theorems 3 and 4, Theorem 3 in full",
    "B2000": "Recalled",
    "C2000": "Read: abstract. Recalled: the theorem",
    "D2000": "",
}


@pytest.mark.parametrize(
    "source",
    [
        "*Source:* {cite:t}`A2000`, Theorem 3 (read).",
        "*Source:* {cite:t}`B2000` (recalled).",
        "*Source:* {cite:t}`C2000` (abstract read, theorem recalled). Proved below.",
        "*Source:* {cite:t}`A2000` (read); {cite:t}`B2000`, Theorem 7 (recalled).",
        "*Source:* classical; proved below.",
    ],
)
def test_a_source_that_the_bibliography_confirms(source):
    assert disagreement(source, NOTES) is None


@pytest.mark.parametrize(
    "source",
    [
        "{cite:p}`A2000`",
        "*Source:* classical.",
        "*Source:* {cite:t}`A2000`.",
        "*Source:* {cite:t}`A2000`, Theorem 5 (read).",
        "*Source:* {cite:t}`B2000` (read).",
        "*Source:* {cite:t}`A2000` (recalled).",
        "*Source:* {cite:t}`D2000` (recalled).",
        "*Source:* {cite:t}`B2000` (abstract read, theorem recalled).",
        "*Source:* {cite:t}`A2000` (read); {cite:t}`B2000`.",
        "*Source:* {cite:t}`E2000` (recalled).",
        "*Source:* {cite:t}`A2000` (seen).",
    ],
)
def test_a_source_that_the_bibliography_does_not_confirm(source):
    assert disagreement(source, NOTES) is not None
