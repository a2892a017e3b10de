"""Implicit stages of mirror flow with the potential |theta|_p^p / p, solved by Newton's
method. See `mirror_flow`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ibcore.dynamics.protocols import Model, TailLoss
from ibcore.linear_algebra import solve
from ibcore.potentials import power_mirror, power_unmirror

_CLOSE = 1e-10  # largest last Newton correction of a weight, where rounding of the margins allows
_NEAR = 1e-8  # largest last Newton correction of theta relative to its largest entry
_NEWTON = 40
_LEAP = 2.0  # largest rise of log lambda in one Newton step once it is no longer small


class MirrorState(NamedTuple):
    """theta, z (B, P); log weights u (B, n); Lambda (B, n)."""

    theta: Tensor
    z: Tensor
    u: Tensor
    push: Tensor


class Stage(NamedTuple):
    """theta (B, P), log weights u, weights (B, n), field sum_i lambda_i grad m_i (B,
    P), convergence (B,).
    """

    theta: Tensor
    u: Tensor
    weights: Tensor
    field: Tensor
    solved: Tensor


def apply(matrix: Tensor, vector: Tensor) -> Tensor:
    """Products (B, n) of matrices (B, n, P) and vectors (B, P)."""
    return (matrix @ vector[..., None])[..., 0]


def pull(rows: Tensor, weights: Tensor) -> Tensor:
    """Sums (B, P) of rows (B, n, P) with weights (B, n)."""
    return (weights[:, None, :] @ rows)[:, 0]


def _finish(rows: Tensor, theta: Tensor, u: Tensor, solved: Tensor) -> Stage:
    weights = torch.softmax(u, -1)
    return Stage(theta, u, weights, pull(rows, weights), solved)


def _normalized(
    constant: Tensor, multiplier: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """du = constant + kappa multiplier with kappa such that sum lambda + sum lambda du
    = 1; kappa (B, 1) as well.
    """
    short = 1 - weights.sum(-1) - (weights * constant).sum(-1)
    kappa = (short / (weights * multiplier).sum(-1))[:, None]
    return constant + kappa * multiplier, kappa


def _clipped(du: Tensor, u: Tensor) -> Tensor:
    """A weight may fall freely and rise freely while it is small, but not overshoot."""
    return torch.minimum(du, (-3 - u).clamp_min(_LEAP))


def primal_stage(
    model: Model, loss: TailLoss, p: Tensor, base: Tensor, c: Tensor, guess: MirrorState
) -> Stage:
    """theta with grad psi(theta) = base + c sum_i lambda_i grad m_i(theta), by Newton's
    method in (theta, log lambda).

    p, c: (B, 1).      base: (B, P).      For p >= 2.
    """
    theta, u = guess.theta, guess.u
    solved = torch.zeros_like(c, dtype=torch.bool)
    for _ in range(_NEWTON):
        margins, rows, weights = (
            model.outputs(theta),
            model.jacobian(theta),
            torch.exp(u),
        )
        rate = -loss.log_slope_rate(margins)
        push = c * pull(rows, weights)
        defect = u - loss.log_slope(margins)
        hessian = torch.diag_embed((p - 1) * theta.abs() ** (p - 2)) + c[..., None] * (
            rows.mT @ ((weights * rate)[..., None] * rows)
        )
        scale = torch.diagonal(hessian, dim1=-2, dim2=-1).clamp_min(1e-300).rsqrt()
        system = scale[:, :, None] * hessian * scale[:, None, :] + 1e-15 * torch.eye(
            theta.shape[-1]
        ).to(theta)
        right = torch.stack(
            [
                base + push - power_mirror(theta, p) - c * pull(rows, weights * defect),
                push,
            ],
            -1,
        )
        change = scale[..., None] * solve(system, scale[..., None] * right)
        effect = rate[..., None] * (rows @ change)
        du, kappa = _normalized(-defect - effect[..., 0], 1 - effect[..., 1], weights)
        step, reach = (
            change[..., 0] + kappa * change[..., 1],
            theta.abs().amax(-1, keepdim=True),
        )
        now = (largest(weights * du) <= _exactness(rows, theta, rate)) & (
            largest(step) <= _NEAR * reach
        )
        theta = torch.where(
            solved, theta, theta + torch.maximum(torch.minimum(step, reach), -reach)
        )
        u = torch.where(solved, u, u + _clipped(du, u))
        solved = solved | now
        if bool(solved.all()):
            break
    return _finish(model.jacobian(theta), theta, u, solved[:, 0])


def dual_stage(
    model: Model,
    loss: TailLoss,
    p: Tensor,
    base: Tensor,
    c: Tensor,
    guess: MirrorState,
) -> Stage:
    """The same equation by Newton's method in log lambda alone.

    theta is the image of lambda.      For 1 < p < 2.
    """
    theta, u = guess.theta, guess.u
    solved = torch.zeros_like(c, dtype=torch.bool)
    power = 1 / (p - 1)
    for _ in range(_NEWTON):
        weights = torch.exp(u)
        z = base + c * pull(model.jacobian(theta), weights)
        moved = theta
        theta = torch.where(solved, theta, power_unmirror(z, p))
        margins, rows = model.outputs(theta), model.jacobian(theta)
        rate = -loss.log_slope_rate(margins)
        defect = u - loss.log_slope(margins)
        response = c[..., None] * (
            rows @ ((power * z.abs() ** (power - 1))[..., None] * rows.mT)
        )
        system = (
            torch.eye(u.shape[-1]).to(u)
            + rate[..., None] * response * weights[:, None, :]
        )
        right = torch.stack([-defect, torch.ones_like(defect)], -1)
        change = solve(system, right)
        du, _ = _normalized(change[..., 0], change[..., 1], weights)
        now = (largest(weights * du) <= _exactness(rows, theta, rate)) & (
            largest(theta - moved) <= _NEAR * largest(theta)
        )
        u = torch.where(solved, u, u + _clipped(du, u))
        solved = solved | now
        if bool(solved.all()):
            break
    return _finish(model.jacobian(theta), theta, u, solved[:, 0])


def _exactness(rows: Tensor, theta: Tensor, rate: Tensor) -> Tensor:
    """How exactly weights can be known, (B, 1), from margins that are sums with
    rounding errors.
    """
    rounding = (
        8
        * torch.finfo(theta.dtype).eps
        * largest(rate * apply(rows.abs(), theta.abs()))
    )
    return rounding.clamp_min(_CLOSE)


def largest(values: Tensor) -> Tensor:
    """The largest modulus of the last dimension, which stays with size 1."""
    return values.abs().amax(-1, keepdim=True)
