"""What it costs not to move: a target that depends on one direction only, learned at
several scales.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Square
from ibcore.pages.further.lazy_training.runs import Start, circle_start
from ibcore.threads import threads

_EXAMPLES, _NEW, _FEATURES, _WIDTH, _STEPS, _FITTED = 60, 300, 10, 100, 3000, 1e-3


@dataclass(frozen=True)
class Learned:
    """Of S scales and 8 tasks: error on new inputs over that of the best constant, and
    movement, (S, 8) each.

    An error is NaN where the examples are not fitted to 1e-3 of their own mean square.
    """

    errors: Tensor
    moved: Tensor


@threads()
def learn(
    target: Callable[[Tensor], Tensor], scales: Sequence[float], seed: int = 0
) -> Learned:
    """Fit `target` (..., d) -> (...,) on 60 normal inputs in ten dimensions with 100
    neurons, at every scale.
    """
    generator = torch.Generator().manual_seed(seed)
    count = _EXAMPLES + _NEW
    X = torch.randn(8, count, _FEATURES, generator=generator, dtype=torch.float64)
    values = target(X)
    y, new = values[:, :_EXAMPLES], values[:, _EXAMPLES:]
    y, new = (part - y.mean(-1, keepdim=True) for part in (y, new))
    theta = circle_start(range(seed, seed + 8), _WIDTH, X)
    start = Start.of(X[:, :_EXAMPLES], theta, _WIDTH)
    errors, moved = [], []
    for scale in scales:
        growth = 1 + 0.6 / (scale * math.sqrt(_WIDTH))  # of the kernel on the way
        run = descend(
            Objective(start.model, Square(), y / scale, shared=False),
            theta,
            constant(start.step_size(0.5) / growth),
            steps=[_STEPS],
            max_seconds=math.inf,
        )
        found = scale * start.model.on(X[:, _EXAMPLES:]).outputs(run.last)
        left = run.last_log_loss.exp() * scale**2 / y.square().mean(-1)
        error = (found - new).square().mean(-1) / new.square().mean(-1)
        errors.append(torch.where(left <= _FITTED, error, math.nan))
        moved.append(start.movements(run.last)[1])
    return Learned(torch.stack(errors), torch.stack(moved))
