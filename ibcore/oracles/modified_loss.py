"""Gradient flow on a modified loss, by an integrator of order eight: what backward
error analysis says of finite steps.

Losses are functions that are differentiated automatically; nothing here takes a step of
gradient descent. The modified loss of batch losses L_1, ..., L_m with mean L is

    L + whole |grad L|^2 + parts (1/m) sum_i |grad L_i|^2 .

Barrett and Dherin 2021 have whole = eta / 4 for gradient descent, Smith, Dherin,
Barrett and De 2021 parts = eta / 4 for the mean over the orders of one shuffled epoch
(both recalled; derived on the page on modified losses).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from torch import Tensor

from ibcore.threads import threads
from ibcore.validation import InvalidInput

Losses = Callable[[Tensor], Tensor]
"""theta (B, m, P), parameters for every member and batch -> the loss of every batch at its own parameters, (B, m)."""

TOLERANCE = 1e-12
LOOSE = 1e-9


def network_errors(theta: Tensor, X: Tensor, y: Tensor) -> Tensor:
    """(f(x_i) - y_i)^2 of f(x) = a . tanh(W x + b) + c with theta (..., P) = (W, b, a,
    c): (..., n).

    X: (..., n, d).      y: (..., n).      Written out anew, so that it shares no code
    with the models.
    """
    d = X.shape[-1]
    width = (theta.shape[-1] - 1) // (d + 2)
    W, b, a, c = theta.split([width * d, width, width, 1], -1)
    inner = X @ W.unflatten(-1, (width, d)).mT + b[..., None, :]
    outputs = (torch.tanh(inner) @ a[..., None])[..., 0] + c
    return (outputs - y).square()


def sharpness(losses: Losses, theta: Tensor) -> Tensor:
    """The largest eigenvalue of the Hessian of the one loss (B, 1, P) -> (B, 1) at
    theta (B, P), in full: (B,).
    """

    def one(point: Tensor) -> Tensor:
        return losses(point[:, None]).sum()

    start = theta.detach().requires_grad_()
    (slope,) = torch.autograd.grad(one(start), start, create_graph=True)
    rows = [
        torch.autograd.grad(column.sum(), start, retain_graph=True)[0]
        for column in slope.unbind(-1)
    ]
    return torch.linalg.eigvalsh(torch.stack(rows, 1))[:, -1]


def modified_loss(
    losses: Losses, theta: Tensor, count: int, whole: Tensor, parts: Tensor
) -> Tensor:
    """L + whole |grad L|^2 + parts (1/m) sum_i |grad L_i|^2, (B,).

    theta: (B, P).      count: m.      whole, parts: (B,).
    """
    every = theta[:, None].expand(-1, count, -1)
    each = losses(every)
    (slopes,) = torch.autograd.grad(each.sum(), every, create_graph=True)
    return (
        each.mean(1)
        + whole * slopes.mean(1).square().sum(-1)
        + parts * slopes.square().sum(-1).mean(1)
    )


@dataclass(frozen=True)
class Flow:
    """Gradient flow of B members at K times: theta (K, B, P).

    difference: (B,), the largest distance between the flow and the same at a tolerance
    1000 times as wide.
    """

    theta: Tensor
    difference: Tensor


@threads()
def modified_flow(
    losses: Losses,
    start: Tensor,
    time: Tensor,
    *,
    batches: int = 1,
    whole: Tensor | float = 0.0,
    parts: Tensor | float = 0.0,
    shares: tuple[float, ...] = (1.0,),
) -> Flow:
    """Gradient flow on the modified loss from `start` (B, P), by Dormand and Prince's
    method of order 8.

    time: (B,), when to stop.      batches: m.      whole, parts: weights of the two
    penalties, numbers or (B,).
    shares: rising shares of the time at which the flow is read, the last of them 1.
    A loss c times as large has its time and both weights divided by c.
    Raises `InvalidInput` where the flow cannot be followed.
    """
    weights = [
        torch.as_tensor(part).to(start).expand(len(start)) for part in (whole, parts)
    ]

    def speed(state: Tensor) -> Tensor:
        theta = state.requires_grad_()
        value = modified_loss(losses, theta, batches, weights[0], weights[1])
        return -time[:, None] * torch.autograd.grad(value.sum(), theta)[0]

    tight, loose = (_states(speed, start, shares, rtol) for rtol in (TOLERANCE, LOOSE))
    return Flow(tight, (tight - loose).norm(dim=-1).amax(0))


@threads()
def first_error(losses: Losses, start: Tensor, time: Tensor) -> Tensor:
    """e(T), (B, P): gradient descent is at theta(T) + eta e(T) + O(eta^2) where
    gradient flow is at theta(T).

    e solves e' = -H e - (1/4) grad |grad L|^2 = -H (e + grad L / 2) along the flow from
    e(0) = 0, H the Hessian of L.
    losses: of one batch, (B, 1, P) -> (B, 1).
    """
    size = start.shape[-1]

    def speed(state: Tensor) -> Tensor:
        theta, e = state.split(size, -1)
        theta = theta.detach().requires_grad_()
        value = losses(theta[:, None]).sum()
        (slope,) = torch.autograd.grad(value, theta, create_graph=True)
        lever = (e + slope / 2).detach()
        (curved,) = torch.autograd.grad(slope, theta, lever)
        return -time[:, None] * torch.cat([slope.detach(), curved], -1)

    both = torch.cat([start, torch.zeros_like(start)], -1)
    return _states(speed, both, (1.0,), TOLERANCE)[0, :, size:]


def penalty_slopes(
    losses: Losses, theta: Tensor, batches: int
) -> tuple[Tensor, Tensor]:
    """grad |grad L|^2 and grad (1/m) sum_i |grad L_i|^2 at theta (B, P), (B, P) each."""
    point = theta.detach().requires_grad_()
    one, none = torch.ones(len(theta)).to(theta), torch.zeros(len(theta)).to(theta)

    def slope(whole: Tensor, parts: Tensor) -> Tensor:
        value = modified_loss(losses, point, batches, whole, parts)
        return torch.autograd.grad(value.sum(), point)[0]

    bare = slope(none, none)
    return slope(one, none) - bare, slope(none, one) - bare


def _states(
    speed: Callable[[Tensor], Tensor],
    start: Tensor,
    shares: tuple[float, ...],
    tolerance: float,
) -> Tensor:
    """States (K, B, P) at the shares of a unit of time."""

    def flat(_time: float, state: NDArray[np.float64]) -> NDArray[np.float64]:
        there = torch.from_numpy(state.copy()).reshape(start.shape).to(start.device)
        moved: NDArray[np.float64] = speed(there).cpu().numpy().ravel()
        return moved

    found = solve_ivp(
        flat,
        (0.0, 1.0),
        start.detach().cpu().double().numpy().ravel(),
        method="DOP853",
        t_eval=shares,
        rtol=tolerance,
        atol=tolerance,
    )
    if not found.success or not math.isfinite(float(np.abs(found.y).sum())):
        raise InvalidInput(
            "gradient flow on the modified loss could not be followed "
            f"({found.message}). Take a smoother loss or a shorter time."
        )
    return torch.from_numpy(found.y.T.copy()).reshape(-1, *start.shape).to(start)
