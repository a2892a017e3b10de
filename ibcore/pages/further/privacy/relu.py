"""The setting of Haim et al.: one output, ReLU, no weight decay, and an attack on the
conditions of a KKT point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics import explicit
from ibcore.dynamics.directions import Adam
from ibcore.dynamics.objective import FunctionObjective, Objective
from ibcore.dynamics.paces import Cosine, loss_scaled
from ibcore.losses import Logistic
from ibcore.measures.reconstruction import distances
from ibcore.models.margins import Margins
from ibcore.models.network import Network
from ibcore.problems.digits import digits_split

POINTS, WIDTH, HELD = 6, 60, 100
SMALL = 0.1  # of the first layer at the start, relative to PyTorch's
TRAINED_STEPS, ATTACK_STEPS, RESTARTS = 10_000, 2_000, 2
_SHARP = 50.0  # slope of the sigmoid in place of the step function


@dataclass(frozen=True)
class ReluAttempt:
    """B networks: log_loss (B,) at the end of training, the least objective of the
    attack relative to |theta|^2, (B,).

    found, held: (B, n), distances of the training points to the nearest candidate and
    the nearest held-out point.
    """

    log_loss: Tensor
    objective: Tensor
    found: Tensor
    held: Tensor


def relu_attempt(
    seeds: Sequence[int],
    trained: int = TRAINED_STEPS,
    attacked: int = ATTACK_STEPS,
) -> ReluAttempt:
    """Six digits with balanced random signs, the attack with twice as many candidates,
    best restart by objective.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    splits = [digits_split(200, HELD, g) for g in generators]
    X = torch.stack([split.X_train[:POINTS] / 8 for split in splits])
    held = torch.stack([split.X_test / 8 for split in splits])
    signs = torch.ones(len(seeds), POINTS, dtype=torch.float64)
    for row, generator in zip(signs, generators, strict=True):
        row[torch.randperm(POINTS, generator=generator)[: POINTS // 2]] = -1
    model = Network(X, (WIDTH,), "relu", biases=False)
    start = torch.cat([model.initial(1, g) for g in generators])
    start[:, : WIDTH * X.shape[-1]] *= SMALL
    run = explicit.descend(
        Objective(Margins(model, signs), Logistic()),
        start,
        loss_scaled(0.01, 0.5, over=300),
        steps=[trained],
        max_seconds=math.inf,
    )
    points, objective = _attack(model, run.last, attacked)
    pairs = [(x, found, h) for x, found, h in zip(X, points, held, strict=True)]
    return ReluAttempt(
        run.last_log_loss,
        objective,
        torch.stack([distances(x, found) for x, found, _ in pairs]),
        torch.stack([distances(x, h) for x, _, h in pairs]),
    )


def _attack(model: Network, theta: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Candidates (B, 2n, d) of the better restart and its objective over |theta|^2,
    (B,).
    """
    members, (_, count, d) = len(theta), model.inputs.shape
    every = theta.repeat(RESTARTS, 1) / theta.norm(dim=-1).repeat(RESTARTS)[:, None]
    inner, outer = model.matrices(every)
    signs = torch.ones(2 * count).to(theta)
    signs[count:] = -1
    generator = torch.Generator().manual_seed(0)
    draw = torch.randn(
        len(every), 2 * count, d + 1, generator=generator, dtype=torch.float64
    )
    draw = torch.cat([draw[..., :d] / d**0.5, 0.3 * draw[..., d:].abs()], -1)

    def values(x: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            variables = x.detach().requires_grad_()
            gap = _gap(variables, inner[chosen], outer[chosen], signs)
            (slope,) = torch.autograd.grad(gap.sum(), variables)
        return gap.detach(), slope

    objective = FunctionObjective(values)
    run = explicit.descend(
        objective,
        draw.flatten(1).to(theta),
        Cosine(0.03, steps),
        steps=[steps],
        direction=Adam(),
        max_seconds=math.inf,
    )
    gaps = objective.at(run.last).loss.unflatten(0, (RESTARTS, members))
    best = gaps.argmin(0)
    ends = run.last.unflatten(1, (2 * count, d + 1))[..., :d]
    ends = ends.unflatten(0, (RESTARTS, members))
    return ends[best, torch.arange(members)], gaps.amin(0)


def _gap(variables: Tensor, inner: Tensor, outer: Tensor, signs: Tensor) -> Tensor:
    """|theta - sum_i lambda_i s_i grad f(x_i)|^2, (A,), lambda_i >= 0 as squares, the
    step smoothed.
    """
    parts = variables.unflatten(1, (len(signs), -1))
    points, weights = parts[..., :-1], parts[..., -1].square() * signs
    z = points @ inner.mT
    active = torch.sigmoid(_SHARP * z) * weights[..., None] * outer
    first = inner - active.mT @ points
    second = outer[:, 0] - (weights[..., None] * torch.relu(z)).sum(1)
    return first.square().sum((1, 2)) + second.square().sum(1)
