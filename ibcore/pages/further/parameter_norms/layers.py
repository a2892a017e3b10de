"""Deep networks whose parameters are made as short as the function they compute allows,
and orthogonal inputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.directions import Momentum
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import FunctionObjective, Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Square
from ibcore.models.base import Model
from ibcore.models.deep_linear import DeepLinear, balanced_start
from ibcore.models.network import Network, of_neurons
from ibcore.threads import threads

DEPTHS = (2, 3, 4)
HIDDEN = 4
_ROUNDS, _INNER, _WEIGHT = 12, 150, 100.0
_CAREFUL, _STEEPEST = 3, 8.0


@dataclass(frozen=True)
class DiagonalLayers(Model):
    """beta = u_1 u_2 ... u_k, entry by entry; `theta` (B, k d) holds u_1, ..., u_k."""

    features: int
    depth: int

    def outputs(self, theta: Tensor) -> Tensor:
        """beta, (B, d)."""
        return theta.unflatten(-1, (self.depth, self.features)).prod(-2)

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i d beta_i / dtheta, (B, k d)."""
        return torch.cat([weights * other for other in self._others(theta)], -1)

    def jacobian(self, theta: Tensor) -> Tensor:
        """d beta / dtheta, (B, d, k d)."""
        return torch.cat([other.diag_embed() for other in self._others(theta)], -1)

    def _others(self, theta: Tensor) -> list[Tensor]:
        """The product of all layers but one, k times (B, d)."""
        u = theta.unflatten(-1, (self.depth, self.features))
        parts = [torch.cat([u[:, :j], u[:, j + 1 :]], 1) for j in range(self.depth)]
        return [part.prod(1) for part in parts]


def connected(features: int, depth: int, width: int = HIDDEN) -> DeepLinear:
    """A fully connected linear network whose outputs are its predictor beta: its inputs
    are the unit vectors.
    """
    unit = torch.eye(features, dtype=torch.float64)
    return DeepLinear(unit, (width,) * (depth - 1))


def connected_start(model: DeepLinear, count: int, seed: int) -> Tensor:
    """Layers of unequal size and full rank, (count, P).

    Balanced ones of rank one and norm one, each times a factor of 0.6 to 1.4, and
    normal entries of deviation 0.2.
    """
    generator = torch.Generator().manual_seed(seed)
    balanced = balanced_start(model, count, 1.0, generator)
    shape = (count, model.degree)
    factors = 0.6 + 0.8 * torch.rand(shape, generator=generator, dtype=torch.float64)
    sizes = torch.tensor([rows * columns for rows, columns in model.shapes])
    noise = torch.randn(balanced.shape, generator=generator, dtype=torch.float64)
    return balanced * factors.repeat_interleave(sizes, -1) + 0.2 * noise


def diagonal_start(beta: Tensor, depth: int, seed: int) -> Tensor:
    """Layers that compute beta (B, d) and are unbalanced: sizes 0.5 to 1.5 times a
    factor a coordinate, (B, k d).
    """
    generator = torch.Generator().manual_seed(seed)
    draw = torch.rand(
        len(beta), depth, beta.shape[-1], generator=generator, dtype=torch.float64
    )
    sizes = 0.5 + draw
    sizes *= (beta.abs() / sizes.prod(1))[:, None] ** (1 / depth)
    sizes[:, 0] *= beta.sign()
    return sizes.flatten(1)


@dataclass(frozen=True)
class Shortest:
    """Where descent with multipliers ended: |theta|^2 (B,), and the largest |f(theta) -
    beta| (B,).
    """

    squares: Tensor
    missed: Tensor


@threads()
def shorten(
    model: Model, start: Tensor, beta: Tensor, free: Tensor | None = None
) -> Shortest:
    """Descend |theta|^2 on the parameters with outputs beta, by multipliers nu
    (Hestenes 1969, Powell 1969).

    In 12 rounds of 150 steps with momentum |theta|^2 + nu.(f - beta) + 50 |f - beta|^2
    falls, and then nu grows by 100 (f - beta).      start: (B, P).      beta: (B, d).
    free: (P,), 0 for parameters that stay as they are.
    """
    moving = torch.ones_like(start[0]) if free is None else free
    multipliers, theta = torch.zeros_like(beta), start
    broken = torch.zeros(len(beta), dtype=torch.bool)
    for number in range(_ROUNDS):
        steepest = _STEEPEST if number < _CAREFUL else 0.0
        objective = _with_multipliers(model, beta, multipliers, moving)
        theta = descend(
            objective,
            theta,
            constant(_step(model, theta, steepest)),
            steps=[_INNER],
            direction=Momentum(0.9),
            max_seconds=math.inf,
        ).last
        broken = broken | ~theta.isfinite().all(-1)
        theta = torch.where(broken[:, None], start, theta)
        multipliers = multipliers + _WEIGHT * (model.outputs(theta) - beta)
    missed = (model.outputs(theta) - beta).abs().amax(-1)
    squares = torch.where(broken, math.nan, theta.square().sum(-1))
    return Shortest(squares, torch.where(broken, math.nan, missed))


