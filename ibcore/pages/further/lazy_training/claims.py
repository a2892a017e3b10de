"""Lazy and rich training: how far wide networks move, and what they find if they hardly do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.kernels import kernel_interpolant, tangent_kernel
from ibcore.oracles.lazy_limit import limit_movement, movement_spread
from ibcore.pages.further.lazy_training.runs import (
    Gaps,
    Limits,
    Tasks,
    Widths,
    drawn,
    gaps_by_width,
    own,
    repeats,
    slopes,
    train_for_a_time,
    train_widths,
)
from ibcore.pages.further.lazy_training.scales import far_starts, gaps_by_scale

FACTORS = (2.0, 8.0, 32.0)
SCALED_WIDTH, CANDIDATES = 64, 8
RICH = 0.1
_NARROW = 2  # the control is trained with so many of the widths, the smallest


def _tasks(setting: Setting, tasks: int, widths: Sequence[int], purpose: str) -> Tasks:
    starts = _starts(setting, tasks, widths, purpose)
    return drawn(setting.seeds(tasks, purpose), starts, widths, setting.device)


def _starts(
    setting: Setting, tasks: int, widths: Sequence[int], purpose: str
) -> list[list[int]]:
    """Seeds of the starts of every width, `repeats` a task."""
    counts = repeats(widths)
    return [
        setting.seeds(tasks * count, f"{purpose}, width {width}")
        for width, count in zip(widths, counts, strict=True)
    ]


def draw_tasks(setting: Setting, *, tasks: int, widths: tuple[int, ...]) -> Tasks:
    """Ten random points in five dimensions with random targets, and networks of every width."""
    return _tasks(setting, tasks, widths, "lazy training")


def own_tasks(
    setting: Setting, X: object, y: object, *, tasks: int, widths: tuple[int, ...]
) -> Tasks:
    """A reader's X (n, d) and y (n,), with `tasks` independent sets of networks."""
    starts = _starts(setting, tasks, widths, "lazy training")
    return own(X, y, starts, widths, setting.device)


def narrow(tasks: Tasks) -> Tasks:
    """The narrowest networks, one start each."""
    seeds = tuple(part[: len(tasks.X)] for part in tasks.seeds[:_NARROW])
    return Tasks(tasks.X, tasks.y, tasks.new, tasks.widths[:_NARROW], seeds)


