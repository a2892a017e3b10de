"""What the claims on the geometry of optimizers share, and what a reader calls."""

from __future__ import annotations

import math

import numpy as np
import torch

from ibcore.dynamics.directions import Direction
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import decaying
from ibcore.losses import CrossEntropy
from ibcore.models import Linear
from ibcore.oracles.matrix_margin import matrix_max_margin, matrix_norm
from ibcore.problems.several_classes import SeveralClasses
from ibcore.threads import threads
from ibcore.validation import class_labels, real_tensor

NORMS = ("spectral", "Frobenius", "max")


def last_stops(steps: int, eighths: int) -> list[int]:
    """Numbers of steps up to `steps`, eight a decade, over the last `eighths` eighths
    of a decade.
    """
    return np.unique(
        [round(steps * 10 ** (k / 8)) for k in range(-eighths, 1)]
    ).tolist()


@threads()
def class_ratios(
    X: object, classes: object, optimizer: Direction, step_size: float, *, steps: int
) -> dict[str, float]:
    """Margins in three norms, over the largest possible, of the matrix of weights that
    an optimizer finds from 0 on the cross entropy, by the norm.

    X: (n, d).      classes: (n,) integers from 0 to K - 1.      step_size: of the first
    step; steps fall like 1 / sqrt(k).      Raises `InvalidInput` and `NotSeparable` as
    `matrix_max_margin` does.
    """
    inputs = real_tensor("X", X, ndim=2).double()
    count = int(real_tensor("classes", classes, ndim=1).amax()) + 1
    labels = class_labels("classes", classes, count)
    best = {norm: matrix_max_margin(inputs, labels, count, norm) for norm in NORMS}
    problem = SeveralClasses(inputs, labels, best["Frobenius"].primal)
    run = descend(
        Objective(Linear(problem.pairs), CrossEntropy(count - 1)),
        inputs.new_zeros(1, problem.pairs.shape[1]),
        decaying(step_size, 0.5, over=300.0),
        steps=[steps],
        direction=optimizer,
        max_seconds=math.inf,
    )
    theta = run.theta[0, 0]
    W, least = theta.unflatten(0, (count, -1)), (problem.pairs @ theta).amin()
    return {
        norm: float(least / torch.as_tensor(matrix_norm(W, norm)) / one.margin)
        for norm, one in best.items()
    }
