"""Where a theorem comes from: each block says so in its last line, and the bibliography
agrees.
"""

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
    if len(works) != source.count("{cite:"):
        return "a work without a word on how it is known"
    if not works and not OWN.search(source):
        return "neither a work nor a proof is named"
    return next(filter(None, (_unconfirmed(work, notes) for work in works)), None)


def _unconfirmed(work: re.Match[str], notes: dict[str, str]) -> str | None:
    """What the bibliography does not say of a work, or None."""
    note = notes.get(work["key"], "")
    read, recalled, _ = note.partition("Recalled")
    wanted = {
        "read": ["Read:", *PLACE.findall(work["place"] or "")],
        "abstract read, theorem recalled": ["Read:", "abstract"],
        "recalled": [],
    }
    if work["known"] not in wanted:
        return f"'{work['known']}' is none of {', '.join(wanted)}"
    missing = [word for word in wanted[work["known"]] if word not in read]
    if work["known"] != "read" and not recalled:
        missing.append("Recalled")
    return f"{work['key']}: {note!r} lacks {missing}" if missing else None


def test_the_bibliography_has_no_formulas_which_it_cannot_show():
    text = (BOOK / "references.bib").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if "$" in line] == []


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
