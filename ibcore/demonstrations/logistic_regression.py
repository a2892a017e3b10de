"""Logistic regression watched while it trains, and three ways to follow it to the end."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant, loss_scaled
from ibcore.dynamics.protocols import TailLoss
from ibcore.dynamics.trajectory import Trajectory
from ibcore.figures.logistic_regression import draw_angle_marker, draw_line
from ibcore.figures.style import figure
from ibcore.losses import Logistic, PolynomialTail
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.problems.separable import Classification
from ibcore.threads import threads

LOSSES: dict[str, TailLoss] = {"logistic": Logistic(), "1/margin": PolynomialTail()}
POWERS = (0, 1, 2, 3, 5, 10, 30, 100, 1000, 100_000)
_LOG_10 = math.log(10)


def two_clouds() -> Classification:
    """Sixteen points in the plane whose max-margin direction is (1, 1), the mean difference pointing elsewhere.

    The support vectors are (-1/2, 5/2), (3/2, 1/2) and their opposites, with dual variables 1 to 3, so that
    the angle falls like 0.55 / log t.
    """
    support = torch.tensor([[-0.5, 2.5], [1.5, 0.5]], dtype=torch.float64)
    cloud = torch.tensor(
        [[2.6, 0.3], [3.0, 0.8], [3.4, 0.1], [3.8, 0.9], [2.9, 1.5], [3.5, 1.4]],
        dtype=torch.float64,
    )
    X = torch.cat([support, cloud, -support, -cloud])
    return Classification(X, torch.cat([torch.ones(8), -torch.ones(8)]).double())


@functools.cache
def training_path(loss: str) -> tuple[Trajectory, MaxMargin]:
    """Gradient flow on `two_clouds` from w = 0 with a loss of `LOSSES`, at t = 10^p for p in `POWERS`."""
    data = two_clouds()
    stops = [
        power * _LOG_10 for power in (POWERS if loss == "logistic" else POWERS[:-2])
    ]
    run = flow(
        Linear(data.signed),
        LOSSES[loss],
        torch.zeros(1, 2, dtype=torch.float64),
        log_time=stops,
    )
    return run, max_margin(data.X, data.y)


def draw_training(power: int, loss: str) -> tuple[Figure, str]:
    """The decision line at t = 10^power beside the angle to the max-margin direction over time."""
    run, best = training_path(loss)
    k = min(POWERS.index(power), len(run.theta) - 1)
    w = run.theta[k, 0]
    angles = torch.rad2deg(
        torch.arcsin(sin_angle(run.theta[:, 0], best.primal))
    ).numpy()
    fig, (left, right) = figure(2, height=3.1)
    data = two_clouds()
    draw_line(left, data.X.numpy(), data.y.numpy(), w.numpy(), best.primal.numpy())
    draw_angle_marker(right, run.log_time[:, 0].numpy(), angles, k)
    when = f"t = 10^{POWERS[k]:,}" + (
        ", where this run ends" if POWERS[k] < power else ""
    )
    return fig, (
        f"{loss.capitalize()} loss at {when}: the line is {angles[k]:.2g} degrees from the max-margin line, "
        f"and the loss is 10^{float(run.log_loss[k, 0]) / _LOG_10:,.1f}."
    )


@dataclass(frozen=True)
class Route:
    """One way to the max-margin direction: seconds, gradient evaluations and sin of the angle at its records."""

    name: str
    seconds: Tensor
    evaluations: Tensor
    sines: Tensor


@threads()
def three_routes(
    data: Classification, *, steps: int = 20_000, log_loss: float = -1e6
) -> tuple[Route, Route, Route]:
    """Plain gradient descent, loss-scaled gradient descent and the log-time flow from w = 0 on the same data.

    Plain descent takes half of the step that Soudry et al. (2018) allow for the logistic loss, eta =
    4 n / sigma_max(X)^2 for the mean; loss-scaled descent eta / L with eta = 1 / max_i |x_i|^2 (Ji and Telgarsky 2021);
    the flow goes on to log L = `log_loss`.
    """
    best = max_margin(data.X, data.y).primal
    model, start = (
        Linear(data.signed),
        torch.zeros(1, data.X.shape[1], dtype=data.X.dtype),
    )
    records = sorted(
        {round(10 ** (k / 20)) for k in range(int(20 * math.log10(steps)) + 1)}
        | {steps}
    )
    plain = constant(4 * len(data.X) / float(torch.linalg.matrix_norm(data.X, 2)) ** 2)
    scaled = loss_scaled(1 / float(data.X.square().sum(1).max()))
    levels = [
        -math.log(2) * (-log_loss / math.log(2)) ** (k / 60) for k in range(1, 61)
    ]
    objective = Objective(model, Logistic())
    runs = {
        "gradient descent": descend(objective, start, plain, steps=records),
        "loss-scaled descent": descend(objective, start, scaled, steps=records),
        "log-time flow": flow(model, Logistic(), start, log_loss=levels),
    }
    first, second, third = (
        Route(name, run.seconds[:, 0], run.work[:, 0], sin_angle(run.theta[:, 0], best))
        for name, run in runs.items()
    )
    return first, second, third
