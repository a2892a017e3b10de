"""Verdicts in plain text: with numbers for a terminal, without for a comparison that no
processor may change.
"""

from __future__ import annotations

import math
import textwrap
from collections import Counter

from ibcore.claims import Verdict
from ibcore.evidence import TAGS, Check

_NAME = 44  # so that a line fits a page of the book


def verdict_table(*verdicts: Verdict, numbers: bool = True) -> str:
    """One block a claim: its checks with outcome, bar and statement, and its control.

    numbers: also what was measured; without it the text is the same wherever the claim
    stands.
    """
    return "\n\n".join(_block(verdict, numbers) for verdict in verdicts)


def summary_table(*verdicts: Verdict) -> str:
    """One line a claim."""
    width = max(len(verdict.claim.id) for verdict in verdicts)
    return "\n".join(
        f"{verdict.claim.id:<{width}}  {outcome(verdict)}; {tally(verdict)}; "
        f"{control_outcome(verdict)}"
        for verdict in verdicts
    )


def outcome(verdict: Verdict) -> str:
    """Whether the claim stands."""
    return "stands" if verdict.stands else "DOES NOT STAND"


def tally(verdict: Verdict) -> str:
    """How many checks are proved, derived and observed, or which of them fail."""
    checks = verdict.evidence.checks
    tags = Counter(check.tag for check in checks)
    parts = [f"{tags[tag]} {tag}" for tag in TAGS if tags[tag]]
    failed = sum(not check.holds for check in checks)
    return ", ".join(parts) + (f", {failed} FAIL" if failed else "")


def control_outcome(verdict: Verdict) -> str:
    """What became of the control."""
    return (
        "control refuted" if verdict.evidence.control.refuted else "control NOT REFUTED"
    )


def required(check: Check) -> str:
    """The bar in words: a number, how many members must meet one, or that each has its
    own.
    """
    if check.own:
        return f"{_SIGNS[check.relation]} its own"
    if check.stated is None:
        if check.relation == "=":
            return f"{check.predicted:.6g} ± {check.tolerance:.2g}"
        return f"{_SIGNS[check.relation]} {check.predicted:.3g}"
    if check.relation == ">=":
        return f"≥ {round(check.predicted * check.members)} of {check.members}"
    counts = range(check.members, -1, -1)
    most = next(k for k in counts if k / check.members <= check.predicted)
    return f"≤ {most} of {check.members}"


def measured(check: Check) -> str:
    """The measurement: two digits of a bound, an equality to a tenth of its tolerance,
    a count of members.
    """
    if not math.isfinite(check.measured):
        return "no number"
    if check.stated is not None:
        return f"{round(check.measured * check.members)} of {check.members}"
    if check.precision and check.holds:
        return "within"
    if check.relation != "=":
        return f"{check.measured:.2g}"
    step = check.tolerance / 10 or 1.0
    digits = max(0, -math.floor(math.log10(step))) if step < 1 else 0
    rounded = round(check.measured / step) * step
    return f"{rounded:.{digits}f}" if digits <= 6 else f"{check.measured:.3g}"


_SIGNS = {"=": "≈", "<=": "≤", ">=": "≥"}


def _block(verdict: Verdict, numbers: bool) -> str:  # noqa: FBT001
    evidence = verdict.evidence
    rows = [
        _row("holds" if check.holds else "FAILS", check, check.name, numbers)
        for check in evidence.checks
    ]
    rows.append(
        _row(
            "refuted" if evidence.control.refuted else "NOT REFUTED",
            evidence.control.failure,
            f"control: {evidence.control.name}: {evidence.control.failure.name}",
            numbers,
        )
    )
    rows += [f"  broke down: {reason}" for reason in evidence.broken]
    title = f"{verdict.claim.id} ({verdict.claim.kind}): {outcome(verdict)} ({tally(verdict)})"
    return "\n".join([title, *rows])


def _row(result: str, check: Check, name: str, numbers: bool) -> str:  # noqa: FBT001
    found = f"{measured(check):>10}  " if numbers else ""
    if numbers and check.typical is not None:
        name = f"{name} (median {check.typical:.2g})"
    start = f"  {result:<11} {found}{required(check):<16} "
    lines = textwrap.wrap(name, _NAME)
    return f"\n{'':{len(start)}}".join([start + lines[0], *lines[1:]])
