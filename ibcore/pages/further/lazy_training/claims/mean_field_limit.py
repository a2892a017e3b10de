"""Movement of the first layer, and distance of predictors of adjacent widths, after the
same time.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.further.lazy_training.limits import Limits, train_for_a_time
from ibcore.pages.further.lazy_training.runs import Tasks, own, slopes
from ibcore.pages.further.lazy_training.tasks import (
    drawn_tasks,
    least_movement,
    start_seeds,
)


@dataclass(frozen=True)
class MeanField:
    """Networks of M widths after the same time, on B tasks: in the scaling of the mean
    field and of the kernel.
    """

    widths: Tensor
    limit: Limits
    kernel: Limits
    broken: tuple[str, ...]

    def slopes(self, log_values: Tensor) -> Tensor:
        """Exponents in the width, (B,), of values whose logarithms are (M, B) or those
        of the first widths.
        """
        return slopes(self.widths[: len(log_values)].log(), log_values)


@dataclass(frozen=True)
class Timed:
    """Regressions and for how many steps networks are trained on them."""

    tasks: Tasks
    steps: int


def draw_timed(
    setting: Setting, *, tasks: int, widths: tuple[int, ...], steps: int
) -> Timed:
    """Ten random points in five dimensions with random targets, and networks of every
    width.
    """
    return Timed(drawn_tasks(setting, tasks, widths, "mean field"), steps)


def own_timed(
    setting: Setting,
    X: object,
    y: object,
    *,
    tasks: int,
    widths: tuple[int, ...],
    steps: int,
) -> Timed:
    """A reader's X (n, d) and y (n,), with `tasks` independent sets of networks."""
    starts = start_seeds(setting, tasks, widths, "mean field")
    return Timed(own(X, y, starts, widths, setting.device), steps)


def measure_limit(timed: Timed, setting: Setting) -> MeanField:  # noqa: ARG001
    """The same number of steps of the same size in both scalings."""
    tasks = timed.tasks
    limit = train_for_a_time(tasks, 0.5, timed.steps)
    kernel = train_for_a_time(one_start(tasks), 0.0, timed.steps)
    broken = limit.broken + tuple(f"control, {why}" for why in kernel.broken)
    return MeanField(tasks.y.new_tensor(tasks.widths), limit, kernel, broken)


def one_start(tasks: Tasks) -> Tasks:
    """All widths with one start a task."""
    seeds = tuple(part[: len(tasks.X)] for part in tasks.seeds)
    return Tasks(tasks.X, tasks.y, tasks.new, tasks.widths, seeds)


@claim(
    kind="theorem",
    source="Mei, Montanari and Nguyen 2018; Chizat and Bach 2018 (abstracts read, "
    "theorems recalled). That the weights must move is proved on the page",
    statement="With outputs scaled by $1/m$ and a learning rate scaled by $m$ the "
    "weights of the first layer move by a share that does not depend on the width $m$, "
    "and networks of growing width tend to a limit: predictors of widths $m$ and $4m$ "
    "at the same time differ by the order $m^{-1/2}$.",
    quick={"tasks": 8, "widths": (32, 128, 512, 2048), "steps": 400},
    book={"tasks": 8, "widths": (64, 256, 1024, 4096), "steps": 400},
    full={"tasks": 64, "widths": (64, 256, 1024, 4096, 16384), "steps": 2000},
    draw=draw_timed,
    measure=measure_limit,
    own=own_timed,
)
def mean_field_limit(measured: MeanField) -> Evidence:
    """Movement of the first layer, and distance of predictors of adjacent widths, after
    the same time.
    """
    limit = measured.limit
    checks = (
        least_movement(limit.over_least),
        *_moving(measured.slopes(limit.moved), limit.loss),
        *_meeting(measured.slopes(limit.apart)),
    )
    control = Control(
        "outputs scaled by 1/sqrt(m)",
        Check.share(
            "exponent of the first layer's movement within 0.25 of 0",
            measured.slopes(measured.kernel.moved),
            equals=0,
            atol=0.25,
            most=0.25,
            tag="derived",
            reason="five times the bar of the claim; there the exponent is -1/2",
        ),
        math=r"outputs scaled by $1/\sqrt m$",
    )
    notes = {"tasks": limit.moved.shape[1], "networks": limit.over_least.numel()}
    return Evidence(checks, control, notes, measured.broken)


def _moving(exponents: Tensor, loss: Tensor) -> tuple[Check, ...]:
    """Exponents (B,) of the movement in the width, and what is left of the mean square,
    (M, B).
    """
    return (
        Check.each(
            "exponent of the first layer's movement",
            exponents,
            equals=0,
            atol=0.05,
            tag="derived",
            reason="one network of the smallest width varies by 5 %, as $m^{-1/2}$, "
            "and is of the order $1/m$ off its mean; averaged over starts that turns "
            "the slope by 0.01, five times that",
        ),
        Check.share(
            "mean square at most 5 % of that of the targets",
            loss,
            at_most=0.05,
            least=0.9,
            tag="observed",
            reason="the networks have learned most of what they can; on the way to a "
            "fit a little is left",
            repeats=0.3,
        ),
    )


def _meeting(exponents: Tensor) -> tuple[Check, ...]:
    """Exponents (B,) of the distance of predictors of adjacent widths."""
    return (
        Check.each(
            "exponent of the distance of predictors, mean of the tasks",
            exponents.mean(),
            equals=-0.5,
            atol=0.15,
            tag="derived",
            reason="independent draws; a distance of about five independent components "
            "varies by a third, its slope over the widths by 0.11, that of eight tasks "
            "by 0.04; four of these",
        ),
        Check.share(
            "exponent of the distance of predictors within 0.3 of -1/2",
            exponents,
            equals=-0.5,
            atol=0.3,
            least=0.9,
            tag="derived",
            math=r"exponent of the distance of predictors within 0.3 of $-1/2$",
            reason="the same for one task, nearly three of its standard deviations",
        ),
    )
