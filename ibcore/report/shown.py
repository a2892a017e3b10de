"""What a cell shows: a table or sentence with numbers for readers, the same text
everywhere for a comparison.

The text of an output holds no measured number, so it is the same on every processor.
The numbers travel in the output's metadata, where a comparison with a tolerance finds
them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from IPython.display import display
from ipywidgets import HTMLMath

from ibcore.claims import Verdict
from ibcore.evidence import Check
from ibcore.report import book_records
from ibcore.report.page import number, summary_html, typeset, verdicts_html
from ibcore.report.text import summary_table, verdict_table

NUMBERS = "ibcore"  # the key of the numbers in an output's metadata


@dataclass(frozen=True)
class Shown:
    """An output: `text` for a terminal and a comparison, `html` for readers, `numbers`
    by name.
    """

    text: str
    html: Callable[[], str]
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(
        self, **_kinds: object
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """HTML in the book, a widget in a notebook, text everywhere; and the numbers as
        metadata.
        """
        if os.environ.get("IBCORE_BUILDING_BOOK") == "1":
            shown: dict[str, Any] = {"text/html": self.html()}
        else:
            shown = HTMLMath(self.html())._repr_mimebundle_()
        return {**shown, "text/plain": self.text}, {NUMBERS: dict(self.numbers)}


def show_verdicts(*verdicts: Verdict) -> None:
    """Show the checks of each claim: outcome, statement, measurement and bar, and its
    control.
    """
    numbers = {
        f"{verdict.claim.id}: {name}": one
        for verdict in verdicts
        for name, one in _measured(verdict)
    }
    display(
        Shown(
            verdict_table(*verdicts, numbers=False),
            lambda: verdicts_html(verdicts),
            numbers,
        )
    )


def show_summary(*verdicts: Verdict) -> None:
    """Show one line a claim, for the end of a page where all of them have been shown.

    While the book is built their records are kept for its ledger.
    """
    book_records.keep(*verdicts)
    display(Shown(summary_table(*verdicts), lambda: summary_html(verdicts)))


def tell(sentence: str, **numbers: float) -> None:
    """Show a sentence with measured numbers, which a page must not quote by hand.

    sentence: a format string with one named field a number, such as "the angle is
        {angle:.2g}", and formulas between dollar signs, whose braces are doubled.
        numbers: their values.
    """
    values = {name: float(value) for name, value in numbers.items()}
    measured = {
        f"{sentence}: {name}": {"measured": value, "repeats": 0.1}
        for name, value in values.items()
    }
    text = sentence.format_map(dict.fromkeys(values, _Ellipsis()))
    display(Shown(text, lambda: f"<p>{_with_numbers(sentence, values)}</p>", measured))


class _Ellipsis:
    """In place of a number, whatever its format."""

    def __format__(self, _format: str) -> str:
        return "…"


def _with_numbers(sentence: str, values: Mapping[str, float]) -> str:
    """The sentence as HTML, numbers in formulas as they are and others as powers of
    ten.
    """
    parts = re.split(r"(\$[^$]+\$)", sentence.format_map(values))
    return "".join(
        typeset(part) if part.startswith("$") else number(part) for part in parts
    )


def _measured(verdict: Verdict) -> list[tuple[str, dict[str, Any]]]:
    """What a comparison on another machine needs to know of each check."""
    control = verdict.evidence.control
    return [(check.name, _comparable(check)) for check in verdict.evidence.checks] + [
        (f"control: {control.name}", _comparable(control.failure))
    ]


def _comparable(check: Check) -> dict[str, Any]:
    """Measured and typical value; of a precision only that it is one."""
    if check.precision:
        return {"precision": True}
    found = {"measured": check.measured, "repeats": check.repeats}
    return found if check.typical is None else {**found, "typical": check.typical}
