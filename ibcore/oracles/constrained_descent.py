"""What decoupled weight decay makes of a quadratic loss: its minimizer on a ball, and at
any epsilon of AdamW that of the loss with a barrier.
"""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.oracles import programs
from ibcore.threads import threads
from ibcore.validation import InvalidInput, one_of

Array = NDArray[np.float64]
_TOLERANCES = (1e-12, 1e-11, 1e-10, 1e-9, 1e-8)
_GAP = 1e-8


@dataclass(frozen=True)
class BallMinimizer:
    """The minimizer W (K, d) of the mean square loss on a ball.

    gradient: of the loss there.      gap: its Frank-Wolfe gap <gradient, W> + radius
    |gradient|_*, which bounds L(W) - min L for any W of the ball, over L(0).
    value: L(W).
    """

    W: Tensor
    gradient: Tensor
    gap: float
    value: float


def square_loss(X: Array, Y: Array, W: Array) -> tuple[float, Array]:
    """(1/n) sum_i |W x_i - y_i|^2 and its gradient, for X (n, d), Y (n, K), W (K, d)."""
    rest = X @ W.T - Y
    return float((rest**2).sum() / len(X)), 2 / len(X) * rest.T @ X


@threads()
def ball_minimizer(X: Tensor, Y: Tensor, radius: float, norm: str) -> BallMinimizer:
    """The least mean square loss with |W| <= radius, `norm` being `max` (the largest
    entry) or `spectral`.

    X: (n, d).      Y: (n, K).      A cone program, scaled to a ball of radius 1; raises
    `InvalidInput` where the Frank-Wolfe gap of the solution is not below 1e-8 L(0).
    Source: for sign and spectral descent with decay Chen, Liu, Liang and Liu 2024; Xie
    and Li 2024; Chen, Li and Liu 2025.
    """
    one_of("norm", norm, ("max", "spectral"))
    inputs, targets = (part.detach().cpu().double().numpy() for part in (X, Y))
    V = cp.Variable((targets.shape[1], inputs.shape[1]))
    scale = np.linalg.norm(targets)
    residual = cp.sum_squares((radius * inputs @ V.T - targets) / scale)
    size = cp.max(cp.abs(V)) if norm == "max" else cp.sigma_max(V)
    problem = cp.Problem(cp.Minimize(residual), [size <= 1])
    for tolerance in _TOLERANCES:
        programs.clarabel(problem, tolerance)
        if V.value is None:
            continue
        found = _on_ball(inputs, targets, np.asarray(V.value), radius, norm)
        if found.gap <= _GAP:
            return found
    raise InvalidInput(f"the program on the {norm} ball did not solve.")


def _on_ball(
    inputs: Array, targets: Array, V: Array, radius: float, norm: str
) -> BallMinimizer:
    """The point of the ball next to radius V, with its Frank-Wolfe gap."""
    size = np.abs(V).max() if norm == "max" else np.linalg.norm(V, 2)
    W = radius * V / max(1.0, float(size))
    value, gradient = square_loss(inputs, targets, W)
    dual = np.abs(gradient).sum() if norm == "max" else np.linalg.norm(gradient, "nuc")
    gap = float((gradient * W).sum() + radius * dual)
    start = float((targets**2).sum() / len(targets))
    return BallMinimizer(
        torch.from_numpy(W), torch.from_numpy(gradient), gap / start, value
    )


@threads()
def barrier_minimizer(
    X: Tensor, y: Tensor, decay: float, epsilon: float
) -> tuple[Tensor, float]:
    """argmin_w L(w) + epsilon sum_j [-|w_j| - log(1 - decay |w_j|) / decay], (d,), with a
    bound on the error of w over 1 / decay.

    X: (n, d).      y: (n,), L the mean square loss.      Where the steps g / (|g| +
    epsilon) of Adam at rest balance the decay, -g = epsilon decay w / (1 - decay |w|),
    which is the gradient of the sum (derived on the page on the geometry of
    optimizers). The program minimizes over a >= |w| the convex a -> x - 1 - log x, x =
    1 - decay a, which rises with a. The sum is strongly convex with the constant
    epsilon decay, so that the gradient that is left bounds the error.
    """
    inputs, targets = (part.detach().cpu().double().numpy() for part in (X, y))
    v, a = cp.Variable(inputs.shape[1]), cp.Variable(inputs.shape[1])
    weight = epsilon / decay
    unit = weight + float((targets**2).mean())
    loss = cp.sum_squares(inputs @ v / decay - targets) / len(targets)
    barrier = cp.sum(cp.kl_div(np.ones(inputs.shape[1]), 1 - a))
    objective = (loss + weight * barrier) / unit
    problem = cp.Problem(cp.Minimize(objective), [cp.abs(v) <= a])
    programs.clarabel_at_best(problem, _TOLERANCES)
    if v.value is None:
        raise InvalidInput("the program of the barrier did not solve.")
    w = _newton(inputs, targets, np.asarray(v.value) / decay, decay, epsilon)
    error = np.linalg.norm(_slope(inputs, targets, w, decay, epsilon))
    return torch.from_numpy(w), float(error / epsilon)


def _slope(X: Array, y: Array, w: Array, decay: float, epsilon: float) -> Array:
    """The gradient of the loss with the barrier."""
    return square_loss(X, y[:, None], w[None])[1][0] + epsilon * decay * w / (
        1 - decay * np.abs(w)
    )


def _newton(X: Array, y: Array, w: Array, decay: float, epsilon: float) -> Array:
    """Newton steps that stay where the barrier is finite, from the program's solution."""
    w = np.clip(w, -(1 - 1e-12) / decay, (1 - 1e-12) / decay)
    for _ in range(100):
        slope = _slope(X, y, w, decay, epsilon)
        room = 1 - decay * np.abs(w)
        step = np.linalg.solve(
            2 / len(X) * X.T @ X + np.diag(epsilon * decay / room**2), -slope
        )
        share = 1.0
        while (
            np.abs(decay * (w + share * step)).max() >= 1
            or np.linalg.norm(_slope(X, y, w + share * step, decay, epsilon))
            > (1 - share / 4) * np.linalg.norm(slope)
        ) and share > 1e-10:
            share /= 2
        if share <= 1e-10:
            break
        w = w + share * step
    return w


def ridge_minimizer(X: Tensor, y: Tensor, decay: float) -> Tensor:
    """argmin_w L(w) + decay |w|^2 / 2, (d,), L the mean square loss on X (n, d), y (n,)."""
    moment = 2 / len(X) * X.T @ X
    identity = torch.eye(X.shape[1]).to(X)
    return torch.linalg.solve(moment + decay * identity, 2 / len(X) * X.T @ y)


def frank_wolfe_bound(shares: Tensor, start: Tensor, curvature: Tensor) -> Tensor:
    """Above L(w) - min L after steps to w + a (v - w) with a vertex v against the
    gradient.

    shares: (K,), the a.      start: (...), L - min L before.      curvature: (...),
    above (1/n) sum_i |V x_i|^2 for all differences V of two points of the ball.
    h <- (1 - a) h + a^2 curvature (Frank and Wolfe 1956; proved on the page on the
    geometry of optimizers).
    """
    bound = start
    for share in shares:
        bound = (1 - share) * bound + share.square() * curvature
    return bound
