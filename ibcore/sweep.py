"""What the runs of a claim at many seeds show together: shares of seeds, each with its
interval, and slack.

Works on records as `ibcore verify --json` prints them. A check holds at a seed where
the record says so and all numbers that it compares are finite. A run that ended with an
error, and one whose record lacks the check, count as seeds at which it does not hold.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

Record = Mapping[str, Any]

PROVED, OTHERWISE = 1.0, 0.99  # the share of seeds that a claim states for a check
CONFIDENCE = 0.95
QUANTILES = {"q0": 0.0, "q5": 0.05, "q50": 0.5, "q95": 0.95, "q100": 1.0}


def slack(check: Record) -> float:
    """How far the measured value is inside its bar, in units of the bar; below 0 it is
    beyond it.

    For `<=` it is (predicted - measured) / |predicted|, for `>=` (measured - predicted)
    / |predicted|, and for `=` (tolerance - |measured - predicted|) / tolerance, which
    is 1 where the two agree. A bar or tolerance of 0 is no
    unit: there it is the difference itself. Where members have bars of their own it is
    that of the member farthest beyond its bar. NaN where a number is missing or not
    finite.
    """
    predicted, measured = _finite(check, "predicted"), _finite(check, "measured")
    tolerance = _finite(check, "tolerance")
    if math.isnan(predicted + tolerance):
        return math.nan
    inside, unit = {
        "<=": (predicted - measured, abs(predicted)),
        ">=": (measured - predicted, abs(predicted)),
        "=": (tolerance - abs(measured - predicted), tolerance),
    }.get(check.get("relation", ""), (math.nan, 1.0))
    return inside / (unit or 1.0)


def interval(held: int, seeds: int) -> tuple[float, float]:
    """The exact 95 % interval of a share that was met `held` times, of Clopper and
    Pearson 1934.
    """
    ends = binomtest(held, seeds).proportion_ci(CONFIDENCE, method="exact")
    return float(ends.low), float(ends.high)


@dataclass(frozen=True)
class Row:
    """One check, or the control, over the seeds.

    tag: proved, derived, observed or control.      stated: the share of seeds at which
    the claim says that it holds.
    seeds: all; missed: those at which it does not hold; broken: those at which members
    broke down.
    slacks: one a seed where it is known.
    """

    name: str
    tag: str
    stated: float
    seeds: tuple[int, ...]
    missed: tuple[int, ...]
    broken: tuple[int, ...]
    slacks: tuple[float, ...]

    @property
    def held(self) -> int:
        """At how many seeds it holds."""
        return len(self.seeds) - len(self.missed)

    @property
    def share(self) -> float:
        return self.held / len(self.seeds)

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95 % interval of the share of all seeds."""
        return interval(self.held, len(self.seeds))

    @property
    def reaches(self) -> bool:
        """The interval does not lie below the stated share."""
        return self.interval[1] >= self.stated

    @property
    def quantiles(self) -> dict[str, float | None]:
        """Those of the slack, by `QUANTILES`; None where it is known at no seed."""
        if not self.slacks:
            return dict.fromkeys(QUANTILES)
        values = np.quantile(self.slacks, list(QUANTILES.values()))
        return dict(zip(QUANTILES, map(float, values), strict=True))

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "tag": self.tag,
            "stated": self.stated,
            "held": self.held,
            "share": self.share,
            "interval": list(self.interval),
            "reaches": self.reaches,
            "missed": list(self.missed),
            "broken": list(self.broken),
            "slack": {"known": len(self.slacks), **self.quantiles},
        }


