"""The limit of one ReLU neuron is at most twice as long as the shortest weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import LEAST_MEMBERS, Check, Control, Evidence
from ibcore.pages.regression.nonlinear_networks.relu_neuron.teachers import (
    FITS,
    Batch,
    descend,
    draw_batch,
    own_batch,
)
from ibcore.pages.regression.nonlinear_networks.relu_neuron.turns import Turns

SETTLED = (
    0.35  # share of the runs that are judged by where they settle; more than these fit
)
AHEAD = 16  # points of label 0 of the control, whose start is on the other side of 0
BOUND = r"\|w_\infty\| / \|w_*\|"


@dataclass(frozen=True)
class Problems:
    """Random problems of several shapes, and members of the family that turns around.

    steps: of descent.      family: by their numbers of points.      behind: those of
    the control.
    """

    random: tuple[Batch, ...]
    steps: int
    family: dict[int, tuple[Turns, ...]]
    behind: tuple[Turns, ...]


@dataclass(frozen=True)
class Random:
    """Runs on random problems, all (S, B) for S shapes.

    ratios, distances: |w| / |w*| and |w - w*| / |w*| at their ends.   fits: which fit.
    gap: of w*, or its violation.
    """

    ratios: Tensor
    distances: Tensor
    fits: Tensor
    gap: Tensor

    def settled(self, values: Tensor) -> Tensor:
        """`values` (S, B) of the first runs that fit, `SETTLED` of those on each shape.

        NaN where fewer fit.
        """
        count = int(SETTLED * self.fits.shape[1])
        order = torch.argsort((~self.fits).int(), dim=1, stable=True)[:, :count]
        return torch.where(self.fits, values, torch.nan).gather(1, order)


@dataclass(frozen=True)
class Ratios:
    """Lengths of ends over the shortest lengths.

    family: (2, M) for each number of points, measured and predicted.
    behind: those of the control, (B,).
    """

    random: Random
    family: dict[int, Tensor]
    behind: Tensor


def draw_problems(
    setting: Setting,
    *,
    shapes: Sequence[tuple[int, int]],
    each: int,
    steps: int,
    counts: Sequence[int],
    members: int,
) -> Problems:
    """`each` random problems for each of `shapes`, a number of points and a dimension.

    Of the family, `members` for each of `counts`, the numbers of points.
    """
    random = tuple(draw_batch(setting, each, *shape) for shape in shapes)
    return Problems(random, steps, *_family(setting, counts, members))


def own_problem(
    setting: Setting,
    X: object,
    y: object,
    *,
    shapes: Sequence[tuple[int, int]],  # noqa: ARG001
    each: int,  # noqa: ARG001
    steps: int,
    counts: Sequence[int],
    members: int,
) -> Problems:
    """A reader's X (n, d) and y (n,) in place of the random problems.

    The labels have to be outputs of some neuron. How typical runs end is then not
    judged.
    """
    random = (own_batch(X, y).to(setting.device),)
    return Problems(random, steps, *_family(setting, counts, members))


def _family(
    setting: Setting, counts: Sequence[int], members: int
) -> tuple[dict[int, tuple[Turns, ...]], tuple[Turns, ...]]:
    """Members for each of `counts`, and those of the control."""
    family = {
        count: tuple(
            Turns.drawn(count, seed)
            for seed in setting.seeds(members, f"{count} turns")
        )
        for count in counts
    }
    return family, draw_behind(setting)


def draw_behind(setting: Setting) -> tuple[Turns, ...]:
    """Members of the family with `AHEAD` points."""
    seeds = setting.seeds(LEAST_MEMBERS, "starts behind")
    return tuple(Turns.drawn(AHEAD, seed) for seed in seeds)


def measure_ratios(problems: Problems, setting: Setting) -> Ratios:  # noqa: ARG001
    """Random problems by gradient descent, and the family by gradient flow."""
    runs = [measure_random(batch, problems.steps) for batch in problems.random]
    family = {
        count: torch.tensor(
            [[one.ratio() for one in turns], [one.predicted() for one in turns]],
            dtype=torch.float64,
        )
        for count, turns in problems.family.items()
    }
    parts = [
        torch.stack([getattr(run, field.name) for run in runs])
        for field in fields(Random)
    ]
    return Ratios(Random(*parts), family, measure_behind(problems.behind))


def measure_random(batch: Batch, steps: int) -> Random:
    """Descent on the problems of one shape, each of (B,)."""
    run = descend(batch, steps)
    size = batch.least.norm(dim=1)
    return Random(
        run.last.norm(dim=1) / size,
        (run.last - batch.least).norm(dim=1) / size,
        run.last_log_loss <= (FITS * batch.y.square().mean(1)).log(),
        batch.gap,
    )


def measure_behind(turns: Sequence[Turns], behind: float = 1.0) -> Tensor:
    """Ratios (B,) of flows from w = -`behind` z."""
    return torch.tensor([one.ratio(behind) for one in turns], dtype=torch.float64)


@claim(
    kind="theorem",
    source="Vardi and Shamir 2021, for the bound (abstract read, theorem recalled); "
    "proof of it, and the family that approaches it, on the page",
    statement="If gradient flow from 0 of a single ReLU neuron ends at zero loss, its "
    "limit is at most twice as long as the shortest weights of zero loss. The factor "
    "cannot be lowered in dimension 3 or more.",
    quick={
        "shapes": ((5, 4),),
        "each": 800,
        "steps": 800,
        "counts": (8, 40),
        "members": 4,
    },
    book={
        "shapes": ((4, 3), (5, 4), (6, 5), (10, 5)),
        "each": 2500,
        "steps": 800,
        "counts": (4, 8, 16, 40),
        "members": 8,
    },
    full={
        "shapes": ((4, 3), (5, 4), (6, 5), (10, 5)),
        "each": 25000,
        "steps": 20000,
        "counts": (4, 6, 8, 12, 16, 24, 40, 64),
        "members": 20,
    },
    draw=draw_problems,
    measure=measure_ratios,
    own=own_problem,
)
def relu_neuron_factor_two(measured: Ratios) -> Evidence:
    """The bound on random problems, and how near the family comes to it.

    A single problem of a reader does not tell how typical ones end.
    """
    random = measured.random
    notes = {
        "random problems": random.ratios.numel(),
        "random problems not fitted within the steps": int((~random.fits).sum()),
    }
    typical = _settled(random) if random.ratios.numel() >= LEAST_MEMBERS else ()
    checks = (*_bounded(random), *typical, *_turned(measured.family))
    return Evidence(checks, _behind(measured.behind), notes=notes)


def _bounded(random: Random) -> tuple[Check, ...]:
    """The bound and the lemma on all runs, finished or not."""
    return (
        Check.each(
            "shortest weights: gap or violation",
            random.gap,
            at_most=1e-9,
            tag="derived",
            reason="duality; non-negative least squares ends at rounding",
            precision=True,
        ),
        Check.each(
            "random: |w| / |w*|, all runs",
            random.ratios,
            at_most=2,
            tag="proved",
            math=r"random: $\|w\| / \|w_*\|$, all runs",
            reason="the theorem, which holds along the way too",
        ),
        Check.each(
            "random: |w - w*| / |w*|, all runs",
            random.distances,
            at_most=1,
            tag="proved",
            math=r"random: $\|w - w_*\| / \|w_*\|$, all runs",
            reason="the lemma: the distance never increases, and is 1 at the start",
        ),
    )


def _settled(random: Random) -> tuple[Check, ...]:
    """How typical runs end, on those that fit."""
    return (
        Check.share(
            "random: |w| / |w*| at most 1.1, runs that fit",
            random.settled(random.ratios),
            at_most=1.1,
            least=0.99,
            tag="observed",
            math=r"random: $\|w\| / \|w_*\| \le 1.1$, runs that fit",
            reason="1.053 at most on 17,000 runs",
        ),
        Check.share(
            "random: |w - w*| / |w*| at most 0.01, runs that fit",
            random.settled(random.distances) <= 0.01,
            least=0.6,
            tag="observed",
            math=r"random: $\|w - w_*\| / \|w_*\| \le 0.01$, runs that fit",
            reason="74 to 92 % of 17,000 runs, by the numbers of points and features",
        ),
    )


def _turned(family: dict[int, Tensor]) -> tuple[Check, ...]:
    """The family: the bound, how near it comes, and the limit by projections."""
    measured, predicted = torch.cat(list(family.values()), 1)
    return (
        Check.each(
            "family: ratio |w_inf| / |w*|",
            measured,
            at_most=2,
            tag="proved",
            math=f"family: ratio ${BOUND}$",
            reason="the theorem",
        ),
        *(
            Check.each(
                f"family of {count}: ratio |w_inf| / |w*|",
                family[count][0],
                at_least=least,
                tag="derived",
                math=f"family of {count}: ratio ${BOUND}$",
                reason=f"the formula gives {formula} or more for angles that vary by "
                "10 %, and finite $M$ costs 0.3 %",
            )
            for count, least, formula in ((8, 1.55, 1.56), (40, 1.85, 1.88))
        ),
        Check.each(
            "family: ratio against the limit by projections",
            measured,
            equals=predicted,
            rtol=0.01,
            tag="derived",
            reason="the projections are the limit of large $M$; at $M = 1000$ 0.3 % "
            "are missing",
        ),
    )


def _behind(ratios: Tensor) -> Control:
    """Ratios (B,) from the other side of 0."""
    return Control(
        f"family of {AHEAD}, started at -z instead of 0",
        Check.share(
            "ratio |w_inf| / |w*| at most 2",
            ratios,
            at_most=2,
            most=0.25,
            tag="derived",
            math=f"ratio ${BOUND} \\le 2$",
            reason="the bar of the claim; the projections of a start twice as far from "
            "$z$ give 2.4 or more",
        ),
        math=f"family of {AHEAD}, started at $-z$ instead of $0$",
    )
