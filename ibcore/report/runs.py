"""What runs of claims found, as text for a terminal: a line a run, or a block a claim
over its seeds.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from ibcore.ledger import Record
from ibcore.sweep import QUANTILES, Row, Summary
from ibcore.verify import stands

_WIDTH = 96
_LISTED = 10  # seeds named in a line


def seeds_table(summaries: Sequence[Summary]) -> str:
    """One block a claim: at how many seeds its checks hold, with the interval of that
    share, and their slack.
    """
    lines = [line for summary in summaries for line in (*_block(summary), "")]
    low = [summary.id for summary in summaries if not summary.reaches]
    reached = f"{len(summaries) - len(low)} of {len(summaries)} claims reach the shares of seeds that they state."
    return "\n".join([*lines, reached, *([f"Below: {', '.join(low)}."] if low else [])])


def _block(summary: Summary) -> list[str]:
    outcome = "reaches its shares" if summary.reaches else "BELOW ITS SHARES"
    quantiles = "".join(f"{f'{100 * at:g} %':>9}" for at in QUANTILES.values())
    return [
        (
            f"{summary.id} ({summary.kind}): {outcome}; stands at {summary.stands} of "
            f"{len(summary.seeds)} seeds"
        ),
        f"    {'seeds':>11}  {'95 % interval':<16}  {'stated':<6}  slack{quantiles}",
        *(line for row in summary.rows for line in _row(row)),
        *_errors(summary),
    ]


def _row(row: Row) -> list[str]:
    low, high = row.interval
    known = row.quantiles.values()
    slack = "".join(f"{'?' if at is None else f'{at:.2g}':>9}" for at in known)
    lines = [
        *textwrap.wrap(
            f"{row.tag}: {row.name}",
            _WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
        ),
        (
            f"    {f'{row.held}/{len(row.seeds)}':>11}  "
            f"{f'{low:.4f} to {high:.4f}':<16}  {row.stated:<6g}       {slack}"
        ),
    ]
    if row.missed:
        sign = "missed at" if row.reaches else "BELOW: missed at"
        lines.append(f"    {sign} {_seeds(row.missed)}")
    if row.broken:
        lines.append(f"    members broke down at {_seeds(row.broken)}")
    return lines


def _errors(summary: Summary) -> list[str]:
    told = [f"  seed {seed}: {error}" for seed, error in summary.errors.items()]
    more = len(told) - _LISTED
    return told[:_LISTED] + ([f"  and {more} more errors"] if more > 0 else [])


def _seeds(seeds: Sequence[int]) -> str:
    rest = len(seeds) - _LISTED
    named = ", ".join(map(str, seeds[:_LISTED]))
    return f"seed {named}" + (f" and {rest} more" if rest > 0 else "")


def runs_table(records: Sequence[Record]) -> str:
    """One line a run, with what failed below it."""
    width = max(len(record["id"]) for record in records)
    lines = [f"{'claim':<{width}}  checks  control      seconds"]
    for record in records:
        held = sum(check["holds"] for check in record["checks"])
        control = "refuted" if record["control"]["refuted"] else "NOT REFUTED"
        seconds = "" if record["seconds"] is None else f"{record['seconds']:7.1f}"
        lines.append(
            f"{record['id']:<{width}}  {held:>2}/{len(record['checks']):<2}   "
            f"{control:<11}  {seconds}"
        )
        if "error" in record:
            lines.append(f"{'':<{width}}  {record['error']}")
        lines += [f"{'':<{width}}  broke down: {told}" for told in record["broken"]]
        lines += [
            f"{'':<{width}}  FAILS: {_failure(check)}"
            for check in record["checks"]
            if not check["holds"]
        ]
    held = sum(map(stands, records))
    return "\n".join([*lines, f"{held} of {len(records)} claims stand."])


def _failure(check: dict[str, Any]) -> str:
    measured, predicted = (
        _number(check[name], 6) for name in ("measured", "predicted")
    )
    band = f" +- {_number(check['tolerance'], 2)}" if check["relation"] == "=" else ""
    return (
        f"{check['name']}: {measured}, expected {check['relation']} {predicted}{band}"
    )


def _number(value: float | None, digits: int) -> str:
    return "not a finite number" if value is None else f"{value:.{digits}g}"