@dataclass(frozen=True)
class Summary:
    """One claim, at one preset, device and choice of sizes, over its seeds.

    stands: at how many seeds every check holds and the control is refuted.
    errors: why runs ended without evidence, by seed.
    """

    id: str
    page: str
    kind: str
    preset: str
    device: str
    sizes: Mapping[str, Any]
    seeds: tuple[int, ...]
    stands: int
    errors: Mapping[int, str]
    checks: tuple[Row, ...]
    control: Row

    @property
    def reaches(self) -> bool:
        """Every check and the control reach the share of seeds that the claim states."""
        return bool(self.checks) and all(row.reaches for row in self.rows)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The checks and the control."""
        return (*self.checks, self.control)

    def as_dict(self) -> dict[str, Any]:
        """The summary line of `ibcore verify --seeds --json`; `summary` tells it from
        the records.
        """
        return {
            "summary": "seeds",
            "id": self.id,
            "page": self.page,
            "kind": self.kind,
            "preset": self.preset,
            "device": self.device,
            "sizes": dict(self.sizes),
            "seeds": len(self.seeds),
            "stands": self.stands,
            "reaches": self.reaches,
            "errors": [
                {"seed": seed, "error": error} for seed, error in self.errors.items()
            ],
            "checks": [row.as_dict() for row in self.checks],
            "control": self.control.as_dict(),
        }


def summarize(records: Iterable[Record]) -> tuple[Summary, ...]:
    """One summary a claim, preset, device and choice of sizes, in the order in which
    they appear.

    Of several records of one seed the last counts.
    """
    groups: dict[str, dict[int, Record]] = {}
    for record in records:
        kept = groups.setdefault(_group(record), {})
        kept[record["seed"]] = record
    return tuple(_summary(dict(sorted(kept.items()))) for kept in groups.values())


def _group(record: Record) -> str:
    names = ("id", "preset", "device", "sizes")
    return json.dumps([record.get(name) for name in names], sort_keys=True)


def _summary(records: Mapping[int, Record]) -> Summary:
    """Of one claim, from its records by seed."""
    whole = {seed: record for seed, record in records.items() if "error" not in record}
    checks = {seed: _checks(record) for seed, record in whole.items()}
    names = dict.fromkeys(name for found in checks.values() for name in found)
    rows = tuple(
        _row(records, {seed: found.get(name, {}) for seed, found in checks.items()})
        for name in names
    )
    control = _row(records, {seed: _control(record) for seed, record in whole.items()})
    failing = {seed for row in (*rows, control) for seed in row.missed}
    first = next(iter(records.values()))
    told = ("id", "page", "kind", "preset", "device")
    return Summary(
        **{name: first[name] for name in told},
        sizes=first.get("sizes", {}),
        seeds=tuple(records),
        stands=len(records) - len(failing) if rows else 0,
        errors={
            seed: record["error"]
            for seed, record in records.items()
            if "error" in record
        },
        checks=rows,
        control=control,
    )


def _checks(record: Record) -> dict[tuple[str, int], Record]:
    """The checks of a record by name, and by number where several have the same name."""
    seen: Counter[str] = Counter()
    found = {}
    for check in record["checks"]:
        seen[check["name"]] += 1
        found[check["name"], seen[check["name"]]] = check
    return found


def _control(record: Record) -> Record:
    """The control as a check that holds where it is refuted."""
    control = record["control"]
    return {**control, "tag": "control", "holds": control["refuted"]}


def _row(seeds: Iterable[int], found: Mapping[int, Record]) -> Row:
    """One check over all `seeds`, from what was found at those that gave evidence."""
    every = tuple(seeds)
    slacks = {seed: slack(check) for seed, check in found.items()}
    held = {
        seed
        for seed, check in found.items()
        if check.get("holds") is True and slacks[seed] >= 0
    }
    made = [check for check in found.values() if check]
    first = made[0] if made else {"name": "not run", "tag": "control"}
    return Row(
        first["name"],
        first["tag"],
        _stated(made),
        every,
        tuple(seed for seed in every if seed not in held),
        tuple(seed for seed, check in found.items() if check.get("broken", 0) != 0),
        tuple(value for value in slacks.values() if math.isfinite(value)),
    )


def _stated(checks: Sequence[Record]) -> float:
    """The share of seeds that a check states; what is no share asks for all of them."""
    shares = [
        check.get("over_seeds", PROVED if check["tag"] == "proved" else OTHERWISE)
        for check in checks
    ]
    known = [_finite({"share": share}, "share") for share in shares]
    return max((share if 0 < share <= 1 else 1.0 for share in known), default=OTHERWISE)


def _finite(check: Record, name: str) -> float:
    """A number of a record; NaN where it is missing, no number or not finite."""
    value: Any = check.get(name)
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if usable and math.isfinite(value) else math.nan
