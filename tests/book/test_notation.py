"""One letter, one meaning: what formulas display stands on the notation page, and fixed
letters stay what they are.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from environment import ROOT

BOOK = ROOT / "book"
NOTATION = BOOK / "notation.md"
FIXED, VARIED = "### Letters with one meaning", "### Letters with several meanings"

CODE = re.compile(r"`[^`\n]*`")
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$]+?)\$(?!\$)", re.DOTALL)
WORDS = re.compile(
    r"\\(?:text|mathrm|mathsf|operatorname\*?|label|tag|begin|end)\s*\{[^{}]*\}"
)
GREEK = """alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|vartheta|iota|kappa
lambda|mu|nu|xi|pi|rho|sigma|tau|phi|varphi|chi|psi|omega|ell
Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi|Psi|Omega""".replace("\n", "|")
LETTER = re.compile(
    rf"(?:\\(?P<font>mathbb|mathcal)\s*\{{?\s*(?P<kind>[A-Z])|\\(?P<greek>{GREEK})(?![a-zA-Z])"
    r"|(?<![\\a-zA-Z])(?P<latin>[a-zA-Z])(?![a-zA-Z]))\}?(?P<primes>'*)(?:_(?P<index>\{[^{}]*\}|\\?[a-zA-Z]+|[0-9*+-]))?"
)
COMMAND = re.compile(rf"\\(?!(?:mathbb|mathcal|{GREEK})(?![a-zA-Z]))[a-zA-Z]+")


def formulas(text: str) -> list[str]:
    """What stands between dollar signs, without words and without commands that are no
    letters.
    """
    found = [one or other for one, other in FORMULA.findall(CODE.sub("", text))]
    return [COMMAND.sub(" ", WORDS.sub(" ", formula)) for formula in found]


def displayed(text: str) -> set[tuple[str, str]]:
    """Letters of all formulas with their primes and indices: `$t_i + \\hat w$` has
    ("t", "_i") and ("w", "").
    """
    return {
        (letter(match), mark(match))
        for formula in formulas(text)
        for match in LETTER.finditer(formula)
    }


def letter(match: re.Match[str]) -> str:
    """A letter as it is typed: `w`, `\\eta`, `\\mathbb R`."""
    if match["font"]:
        return rf"\{match['font']} {match['kind']}"
    return rf"\{match['greek']}" if match["greek"] else match["latin"]


def mark(match: re.Match[str]) -> str:
    """Primes and index of a letter."""
    index = (match["index"] or "").strip("{}").strip()
    return match["primes"] + (f"_{index}" if index else "")


def text_of(path: Path) -> str:
    """The text of a page, or of all text cells of a notebook."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def table(heading: str) -> set[tuple[str, str]]:
    """The letters in the first column of the table below a heading of the notation
    page.
    """
    below = NOTATION.read_text(encoding="utf-8").partition(f"{heading}\n")[2]
    rows = [line for line in below.partition("\n#")[0].splitlines() if line[:1] == "|"]
    return displayed("\n".join(row.split("|")[1] for row in rows[2:]))


ONE, SEVERAL = table(FIXED), table(VARIED)
PAGES = sorted(
    path
    for path in BOOK.rglob("*")
    if path.suffix in (".md", ".ipynb") and ".ipynb_checkpoints" not in path.parts
)


def test_no_letter_stands_in_both_tables():
    assert {name for name, _ in ONE} & {name for name, _ in SEVERAL} == set()


@pytest.mark.parametrize(
    "path", PAGES, ids=lambda path: path.relative_to(BOOK).as_posix()
)
def test_every_letter_of_a_page_stands_on_the_notation_page(path):
    known = {name for name, _ in ONE | SEVERAL}
    assert {name for name, _ in displayed(text_of(path))} - known == set()


@pytest.mark.parametrize(
    "path", PAGES, ids=lambda path: path.relative_to(BOOK).as_posix()
)
def test_a_letter_with_one_meaning_has_no_index_that_the_notation_page_does_not_explain(
    path,
):
    fixed = {name for name, _ in ONE}
    found = {pair for pair in displayed(text_of(path)) if pair[0] in fixed}
    assert found - ONE == set()


def test_letters_are_read_from_formulas():
    text = r"The time $t_i$ of `$z$`, $\hat w \in \mathbb{R}^d$ and $\operatorname{sign} X'$"
    assert displayed(text) == {
        ("t", "_i"),
        ("w", ""),
        (r"\mathbb R", ""),
        ("d", ""),
        ("X", "'"),
    }
