"""Gaps to kernel regression at new inputs, over the width and over the scale."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.kernels import kernel_interpolant, tangent_kernel
from ibcore.pages.further.lazy_training.runs import (
    Gaps,
    Tasks,
    gaps_by_width,
    slopes,
)
from ibcore.pages.further.lazy_training.scales import far_starts, gaps_by_scale
from ibcore.pages.further.lazy_training.tasks import draw_tasks, own_tasks

FACTORS = (2.0, 8.0, 32.0)


SCALED_WIDTH, CANDIDATES = 64, 8


RICH = 0.1


@dataclass(frozen=True)
class Regressions:
    """How far trained networks are from kernel regression, on B tasks.

    widths: (M,).      by_width: gaps of M widths.      by_scale: (F, B), for the scales
    `FACTORS`, at width 64.
    paired: (2, B), the same for the first two scales and paired neurons.
    rich: (B,), the gap with the scale 0.1, at width 64.      certificates: (B,),
    residuals of the kernel's equations.
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
    source="Jacot, Gabriel and Hongler 2018; Lee et al. 2019; Chizat, Oyallon and Bach "
    "2019 (recalled). The linear model and the order in the scale at fixed width are "
    "proved on the page, the order in the width with kinks is derived there",
    statement="What a lazy network finds is kernel regression with the tangent kernel "
    "at its start, $f_0(x) + K(x, X) K^{-1} (y - f_0(X))$. The gap vanishes with the "
    r"width, at least like $m^{-1/2}$, and at any fixed width with the scale $\alpha$ "
    r"of the output, like $1/\alpha$.",
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
    return Evidence(checks, control, notes, measured.broken)


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
            reason="descent ends at residuals of 1e-7; a hundred times that at new "
            "inputs",
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
            reason="at least as fast as $m^{-1/2}$ by the theorem, $m^{-3/4}$ by the "
            "count of kinks; the gap is a random sum, so that the mean slope of eight "
            "tasks varies by 0.04: two of these above the theorem's order",
        ),
        Check.each(
            "exponent of the gap to the limit of the kernel, mean of the tasks",
            in_limit.mean(),
            equals=-0.5,
            atol=0.15,
            tag="derived",
            reason="central limit theorem; the gap is a random sum, so that the mean "
            "slope of eight tasks varies by 0.04; nearly four of these",
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
            reason=r"the gap is $c/\alpha + O(\alpha^{-2})$ where no kink is met; the "
            "weights have moved by less than one percent",
        ),
        Check.each(
            "width 64, neurons in pairs: exponent of the gap in the scale",
            paired,
            equals=-2,
            atol=0.1,
            tag="derived",
            math="width 64, neurons in pairs: exponent of the gap in the scale "
            r"$\alpha$",
            reason=r"the gap is $c/\alpha^2 + O(\alpha^{-4})$ by symmetry; it is as "
            "small as 1e-8 there, and descent ends at 1e-12: a tenth is room for a "
            "small factor $c$",
        ),
    )
