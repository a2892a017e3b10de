"""The stiff phase of networks on an exponential tail: an L-stable step whose stages
keep the softmax nonlinear.

A stage of a diagonally implicit method solves y = base + h G(y)^T p(y), where G holds
the gradients of the margins m and p = softmax(-m). Linearizing p fails: h |G|^2 is
large, and the softmax saturates. Here only the margins are linearized, m(base + G^T q)
= c + h K p with K = G G^T (prox-linear), and the fixed point p = softmax(-(c + h K p))
is the minimizer of a strictly convex function, found by Newton's method in log p.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.protocols import Model, TailLoss
from ibcore.dynamics.scaled_field import Point
from ibcore.linear_algebra import solve

_GAMMA = 1 - 1 / math.sqrt(2)  # L-stable (Alexander 1977)
_LINEARIZATIONS = 12
_NEWTON_STEPS = 30
_HALVINGS = 60
_WEIGHTS = 1e-7  # finest accuracy asked of log p
_MARGINS = 1e-3  # change of the margins, absolute, that ends the linearizations
_LOOSE = 30.0  # a stage that misses its tolerance by this factor is refused


def prox_linear_step(
    model: Model, _loss: TailLoss, start: Point, h: Tensor, tolerance: float
) -> tuple[Tensor, Tensor, int]:
    """One step of the two-stage method of order 2: theta (B, P), its error over the
    tolerance (B,), evaluations.

    The error is the distance to an embedded method of order 1, relative to |theta|; it
    is infinite where a stage did not converge.
    """
    step, log_p = _GAMMA * h, torch.log_softmax(-start.margins, -1)
    first = _solve_stage(
        model, start.theta, step, start.theta + step[:, None] * start.field, log_p
    )
    base = start.theta + (1 - _GAMMA) * h[:, None] * first.field
    second = _solve_stage(
        model, base, step, base + step[:, None] * first.field, first.log_p
    )
    change = step * torch.linalg.vector_norm(second.field - first.field, dim=-1)
    error = change / torch.linalg.vector_norm(second.theta, dim=-1) / tolerance
    unsolved = torch.maximum(first.missed, second.missed) > _LOOSE
    return (
        second.theta,
        torch.where(unsolved, torch.inf, error),
        first.evaluations + second.evaluations,
    )


@dataclass(frozen=True)
class _Stage:
    """theta (B, P) = base + step field, log p (B, n), its last change over what is
    allowed (B,), evaluations.
    """

    theta: Tensor
    field: Tensor
    log_p: Tensor
    missed: Tensor
    evaluations: int


def _solve_stage(
    model: Model, base: Tensor, step: Tensor, theta: Tensor, log_p: Tensor
) -> _Stage:
    """theta = base + step G(theta)^T p(theta), from the guesses `theta` (B, P) and
    `log_p` (B, n).

    Linearizing the margins again and again converges linearly, the error mostly along
    theta itself; extrapolating by the last two residuals (Anderson 1965, depth one)
    removes that part.
    """
    eps = torch.finfo(base.dtype).eps
    missed, last = torch.full_like(step, torch.inf), None
    for evaluations in range(1, _LINEARIZATIONS + 1):  # noqa: B007 - counted for the result
        margins, rows = model.outputs(theta), model.jacobian(theta)
        cost = margins + (rows @ (base - theta)[..., None])[..., 0]
        accuracy = (0.01 * _MARGINS * missed).clamp(_WEIGHTS, 1e-4)
        log_p = softmax_fixed_point(
            cost, step[:, None, None] * (rows @ rows.mT), log_p, accuracy
        )
        field = (torch.exp(log_p)[:, None, :] @ rows)[:, 0]
        new = base + step[:, None] * field
        residual = new - theta
        change = torch.linalg.vector_norm(residual, dim=-1) / torch.linalg.vector_norm(
            new, dim=-1
        )
        missed = change / (_MARGINS / margins.abs().amax(-1)).clamp(32 * eps, 1e-5)
        if bool((missed <= 1).all()):
            break
        theta = new if last is None else _extrapolated(new, residual, *last)
        last = (new, residual)
    return _Stage(new, field, log_p, missed, evaluations)


def _extrapolated(
    new: Tensor, residual: Tensor, before: Tensor, residual_before: Tensor
) -> Tensor:
    change = residual - residual_before
    share = (residual * change).sum(-1) / change.square().sum(-1).clamp_min(1e-300)
    return new - share.clamp(-0.5, 0.5)[:, None] * (new - before)


def softmax_fixed_point(
    cost: Tensor, gram: Tensor, log_p: Tensor, accuracy: Tensor
) -> Tensor:
    """log p (B, n) with p = softmax(-(cost + gram p)), from the guess `log_p`.

    cost: (B, n).      gram: (B, n, n), positive semidefinite.      accuracy: (B,), of
    the mean of log p. p minimizes sum_i p_i log p_i + cost.p + p.gram p / 2 over the
    simplex; Newton's method on the fixed point in log p is a descent direction of it,
    and steps are halved until it falls.
    """
    identity = torch.eye(cost.shape[-1], dtype=cost.dtype, device=cost.device)
    value = _free_energy(cost, gram, log_p)
    for _ in range(_NEWTON_STEPS):
        p = torch.exp(log_p)
        gap = torch.log_softmax(-cost - (gram @ p[..., None])[..., 0], -1) - log_p
        if bool(((p * gap.abs()).sum(-1) <= accuracy).all()):
            break
        right = torch.stack([gap, torch.ones_like(gap)], -1)
        solved = solve(identity + gram * p[:, None, :], right)
        shares = (p[..., None] * solved).sum(-2)
        direction = (
            solved[..., 0] - (shares[:, 0] / shares[:, 1])[:, None] * solved[..., 1]
        )
        log_p, value, moved = _descend(cost, gram, log_p, direction, value)
        if not moved:
            break
    return log_p


def _free_energy(cost: Tensor, gram: Tensor, log_p: Tensor) -> Tensor:
    """sum_i p_i log p_i + cost.p + p.gram p / 2, (B,)."""
    p = torch.exp(log_p)
    pull = cost + (gram @ p[..., None])[..., 0] / 2
    return (p * (log_p.clamp_min(-1e300) + pull)).sum(-1)


def _descend(
    cost: Tensor, gram: Tensor, log_p: Tensor, direction: Tensor, value: Tensor
) -> tuple[Tensor, Tensor, bool]:
    """The first of the steps 1, 1/2, 1/4, ...

    along `direction` that does not raise the free energy beyond rounding.
    """
    length = torch.ones_like(value)
    done = torch.zeros_like(value, dtype=torch.bool)
    bound = value + 512 * torch.finfo(value.dtype).eps * value.abs()
    for _ in range(_HALVINGS):
        trial = torch.log_softmax(log_p + length[:, None] * direction, -1)
        energy = _free_energy(cost, gram, trial)
        falls = (energy <= bound) & ~done
        log_p = torch.where(falls[:, None], trial, log_p)
        value = torch.where(falls, energy, value)
        done |= falls
        if bool(done.all()):
            break
        length = torch.where(done, length, length / 2)
    return log_p, value, bool(done.any())
