"""What a claim returns: checks of a prediction against a measurement, and a control that must fail."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Check:
    """One comparison of `measured` with `predicted`.

    `relation` says how they are compared: `=` within `tolerance` (absolute), or `<=` / `>=`, where
    `predicted` is the bound and `tolerance` is 0. A NaN never holds.
    """

    name: str
    predicted: float
    measured: float
    tolerance: float
    relation: str = "="

    @classmethod
    def close(
        cls,
        name: str,
        predicted: float,
        measured: float,
        *,
        atol: float = 0.0,
        rtol: float = 0.0,
    ) -> Check:
        """`measured` equals `predicted` within `atol + rtol * |predicted|`."""
        return cls(
            name, float(predicted), float(measured), atol + rtol * abs(float(predicted))
        )

    @classmethod
    def at_most(cls, name: str, measured: float, bound: float) -> Check:
        return cls(name, float(bound), float(measured), 0.0, "<=")

    @classmethod
    def at_least(cls, name: str, measured: float, bound: float) -> Check:
        return cls(name, float(bound), float(measured), 0.0, ">=")

    @property
    def holds(self) -> bool:
        if self.relation == "<=":
            return self.measured <= self.predicted
        if self.relation == ">=":
            return self.measured >= self.predicted
        return abs(self.measured - self.predicted) <= self.tolerance


@dataclass(frozen=True)
class Control:
    """The measurement repeated where an assumption is broken: the prediction must fail there.

    `failure` is the check that the prediction fails *clearly*, with a margin of its own. A NaN or a
    run that broke down refutes nothing.
    """

    name: str
    failure: Check

    @property
    def measured(self) -> float:
        return self.failure.measured

    @property
    def refuted(self) -> bool:
        return self.failure.holds and math.isfinite(self.measured)


@dataclass(frozen=True)
class Evidence:
    """The outcome of one claim at one seed.

    checks: every one must hold.      control: must be refuted.
    data: arrays behind the numbers, for figures; never printed or stored.
    notes: counts a reader must know, such as draws rejected by a stated condition.
    """

    checks: tuple[Check, ...]
    control: Control
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    notes: Mapping[str, float | int | str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return bool(self.checks) and all(check.holds for check in self.checks)


def fraction(name: str, successes: int, of: int, *, at_least: float) -> Check:
    """The share of seeds, problems or runs in which something came out, against the share stated."""
    if of < 1:
        return Check.at_least(name, math.nan, at_least)
    return Check.at_least(name, successes / of, at_least)