@dataclass(frozen=True)
class Movements:
    """Networks of M widths, trained to a fit on B tasks in the scaling of the kernel.

    widths, starts: (M,), and how many starts a task.      limit: (B,), of sqrt(m) times the movement, in closed form.
    spread: (B,), the standard deviation of sqrt(m) times its relative error that the start causes.
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
        """Exponents in the width, (B,), of values whose logarithms are (M, B) or those of the first widths."""
        return slopes(self.widths[: len(log_values)].log(), log_values)

    @property
    def slope_spread(self) -> Tensor:
        """Standard deviation of the exponent of the movement that the starts cause, (B,)."""
        x = self.widths.log() - self.widths.log().mean()
        weights = x / x.square().sum()
        noise = weights.square() / (self.widths * self.starts)
        return self.spread * noise.sum().sqrt()

    @property
    def over_limit(self) -> Tensor:
        """sqrt(m) times the movement over its limit, (M, B)."""
        return (self.kernel.moved + self.widths.log()[:, None] / 2).exp() / self.limit


def measure_movements(tasks: Tasks, setting: Setting) -> Movements:  # noqa: ARG001
    """Descent at half the stable step until the mean square is 1e-14 of that of the targets."""
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
    source="Jacot, Gabriel and Hongler 2018; Lee et al. 2019; Chizat, Oyallon and Bach 2019 (recalled). That the "
    "weights cannot move less is proved on the page, by how much they move is derived there",
    statement=r"With outputs scaled by $1/\sqrt m$ the weights of a two-layer network of width $m$ move by a share "
    r"of the order $m^{-1/2}$ until it fits, by no smaller one, and the tangent kernel changes by a share of that "
    r"order at most. The factor for the first layer is $\sqrt{y^\top K^{-1} K_W K^{-1} y / (d + 1)}$ with the limit "
    r"$K$ of the kernel and the part $K_W$ of the first layer.",
    quick={"tasks": 8, "widths": (128, 512, 2048)},
    book={"tasks": 8, "widths": (256, 1024, 4096)},
    full={"tasks": 64, "widths": (256, 1024, 4096, 16384)},
    draw=draw_tasks,
    measure=measure_movements,
    own=own_tasks,
)
def ntk_constant(measured: Movements) -> Evidence:
    """Movement of the first layer and change of the kernel over the width, fitted to 1e-14."""
    kernel = measured.kernel
    wide = math.sqrt(float(measured.widths[-1]))
    checks = (
        _least(kernel.over_least),
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
    return Evidence(checks, control, {}, notes, measured.broken)


def _least(over_least: Tensor) -> Check:
    """p + q + p q over its lower bound."""
    return Check.each(
        "movements p and q of the two layers: p + q + p q over what it is at least",
        over_least,
        at_least=1.0,
        tag="proved",
        math=r"movements $p$ and $q$ of the two layers: $p + q + pq$ over what it is at least",
        reason="the inequality of the page, however the weights were moved",
        repeats=0.3,
    )


def _exponents(moved: Tensor, spread: Tensor, changed: Tensor) -> tuple[Check, ...]:
    """Exponents in the width of the first layer's movement, what of it is chance, and of the kernel's change, (B,)."""
    return (
        Check.each(
            "exponent of the first layer's movement, mean of the tasks",
            moved.mean(),
            equals=-0.5,
            atol=0.03,
            tag="derived",
            reason="the kernel at the start is random: it turns the slope of one task by 0.01, one standard deviation "
            "that the page computes, and that of the mean of eight by 0.004; the next order by 0.01",
        ),
        Check.each(
            "exponent of the first layer's movement, each task",
            moved,
            equals=-0.5,
            atol=(4 * spread + 0.015).numpy(),
            tag="derived",
            reason="four of these standard deviations, computed for each task, and 0.015 for the next order; together "
            "0.05 as a rule",
        ),
        Check.share(
            "exponent of the kernel's change at most -0.5",
            changed,
            at_most=-0.5,
            least=0.9,
            tag="derived",
            math="exponent of the kernel's change at most $-0.5$",
            reason="the theorem's order; where neurons are paired the terms of this order cancel and kinks leave "
            r"$m^{-3/4}$, so that there is room for the chance of the start",
        ),
    )


def _factors(limit: Tensor, spread: Tensor, own_kernel: Tensor) -> tuple[Check, ...]:
    """sqrt(m) times the relative error of the movement at the largest width, by the limit and by the own kernel."""
    return (
        Check.share(
            "largest width: movement over its limit within what chance allows of 1",
            limit,
            equals=0,
            atol=(4 * spread + 1).numpy(),
            least=0.9,
            tag="derived",
            reason=r"$\sqrt m$ times the difference: four standard deviations of what the start causes, which the page "
            "computes for each task, and 1 for the weights' own motion. Where two inputs nearly coincide, the kinks "
            "between them make the motion larger: one task in eighty",
            repeats=0.45,
        ),
        Check.share(
            "largest width: sqrt(m) times |movement over what the kernel at its start predicts - 1| at most 2",
            own_kernel.abs(),
            at_most=2.0,
            least=0.9,
            tag="derived",
            math=r"largest width: $\sqrt m\, |$movement over what the kernel at its start predicts $-\, 1|$ at most 2",
            reason=r"the first order is exact, and the next of the order $m^{-1/2}$ at most; its factor was observed, "
            "a median of 0.1 and up to 1",
            repeats=0.45,
        ),
    )


@dataclass(frozen=True)
class Regressions:
    """How far trained networks are from kernel regression, on B tasks.

    widths: (M,).      by_width: gaps of M widths.      by_scale: (F, B), for the scales `FACTORS`, at width 64.
    paired: (2, B), the same for the first two scales and paired neurons.
    rich: (B,), the gap with the scale 0.1, at width 64.      certificates: (B,), residuals of the kernel's equations.
    """

    widths: Tensor
    by_width: Gaps
    by_scale: Tensor
    paired: Tensor
    rich: Tensor
    certificates: Tensor
    broken: tuple[str, ...]

    def slopes(self, log_gaps: Tensor) -> Tensor:
        """Exponents in the width, (B,), of gaps (M, B) given by their logarithms."""
        return slopes(self.widths.log(), log_gaps)

    def scale_slopes(self, gaps: Tensor) -> Tensor:
        """Exponents in the scale, (B,), of gaps for the first of the scales."""
        return slopes(gaps.new_tensor(FACTORS[: len(gaps)]).log(), gaps.log())


def measure_regressions(tasks: Tasks, setting: Setting) -> Regressions:
    """Fits of the targets with every width, and of y / alpha with width 64."""
    limit = kernel_interpolant(tangent_kernel, tasks.X, tasks.y)
    seeds = setting.seeds(CANDIDATES * len(tasks.X), "lazy training, scales")
    theta, safe = far_starts(tasks, SCALED_WIDTH, seeds, paired=False)
    pairs, near = far_starts(tasks, SCALED_WIDTH, seeds, paired=True)
    gaps = gaps_by_width(tasks, limit(tasks.new))
    factors = safe.new_tensor(FACTORS)[:, None]
    rich = safe.new_full((1, len(safe)), RICH)
    return Regressions(
        tasks.y.new_tensor(tasks.widths),
        gaps,
        gaps_by_scale(tasks, theta, SCALED_WIDTH, factors * safe),
        gaps_by_scale(tasks, pairs, SCALED_WIDTH, factors[:2] * near),
        gaps_by_scale(tasks, theta, SCALED_WIDTH, rich, 0.25)[0],
        limit.residual,
        gaps.broken,
    )


@claim(
    kind="theorem",
    source="Jacot, Gabriel and Hongler 2018; Lee et al. 2019; Chizat, Oyallon and Bach 2019 (recalled). The linear "
    "model and the order in the scale at fixed width are proved on the page, the order in the width with kinks is "
    "derived there",
    statement=r"What a lazy network finds is kernel regression with the tangent kernel at its start, "
    r"$f_0(x) + K(x, X) K^{-1} (y - f_0(X))$. The gap vanishes with the width, at least like $m^{-1/2}$, and at "
    r"any fixed width with the scale $\alpha$ of the output, like $1/\alpha$.",
    quick={"tasks": 8, "widths": (64, 256, 1024)},
    book={"tasks": 8, "widths": (256, 1024, 4096)},
    full={"tasks": 64, "widths": (256, 1024, 4096, 16384)},
    draw=draw_tasks,
    measure=measure_regressions,
    own=own_tasks,
)
def ntk_lazy(measured: Regressions) -> Evidence:
    """Gaps to kernel regression at new inputs, over the width and over the scale."""
    gaps = measured.by_width
    checks = (
        *_exact(measured.certificates, gaps.linear),
        *_widths(measured.slopes(gaps.at_start), measured.slopes(gaps.in_limit)),
        *_scales(
            measured.scale_slopes(measured.by_scale),
            measured.scale_slopes(measured.paired),
        ),
    )
    control = Control(
        "scale 0.1 in place of a large one",
        Check.share(
            "gap to kernel regression at most 0.03",
            measured.rich,
            at_most=0.03,
            most=0.25,
            tag="observed",
            reason="a hundred times what is found at the smallest of the large scales",
        ),
    )
    notes = {"tasks": len(measured.rich)}
    return Evidence(checks, control, {}, notes, measured.broken)


def _exact(certificates: Tensor, linear: Tensor) -> tuple[Check, ...]:
    """Residuals of the kernel's equations, and the gap of the linear model, (B,) each."""
    return (
        Check.each(
            "kernel regression: relative residual of its equations",
            certificates,
            at_most=1e-10,
            tag="derived",
            reason="rounding, times the condition number of the kernel",
            precision=True,
        ),
        Check.each(
            "linear model of the start, by descent: gap to kernel regression",
            linear,
            at_most=1e-5,
            tag="proved",
            reason="descent ends at residuals of 1e-7; a hundred times that at new inputs",
            precision=True,
        ),
    )


