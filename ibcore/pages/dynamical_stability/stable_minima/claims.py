"""Which minima a step size can stay in: the threshold 2 / eta, what is just above it, and the part of the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.claim import claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.two_step import double_well_multiplier, double_well_orbit
from ibcore.pages.dynamical_stability.stable_minima.mean_squares import (
    MeanSquares,
    draw_regressions,
    measure_regressions,
)
from ibcore.pages.dynamical_stability.stable_minima.orbits import (
    ORBIT_STEPS,
    Orbits,
    draw_curves,
    measure_curves,
)
from ibcore.pages.dynamical_stability.stable_minima.threshold import (
    FACTORS,
    STABLE,
    STEP,
    UNSTABLE,
    Stays,
    draw_places,
    measure_places,
)

__all__ = ["STABLE", "STEP", "UNSTABLE"]


@claim(
    kind="theorem",
    source="classical (linear stability of a fixed point); Wu, Ma and E 2018, Mulayoff, Michaeli and Soudry 2021 and "
    "Cohen et al. 2021 for minima of networks (recalled); the statements on the product are proved on the page",
    statement=r"Gradient descent with step $\eta$ is linearly stable at a minimum exactly where $\eta \lambda \le 2$ "
    r"for the largest Hessian eigenvalue $\lambda$. On $\frac12 (xy - 1)^2$ almost every start that converges to a "
    r"minimum converges to one with $\eta \lambda \le 2$, also where gradient flow from it ends at a sharper one.",
    quick={"quadratics": 16, "starts": 1000, "flows": 24},
    book={"quadratics": 24, "starts": 4000, "flows": 48},
    full={"quadratics": 400, "starts": 100_000, "flows": 400},
    draw=draw_places,
    measure=measure_places,
)
def stability_two_over_eta(measured: Stays) -> Evidence:
    """Quadratics by closed form; the product from random starts and from minima that are kicked; the flow beside."""
    landed = measured.ends.isfinite()
    sharp = measured.heading >= 2.2
    checks = (
        *_on_quadratics(measured.errors, measured.tops),
        *_on_the_product(measured.ends[landed], measured.ends[landed & sharp]),
        *_kicked(measured.kicked),
        Check.each(
            "gradient flow: distance of its end from the minimum that x^2 - y^2 predicts",
            measured.missed,
            at_most=1e-8,
            tag="proved",
            precision=True,
            math="gradient flow: distance of its end from the minimum that $x^2 - y^2$ predicts",
            reason=r"the solver's tolerance, $10^{-11}$ a step, over some hundred steps, and a "
            r"residual of $10^{-10}$: about $10^{-9}$; ten times that",
        ),
    )
    control = Control(
        "an infinitesimal step, from starts that head for a minimum too sharp",
        Check.share(
            "eta times the sharpness at the end at most 2",
            measured.flow[: len(measured.flow) // 2],
            at_most=2,
            most=0.25,
            tag="proved",
            math=r"$\eta (x^2 + y^2)$ at the end at most 2",
            reason="the flow ends where its conserved quantity says, at 2.2 or more",
        ),
        math=r"an infinitesimal step, from starts that head for $\eta (x^2 + y^2) \ge 2.2$",
    )
    notes = {"starts": len(landed)}
    return Evidence(checks, control, {}, notes, measured.broken)


def _on_quadratics(errors: Tensor, tops: Tensor) -> tuple[Check, ...]:
    """Errors against the closed form and growth of the sharpest part, (F, Q) each, after 200 steps."""
    return (
        Check.each(
            "quadratics: 200 iterates against their closed form",
            errors,
            at_most=1e-12,
            tag="proved",
            precision=True,
            math=r"quadratics: 200 iterates against their closed form, over "
            r"$\|\theta_0\| \max(1, |1 - \eta\lambda|)^{200}$",
            reason=r"a Hessian known to rounding moves $\eta\lambda$ by a few units of $10^{-16}$, "
            r"200 times: about $10^{-13}$; ten times that",
        ),
        Check.each(
            "step 0.1 % below 2 / lambda: sharpest part after 200 steps over its start",
            tops[FACTORS.index(0.999)],
            at_most=1,
            tag="proved",
            math=r"$\eta\lambda = 1.998$: sharpest part after 200 steps over its start",
            reason=r"it is $0.998^{200} = 0.67$",
        ),
        Check.each(
            "step equal to 2 / lambda: the same",
            tops[FACTORS.index(1.0)],
            equals=1,
            atol=1e-11,
            tag="proved",
            precision=True,
            math=r"$\eta\lambda = 2$: the same",
            reason=r"the part changes its sign and keeps its size, to rounding: $10^{-13}$ of a "
            "vector that is at most ten times as long; ten times that",
        ),
        Check.each(
            "step 0.1 % above: the same",
            tops[FACTORS.index(1.001)],
            at_least=1,
            tag="proved",
            math=r"$\eta\lambda = 2.002$: the same",
            reason=r"it is $1.002^{200} = 1.49$",
        ),
    )


def _on_the_product(ends: Tensor, sharp: Tensor) -> tuple[Check, ...]:
    """eta times the sharpness where runs ended: all that converged, and those that head for sharper minima."""
    reason = (
        r"a run that ends at $|xy - 1| \le 10^{-10}$ knows $\eta\lambda$ to about $10^{-8}$; "
        r"that a run meets this by chance before it converges has a probability of about $10^{-10}$ a step"
    )
    return (
        Check.each(
            "product, random starts: eta times the sharpness where a run converged",
            ends,
            at_most=2 + 1e-8,
            tag="proved",
            math=r"product, random starts: $\eta (x^2 + y^2)$ where a run converged",
            reason=reason,
        ),
        Check.each(
            "the same, of starts from which gradient flow ends at 2.2 or more",
            sharp,
            at_most=2 + 1e-8,
            tag="proved",
            reason=reason,
        ),
    )


def _kicked(kicked: Tensor) -> tuple[Check, ...]:
    """eta times the sharpness where runs end that begin beside minima with `STABLE` and `UNSTABLE`, (2, K)."""
    return (
        Check.each(
            "kicked by 1e-6 from minima with eta lambda 1.5 to 1.95: it stays the same",
            kicked[0],
            equals=torch.tensor(STABLE, dtype=torch.float64),
            atol=1e-3,
            tag="proved",
            math=r"kicked by $10^{-6}$ from minima with $\eta\lambda$ from 1.5 to 1.95: it "
            "stays the same",
            reason=r"each step moves $\eta\lambda$ by $4 \eta^2 |xy - 1|$ at most, to leading "
            r"order, and $|xy - 1|$, at first $3 \cdot 10^{-6}$, falls by a twentieth or more: "
            r"less than $10^{-4}$ in all",
        ),
        Check.each(
            "kicked from minima with eta lambda 2.05 to 3: where the run ends",
            kicked[1],
            at_most=2 + 1e-8,
            tag="observed",
            math=r"kicked from minima with $\eta\lambda$ from 2.05 to 3: where the run ends",
            reason="it is proved that a run which converges does so at most at 2, and observed "
            "that these converge",
        ),
    )


@claim(
    kind="theorem",
    source="Chen and Bruna 2023 (abstract read, theorem recalled); the closed form and its multiplier are proved on "
    "the page, the condition is derived there; period doubling is classical",
    statement=r"Just above the threshold gradient descent on $\frac14 (x^2 - 1)^2$ has an orbit of period two with "
    r"$x_1 x_2 = 1/\eta$ and $x_1^2 + x_2^2 = 1 + 1/\eta$, which attracts for $1 < \eta < \sqrt5 - 1$ and repels "
    r"for larger $\eta$. A minimum of $f$ has such a small orbit above its threshold where "
    r"$3 f'''^2 - f'' f'''' > 0$, and none where this is negative.",
    quick={"starts": 8, "quartics": 16, "pairs": 300},
    book={"starts": 16, "quartics": 32, "pairs": 1000},
    full={"starts": 200, "quartics": 1000, "pairs": 20_000},
    draw=draw_curves,
    measure=measure_curves,
)
def two_step_period_2(measured: Orbits) -> Evidence:
    """The orbit of the double well in closed form, small orbits of quartics, pairs (x, y) that become equal."""
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
            reason="to leading order no small orbit is there to stay on, and the distance "
            "grows with every step",
        ),
        math=r"quartics with $3 f'''^2 - f'' f'''' < 0$",
    )
    return Evidence(checks, control, {}, {"pairs": bounded.numel()})


def _orbit(
    points: Tensor, slopes: Tensor, below: Tensor, returns: Tensor
) -> tuple[Check, ...]:
    """The double well: points (E, B, 2), slopes (E, B), distances below (B,), returns (A, B)."""
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
            math=r"double well, $\eta$ from 1.02 to 1.23: last two iterates, distance from "
            "the orbit",
            reason="almost every start comes to the orbit or its mirror image; the slowest "
            r"multiplier, $-0.946$, leaves $10^{-48}$ after 4,000 steps; rounding, amplified by "
            "at most twenty",
        ),
        Check.each(
            "multiplier of two steps at the measured points",
            (slopes - multiplier).abs(),
            at_most=1e-8,
            tag="proved",
            precision=True,
            math="multiplier of two steps at the measured points, distance from "
            r"$9 - 2 (1 + \eta)^2$",
            reason=r"an error of $10^{-10}$ of the points times second derivatives of order 10",
        ),
        Check.each(
            "step 0.98, below the threshold: distance from a minimum",
            below,
            at_most=1e-10,
            tag="proved",
            precision=True,
            math=r"$\eta = 0.98$, below the threshold: distance from a minimum",
            reason="almost every start comes to a minimum, and then each step multiplies the "
            "distance by $-0.96$",
        ),
        Check.each(
            "steps 0.98 and 0.995 of sqrt(5) - 1: change over two steps",
            returns[:2],
            at_most=1e-10,
            tag="proved",
            precision=True,
            math=r"$\eta = 0.98\, (\sqrt5 - 1)$ and $0.995\, (\sqrt5 - 1)$: change over two steps",
            reason="almost every start comes to an orbit with the multiplier $-0.78$ or $-0.945$; "
            "rounding",
        ),
        Check.each(
            "steps 1.005 and 1.02 of sqrt(5) - 1: change over two steps",
            returns[2:],
            at_least=1e-3,
            tag="derived",
            math=r"$\eta = 1.005\, (\sqrt5 - 1)$ and $1.02\, (\sqrt5 - 1)$: change over two steps",
            reason="the orbit repels, with multipliers below $-1.05$: almost no start comes "
            "to it. A run ends elsewhere, and the distance is of the order of the square root "
            "of the excess, 0.07",
        ),
    )


def _small(ratios: Tensor, near: Tensor) -> tuple[Check, ...]:
    """Quartics that meet the condition: ratios (2, Q) at both excesses, and whether the runs stay near (Q,)."""
    return (
        Check.each(
            "quartics: squared size of the small orbit over the prediction",
            2 * ratios[0] - ratios[1],
            equals=1,
            atol=1e-3,
            tag="derived",
            math="quartics: squared size of the small orbit over "
            r"$3 f''^2 \varepsilon / (3 f'''^2 - f'' f'''')$, extrapolated to $\varepsilon = 0$",
            reason=r"the correction is a multiple of $\varepsilon$; with it removed from "
            r"$\varepsilon = 0.001$ and $0.002$ there remains one of $\varepsilon^2$, at most "
            r"$5 \cdot 10^{-4}$ where $|f'''| \le 1$ and the condition is at least 1 (iterated "
            "in the corners of the draws); twice that",
        ),
        Check.share(
            "quartics: a run stays within 0.5 of the minimum",
            near,
            least=0.99,
            tag="derived",
            math=r"quartics: a run stays within $\frac12$ of the minimum",
            reason="the small orbit attracts, to leading order, and lies within a sixth of that",
        ),
    )


def _gone(parabola: Tensor, steepening: Tensor) -> tuple[Check, ...]:
    """Functions without the condition: growth (B,) on a parabola over the exact one, who stays finite (B,)."""
    return (
        Check.each(
            "x^2 / 2 at step 2.01: growth over 1000 steps, over 1.01^1000",
            parabola,
            equals=1,
            atol=1e-10,
            tag="proved",
            precision=True,
            math=r"$\frac12 x^2$, $\eta = 2.01$: growth over 1,000 steps, over $1.01^{1000}$",
            reason="rounding, a thousand times",
        ),
        Check.share(
            "x^2 / 2 + x^4 / 4 at step 2.01: a run is finite after 4000 steps",
            steepening,
            most=0,
            tag="proved",
            math=r"$\frac12 x^2 + \frac14 x^4$, $\eta = 2.01$: a run is finite after 4,000 steps",
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
            reason=r"two steps multiply a small $x - y$ by $3 - 2\eta$, at most 0.96: $10^{-35}$ "
            "after 4,000; that every bounded start comes near is observed",
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


@claim(
    kind="theorem",
    source="Wu, Ma and E 2018 (abstract read, condition recalled); Mulayoff and Michaeli 2024 (abstract read) for the "
    "exact threshold and its growth with the batch; both are derived and proved on the page",
    statement=r"Let every example be fitted at a minimum with positive definite Hessian $H$. SGD that draws batches "
    r"of $B$ of the $n$ examples without replacement contracts $\theta$ in mean square exactly below a critical step, "
    r"which is at least that of Wu, Ma and E, does not fall with $B$, and is $2/\lambda_{\max}(H)$ for $B = n$. "
    "Above it the mean of the squared distance grows, also where the median falls.",
    quick={"regressions": 8, "chains": 4000, "long_chains": 200},
    book={"regressions": 12, "chains": 6000, "long_chains": 200},
    full={"regressions": 100, "chains": 8000, "long_chains": 400},
    draw=draw_regressions,
    measure=measure_regressions,
)
def sgd_linear_stability(measured: MeanSquares) -> Evidence:
    """Critical steps by two routes and their order; sample means below; exact means and sample medians above."""
    scores = (measured.mean - measured.exact) / measured.error
    broken = (measured.unfitted - measured.exact) / measured.error
    checks = (
        *_thresholds(measured.critical, measured.radii, measured.sharpness),
        *_order(measured.critical, measured.sufficient),
        *_chains(scores, measured.growing, measured.median),
    )
    control = Control(
        "examples that are not fitted at the minimum",
        Check.share(
            "step 0.8 of the critical one: mean after 6 steps within 5 standard errors",
            broken,
            equals=0,
            atol=5,
            most=0.25,
            tag="derived",
            math=r"$0.8$ of the critical step: mean of $|\theta|^2$ after 6 steps within 5 "
            "standard errors",
            reason="noise that does not vanish at the minimum adds to every step; the same bar",
        ),
    )
    return Evidence(checks, control, {}, {"regressions": len(measured.sharpness)})


def _thresholds(
    critical: Tensor, radii: Tensor, sharpness: Tensor
) -> tuple[Check, ...]:
    """Critical steps (4, Q) and radii at them, and the sharpness (Q,)."""
    return (
        Check.each(
            "spectral radius of the enumerated operator at the critical step",
            radii,
            equals=1,
            atol=1e-10,
            tag="proved",
            precision=True,
            reason="rounding in a spectral radius of a matrix of 16 rows",
        ),
        Check.each(
            "B = n: critical step times sharpness",
            critical[-1] * sharpness,
            equals=2,
            atol=1e-10,
            tag="proved",
            precision=True,
            math=r"$B = n$: critical step times $\lambda_{\max}$",
            reason="rounding",
        ),
    )


def _order(critical: Tensor, sufficient: Tensor) -> tuple[Check, ...]:
    """Critical and sufficient steps, (4, Q) each, from the smallest batch on."""
    return (
        Check.each(
            "critical step over that of the next larger batch",
            critical[:-1] / critical[1:],
            at_most=1,
            tag="proved",
            math="critical step over that of the batch twice as large",
            reason="a larger batch has a smaller operator",
        ),
        Check.each(
            "step of Wu, Ma and E over the critical one, B < n",
            (sufficient / critical)[:-1],
            at_most=1,
            tag="proved",
            math="step of Wu, Ma and E over the critical one, $B < n$",
            reason="where no step lets the mean grow, it does not grow",
        ),
    )


def _chains(scores: Tensor, growing: Tensor, median: Tensor) -> tuple[Check, ...]:
    """Scores of sample means below the critical step; exact means and medians above, (3, Q) each."""
    return (
        Check.each(
            "step 0.8 of the critical one: sample mean minus exact mean, in standard errors",
            scores,
            equals=0,
            atol=5,
            tag="derived",
            repeats=0.49,
            math=r"$0.8$ of the critical step: sample mean of $|\theta|^2$ after 6 steps minus "
            "the exact one, in standard errors",
            reason="the standard error is exact, from fourth moments; beyond 5 with a chance "
            "of one in a million where the sample mean is normal, and of 4 % whatever its law",
        ),
        Check.each(
            "step 1.02 of the critical one: exact mean after 600 steps over the start",
            growing,
            at_least=1,
            tag="derived",
            math=r"$1.02$ of the critical step: exact mean of $|\theta|^2$ after 600 steps over "
            "its start",
            reason="it grows like the power of a radius of 1.01 or more, times a factor of the "
            "start that may be small; the bar is that it grows at all",
        ),
        Check.share(
            "the same: median of the chains falls below the start",
            median,
            at_most=1,
            least=0.9,
            tag="observed",
            repeats=0.49,
            math=r"the same: median of $|\theta|^2$ over the chains at most its start",
            reason="at the critical step itself the typical rate is not positive, and zero only "
            "in degenerate cases; how far above it the median still falls is observed",
        ),
    )
