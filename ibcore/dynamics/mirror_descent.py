"""Mirror descent on the mean square loss of linear predictors, with steps that never overshoot.

z <- z - eta grad L(w), w = the inverse of grad psi at z. With residuals r = X w - y the divergence from any
interpolant w* changes in one step by

    D(w*, w') - D(w*, w) = D(w, w') - 2 eta L(w)  <=  (z' - z).(w' - w) - 2 eta L(w)  =  -(2 eta / n) r.r' ,

so a step with r.r' >= 0 brings w no farther from any interpolant, whatever the potential. This is asked of
every step; nothing else has to be known about psi, and nothing overflows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ibcore.dynamics.trajectory import CONVERGED, NOT_FINITE, step_limit
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_tensor,
)

_FIRST = 1e-6  # step size to begin with; it grows by what the residuals say
_LEAP = 100.0  # largest growth of the step size from one step to the next
_CLIP = 100.0  # of exponents, in steps that are refused anyway


class Mirror(Protocol):
    """grad psi of a separable potential, its inverse and psi'', entry by entry on tensors."""

    def mirror(self, w: Tensor) -> Tensor: ...
    def unmirror(self, z: Tensor) -> Tensor: ...
    def curvature(self, w: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class PowerMirror:
    """Of psi(w) = |w|_p^p / p, p > 1."""

    p: float

    def __post_init__(self) -> None:
        if positive_number("p", self.p) <= 1:
            raise InvalidInput(
                f"p is {self.p!r}, expected a number above 1: otherwise psi is not "
                f"strictly convex."
            )

    def mirror(self, w: Tensor) -> Tensor:
        return w.sign() * w.abs() ** (self.p - 1)

    def unmirror(self, z: Tensor) -> Tensor:
        return z.sign() * z.abs() ** (1 / (self.p - 1))

    def curvature(self, w: Tensor) -> Tensor:
        return (self.p - 1) * w.abs() ** (self.p - 2)


@dataclass(frozen=True)
class HypentropyMirror:
    """Of psi(w) = sum_i w_i asinh(w_i / beta) - sqrt(w_i^2 + beta^2), beta > 0."""

    beta: float

    def __post_init__(self) -> None:
        positive_number("beta", self.beta)

    def mirror(self, w: Tensor) -> Tensor:
        return torch.asinh(w / self.beta)

    def unmirror(self, z: Tensor) -> Tensor:
        return self.beta * torch.sinh(z.clamp(-_CLIP, _CLIP))

    def curvature(self, w: Tensor) -> Tensor:
        return 1 / torch.hypot(w, torch.full_like(w, self.beta))


@dataclass(frozen=True)
class EntropyMirror:
    """Of psi(w) = sum_i w_i log w_i - w_i on positive w: exponentiated gradient."""

    def mirror(self, w: Tensor) -> Tensor:
        return torch.log(w)

    def unmirror(self, z: Tensor) -> Tensor:
        return torch.exp(z.clamp(-_CLIP, _CLIP))

    def curvature(self, w: Tensor) -> Tensor:
        return 1 / w


@dataclass(frozen=True)
class MirrorRun:
    """Where B runs ended: w (B, d), |X w - y| / |y| (B,), the steps tried, and what ended each of them.

    status: `converged`, a limit, or `state not finite`, in the words of `ibcore.dynamics.trajectory`.
    path: (K, B, d), the iterates after the steps that `stops` asked for, the start first; empty without stops.
    """

    w: Tensor
    residual: Tensor
    steps: int
    status: tuple[str, ...]
    path: Tensor


@threads()
def mirror_descent(
    X: Tensor,
    y: Tensor,
    start: Tensor,
    potential: Mirror,
    *,
    tolerance: float = 1e-14,
    max_steps: int = 50_000,
    stops: frozenset[int] = frozenset(),
) -> MirrorRun:
    """Mirror descent on L(w) = (1/n) |X w - y|^2 for B problems at once, each with its own step sizes.

    X: (B, n, d).      y: (B, n), nonzero.      start: w_0 (B, d) in the domain of psi.      potential: a `Mirror`.
    A step is proposed from the last change of the residuals (Barzilai and Borwein 1988), taken if r.r' >= 0
    and halved otherwise. Ends once every |X w - y| <= `tolerance` |y|.
    Raises `InvalidInput` for shapes that do not match and starts outside the domain.
    """
    X, y, w, z = _begin(X, y, start, potential, tolerance, max_steps)
    columns, scale = X.mT.contiguous(), torch.linalg.vector_norm(y, dim=-1)
    r = _apply(X, w) - y
    eta, path = torch.full_like(scale, _FIRST), [w] if stops else []
    for step in range(1, positive_integer("max_steps", max_steps) + 1):
        active = torch.linalg.vector_norm(r, dim=-1) > tolerance * scale
        if not bool(active.any()):
            break
        z_new = z - (2 / y.shape[-1]) * eta[:, None] * _apply(columns, r)
        w_new = potential.unmirror(z_new)
        r_new = _apply(X, w_new) - y
        taken = ((r * r_new).sum(-1) >= 0) & active
        eta = torch.where(taken, _proposed(eta, r, r_new), eta / 2)
        w = torch.where(taken[:, None], w_new, w)
        z = torch.where(taken[:, None], z_new, z)
        r = torch.where(taken[:, None], r_new, r)
        if step in stops:
            path.append(w)
    residual = torch.linalg.vector_norm(r, dim=-1)
    return MirrorRun(
        w,
        residual / scale,
        step,
        _status(residual, tolerance * scale, max_steps),
        torch.stack(path) if path else w.new_zeros(0),
    )


def _status(residual: Tensor, allowed: Tensor, max_steps: int) -> tuple[str, ...]:
    return tuple(
        NOT_FINITE if not good else CONVERGED if done else step_limit(max_steps)
        for done, good in zip(
            (residual <= allowed).tolist(), residual.isfinite().tolist(), strict=True
        )
    )


def _proposed(eta: Tensor, r: Tensor, r_new: Tensor) -> Tensor:
    """The short Barzilai-Borwein step where it is below half of the long one, else the long one; (B,)."""
    change = r - r_new
    curvature, squared = (r * change).sum(-1), change.square().sum(-1)
    long, short = r.square().sum(-1) / curvature, curvature / squared
    ratio = torch.where(short < long / 2, short, long)
    return eta * torch.where(ratio > 0, ratio, torch.ones_like(ratio)).clamp(max=_LEAP)


@threads()
def natural_descent(
    X: Tensor,
    y: Tensor,
    start: Tensor,
    potential: Mirror,
    *,
    step_size: float,
    tolerance: float = 1e-12,
    max_steps: int = 50_000,
) -> MirrorRun:
    """w <- w - eta psi''(w)^-1 grad L(w), the natural gradient: mirror descent only in the limit of small eta.

    Arguments as for `mirror_descent`; eta is `step_size` over an upper bound of the curvature of L in the
    metric psi'' at the current point, so 1 is a full step. Raises as it does.
    """
    X, y, w, _ = _begin(X, y, start, potential, tolerance, max_steps)
    positive_number("step_size", step_size)
    n, scale, step = y.shape[-1], torch.linalg.vector_norm(y, dim=-1), 0
    for step in range(max_steps + 1):  # noqa: B007
        r = _apply(X, w) - y
        residual = torch.linalg.vector_norm(r, dim=-1)
        if bool(((residual <= tolerance * scale) | residual.isnan()).all()):
            break
        metric = 1 / potential.curvature(w)
        bound = 2 / n * torch.linalg.matrix_norm((X * metric[:, None, :]) @ X.mT)
        w = w - (step_size / bound)[:, None] * metric * (2 / n) * _apply(X.mT, r)
    status = _status(residual, tolerance * scale, max_steps)
    return MirrorRun(w, residual / scale, step, status, w.new_zeros(0))


def _begin(
    X: Tensor,
    y: Tensor,
    start: Tensor,
    potential: Mirror,
    tolerance: float,
    max_steps: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    positive_number("tolerance", tolerance)
    positive_integer("max_steps", max_steps)
    inputs, targets = real_tensor("X", X, ndim=3), real_tensor("y", y, ndim=2)
    w = real_tensor("start", start, ndim=2)
    if targets.shape != inputs.shape[:2] or w.shape != (len(inputs), inputs.shape[-1]):
        raise InvalidInput(
            f"X, y and start have shapes {tuple(inputs.shape)}, {tuple(targets.shape)} and "
            f"{tuple(w.shape)}, expected (B, n, d), (B, n) and (B, d)."
        )
    targets, w = targets.to(inputs), w.to(inputs)
    z = potential.mirror(w)
    if not bool(torch.isfinite(z).all()):
        raise InvalidInput(
            f"start has entries outside the domain of the potential (smallest {float(w.min()):g}). "
            f"For the entropy, start from positive entries."
        )
    return inputs, targets, w, z


def _apply(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector[..., None])[..., 0]