def _widths(at_start: Tensor, in_limit: Tensor) -> tuple[Check, ...]:
    """Exponents in the width of the gaps to both kernels, (B,) each."""
    return (
        Check.each(
            "exponent of the gap to the kernel at the start, mean of the tasks",
            at_start.mean(),
            at_most=-0.4,
            tag="derived",
            reason=r"at least as fast as $m^{-1/2}$ by the theorem, $m^{-3/4}$ by the count of kinks; the gap is a "
            "random sum, so that the mean slope of eight tasks varies by 0.04: two of these above the theorem's order",
        ),
        Check.each(
            "exponent of the gap to the limit of the kernel, mean of the tasks",
            in_limit.mean(),
            equals=-0.5,
            atol=0.15,
            tag="derived",
            reason="central limit theorem; the gap is a random sum, so that the mean slope of eight tasks varies "
            "by 0.04; nearly four of these",
        ),
    )


def _scales(exponents: Tensor, paired: Tensor) -> tuple[Check, ...]:
    """Exponents (B,) of the gap in the scale, for unpaired and for paired neurons."""
    return (
        Check.each(
            "width 64: exponent of the gap in the scale",
            exponents,
            equals=-1,
            atol=0.02,
            tag="derived",
            math=r"width 64: exponent of the gap in the scale $\alpha$",
            reason=r"the gap is $c/\alpha + O(\alpha^{-2})$ where no kink is met; the weights have moved by less than "
            "one percent",
        ),
        Check.each(
            "width 64, neurons in pairs: exponent of the gap in the scale",
            paired,
            equals=-2,
            atol=0.1,
            tag="derived",
            math=r"width 64, neurons in pairs: exponent of the gap in the scale $\alpha$",
            reason=r"the gap is $c/\alpha^2 + O(\alpha^{-4})$ by symmetry; it is as small as 1e-8 there, and descent "
            "ends at 1e-12: a tenth is room for a small factor $c$",
        ),
    )


