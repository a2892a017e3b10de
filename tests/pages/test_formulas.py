"""Formulas in what a claim says: in LaTeX, between dollar signs, read from the source
without running a claim.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import ibcore.claims

ROOMS = Path(ibcore.claims.__file__).parent / "pages"
MODULES = sorted([*ROOMS.rglob("claims.py"), *ROOMS.rglob("claims/*.py")])
FORMULA = re.compile(r"\$[^$]*\$")
GREEK = "alpha|beta|gamma|delta|epsilon|eps|eta|theta|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi|psi|omega"
RAW = re.compile(
    rf"[\^_|\\<>=*]|->|\+-|\b(?:{GREEK}|sqrt|sinh|argmin)\b"
    r"|\b(?:log|exp|sin|cos)(?: ?\(| "
    r"[a-zA-Z]\b)|\bl(?:1|2|inf|p)\b|\b(?:\d/[a-zA-Z]|[a-zA-Z]/\d)"
)
UNGROUPED = re.compile(r"[\^_](?:\(|-\w)|<=|>=|->")  # needs braces, \le, \ge, \to
SPELLED = re.compile(rf"(?<![\\a-zA-Z])(?:{GREEK}|log|sqrt|exp|sin)(?![a-zA-Z])")


def literals(source: str, first: int = 1) -> list[tuple[int, str]]:
    """Line and text of every string in `source`, which begins at line `first`.

    In place of a value in a formatted string stands nothing.
    """
    tree = ast.parse(source)
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in formatted for part in node.values}
    plain = [
        (node.lineno + first - 1, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in parts
    ]
    joined = [
        (node.lineno + first - 1, "".join(constant_parts(node)))
        for node in formatted
        if id(node) not in parts
    ]
    return plain + joined


def constant_parts(node: ast.JoinedStr) -> list[str]:
    return [part.value for part in node.values if isinstance(part, ast.Constant)]


def arguments(source: str, *names: str) -> list[tuple[int, str]]:
    """Line and text of the strings that calls in `source` are given as keywords
    `names`.
    """
    return [
        one
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.keyword) and node.arg in names
        for one in literals(ast.unparse(node.value), node.value.lineno)
    ]


def raw(text: str) -> list[str]:
    """Mathematics in `text` that no reader of LaTeX gets, or gets wrong."""
    outside = RAW.findall(FORMULA.sub(" ", text))
    return outside + [
        found
        for formula in FORMULA.findall(text)
        for pattern in (UNGROUPED, SPELLED)
        for found in pattern.findall(formula)
    ]


def test_every_claim_has_a_statement_to_read():
    found = [
        text
        for path in MODULES
        for _, text in arguments(path.read_text("utf-8"), "statement")
    ]
    written = [claim.statement for claim in ibcore.claims.all_claims().values()]
    assert sorted(found) == sorted(written)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: "/".join(path.parts[-2:]))
def test_what_a_page_shows_has_its_mathematics_in_formulas(path):
    found = [
        f"line {line}: {symbols}"
        for line, text in arguments(
            path.read_text("utf-8"), "statement", "math", "reason"
        )
        if (symbols := raw(text))
    ]
    assert found == [], "write formulas in LaTeX between dollar signs"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: "/".join(path.parts[-2:]))
def test_dollar_signs_come_in_pairs(path):
    found = [
        f"line {line}: {text[:70]}"
        for line, text in literals(path.read_text("utf-8"))
        if text.count("$") % 2
    ]
    assert found == [], "a formula stands between two dollar signs"


@pytest.mark.parametrize(
    "text",
    [
        "grows like |w| log t",
        "with gamma^2 n",
        "the norm of w_hat",
        "the l2 norm",
        "at most 1/n",
        "for eta small",
        "D >= 2",
        "of log t",
        "alpha -> 0",
        "weights +-v",
        "X w* and more",
        "falls like $t^(1/k)$",
        "at $log t$",
        "where $gamma$ is large",
        "for $D >= 2$",
    ],
)
def test_raw_mathematics_is_found(text):
    assert raw(text)


@pytest.mark.parametrize(
    "text",
    [
        r"grows like $\|w\| \log t$ up to log factors",
        r"with $\gamma^2 n$ points (at most 3), never on kinks; the loss's own",
        r"$\hat w$, $W_{j+1}^T$ and $\operatorname{argmin} \|w\|$ at $w^*$",
        "two-layer ReLU networks of degree 2 or 3: the max-margin direction.",
    ],
)
def test_words_and_latex_are_let_pass(text):
    assert raw(text) == []


def test_strings_are_read_whole():
    source = 'f(x="a $b$ " "c $d", y=f"{p} $e_{{{k}}}$ {z:.1f}")'
    assert sorted(text for _, text in literals(source)) == [
        " $e_{}$ ",
        ".1f",
        "a $b$ c $d",
    ]
