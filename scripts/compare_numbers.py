"""A plugin of pytest: the measured numbers of a notebook against the stored ones,
within a tolerance.

nbval compares the words that a cell prints, with every decimal number masked
(tests/book/sanitize.cfg), because digits depend on the processor. This compares the
numbers: those in the text of an output at 10 %, with half a unit of the last digit for
rounding; those of verdicts and sentences, which travel in the metadata of an output, at
the difference within which their row says that they repeat. The latter are stored
beside the notebook in <page>.numbers.json; scripts/store_outputs.py writes both.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from nbval.plugin import IPyNbCell

KEY = "ibcore"
RELATIVE = 0.1
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d+(?:e[-+]?\d+)?|\d+e[-+]?\d+)(?!\w)")

Numbers = Mapping[str, Mapping[str, Any]]


class Differs(AssertionError):
    """Measured numbers that are not the stored ones."""


def numbers_file(notebook: Path) -> Path:
    """Where the numbers of a notebook's verdicts and sentences are stored."""
    return notebook.with_suffix(".numbers.json")


def stored_numbers(notebook: Path) -> Numbers:
    """The stored numbers of a notebook by their names."""
    path = numbers_file(notebook)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def shown_numbers(outputs: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The numbers that travel in the metadata of outputs."""
    return {
        name: one
        for output in outputs
        for name, one in output.get("metadata", {}).get(KEY, {}).items()
    }


def printed(outputs: Iterable[Mapping[str, Any]]) -> list[str]:
    """The decimal numbers in the text of outputs, in order."""
    texts = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in outputs
    ]
    return NUMBER.findall("\n".join(texts))


def agree(
    found: float | None, stored: float | None, relative: float, absolute: float = 0
) -> bool:
    """Whether two numbers differ by at most the share `relative` of the larger, plus
    `absolute`; NaN never does.
    """
    if found is None or stored is None or math.isnan(found) or math.isnan(stored):
        return False
    if math.isinf(found) or math.isinf(stored):
        return found == stored
    return abs(found - stored) <= relative * max(abs(found), abs(stored)) + absolute


def last_unit(text: str) -> float:
    """The value of one unit in the last digit of a printed number."""
    mantissa, _, exponent = text.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def printed_differences(found: list[str], stored: list[str]) -> Iterator[str]:
    """In words, which printed numbers differ."""
    if len(found) != len(stored):
        yield f"{len(found)} numbers are printed, {len(stored)} are stored"
        return
    for one, other in zip(found, stored, strict=True):
        rounding = (last_unit(one) + last_unit(other)) / 4
        if not agree(float(one), float(other), RELATIVE, rounding):
            yield f"{one} is printed, {other} is stored"


def shown_differences(found: Numbers, stored: Numbers) -> Iterator[str]:
    """In words, which numbers of verdicts and sentences differ."""
    for name, one in found.items():
        other = stored.get(name)
        if other is None:
            yield f"{name}: nothing is stored"
        elif bool(one.get("precision")) != bool(other.get("precision")):
            yield f"{name}: it is a precision in one of both only"
        else:
            for kind in ("measured", "typical"):
                values = one.get(kind), other.get(kind)
                if values != (None, None) and not agree(*values, one["repeats"]):
                    yield f"{name}: {kind} {values[0]}, stored {values[1]}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """After nbval has run a cell and compared its words, compare its numbers."""
    yield
    if isinstance(item, IPyNbCell) and item.test_outputs is not None:
        fresh, kept = item.test_outputs, item.cell.outputs
        differences = [
            *printed_differences(printed(fresh), printed(kept)),
            *shown_differences(shown_numbers(fresh), stored_numbers(Path(item.path))),
        ]
        if differences:
            raise Differs("; ".join(differences))