def _step(model: Model, theta: Tensor, steepest: float) -> Tensor:
    """A quarter over a bound of the curvature where a round begins, 2 + 100
    sigma_max(J)^2, (B,).

    sigma_max(J)^2 counts as at least `steepest`, twice what it is at the shortest
    layers of the deepest network with |beta| = 1: on the way there it grows.
    """
    slopes = torch.linalg.matrix_norm(model.jacobian(theta), 2)
    return 0.25 / (2 + _WEIGHT * slopes.square().clamp(min=steepest))


def _with_multipliers(
    model: Model, beta: Tensor, multipliers: Tensor, moving: Tensor
) -> FunctionObjective:
    def values(theta: Tensor, members: Tensor) -> tuple[Tensor, ...]:
        missed = model.outputs(theta) - beta[members]
        push = multipliers[members] + _WEIGHT * missed
        loss = theta.square().sum(-1) + (push * missed).sum(-1)
        gradient = 2 * theta + model.pullback(theta, push)
        return loss, gradient * moving, missed

    return FunctionObjective(values)


@dataclass(frozen=True)
class Orthogonal:
    """B regressions with orthogonal inputs (B, n, d), labels (B, n), directions w (B,
    m, d) and signs s (B, m).

    For either sign of label there is a neuron of that sign that is active on all
    examples of it.
    """

    inputs: Tensor
    labels: Tensor
    directions: Tensor
    signs: Tensor


def draw_orthogonal(generator: torch.Generator, width: int) -> Orthogonal | None:
    """Four inputs in six dimensions of lengths 0.7 to 1.3, labels +-(0.5 to 1.5) of
    both signs; None where a neuron is missing or all labels have one sign.
    """
    basis = torch.linalg.qr(torch.randn(6, 6, generator=generator).double()).Q
    draw = torch.rand(3, 4, generator=generator, dtype=torch.float64)
    inputs = basis[:4] * (0.7 + 0.6 * draw[0])[:, None]
    labels = torch.where(draw[1] < 0.5, -1.0, 1.0) * (0.5 + draw[2])
    directions = torch.randn(width, 6, generator=generator, dtype=torch.float64)
    signs = torch.randn(width, generator=generator).sign().double()
    active = inputs @ directions.T > 0
    for sign in (1.0, -1.0):
        chosen = labels.sign() == sign
        if not chosen.any() or not (active[chosen].all(0) & (signs == sign)).any():
            return None
    return Orthogonal(*(part[None] for part in (inputs, labels, directions, signs)))


@threads()
def follow_orthogonal(problems: Orthogonal, scale: float) -> tuple[Tensor, Tensor]:
    """|theta|^2 / 2 and the mean square loss, (B,) each, where descent from a balanced
    start of `scale` ends.

    Input weights are scale w, output weights s scale |w|, as |a_j| = |w_j| asks, and
    the loss at the end is 1e-10.
    """
    w = scale * problems.directions
    a = problems.signs * torch.linalg.vector_norm(w, dim=-1)
    model = Network(problems.inputs, (w.shape[1],), "relu", biases=False)
    run = descend(
        Objective(model, Square(), problems.labels, shared=False),
        of_neurons(a, w),
        constant(0.05),
        log_loss=[math.log(1e-10)],
        max_steps=20_000,
        max_seconds=math.inf,
    )
    theta = torch.where(run.arrived[:, None], run.last, math.nan)
    return theta.square().sum(-1) / 2, run.last_log_loss.exp()


def excess_power(problems: Orthogonal) -> Tensor:
    """The power 2 (1 - rho) of the scale with which the excess falls to leading order,
    (B,).

    rho < 1: the largest rate of a neuron that sees a part of the examples of its sign,
    sqrt(sum y_i^2 |x_i|^2) over this part, relative to that over all of them. Infinite
    where no neuron sees a part only.
    """
    rates = problems.labels * torch.linalg.vector_norm(problems.inputs, dim=-1)
    seen = problems.directions @ problems.inputs.mT > 0
    matched = problems.signs[:, :, None] * rates[:, None] > 0
    squares = rates.square()[:, None]
    part = torch.where(seen & matched, squares, 0.0).sum(-1)
    ratio = (part / torch.where(matched, squares, 0.0).sum(-1)).sqrt()
    rho = torch.where((matched & ~seen).any(-1), ratio, -math.inf).amax(-1)
    return 2 * (1 - rho)


def stacked(problems: Sequence[Orthogonal]) -> Orthogonal:
    """Problems as one batch."""
    parts = zip(
        *((p.inputs, p.labels, p.directions, p.signs) for p in problems), strict=True
    )
    return Orthogonal(*(torch.cat(part) for part in parts))
