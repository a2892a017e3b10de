"""Mirror descent, and on the mean square loss of linear predictors with steps that
never overshoot.

z <- z - eta grad L(w), w = the inverse of grad psi at z. With residuals r = X w - y the
divergence from any interpolant w* changes in one step by

    D(w*, w') - D(w*, w) = D(w, w') - 2 eta L(w)  <=  (z' - z).(w' - w) - 2 eta L(w)  =
    -(2 eta / n) r.r' ,

so a step with r.r' >= 0 brings w no farther from any interpolant, whatever the
potential. This is what the pace `ResidualsAgree` asks of every step; nothing else has
to be known about psi, and nothing overflows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ibcore.dynamics.directions import State
from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.members import select
from ibcore.dynamics.objective import FunctionObjective, FunctionPoint
from ibcore.dynamics.paces import Bounded, ResidualsAgree
from ibcore.potentials import Potential
from ibcore.validation import InvalidInput, positive_number, real_tensor


@dataclass(frozen=True)
class MirrorStep:
    """Mirror descent: z <- z + step, theta = the inverse of grad psi at z; begins at z
    = grad psi(theta).

    potential: a `Potential`.      Raises `InvalidInput` for starts outside its domain.
    The memory is theta and z, and z is exact where theta has the rounding of a sum, as
    a small entry of it that a long step has left behind.
    """

    potential: Potential

    def begin(self, theta: Tensor) -> State:
        return theta, _mirrored(self.potential, theta)

    def __call__(
        self, slope: Tensor, log_scale: Tensor, log_step: Tensor, state: State
    ) -> tuple[Tensor, State]:
        theta, z = state
        z = z + torch.exp(log_step + log_scale).unsqueeze(-1) * slope
        update = self.potential.unmirror(z) - theta
        return update, (theta + update, z)

    def select(self, state: State, members: Tensor) -> tuple[Self, State]:
        return self, select(state, members)


def mirror_descent(
    X: Tensor,
    y: Tensor,
    start: Tensor,
    potential: Potential,
    *,
    tolerance: float = 1e-14,
    max_steps: int = 50_000,
) -> Run:
    """Mirror descent on L(w) = (1/n) |X w - y|^2 for B problems at once, each with its
    own step sizes.

    X: (B, n, d).      y: (B, n), nonzero.      start: w_0 (B, d) in the domain of psi.
    potential: a `Potential`. A run ends where |X w - y| <= `tolerance` |y|, and is then
    `converged`. Raises `InvalidInput` for shapes that do not match and starts outside
    the domain.
    """
    X, y, w = _problems(X, y, start)

    def values(w: Tensor, members: Tensor) -> tuple[Tensor, ...]:
        inputs, r = _residuals(X, y, w, members)
        return r.square().mean(-1), 2 / r.shape[-1] * _apply(inputs.mT, r), r

    return descend(
        FunctionObjective(values),
        w,
        ResidualsAgree(),
        direction=MirrorStep(potential),
        until=_fitted(y, tolerance),
        max_steps=max_steps,
        max_seconds=math.inf,
    )


def natural_descent(
    X: Tensor,
    y: Tensor,
    start: Tensor,
    potential: Potential,
    *,
    step_size: float,
    tolerance: float = 1e-12,
    max_steps: int = 50_000,
) -> Run:
    """w <- w - eta psi''(w)^-1 grad L(w), the natural gradient: mirror descent only in
    the limit of small eta.

    Arguments as for `mirror_descent`; eta is `step_size` over an upper bound of the
    curvature of L in the metric psi'' at the current point, so 1 is a full step. Raises
    as it does.
    """
    X, y, w = _problems(X, y, start)
    _mirrored(potential, w)

    def values(w: Tensor, members: Tensor) -> tuple[Tensor, ...]:
        inputs, r = _residuals(X, y, w, members)
        metric, scale = 1 / potential.curvature(w), 2 / r.shape[-1]
        bound = torch.linalg.matrix_norm((inputs * metric[:, None]) @ inputs.mT)
        gradient = scale * metric * _apply(inputs.mT, r)
        return r.square().mean(-1), gradient, scale * bound, r

    return descend(
        FunctionObjective(values),
        w,
        Bounded(positive_number("step_size", step_size)),
        until=_fitted(y, tolerance),
        max_steps=max_steps,
        max_seconds=math.inf,
    )


def _problems(X: Tensor, y: Tensor, start: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    inputs, targets = real_tensor("X", X, ndim=3), real_tensor("y", y, ndim=2)
    w = real_tensor("start", start, ndim=2)
    if targets.shape != inputs.shape[:2] or w.shape != (len(inputs), inputs.shape[-1]):
        raise InvalidInput(
            f"X, y and start have shapes {tuple(inputs.shape)}, {tuple(targets.shape)} "
            f"and {tuple(w.shape)}, expected (B, n, d), (B, n) and (B, d)."
        )
    return inputs, targets.to(inputs), w.to(inputs)


def _mirrored(potential: Potential, w: Tensor) -> Tensor:
    """grad psi at w (B, d)."""
    z = potential.mirror(w)
    if not bool(torch.isfinite(z).all()):
        raise InvalidInput(
            "start has entries outside the domain of the potential (smallest "
            f"{float(w.min()):g}). For the entropy, start from positive entries."
        )
    return z


def _residuals(
    X: Tensor, y: Tensor, w: Tensor, members: Tensor
) -> tuple[Tensor, Tensor]:
    """The inputs of these members and X w - y for them."""
    if len(members) < len(y):
        X, y = X[members], y[members]
    return X, _apply(X, w) - y


def _fitted(y: Tensor, tolerance: float) -> Callable[[FunctionPoint], Tensor]:
    """The event |X w - y| <= tolerance |y|."""
    allowed = positive_number("tolerance", tolerance) * torch.linalg.vector_norm(
        y, dim=-1
    )

    def event(point: FunctionPoint) -> Tensor:
        size = torch.linalg.vector_norm(point.residuals, dim=-1)
        return size <= allowed[point.objective.members]

    return event


def _apply(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector[..., None])[..., 0]
