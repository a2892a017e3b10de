"""What is measured of the threshold: descent on quadratics and on the product, and the
flow beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.oracles.stability import (
    product_flow_end,
    product_sharpness,
    quadratic_state,
)
from ibcore.pages.dynamical_stability.stable_minima.runs import (
    Quadratics,
    product_descent,
    product_flow,
    quadratic_descent,
    sharp_minima,
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
    """Quadratics; starts (N, 2) on the product; minima on it that are kicked; which
    starts the flow takes too.
    """

    quadratics: Quadratics
    starts: Tensor
    kicked: Tensor
    flows: int


@dataclass(frozen=True)
class Stays:
    """What gradient descent and gradient flow did on quadratics and on the product.

    errors: (F, Q), distances from the closed form over the largest length that the
    start can grow to, for F step sizes.
    tops: (F, Q), the part along the sharpest direction at the end over that at the
    start.
    ends: (N,), eta times the sharpness where a run ended; NaN where it did not
    converge.
    heading: (N,), the same of the minimum to which the flow heads.      kicked: (2, K),
    the same of kicked minima.
    chosen: starts that the flow took; flow: (M,), where it ended; missed: (M,), the
    distance from the prediction.
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
    """Spectra in ten dimensions, starts uniform in a square of side 6, and kicks of
    1e-6 on x and on y.

    With random signs |xy - 1| is at least 1e-6 |x - y| after the kick, so that no
    kicked run counts as converged before it moves.
    """
    seeds = setting.seeds(quadratics, "stability quadratics")
    generator = torch.Generator().manual_seed(setting.seeds(1, "stability product")[0])
    square = torch.rand(starts, 2, generator=generator, dtype=torch.float64)
    minima = sharp_minima(torch.tensor(STABLE + UNSTABLE, dtype=torch.float64) / STEP)
    kicks = torch.randint(2, minima.shape, generator=generator) * 2.0 - 1
    return Places(
        Quadratics.draw(seeds, 10), 6 * square - 3, minima + KICK * kicks, flows
    )


def measure_places(places: Places, setting: Setting) -> Stays:  # noqa: ARG001
    """Descent on everything; the flow from `flows` starts, and from as many that head
    for a minimum too sharp.
    """
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
        missed = torch.linalg.vector_norm(end - expected, dim=-1)
        rate = abs(1 - 2 * factor)
        growth = max(1.0, rate) ** QUADRATIC_STEPS
        errors.append(
            missed / torch.linalg.vector_norm(problems.start, dim=-1) / growth
        )
        before, after = ((sharpest * state).sum(-1) for state in (problems.start, end))
        tops.append((after / before).abs())
    return torch.stack(errors), torch.stack(tops)
