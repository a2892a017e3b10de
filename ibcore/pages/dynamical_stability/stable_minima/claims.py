"""Which minima a step size can stay in: the threshold 2 / eta, what is just above it, and the part of the batch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.mean_square import (
    critical_step,
    mean_square_after,
    mean_square_operator,
    radius,
    square_moments,
    sufficient_step,
)
from ibcore.oracles.stability import (
    product_flow_end,
    product_sharpness,
    quadratic_state,
)
from ibcore.oracles.two_step import (
    LARGEST_STEP,
    double_well_multiplier,
    double_well_orbit,
    flip_amplitude,
)
from ibcore.pages.dynamical_stability.stable_minima.objectives import (
    CURVES,
    double_well,
    quartics,
)
from ibcore.pages.dynamical_stability.stable_minima.runs import (
    Quadratics,
    Regressions,
    curve_descent,
    pair_descent,
    product_descent,
    product_flow,
    quadratic_descent,
    sharp_minima,
    stochastic_descent,
)

FACTORS = (0.9, 0.999, 1.0, 1.001, 1.1)
"""Step sizes on the quadratics, in units of 2 over the largest eigenvalue."""

QUADRATIC_STEPS = 200
STEP = 0.4
"""The step size on the product; its minima have to have x^2 + y^2 at most 5."""

STABLE = (1.5, 1.6, 1.7, 1.75, 1.8, 1.85, 1.9, 1.95)
UNSTABLE = (2.05, 2.1, 2.2, 2.3, 2.4, 2.6, 2.8, 3.0)
"""eta times the sharpness of minima from which a run is kicked away."""

KICK = 1e-6


@dataclass(frozen=True)
class Places:
    """Quadratics; starts (N, 2) on the product; minima on it that are kicked; which starts the flow takes too."""

    quadratics: Quadratics
    starts: Tensor
    kicked: Tensor
    flows: int


@dataclass(frozen=True)
class Stays:
    """What gradient descent and gradient flow did on quadratics and on the product.

    errors: (F, Q), distances from the closed form over the larger of the start and the end, for F step sizes.
    tops: (F, Q), the part along the sharpest direction at the end over that at the start.
    ends: (N,), eta times the sharpness where a run ended; NaN where it did not converge.
    heading: (N,), the same of the minimum to which the flow heads.      kicked: (2, K), the same of kicked minima.
    chosen: starts that the flow took; flow: (M,), where it ended; missed: (M,), the distance from the prediction.
    """

    errors: Tensor
    tops: Tensor
    ends: Tensor
    heading: Tensor
    kicked: Tensor
    chosen: Tensor
    flow: Tensor
    missed: Tensor
    broken: tuple[str, ...]


def draw_places(
    setting: Setting, *, quadratics: int, starts: int, flows: int
) -> Places:
    """Spectra in ten dimensions, starts uniform in a square of side 6, and normal kicks of size 1e-6."""
    seeds = setting.seeds(quadratics, "stability quadratics")
    generator = torch.Generator().manual_seed(setting.seeds(1, "stability product")[0])
    square = torch.rand(starts, 2, generator=generator, dtype=torch.float64)
    minima = sharp_minima(torch.tensor(STABLE + UNSTABLE, dtype=torch.float64) / STEP)
    kicks = torch.randn(minima.shape, generator=generator, dtype=torch.float64)
    return Places(
        Quadratics.draw(seeds, 10), 6 * square - 3, minima + KICK * kicks, flows
    )


def measure_places(places: Places, setting: Setting) -> Stays:  # noqa: ARG001
    """Descent on everything; the flow from `flows` starts, and from as many that head for a minimum too sharp."""
    errors, tops = _quadratics(places.quadratics)
    run = product_descent(places.starts, STEP)
    ends = torch.where(run.converged, STEP * product_sharpness(run.last), torch.nan)
    heading = STEP * product_sharpness(product_flow_end(places.starts))
    again = product_descent(places.kicked, STEP)
    kicked = torch.where(
        again.converged, STEP * product_sharpness(again.last), torch.nan
    )
    sharp = (heading >= 2.2).nonzero()[: places.flows, 0]
    chosen = torch.cat([sharp, torch.arange(places.flows)])
    flow, broken = product_flow(places.starts[chosen])
    expected = product_flow_end(places.starts[chosen])
    missed = torch.linalg.vector_norm(flow - expected, dim=-1)
    return Stays(
        errors,
        tops,
        ends,
        heading,
        kicked.reshape(2, -1),
        chosen,
        STEP * product_sharpness(flow),
        missed,
        broken,
    )


def _quadratics(problems: Quadratics) -> tuple[Tensor, Tensor]:
    """Errors and growth of the sharpest part for every step size, (F, Q) each."""
    errors, tops = [], []
    sharpest = problems.basis[..., -1]
    for factor in FACTORS:
        step = factor * 2 / problems.eigenvalues[:, -1]
        end = quadratic_descent(problems, step, QUADRATIC_STEPS)
        expected = quadratic_state(
            problems.eigenvalues, problems.basis, problems.start, step, QUADRATIC_STEPS
        )
        sizes = torch.linalg.vector_norm(
            torch.stack([problems.start, expected]), dim=-1
        )
        missed = torch.linalg.vector_norm(end - expected, dim=-1)
        errors.append(missed / sizes.amax(0))
        before, after = ((sharpest * state).sum(-1) for state in (problems.start, end))
        tops.append((after / before).abs())
    return torch.stack(errors), torch.stack(tops)


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
            at_most=1e-6,
            tag="proved",
            precision=True,
            math="gradient flow: distance of its end from the minimum that $x^2 - y^2$ predicts",
            reason=r"the solver's tolerance, $10^{-11}$ a step, over some hundred steps, and a "
            r"residual of $10^{-10}$; far above both",
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
            reason=r"200 steps, each with a rounding error of about ten units of $10^{-16}$, "
            "which the step multiplies as it multiplies the iterate; five times their sum",
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
            reason="the part changes its sign and keeps its size, to rounding; the part is "
            "taken out of a vector that can be a hundred times as long",
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
    reason = r"a run that ends at $|xy - 1| \le 10^{-10}$ knows $\eta\lambda$ to about $10^{-8}$"
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
            r"order, and $|xy - 1|$ falls by a twentieth or more: less than $10^{-4}$ in all",
        ),
        Check.each(
            "kicked from minima with eta lambda 2.05 to 3: where the run ends",
            kicked[1],
            at_most=2 + 1e-8,
            tag="proved",
            math=r"kicked from minima with $\eta\lambda$ from 2.05 to 3: where the run ends",
            reason="a run that converges does so at most at 2; that these converge is observed",
        ),
    )


ORBIT_STEPS = (1.02, 1.05, 1.1, 1.15, 1.2, 1.23)
AROUND = (0.98, 0.995, 1.005, 1.02)
"""Step sizes on the double well, in units of the one up to which its orbit attracts."""

EXCESSES = (1e-3, 2e-3)
"""eta f'' - 2 on the quartics."""

NEAR = 0.5
"""A run on a quartic that is farther from its minimum has left it."""

PAIR_STEPS = (1.02, 1.05)


@dataclass(frozen=True)
class Curves:
    """Starts (B,) on the double well for every step; quartics with third and fourth derivatives; starts of pairs.

    fourth: (2, Q), with the condition of Chen and Bruna met by the first row and reversed in the second.
    """

    starts: Tensor
    third: Tensor
    fourth: Tensor
    pairs: Tensor


@dataclass(frozen=True)
class Orbits:
    """What descent did above its threshold.

    points: (E, B, 2), sizes of the last two iterates on the double well, smaller first, for E step sizes.
    slopes: (E, B), product of the slopes of a step at these two.
    below: (B,), distance from the minimum 1 at the step 0.98.      returns: (A, B), change over two steps around the
    largest step of the orbit.      ratios: (2, Q), squared half distance of the last two iterates on quartics over
    the predicted one, at both excesses.      near: (2, Q), whether a run on a quartic stays near its minimum, at the
    larger excess.      parabola: (B,), growth of a run on x^2 / 2 over 1.01^1000.      steepening: (B,), whether a
    run on x^2 / 2 + x^4 / 4 is finite at the end.
    apart: (2, N), |x - y| of pairs at the end; NaN for those that are not bounded.      on: (2, N), distance of the
    last two x of pairs from the orbit of the double well.
    """

    points: Tensor
    slopes: Tensor
    below: Tensor
    returns: Tensor
    ratios: Tensor
    near: Tensor
    parabola: Tensor
    steepening: Tensor
    apart: Tensor
    on: Tensor


def draw_curves(setting: Setting, *, starts: int, quartics: int, pairs: int) -> Curves:
    """Starts between -1.5 and 1.5, |f'''| below 1 and a condition of size 1 to 3 with f'' = 1, pairs in a square."""
    generator = torch.Generator().manual_seed(setting.seeds(1, "two steps")[0])

    def uniform(*shape: int, low: float, high: float) -> Tensor:
        draw = torch.rand(*shape, generator=generator, dtype=torch.float64)
        return low + (high - low) * draw

    third = uniform(quartics, low=-1, high=1)
    size = uniform(quartics, low=1, high=3)
    return Curves(
        uniform(starts, low=-1.5, high=1.5),
        third,
        3 * third.square() + torch.stack([-size, size]),
        uniform(pairs, 2, low=-2, high=2),
    )


def measure_curves(curves: Curves, setting: Setting) -> Orbits:  # noqa: ARG001
    """Four thousand steps on the double well and on the product, six thousand on quartics."""
    steps = torch.tensor(ORBIT_STEPS, dtype=torch.float64)
    points = _double_well(curves.starts, steps)
    ratios, near = _quartics(curves.third, curves.fourth)
    low = torch.full_like(curves.starts, 0.98)
    below = curve_descent(CURVES["double well"], curves.starts, low, [4000])
    parabola = curve_descent(CURVES["parabola"], curves.starts, low + 1.03, [1000])
    growth = parabola.theta[0, :, 0] / curves.starts / 1.01**1000
    steep = curve_descent(CURVES["steepening"], 0.1 * curves.starts, low + 1.03, [4000])
    apart, on = _pairs(curves.pairs)
    return Orbits(
        points.abs().sort(-1).values,
        _slopes(points, steps),
        (below.theta[0, :, 0].abs() - 1).abs(),
        _returns(curves.starts),
        ratios,
        near,
        growth,
        steep.arrived,
        apart,
        on,
    )


def _double_well(starts: Tensor, steps: Tensor) -> Tensor:
    """The last two of 4001 iterates from all starts with all steps, (E, B, 2)."""
    every = steps.repeat_interleave(len(starts))
    run = curve_descent(
        CURVES["double well"], starts.repeat(len(steps)), every, [4000, 4001]
    )
    return run.theta[..., 0].T.reshape(len(steps), len(starts), 2)


def _slopes(points: Tensor, steps: Tensor) -> Tensor:
    """The derivative of two steps on the double well at the measured points (E, B, 2), by differentiation, (E, B)."""
    x = points[..., 0].clone().requires_grad_()
    once = x - steps[:, None] * double_well(x)[1]
    twice = once - steps[:, None] * double_well(once)[1]
    return torch.autograd.grad(twice.sum(), x)[0]


def _returns(starts: Tensor) -> Tensor:
    """|x_(k+2) - x_k| after 4000 steps around the largest step of the orbit, (A, B)."""
    steps = LARGEST_STEP * torch.tensor(AROUND, dtype=torch.float64)
    run = curve_descent(
        CURVES["double well"],
        starts.repeat(len(AROUND)),
        steps.repeat_interleave(len(starts)),
        [4000, 4002],
    )
    return (run.theta[1] - run.theta[0]).abs().reshape(len(AROUND), -1)


def _quartics(third: Tensor, fourth: Tensor) -> tuple[Tensor, Tensor]:
    """Squared half distances over the predicted ones, at both excesses, and who stays near, at the larger, (2, Q)."""
    one = torch.ones_like(third)
    sizes = [flip_amplitude(one, third, fourth[0], e * one) for e in EXCESSES]
    start = torch.cat([sizes[0] / 2, sizes[1] / 2, sizes[1] / 2])
    excess = torch.tensor([*EXCESSES, EXCESSES[1]], dtype=torch.float64)
    run = curve_descent(
        quartics(third.repeat(3), torch.cat([fourth[0], fourth[0], fourth[1]])),
        start,
        2 + excess.repeat_interleave(len(third)),
        [6000, 6001],
        leave=NEAR,
    )
    half = ((run.theta[1] - run.theta[0]) / 2).reshape(3, -1)[:2]
    stayed = run.arrived.reshape(3, -1)
    return (half / torch.stack(sizes)).square(), stayed[1:]


def _pairs(starts: Tensor) -> tuple[Tensor, Tensor]:
    """|x - y| at the end and the distance of the last two x from the orbit, for every step size, (2, N)."""
    apart, on = [], []
    for step in PAIR_STEPS:
        states = pair_descent(starts, step, [4000, 4001])
        orbit = double_well_orbit(torch.tensor(step, dtype=torch.float64))
        apart.append((states[0, :, 0] - states[0, :, 1]).abs())
        sizes = states[..., 0].abs().sort(0).values
        on.append((sizes - orbit[:, None]).abs().amax(0))
    return torch.stack(apart), torch.stack(on)


@claim(
    kind="theorem",
    source="Chen and Bruna 2023 (abstract read, theorem recalled); the closed form and its multiplier are proved on "
    "the page, the condition is derived there; period doubling is classical",
    statement=r"Just above the threshold gradient descent on $\frac14 (x^2 - 1)^2$ has an orbit of period two with "
    r"$x_1 x_2 = 1/\eta$ and $x_1^2 + x_2^2 = 1 + 1/\eta$, which attracts exactly for $1 < \eta < \sqrt5 - 1$. A "
    r"minimum of $f$ has such a small orbit above its threshold where $3 f'''^2 - f'' f'''' > 0$, and none where this "
    r"is negative.",
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
            reason=r"the slowest multiplier, $-0.946$, leaves $10^{-48}$ after 4,000 steps; "
            "rounding, amplified by at most twenty",
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
            reason="each step multiplies a small distance by $-0.96$",
        ),
        Check.each(
            "steps 0.98 and 0.995 of sqrt(5) - 1: change over two steps",
            returns[:2],
            at_most=1e-10,
            tag="proved",
            precision=True,
            math=r"$\eta = 0.98\, (\sqrt5 - 1)$ and $0.995\, (\sqrt5 - 1)$: change over two steps",
            reason="the multiplier there is $-0.78$ and $-0.945$; rounding",
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
            r"$\varepsilon = 0.001$ and $0.002$ there remains one of $\varepsilon^2$, with a "
            "constant that we allow to be 250",
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


SIZES = (1, 2, 4)
"""Batch sizes below the number of examples, which is 8."""

BELOW, ABOVE = 0.8, 1.02
"""Step sizes, in units of the critical one."""

SHORT, LONG = 6, 600
NOISE = 10.0


@dataclass(frozen=True)
class Problems:
    """Regressions with all examples fitted at the minimum, how many chains each has, and a seed for their batches."""

    regressions: Regressions
    chains: int
    long_chains: int
    seed: int


@dataclass(frozen=True)
class MeanSquares:
    """Critical steps of Q regressions, and squared distances from the minimum, of chains that begin at distance 1.

    critical: (4, Q), for batches of 1, 2, 4 and 8 examples.      sufficient: (4, Q).      radii: (4, Q), of the
    enumerated operator at the critical step.      sharpness: (Q,).
    exact, error: (3, Q), the mean after a few steps below the critical one, and the standard error of a sample mean.
    mean, unfitted: (3, Q), sample means, with examples that are fitted and not.
    growing: (3, Q), the exact mean after many steps above the critical one; median: (3, Q), that of the chains.
    """

    critical: Tensor
    sufficient: Tensor
    radii: Tensor
    sharpness: Tensor
    exact: Tensor
    error: Tensor
    mean: Tensor
    unfitted: Tensor
    growing: Tensor
    median: Tensor


def draw_regressions(
    setting: Setting, *, regressions: int, chains: int, long_chains: int
) -> Problems:
    """Eight normal examples in four dimensions."""
    seeds = setting.seeds(regressions, "mean square")
    problems = Regressions.draw(seeds, 8, 4)
    return Problems(
        problems, chains, long_chains, setting.seeds(1, "mean square batches")[0]
    )


def measure_regressions(problems: Problems, setting: Setting) -> MeanSquares:  # noqa: ARG001
    """Chains below the critical step for six steps, and above it for six hundred."""
    data = problems.regressions
    critical, sufficient, radii = _steps(data.hessians, (*SIZES, data.inputs.shape[1]))
    exact, error = _moments(data, critical[:-1], problems.chains)
    means: list[list[Tensor]] = [[], [], []]
    for k, size in enumerate(SIZES):
        below, above = BELOW * critical[k], ABOVE * critical[k]
        for noise, kept in ((0.0, means[0]), (NOISE, means[1])):
            short = stochastic_descent(
                data,
                size,
                below,
                [SHORT],
                chains=problems.chains,
                seed=problems.seed + k,
                noise=noise,
            )
            kept.append(short[0].mean(-1))
        long = stochastic_descent(
            data, size, above, [LONG], chains=problems.long_chains, seed=problems.seed
        )
        means[2].append(long[0].median(-1).values)
    return MeanSquares(
        critical,
        sufficient,
        radii,
        torch.linalg.eigvalsh(data.hessians.mean(1))[:, -1],
        exact,
        error,
        torch.stack(means[0]),
        torch.stack(means[1]),
        _growing(data, critical[:-1]),
        torch.stack(means[2]),
    )


def _steps(hessians: Tensor, sizes: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Critical and sufficient steps and radii of the operators at the critical ones, (len(sizes), Q) each."""
    rows = [
        [
            (
                step := critical_step(part, size),
                sufficient_step(part, size),
                radius(mean_square_operator(part, size, step)),
            )
            for part in hessians
        ]
        for size in sizes
    ]
    critical, sufficient, radii = torch.tensor(rows, dtype=torch.float64).unbind(-1)
    return critical, sufficient, radii


def _moments(data: Regressions, critical: Tensor, chains: int) -> tuple[Tensor, Tensor]:
    """Exact means after a few steps below the critical one and standard errors of sample means, (3, Q)."""
    ways = data.start - data.minimum
    rows = [
        [
            square_moments(part, size, BELOW * float(step), way, SHORT)
            for part, step, way in zip(data.hessians, steps, ways, strict=True)
        ]
        for size, steps in zip(SIZES, critical, strict=True)
    ]
    mean, deviation = torch.tensor(rows, dtype=torch.float64).unbind(-1)
    return mean, deviation / math.sqrt(chains)


def _growing(data: Regressions, critical: Tensor) -> Tensor:
    """The exact mean of the squared distance after many steps above the critical one, (3, Q)."""
    ways = data.start - data.minimum
    rows = [
        [
            mean_square_after(
                mean_square_operator(part, size, ABOVE * float(step)), way, LONG
            )
            for part, step, way in zip(data.hessians, steps, ways, strict=True)
        ]
        for size, steps in zip(SIZES, critical, strict=True)
    ]
    return torch.tensor(rows, dtype=torch.float64)


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
    full={"regressions": 200, "chains": 8000, "long_chains": 400},
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
            reason="it grows like the power of a radius of about 1.02, times a factor of the start "
            "that may be small; the bar is that it grows at all",
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
