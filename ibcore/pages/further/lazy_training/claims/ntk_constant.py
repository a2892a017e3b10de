"""Movement of the first layer and change of the kernel over the width, fitted to 1e-14."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.lazy_limit import limit_movement, movement_spread
from ibcore.pages.further.lazy_training.runs import (
    Tasks,
    Widths,
    slopes,
    train_widths,
)
from ibcore.pages.further.lazy_training.tasks import (
    draw_tasks,
    least_movement,
    own_tasks,
)

_NARROW = 2  # the control is trained with so many of the widths, the smallest


def narrow(tasks: Tasks) -> Tasks:
    """The narrowest networks, one start each."""
    seeds = tuple(part[: len(tasks.X)] for part in tasks.seeds[:_NARROW])
    return Tasks(tasks.X, tasks.y, tasks.new, tasks.widths[:_NARROW], seeds)


@dataclass(frozen=True)
class Movements:
    """Networks of M widths, trained to a fit on B tasks in the scaling of the kernel.

    widths, starts: (M,), and how many starts a task.      limit: (B,), of sqrt(m) times
    the movement, in closed form.
    spread: (B,), the standard deviation of sqrt(m) times its relative error that the
    start causes.
    mean_field: the narrow ones in the scaling of the mean field.
    """

    widths: Tensor
    starts: Tensor
    limit: Tensor
    spread: Tensor
    kernel: Widths
    mean_field: Widths
    broken: tuple[str, ...]

    def slopes(self, log_values: Tensor) -> Tensor:
        """Exponents in the width, (B,), of values whose logarithms are (M, B) or those
        of the first widths.
        """
        return slopes(self.widths[: len(log_values)].log(), log_values)

    @property
    def slope_spread(self) -> Tensor:
        """Standard deviation of the exponent of the movement that the starts cause,
        (B,).
        """
        x = self.widths.log() - self.widths.log().mean()
        weights = x / x.square().sum()
        noise = weights.square() / (self.widths * self.starts)
        return self.spread * noise.sum().sqrt()

    @property
    def over_limit(self) -> Tensor:
        """sqrt(m) times the movement over its limit, (M, B)."""
        return (self.kernel.moved + self.widths.log()[:, None] / 2).exp() / self.limit


def measure_movements(tasks: Tasks, setting: Setting) -> Movements:  # noqa: ARG001
    """Descent at half the stable step until the mean square is 1e-14 of that of the
    targets.
    """
    kernel = train_widths(tasks)
    field = train_widths(narrow(tasks), factor=0.5, share=0.25)
    return Movements(
        tasks.y.new_tensor(tasks.widths),
        tasks.y.new_tensor([len(part) // len(tasks.X) for part in tasks.seeds]),
        limit_movement(tasks.X, tasks.y),
        movement_spread(tasks.X, tasks.y),
        kernel,
        field,
        kernel.broken + tuple(f"control, {why}" for why in field.broken),
    )


@claim(
    kind="theorem",
    source="Jacot, Gabriel and Hongler 2018; Lee et al. 2019; Chizat, Oyallon and Bach "
    "2019 (recalled). That the weights cannot move less is proved on the page, by how "
    "much they move is derived there",
    statement=r"With outputs scaled by $1/\sqrt m$ the weights of a two-layer network "
    "of width $m$ move by a share of the order $m^{-1/2}$ until it fits, by no "
    "smaller one, and the tangent kernel changes by a share of that order at most. "
    r"The factor for the first layer is $\sqrt{y^\top K^{-1} K_W K^{-1} y / (d + 1)}$ "
    "with the limit $K$ of the kernel and the part $K_W$ of the first layer.",
    quick={"tasks": 8, "widths": (128, 512, 2048)},
    book={"tasks": 8, "widths": (256, 1024, 4096)},
    full={"tasks": 64, "widths": (256, 1024, 4096, 16384)},
    draw=draw_tasks,
    measure=measure_movements,
    own=own_tasks,
)
def ntk_constant(measured: Movements) -> Evidence:
    """Movement of the first layer and change of the kernel over the width, fitted to
    1e-14.
    """
    kernel = measured.kernel
    wide = math.sqrt(float(measured.widths[-1]))
    checks = (
        least_movement(kernel.over_least),
        *_exponents(
            measured.slopes(kernel.moved),
            measured.slope_spread,
            measured.slopes(kernel.changed),
        ),
        *_factors(
            wide * (measured.over_limit[-1] - 1),
            measured.spread,
            wide * (kernel.own[-1].exp() - 1),
        ),
    )
    control = Control(
        "outputs scaled by 1/m",
        Check.share(
            "exponent of the movement at most -0.25",
            measured.slopes(measured.mean_field.moved),
            at_most=-0.25,
            most=0.25,
            tag="derived",
            math="exponent of the movement at most $-0.25$",
            reason="half of what the claim predicts; there the exponent is 0",
        ),
        math="outputs scaled by $1/m$",
    )
    notes = {"tasks": len(measured.limit), "networks": kernel.over_least.numel()}
    return Evidence(checks, control, notes, measured.broken)


def _exponents(moved: Tensor, spread: Tensor, changed: Tensor) -> tuple[Check, ...]:
    """Exponents in the width of the first layer's movement, what of it is chance, and
    of the kernel's change, (B,).
    """
    return (
        Check.each(
            "exponent of the first layer's movement, mean of the tasks",
            moved.mean(),
            equals=-0.5,
            atol=0.03,
            tag="derived",
            reason="the kernel at the start is random: it turns the slope of one task "
            "by 0.01, one standard deviation that the page computes, and that of the "
            "mean of eight by 0.004; the next order by 0.01",
        ),
        Check.each(
            "exponent of the first layer's movement, each task",
            moved,
            equals=-0.5,
            atol=(4 * spread + 0.015).numpy(),
            tag="derived",
            reason="four of these standard deviations, computed for each task, and "
            "0.015 for the next order; together 0.05 as a rule",
        ),
        Check.share(
            "exponent of the kernel's change at most -0.5",
            changed,
            at_most=-0.5,
            least=0.9,
            tag="derived",
            math="exponent of the kernel's change at most $-0.5$",
            reason="the theorem's order; where neurons are paired the terms of this "
            "order cancel and kinks leave $m^{-3/4}$, so that there is room for the "
            "chance of the start",
        ),
    )


def _factors(limit: Tensor, spread: Tensor, own_kernel: Tensor) -> tuple[Check, ...]:
    """sqrt(m) times the relative error of the movement at the largest width, by the
    limit and by the own kernel.
    """
    return (
        Check.share(
            "largest width: movement over its limit within what chance allows of 1",
            limit,
            equals=0,
            atol=(4 * spread + 1).numpy(),
            least=0.9,
            tag="derived",
            reason=r"$\sqrt m$ times the difference: four standard deviations of what "
            "the start causes, which the page computes for each task, and 1 for the "
            "weights' own motion. Where two inputs nearly coincide, the kinks between "
            "them make the motion larger: one task in eighty",
            repeats=0.45,
        ),
        Check.share(
            "largest width: sqrt(m) times |movement over what the kernel at its start "
            "predicts - 1| at most 2",
            own_kernel.abs(),
            at_most=2.0,
            least=0.9,
            tag="derived",
            math=r"largest width: $\sqrt m\, |$movement over what the kernel at its "
            r"start predicts $-\, 1|$ at most 2",
            reason="the first order is exact, and the next of the order $m^{-1/2}$ at "
            "most; its factor was observed, a median of 0.1 and up to 1",
            repeats=0.45,
        ),
    )