@dataclass(frozen=True)
class MeanField:
    """Networks of M widths after the same time, on B tasks: in the scaling of the mean field and of the kernel."""

    widths: Tensor
    limit: Limits
    kernel: Limits
    broken: tuple[str, ...]

    def slopes(self, log_values: Tensor) -> Tensor:
        """Exponents in the width, (B,), of values whose logarithms are (M, B) or those of the first widths."""
        return slopes(self.widths[: len(log_values)].log(), log_values)


@dataclass(frozen=True)
class Timed:
    """Regressions and for how many steps networks are trained on them."""

    tasks: Tasks
    steps: int


def draw_timed(
    setting: Setting, *, tasks: int, widths: tuple[int, ...], steps: int
) -> Timed:
    """Ten random points in five dimensions with random targets, and networks of every width."""
    return Timed(_tasks(setting, tasks, widths, "mean field"), steps)


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
    starts = _starts(setting, tasks, widths, "mean field")
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
    source="Mei, Montanari and Nguyen 2018; Chizat and Bach 2018 (abstracts read, theorems recalled). That the weights "
    "must move is proved on the page",
    statement=r"With outputs scaled by $1/m$ and a learning rate scaled by $m$ the weights of the first layer move by "
    r"a share that does not depend on the width $m$, and networks of growing width tend to a limit: predictors of "
    r"widths $m$ and $4m$ at the same time differ by the order $m^{-1/2}$.",
    quick={"tasks": 8, "widths": (32, 128, 512, 2048), "steps": 400},
    book={"tasks": 8, "widths": (64, 256, 1024, 4096), "steps": 400},
    full={"tasks": 64, "widths": (64, 256, 1024, 4096, 16384), "steps": 2000},
    draw=draw_timed,
    measure=measure_limit,
    own=own_timed,
)
def mean_field_limit(measured: MeanField) -> Evidence:
    """Movement of the first layer, and distance of predictors of adjacent widths, after the same time."""
    limit = measured.limit
    checks = (
        _least(limit.over_least),
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
    return Evidence(checks, control, {}, notes, measured.broken)


def _moving(exponents: Tensor, loss: Tensor) -> tuple[Check, ...]:
    """Exponents (B,) of the movement in the width, and what is left of the mean square, (M, B)."""
    return (
        Check.each(
            "exponent of the first layer's movement",
            exponents,
            equals=0,
            atol=0.05,
            tag="derived",
            reason=r"one network of the smallest width varies by 5 %, as $m^{-1/2}$, and is of the order $1/m$ off its "
            "mean; averaged over starts that turns the slope by 0.01, five times that",
        ),
        Check.share(
            "mean square at most 5 % of that of the targets",
            loss,
            at_most=0.05,
            least=0.9,
            tag="observed",
            reason="the networks have learned most of what they can; on the way to a fit a little is left",
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
            reason="independent draws; a distance of about five independent components varies by a third, its slope "
            "over the widths by 0.11, that of eight tasks by 0.04; four of these",
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
