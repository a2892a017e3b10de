"""Three ways to follow logistic regression to the max-margin direction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant, loss_scaled
from ibcore.losses import Logistic
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.problems.separable import Classification
from ibcore.threads import threads


@dataclass(frozen=True)
class Route:
    """One way to the max-margin direction: seconds, evaluations, sin of the angle."""

    name: str
    seconds: Tensor
    evaluations: Tensor
    sines: Tensor


@threads()
def three_routes(
    data: Classification, *, steps: int = 20_000, log_loss: float = -1e6
) -> tuple[Route, ...]:
    """Plain and loss-scaled descent and the log-time flow from w = 0 on the same data.

    Plain descent takes half of the step that Soudry et al. (2018) allow for the
    logistic loss, eta = 4 n / sigma_max(X)^2 for the mean; loss-scaled descent eta / L
    with eta = 1 / max_i |x_i|^2 (Ji and Telgarsky 2021); the flow goes on to log L =
    `log_loss`.
    """
    best = max_margin(data.X, data.y).primal
    model = Linear(data.signed)
    start = torch.zeros(1, data.X.shape[1], dtype=data.X.dtype)
    decades = range(int(20 * math.log10(steps)) + 1)
    records = sorted({round(10 ** (k / 20)) for k in decades} | {steps})
    plain = constant(4 * len(data.X) / float(torch.linalg.matrix_norm(data.X, 2)) ** 2)
    scaled = loss_scaled(1 / float(data.X.square().sum(1).max()))
    first = math.log(2)
    levels = [-first * (-log_loss / first) ** (k / 60) for k in range(1, 61)]
    objective = Objective(model, Logistic())
    runs = {
        "gradient descent": descend(objective, start, plain, steps=records),
        "loss-scaled descent": descend(objective, start, scaled, steps=records),
        "log-time flow": flow(model, Logistic(), start, log_loss=levels),
    }
    return tuple(
        Route(name, run.seconds[:, 0], run.work[:, 0], sin_angle(run.theta[:, 0], best))
        for name, run in runs.items()
    )
