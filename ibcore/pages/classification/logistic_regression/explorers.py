"""A line watched while logistic regression trains it."""

from __future__ import annotations

import functools

import torch
from matplotlib.figure import Figure

from ibcore.dynamics.log_time import flow
from ibcore.dynamics.protocols import TailLoss
from ibcore.dynamics.trajectory import Trajectory
from ibcore.figures import figure
from ibcore.losses import Logistic, PolynomialTail
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.pages.classification.logistic_regression.figures import (
    plot_angle_marker,
    plot_line,
)
from ibcore.pages.classification.logistic_regression.runs import LOG_10
from ibcore.problems.separable import Classification

LOSSES: dict[str, TailLoss] = {"logistic": Logistic(), "1/margin": PolynomialTail()}
POWERS = (0, 1, 2, 3, 5, 10, 30, 100, 1000, 100_000)


def two_clouds() -> Classification:
    """Sixteen points whose max-margin direction is (1, 1), unlike their mean
    difference.

    The support vectors are (-1/2, 5/2), (3/2, 1/2) and their opposites, with dual
    variables 1 to 3, so that the angle falls like 0.55 / log t.
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
    """Gradient flow on `two_clouds` from w = 0 with a loss of `LOSSES`, at `POWERS`."""
    data = two_clouds()
    powers = POWERS if loss == "logistic" else POWERS[:-2]
    run = flow(
        Linear(data.signed),
        LOSSES[loss],
        torch.zeros(1, 2, dtype=torch.float64),
        log_time=[power * LOG_10 for power in powers],
    )
    return run, max_margin(data.X, data.y)


def explore_training(power: int, loss: str) -> tuple[Figure, str]:
    """The line at t = 10^power beside the angle to the max-margin direction over time."""
    run, best = training_path(loss)
    k = min(POWERS.index(power), len(run.theta) - 1)
    sines = sin_angle(run.theta[:, 0], best.primal)
    angles = torch.rad2deg(torch.arcsin(sines)).numpy()
    fig, (left, right) = figure(2, height=3.1)
    data, w = two_clouds(), run.theta[k, 0]
    plot_line(left, data.X.numpy(), data.y.numpy(), w.numpy(), best.primal.numpy())
    plot_angle_marker(right, run.log_time[:, 0].numpy(), angles, k)
    early = POWERS[k] < power
    ended = f", where this run ends before 10^{power:,}" if early else ""
    return fig, (
        f"{loss.capitalize()} loss at t = 10^{POWERS[k]:,}{ended}: the line is "
        f"{angles[k]:.2g} degrees from the max-margin line, and the loss is "
        f"10^{float(run.log_loss[k, 0]) / LOG_10:,.1f}."
    )
