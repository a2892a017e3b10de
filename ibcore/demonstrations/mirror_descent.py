"""Mirror descent in the plane, over time on the reader's own data, and with steps too small to see its limit."""

from __future__ import annotations

import functools
import math

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.mirror_flow import mirror_descent, mirror_flow
from ibcore.dynamics.trajectory import Trajectory
from ibcore.figures.mirror_descent import draw_ball, draw_separator
from ibcore.figures.style import figure
from ibcore.losses import Exponential
from ibcore.models import Linear
from ibcore.oracles.norm_margin import NormMargin, norm_max_margin
from ibcore.problems.separable import Classification
from ibcore.threads import threads

PLANE_ORDERS = (1.1, 1.3, 1.6, 2.0, 3.0, 10.0)
PLANE_TIMES = (1, 3, 10, 1000)
_LOG_10 = math.log(10)


def plane_points() -> Classification:
    """Twelve points in the plane; (2, 1) and its opposite alone decide the margin in every norm."""
    above = torch.tensor(
        [[2.0, 1.0], [3.0, 0.5], [2.2, 1.8], [3.2, 1.5], [2.6, 2.3], [3.4, 0.9]],
        dtype=torch.float64,
    )
    below = torch.tensor(
        [[2.0, 1.0], [2.5, 0.9], [3.3, 2.0], [3.2, 0.2], [2.3, 2.1], [2.9, 1.4]],
        dtype=torch.float64,
    )
    return Classification(
        torch.cat([above, -below]), torch.cat([torch.ones(6), -torch.ones(6)]).double()
    )


@threads()
def follow(
    X: object, y: object, p: float, log_time: object
) -> tuple[Trajectory, NormMargin, Tensor]:
    """Mirror flow from w = 0, the certified optimum, and the l_p margin gap at every stop, (K,).

    X: (n, d).      y: (n,) in {-1, +1}.      log_time: rising stops.
    Raises `InvalidInput` for malformed data and `NotSeparable` where no direction separates them.
    """
    best = norm_max_margin(X, y, p)
    data = Classification(torch.as_tensor(X).double(), torch.as_tensor(y).double())
    start = torch.zeros(1, data.X.shape[1], dtype=torch.float64)
    run = mirror_flow(Linear(data.signed), Exponential(), start, p, log_time=log_time)  # type: ignore[arg-type]
    sizes = torch.linalg.vector_norm(run.theta[:, 0], p, dim=-1)
    margins = (run.theta[:, 0] @ data.signed.T).amin(-1)
    return run, best, 1 - margins / sizes / best.margin


@functools.cache
def plane_path(p: float) -> tuple[Tensor, NormMargin, Tensor]:
    """States (K, 2), optimum and gaps at t = 10^k for k in `PLANE_TIMES`."""
    data = plane_points()
    run, best, gaps = follow(data.X, data.y, p, [k * _LOG_10 for k in PLANE_TIMES])
    return run.theta[:, 0], best, gaps


def draw_plane(p: float, power: int) -> tuple[Figure, str]:
    """The decision line and, beside it, w over its margin in the plane of w with the ball of |w|_p."""
    data = plane_points()
    states, best, gaps = plane_path(p)
    k = PLANE_TIMES.index(power)
    scaled = states / (states @ data.signed.T).amin(-1, keepdim=True)
    fig, (left, right) = figure(2, height=3.8)
    draw_separator(
        left, data.X.numpy(), data.y.numpy(), states[k].numpy(), best.primal.numpy()
    )
    draw_ball(
        right, data.signed.numpy(), p, best.primal.numpy(), scaled[: k + 1].numpy()
    )
    w = states[k] / states[k].abs().max()
    short = f"{100 * float(gaps[k]):.2g} %" if gaps[k] >= 1e-4 else "less than 0.01 %"
    return fig, (
        f"Potential p = {p:g} at t = 10^{power:,}: w points along ({w[0]:.2f}, {w[1]:.2f}), and its l_p "
        f"margin is {short} short of the largest possible."
    )


@threads()
def naive_gaps(
    signed: Tensor,
    best: Tensor,
    orders: tuple[float, ...],
    *,
    step_size: float,
    steps: int,
) -> Tensor:
    """l_p margin gaps (P, B) after plain mirror descent from a small random start, on signed inputs (B, n, d).

    best: (B, P) the largest margins.
    """
    generator = torch.Generator().manual_seed(0)
    start = (
        torch.rand(
            len(signed), signed.shape[-1], generator=generator, dtype=torch.float64
        )
        - 0.5
    )
    p = torch.tensor(orders, dtype=torch.float64).repeat_interleave(len(signed))
    rows = signed.repeat(len(orders), 1, 1)
    w = mirror_descent(
        Linear(rows),
        Exponential(),
        start.repeat(len(orders), 1),
        p,
        step_size=step_size,
        steps=steps,
    )
    sizes = torch.stack(
        [torch.linalg.vector_norm(v, float(q)) for v, q in zip(w, p, strict=True)]
    )
    margins = (rows @ w[..., None])[..., 0].amin(-1)
    return (1 - margins / sizes / best.T.reshape(-1)).reshape(len(orders), -1)
