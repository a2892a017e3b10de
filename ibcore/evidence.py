"""What a claim returns: checks of a prediction against a measurement, and a control
that must fail.

A check is made over *members*: the problems, runs or points on which the same thing was
measured. A member that breaks down has the measurement NaN. It never helps: not a check
to hold, and not a control to be refuted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cvxpy as cp
import numpy as np
from scipy.stats import binom

from ibcore.bars import RELATIONS, Bar, Numbers, array_of
from ibcore.validation import InvalidInput

Item = TypeVar("Item")
Result = TypeVar("Result")

TAGS = ("proved", "derived", "observed")
LEAST_MEMBERS = (
    8  # for a share, and those for which the bar of `Check.largest` is stated
)
CHANCE = 1e-3  # that a share which is exactly as large as stated falls below its bar


@dataclass(frozen=True)
class Check:
    """One comparison of `measured` with `predicted`; made by `each`, `largest` and
    `share`.

    name: the statement in words.      math: the same with formulas between dollar
    signs, for a page.
    relation: `=` within `tolerance` (absolute), or `<=` / `>=`, where `predicted` is
    the bar and `tolerance` 0.
    tag: `proved` (the theorem states it), `derived` (with the page's derivation) or
    `observed`.
    reason: where the bar comes from.      members: how many; broken: how many of them
    have no measurement.
    own: the members have predictions of their own, so that `predicted` is a number of
    the data.
    stated: for a share, the share of all possible members that the claim states.
    typical: for a share, the median of the members' measurements.
    precision: the measurement is rounding or a solver's tolerance, so its digits mean
    nothing.
    repeats: relative difference within which another machine measures the same, below
    0.5.
    over_seeds: the share of seeds at which it must hold, where that is neither 1
    (proved) nor 0.99 (otherwise).

    A NaN never holds.
    """

    name: str
    predicted: float
    measured: float
    tolerance: float
    relation: str = "="
    math: str = ""
    tag: str = "observed"
    reason: str = ""
    members: int = 1
    broken: int = 0
    own: bool = False
    stated: float | None = None
    typical: float | None = None
    precision: bool = False
    repeats: float = 0.1
    over_seeds: float | None = None

    @classmethod
    def each(cls, name: str, values: Numbers, **options: Any) -> Check:
        """Every member meets a bar of its own; `measured` and `predicted` are those of
        the one farthest beyond it.

        values: one measurement a member.
        options: `equals` with `atol` and `rtol`, or `at_most`, or `at_least`, each one
        number or one a member; then `tag`, `reason`, and where they apply `math`,
        `precision`, `repeats` and `over_seeds`.

        The bar does not depend on the number of members: use it for what holds for
        every member, however many.
        """
        bar, about = Bar.of(options)
        measured = array_of(values)
        predicted = np.broadcast_to(bar.predicted, measured.shape)
        tolerance = np.broadcast_to(bar.tolerance, measured.shape)
        excess = bar.excess(measured)
        worst = (
            int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))
            if excess.size
            else -1
        )
        whole = excess.size > 0 and not np.isnan(excess).any()
        return cls(
            name,
            float(predicted[worst]) if excess.size else math.nan,
            float(measured[worst]) if whole else math.nan,
            float(tolerance[worst]) if excess.size else 0.0,
            bar.relation,
            members=measured.size,
            broken=int(np.isnan(excess).sum()),
            own=bool(np.ptp(bar.predicted) != 0),
            **_about(about),
        )

    @classmethod
    def largest(
        cls, name: str, values: Numbers, *, growth: float = 0.0, **options: Any
    ) -> Check:
        """The member farthest from its prediction, against a bar that grows with the
        number of members.

        values, options: as for `each`.      growth: the bar is stated for 8 members and
        is (n/8)^growth times as wide for n. A member beyond x with a chance of order
        x^(-1/growth) has a largest value of order n^growth among n; 0 is for a bound or
        a precision, which holds for any number.
        """
        bar, about = Bar.of(options)
        factor = (max(array_of(values).size, 1) / LEAST_MEMBERS) ** growth
        return cls.each(name, values, **bar.widened(factor).options(), **about)

    @classmethod
    def share(
        cls,
        name: str,
        values: Numbers,
        *,
        least: float | None = None,
        most: float | None = None,
        **options: Any,
    ) -> Check:
        """The share of members that meet a bar.

        values: one measurement a member with a bar as for `each`, or booleans without
        one.
        least: the claim is that at least this share of all possible members meets it.
            Of n members so many must meet it that a share of exactly `least` would fall
            below with a chance of 0.1 %.
        most: at most this share may meet it, without allowance: the side of a control,
        which chance must not help.
        options: as for `each`.

        A broken member counts as not meeting it for `least` and as meeting it for
        `most`. Fewer than 8 members, such as a reader's own data, leave nothing to
        chance: their share is compared with the stated one. Raises `InvalidInput` for
        so few members that a bar for `least` would be below one half.
        """
        stated = least if most is None else most
        if stated is None or (least is not None and most is not None):
            raise InvalidInput("a share needs one of least= and most=.")
        if not 0 <= stated <= 1 or (least is not None and least <= 0.5):
            raise InvalidInput(
                f"'{name}' states a share of {stated:g}, expected one from 0 to 1, and "
                "for least= above one half."
            )
        measured = array_of(values)
        truth = measured.dtype == bool or not set(options) & set(RELATIONS)
        bar, about = (None, options) if truth else Bar.of(options)
        numbers = measured.astype(float)
        excess = 1 - numbers if bar is None else bar.excess(numbers)
        missing = np.isnan(excess)
        met = excess <= 0
        met = met & ~missing if least is not None else met | missing
        count = measured.size
        required = stated if least is None else _required(name, count, stated)
        present = numbers[~missing]
        return cls(
            name,
            float(required),
            float(met.mean()) if count else math.nan,
            0.0,
            "<=" if least is None else ">=",
            members=count,
            broken=int(missing.sum()),
            stated=stated,
            typical=None
            if bar is None or not present.size
            else float(np.median(present)),
            **_about(about),
        )

    @property
    def holds(self) -> bool:
        if self.relation == "<=":
            return self.measured <= self.predicted
        if self.relation == ">=":
            return self.measured >= self.predicted
        return abs(self.measured - self.predicted) <= self.tolerance

    def as_dict(self) -> dict[str, Any]:
        """The check as a record; what does not apply is left out."""
        record = {
            "name": self.name,
            "relation": self.relation,
            "predicted": self.predicted,
            "measured": self.measured,
            "tolerance": self.tolerance,
            "holds": self.holds,
            "tag": self.tag,
            "reason": self.reason,
            "members": self.members,
            "broken": self.broken,
            "own": self.own,
            "precision": self.precision,
            "repeats": self.repeats,
        }
        optional = {
            "stated": self.stated,
            "typical": self.typical,
            "over_seeds": self.over_seeds,
        }
        return record | {
            name: value for name, value in optional.items() if value is not None
        }


def _about(about: dict[str, Any]) -> dict[str, Any]:
    """What a check says of itself, complete."""
    known = {"tag", "reason", "math", "precision", "repeats", "over_seeds"}
    unknown = set(about) - known
    if unknown:
        raise InvalidInput(f"a check has no option {', '.join(sorted(unknown))}.")
    if about.get("tag") not in TAGS:
        raise InvalidInput(
            f"a check needs a tag, one of {', '.join(TAGS)}; got {about.get('tag')!r}."
        )
    if not 0 < about.get("repeats", 0.1) < 0.5:
        raise InvalidInput(
            f"repeats is {about['repeats']!r}, expected more than 0 and less than 0.5: "
            "a comparison has to notice a factor of two."
        )
    over_seeds = about.get("over_seeds")
    if over_seeds is not None and not 0 < over_seeds <= 1:
        raise InvalidInput(
            f"over_seeds is {over_seeds!r}, expected a share above 0 and at most 1."
        )
    if not about.get("reason"):
        raise InvalidInput("a check needs the reason of its bar.")
    return about


def _required(name: str, count: int, least: float) -> float:
    """The share that `count` members must reach where a share of `least` is stated."""
    if least == 1 or count < LEAST_MEMBERS:
        return least
    required = float(binom.ppf(CHANCE, count, least)) / count
    if required < 0.5:
        enough = next(
            n for n in range(count, 10**6) if binom.ppf(CHANCE, n, least) >= n / 2
        )
        raise InvalidInput(
            f"'{name}': {count} members cannot tell a share of {least:g} from a "
            f"coin's. Pass at least {enough}."
        )
    return required


class Breakdown:
    """In place of the result of a member that broke down: every number read from it is
    NaN.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __getattr__(self, name: str) -> float:
        if name.startswith("_"):
            raise AttributeError(name)
        return math.nan

    def __float__(self) -> float:
        return math.nan

    def __repr__(self) -> str:
        return f"Breakdown({self.reason!r})"


def attempt(
    measure: Callable[[Item], Result], items: Iterable[Item]
) -> tuple[list[Result], tuple[str, ...]]:
    """`measure` of every item, and why members broke down: one that breaks down takes
    nobody with it.

    Its result is a `Breakdown`, from which checks read NaN. Mistakes in the program
    itself are raised.
    """
    results: list[Any] = []
    for item in items:
        try:
            results.append(measure(item))
        except (
            ArithmeticError,
            RuntimeError,
            InvalidInput,
            np.linalg.LinAlgError,
            cp.SolverError,
        ) as error:
            results.append(Breakdown(f"{type(error).__name__}: {error}"))
    return results, tuple(one.reason for one in results if isinstance(one, Breakdown))


@dataclass(frozen=True)
class Control:
    """The measurement repeated where an assumption is broken: the prediction must fail
    there.

    `failure` is the check that the prediction fails *clearly*, with a margin of its
    own. A NaN or a run that broke down refutes nothing.      name: what is broken, in
    words.      math: the same with formulas.
    """

    name: str
    failure: Check
    math: str = ""

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
    notes: counts a reader must know, such as draws rejected by a stated condition.
    broken: why members broke down, one sentence each.
    """

    checks: tuple[Check, ...]
    control: Control
    notes: Mapping[str, float | int | str] = field(default_factory=dict)
    broken: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return bool(self.checks) and all(check.holds for check in self.checks)
