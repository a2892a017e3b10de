"""Verdict tables in plain text, for notebooks and the command line."""

from __future__ import annotations

import math
import textwrap

from ibcore.claims import Verdict
from ibcore.evidence import Check

_NAME = 48  # so that a line fits a page of the book


def verdict_table(*verdicts: Verdict) -> str:
    """One block a claim: its checks with bar and measurement, and its control."""
    return "\n\n".join(_block(verdict) for verdict in verdicts)


def show_verdicts(*verdicts: Verdict) -> None:
    """Print `verdict_table`."""
    print(verdict_table(*verdicts))


def _block(verdict: Verdict) -> str:
    control = verdict.evidence.control
    rows = [
        _row("holds" if check.holds else "FAILS", check, check.name)
        for check in verdict.evidence.checks
    ]
    rows.append(
        _row(
            "refuted" if control.refuted else "NOT REFUTED",
            control.failure,
            f"control: {control.name}",
        )
    )
    outcome = "stands" if verdict.stands else "DOES NOT STAND"
    return "\n".join([f"{verdict.claim.id} ({verdict.claim.kind}): {outcome}", *rows])


def _row(outcome: str, check: Check, name: str) -> str:
    """A check in one line; an equality is rounded to a tenth of its tolerance, a bound to two digits."""
    if check.relation != "=":
        numbers = f"{check.measured:>8.2g} {check.relation} {check.predicted:.4g}"
    else:
        step = check.tolerance / 10 or 1.0
        measured = (
            round(check.measured / step) * step
            if math.isfinite(check.measured)
            else check.measured
        )
        numbers = f"{measured:>8.4g} = {check.predicted:.4g} +- {check.tolerance:.1g}"
    lines = textwrap.wrap(name, _NAME)
    return f"\n{'':36}".join([f"  {outcome:<11}{numbers:<22} {lines[0]}", *lines[1:]])
