"""Sizes of a claim that replace those of its preset, typed as the claim has them."""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from ibcore.claims import Claim
from ibcore.validation import InvalidInput


def fitting(claim: Claim, preset: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes `given` as the claim takes them, without those that the preset has
    anyway.

    A whole number becomes a float and a list a tuple where the claim has one; a single
    value stands for a tuple of one. Raises `InvalidInput` for a name that the claim
    does not have and a value of another type.
    """
    known = claim.sizes[preset]
    for name in given:
        if name not in known:
            raise InvalidInput(_unknown(claim.id, name, known))
    typed = {
        name: _like(value, known[name], f"{claim.id}: size {name}")
        for name, value in given.items()
    }
    return {name: value for name, value in typed.items() if value != known[name]}


def parsed(texts: Iterable[str]) -> dict[str, Any]:
    """Sizes from texts `name=value`, where a value is a number, several with commas
    between them, or a word.

    Raises `InvalidInput` for another form and for a name that comes twice.
    """
    sizes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not name.isidentifier() or not equals:
            raise InvalidInput(
                f"{_short(text)} is no size; pass name=value, such as problems=20 or "
                "widths=30,100."
            )
        if name in sizes:
            raise InvalidInput(f"the size {name} is given twice; pass it once.")
        sizes[name] = _value(value)
    return sizes


def _value(text: str) -> Any:
    """A number, several of them, or else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def _like(value: Any, example: Any, what: str) -> Any:
    """`value` with the type of `example`."""
    if isinstance(example, tuple | list):
        items = value if isinstance(value, tuple | list) else (value,)
        typed = type(example)(_like(item, _element(example), what) for item in items)
    else:
        typed = _scalar(value, example)
    if typed is None or typed in ((), []):
        raise InvalidInput(
            f"{what} has the value {_short(value)}, expected {_kind(example)}, such as "
            f"{_short(example)}."
        )
    return typed


def _scalar(value: Any, example: Any) -> Any:
    """`value` with the type of `example`; None where it has another."""
    if isinstance(example, bool) or isinstance(value, bool):
        return value if type(value) is type(example) else None
    if isinstance(example, Integral):
        return int(value) if isinstance(value, Integral) else None
    if isinstance(example, Real):
        finite = isinstance(value, Real) and math.isfinite(value)
        return float(value) if finite else None
    return value if type(value) is type(example) else None


def _element(example: tuple[Any, ...] | list[Any]) -> Any:
    """The element whose type stands for all: whole numbers among floats are floats."""
    floats = [item for item in example if isinstance(item, float)]
    return (floats or example)[0]


def _kind(example: Any) -> str:
    if isinstance(example, tuple | list):
        return "one or several values"
    if isinstance(example, bool):
        return "True or False"
    if isinstance(example, Integral):
        return "a whole number"
    return "a finite number" if isinstance(example, Real) else "text"


def _unknown(claim: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"claim {claim} has no size {name}; its sizes are {', '.join(known)}.{hint}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
