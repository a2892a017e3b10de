"""What every claim must do with its measurements: reduce them by checks, which keep
NaN, and by nothing else.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ibcore.pages

ROOMS = Path(ibcore.pages.__file__).parent
SHOWING = {"__init__", "explorers", "figures"}
MODULES = sorted(path for path in ROOMS.rglob("*.py") if path.stem not in SHOWING)


def calls(source: str) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]


def is_count(node: ast.expr) -> bool:
    """A name, a constant, or arithmetic and roundings of such: a size and no
    measurement.
    """
    if isinstance(node, ast.BinOp):
        return is_count(node.left) and is_count(node.right)
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("round", "len", "int") and all(
            map(is_count, node.args)
        )
    return isinstance(node, (ast.Name, ast.Constant))


def swallows_nan(call: ast.Call) -> bool:
    """A builtin maximum or minimum of anything but sizes: max(1, nan) is 1."""
    return (
        isinstance(call.func, ast.Name)
        and call.func.id in ("max", "min")
        and not all(map(is_count, call.args))
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: "/".join(path.parts[-2:]))
def test_claims_reduce_measurements_by_checks_alone(path):
    found = [
        f"line {call.lineno}: {ast.unparse(call)[:70]}"
        for call in calls(path.read_text(encoding="utf-8"))
        if swallows_nan(call)
    ]
    assert found == [], "give the members to a check, or reduce with torch or NumPy"


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        ("max(a.gap for a in b)", True),
        ("max(1e-15, value(a))", True),
        ("min(*ratios)", True),
        ("max(a.gap, a.violation)", True),
        ("max(count, 8)", False),
        ("max(1, round(steps * part), steps // 4)", False),
        ("values.amax(0)", False),
    ],
)
def test_the_rule_knows_what_swallows_nan(source, refused):
    (call, *_) = calls(source)
    assert swallows_nan(call) is refused
