"""The orbit of the double well in closed form, small orbits of quartics, pairs (x, y)
that become equal.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.claim import claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.two_step import double_well_multiplier, double_well_orbit
from ibcore.pages.dynamical_stability.stable_minima.orbits import (
    ORBIT_STEPS,
    Orbits,
    draw_curves,
    measure_curves,
)


@claim(
    kind="theorem",
    source="Chen and Bruna 2023 (abstract read, theorem recalled); the closed form and "
    "its multiplier are proved on the page, the condition is derived there; period "
    "doubling is classical",
    statement=r"Just above the threshold gradient descent on $\frac14 (x^2 - 1)^2$ has "
    r"an orbit of period two with $x_1 x_2 = 1/\eta$ and $x_1^2 + x_2^2 = 1 + 1/\eta$, "
    r"which attracts for $1 < \eta < \sqrt5 - 1$ and repels for larger $\eta$. A "
    "minimum of $f$ has such a small orbit above its threshold where $3 f'''^2 - f'' "
    "f'''' > 0$, and none where this is negative.",
    quick={"starts": 8, "quartics": 16, "pairs": 300},
    book={"starts": 16, "quartics": 32, "pairs": 1000},
    full={"starts": 200, "quartics": 1000, "pairs": 20_000},
    draw=draw_curves,
    measure=measure_curves,
)
def two_step_period_2(measured: Orbits) -> Evidence:
    """The orbit of the double well in closed form, small orbits of quartics, pairs (x,
    y) that become equal.
    """
    bounded = measured.apart.isfinite()
    checks = (
        *_orbit(measured.points, measured.slopes, measured.below, measured.returns),
        *_small(measured.ratios, measured.near[0]),
        *_gone(measured.parabola, measured.steepening),
        *_joined(measured.apart[bounded], measured.on[bounded]),
    )
    control = Control(
        "quartics with the sign of the condition reversed",
        Check.share(
            "a run stays within 0.5 of the minimum",
            measured.near[1],
            most=0.25,
            tag="derived",
            math=r"a run stays within $\frac12$ of the minimum",
            reason="to leading order no small orbit is there to stay on, and the "
            "distance grows with every step",
        ),
        math=r"quartics with $3 f'''^2 - f'' f'''' < 0$",
    )
    return Evidence(checks, control, {"pairs": bounded.numel()})


def _orbit(
    points: Tensor, slopes: Tensor, below: Tensor, returns: Tensor
) -> tuple[Check, ...]:
    """The double well: points (E, B, 2), slopes (E, B), distances below (B,), returns
    (A, B).
    """
    steps = torch.tensor(ORBIT_STEPS, dtype=torch.float64)
    expected = double_well_orbit(steps)[:, None].expand_as(points)
    multiplier = double_well_multiplier(steps)[:, None].expand_as(slopes)
    return (
        Check.each(
            "double well, steps 1.02 to 1.23: last two iterates are the orbit",
            (points - expected).abs(),
            at_most=1e-10,
            tag="proved",
            precision=True,
            math=r"double well, $\eta$ from 1.02 to 1.23: last two iterates, distance "
            "from the orbit",
            reason="almost every start comes to the orbit or its mirror image; the "
            "slowest multiplier, $-0.946$, leaves $10^{-48}$ after 4,000 steps; "
            "rounding, amplified by at most twenty",
        ),
        Check.each(
            "multiplier of two steps at the measured points",
            (slopes - multiplier).abs(),
            at_most=1e-8,
            tag="proved",
            precision=True,
            math="multiplier of two steps at the measured points, distance from $9 - "
            r"2 (1 + \eta)^2$",
            reason="an error of $10^{-10}$ of the points times second derivatives of "
            "order 10",
        ),
        Check.each(
            "step 0.98, below the threshold: distance from a minimum",
            below,
            at_most=1e-10,
            tag="proved",
            precision=True,
            math=r"$\eta = 0.98$, below the threshold: distance from a minimum",
            reason="almost every start comes to a minimum, and then each step "
            "multiplies the distance by $-0.96$",
        ),
        *_around_the_end(returns),
    )


def _around_the_end(returns: Tensor) -> tuple[Check, ...]:
    """Changes over two steps (A, B) below and above the step sqrt(5) - 1."""
    return (
        Check.each(
            "steps 0.98 and 0.995 of sqrt(5) - 1: change over two steps",
            returns[:2],
            at_most=1e-10,
            tag="proved",
            precision=True,
            math=r"$\eta = 0.98\, (\sqrt5 - 1)$ and $0.995\, (\sqrt5 - 1)$: change "
            "over two steps",
            reason="almost every start comes to an orbit with the multiplier $-0.78$ "
            "or $-0.945$; rounding",
        ),
        Check.each(
            "steps 1.005 and 1.02 of sqrt(5) - 1: change over two steps",
            returns[2:],
            at_least=1e-3,
            tag="derived",
            math=r"$\eta = 1.005\, (\sqrt5 - 1)$ and $1.02\, (\sqrt5 - 1)$: change "
            "over two steps",
            reason="the orbit repels, with multipliers below $-1.05$: almost no start "
            "comes to it. A run ends elsewhere, and the distance is of the order of "
            "the square root of the excess, 0.07",
        ),
    )


def _small(ratios: Tensor, near: Tensor) -> tuple[Check, ...]:
    """Quartics that meet the condition: ratios (2, Q) at both excesses, and whether the
    runs stay near (Q,).
    """
    return (
        Check.each(
            "quartics: squared size of the small orbit over the prediction",
            2 * ratios[0] - ratios[1],
            equals=1,
            atol=1e-3,
            tag="derived",
            math=r"quartics: squared size of the small orbit over $3 f''^2 \varepsilon "
            r"/ (3 f'''^2 - f'' f'''')$, extrapolated to $\varepsilon = 0$",
            reason=r"the correction is a multiple of $\varepsilon$; with it removed "
            r"from $\varepsilon = 0.001$ and $0.002$ there remains one of "
            r"$\varepsilon^2$, at most $5 \cdot 10^{-4}$ where $|f'''| \le 1$ and the "
            "condition is at least 1 (iterated in the corners of the draws); twice "
            "that",
        ),
        Check.share(
            "quartics: a run stays within 0.5 of the minimum",
            near,
            least=0.99,
            tag="derived",
            math=r"quartics: a run stays within $\frac12$ of the minimum",
            reason="the small orbit attracts, to leading order, and lies within a "
            "sixth of that",
        ),
    )


def _gone(parabola: Tensor, steepening: Tensor) -> tuple[Check, ...]:
    """Functions without the condition: growth (B,) on a parabola over the exact one,
    who stays finite (B,).
    """
    return (
        Check.each(
            "x^2 / 2 at step 2.01: growth over 1000 steps, over 1.01^1000",
            parabola,
            equals=1,
            atol=1e-10,
            tag="proved",
            precision=True,
            math=r"$\frac12 x^2$, $\eta = 2.01$: growth over 1,000 steps, over "
            "$1.01^{1000}$",
            reason="rounding, a thousand times",
        ),
        Check.share(
            "x^2 / 2 + x^4 / 4 at step 2.01: a run is finite after 4000 steps",
            steepening,
            most=0,
            tag="proved",
            math=r"$\frac12 x^2 + \frac14 x^4$, $\eta = 2.01$: a run is finite after "
            "4,000 steps",
            reason=r"every step multiplies $|x|$ by $1.01 + 2.01 x^2$",
        ),
    )


def _joined(apart: Tensor, on: Tensor) -> tuple[Check, ...]:
    """Pairs that stay bounded: |x - y| and the distance of x from the orbit."""
    return (
        Check.each(
            "product at steps 1.02 and 1.05, all bounded starts: x - y",
            apart,
            at_most=1e-10,
            tag="observed",
            precision=True,
            math=r"product, $\eta = 1.02$ and $1.05$, all bounded starts: $|x - y|$",
            reason=r"two steps multiply a small $x - y$ by $3 - 2\eta$, at most 0.96: "
            "$10^{-35}$ after 4,000; that every bounded start comes near is observed",
        ),
        Check.each(
            "the same: distance of x from the orbit of the double well",
            on,
            at_most=1e-10,
            tag="observed",
            precision=True,
            reason="on the line $x = y$ a step is one on the double well",
        ),
    )
