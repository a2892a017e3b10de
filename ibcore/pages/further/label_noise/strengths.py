"""One regression, a reader's own perhaps, at many strengths of label noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.batches import with_replacement
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Square
from ibcore.models.diagonal import Diagonal
from ibcore.oracles.least_trace import LeastTrace, least_trace
from ibcore.pages.further.label_noise.noise import signs
from ibcore.pages.further.label_noise.runs import SCALE, coefficients, polish
from ibcore.threads import threads
from ibcore.validation import regression_data


@dataclass(frozen=True)
class Followed:
    """One regression at S strengths of label noise, back at zero loss after K numbers
    of steps with noise.

    coefficients: (K, S, d).      errors: (K, S), |beta - best|.      least: the
    program's solution.
    step_size: of the steps with noise.      no_noise: (d,), where training without
    noise ends.
    """

    least: LeastTrace
    coefficients: Tensor
    errors: Tensor
    no_noise: Tensor
    step_size: float


@threads()
def follow(
    X: object,
    y: object,
    strengths: Sequence[float],
    steps: Sequence[int],
    *,
    batch: int | None = None,
    seed: int = 0,
) -> Followed:
    """Train beta = u^2 - v^2 on X (n, d) and y (n,) with label noise from u = v, then
    without until zero loss.

    steps: rising numbers of steps with noise.      batch: B, by default 3/8 of the
    examples. The step size is B / (5 sum_j c_j), stable from the start, where an
    example's squared gradient is sum_j c_j. Raises `InvalidInput` as `least_trace`
    does, for data that no beta fits among others.
    """
    least = least_trace(X, y)
    inputs, targets = regression_data(X, y, single=True)
    size = batch or max(1, 3 * len(inputs) // 8)
    step_size = size / (5 * float(least.weights.sum()))
    model = Diagonal(inputs)
    objective = Objective(model, Square(), targets)
    start = model.inputs.new_full((1, model.dimension), SCALE / math.sqrt(2))
    strength = inputs.new_tensor([0.0, *strengths])
    draws = [torch.Generator().manual_seed(seed + k) for k in range(2)]
    run = descend(
        objective,
        start.repeat(len(strength), 1),
        constant(step_size),
        steps=steps,
        batches=with_replacement(size, draws[0]),
        label_noise=signs(strength, draws[1]),
        max_seconds=math.inf,
    )
    polished = polish(objective, run.theta.flatten(0, 1), inputs, 20_000).last
    beta = coefficients(polished).unflatten(0, (len(steps), len(strength)))
    gaps = torch.linalg.vector_norm(beta - least.primal, dim=-1)
    return Followed(least, beta[:, 1:], gaps[:, 1:], beta[-1, 0], step_size)
