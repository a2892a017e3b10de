"""What one neuron converges to: the inverse of its activation, the nearest solution,
and the minimizer of its Q.

Equivariant: for a X, b z and start b / a `nearest_solution` is w b / a; for a X, b z,
delta c and tilt c^(1/2) with c = b / a `least_regularizer` is u c. Each equation may be
multiplied by a number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ibcore.oracles.equations import failures_in_words, independent_rows
from ibcore.oracles.least_squares import minimum_norm
from ibcore.threads import threads
from ibcore.validation import InvalidInput, one_of, real_tensor

_INVERSES: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda y: y,
    "tanh": torch.atanh,
    "sigmoid": torch.logit,
    "softplus": lambda y: y + torch.log(-torch.expm1(-y)),
}
_NEWTON_STEPS = 200


def inverse(activation: str, y: object) -> Tensor:
    """sigma^-1(y) of `identity`, `tanh`, `sigmoid` or `softplus`.

    Raises `InvalidInput` for targets outside the open range of the activation.
    """
    one_of("activation", activation, _INVERSES)
    targets = real_tensor("y", y)
    z = _INVERSES[activation](targets)
    if not bool(torch.isfinite(z).all()):
        raise InvalidInput(
            f"y has entries from {float(targets.min()):.3g} to "
            f"{float(targets.max()):.3g}, not all in the open range of {activation}: "
            "no neuron fits them exactly."
        )
    return z


def inverse_leaky(y: object, leak: float) -> Tensor:
    """sigma^-1(y) of the leaky ReLU with slope `leak` > 0 for z < 0."""
    if not leak > 0:
        raise InvalidInput(
            f"leak is {leak!r}, expected a number above 0: ReLU has no inverse."
        )
    targets = real_tensor("y", y)
    return torch.where(targets > 0, targets, targets / leak)


def nearest_solution(X: object, z: object, start: object) -> Tensor:
    """argmin |w - w(0)| s.t. X w = z, (..., d): w(0) + X^+ (z - X w(0)) for X (..., n,
    d) and z (..., n).

    start: w(0) (..., d).   Raises `InvalidInput` for shapes that do not match.
    """
    inputs = real_tensor("X", X)
    origin, targets = (
        real_tensor(name, v).to(inputs) for name, v in (("start", start), ("z", z))
    )
    if inputs.ndim < 2 or not (
        origin.shape[-1:] == inputs.shape[-1:]
        and targets.shape[-1:] == inputs.shape[-2:-1]
        and _broadcast(inputs.shape[:-2], origin.shape[:-1], targets.shape[:-1])
    ):
        raise InvalidInput(
            f"X has shape {tuple(inputs.shape)}, z {tuple(targets.shape)} and start "
            f"{tuple(origin.shape)}; expected (..., n, d), (..., n) and (..., d)."
        )
    gap = targets - (inputs @ origin[..., None])[..., 0]
    return origin + minimum_norm(inputs.expand(*gap.shape[:-1], -1, -1), gap).weights


def _broadcast(*shapes: torch.Size) -> bool:
    try:
        torch.broadcast_shapes(*shapes)
    except RuntimeError:
        return False
    return True


def regularizer(u: Tensor, imbalance: Tensor, tilt: Tensor) -> Tensor:
    """Q(u) = q(|u|) - tilt.u, (B,), with q(r) = 2/3 |a|^3 - delta |a| and a^2 = (delta
    + sqrt(delta^2 + 4 r^2))/2.

    u, tilt: (B, d).   imbalance: delta (B,).   Due to Azulay et al. (2021), whose
    closed form, as recalled, is 3/2 of this one; derived on the page on monotone
    neurons.
    """
    a = _outer_weight(torch.linalg.vector_norm(u, dim=-1), imbalance)
    return 2 / 3 * a**3 - imbalance * a - (tilt * u).sum(-1)


def regularizer_gradient(
    u: Tensor,
    imbalance: Tensor,
    tilt: Tensor,
) -> Tensor:
    """grad Q(u) = u / |a| - tilt, (B, d), for u != 0."""
    a = _outer_weight(torch.linalg.vector_norm(u, dim=-1), imbalance)
    return u / a[:, None] - tilt


@dataclass(frozen=True)
class LeastRegularizer:
    """argmin Q(u) s.t. X u = z.      u: (B, d).

    stationarity: (B,), |grad Q| within the constraints over |w| = q'(|u|).
    residual: (B,), |X u - z| over |z|.
    """

    u: Tensor
    stationarity: Tensor
    residual: Tensor


@threads()
def least_regularizer(
    X: object, z: object, imbalance: object, tilt: object
) -> LeastRegularizer:
    """The minimizer of `regularizer` among the solutions of X u = z, by Newton's method
    in the null space of X.

    X: (B, n, d) of full row rank.   z: (B, n), none of them all zeros.   imbalance:
    (B,).   tilt: (B, d). Q is strictly convex away from 0, so the minimizer is unique.
    Steps are halved until Q falls. Raises `InvalidInput` for z = 0, where Q may have no
    gradient, for shapes that do not match, for rows of X that depend on one another,
    and where residual or stationarity stay above 1e-8.
    """
    inputs = real_tensor("X", X, ndim=3)
    targets, delta, linear = (
        real_tensor(name, value, ndim=size).to(inputs)
        for name, value, size in (
            ("z", z, 2),
            ("imbalance", imbalance, 1),
            ("tilt", tilt, 2),
        )
    )
    count, n, d = inputs.shape
    if (
        targets.shape != (count, n)
        or delta.shape != (count,)
        or linear.shape != (count, d)
    ):
        raise InvalidInput(
            f"X has shape {tuple(inputs.shape)}, z {tuple(targets.shape)}, imbalance "
            f"{tuple(delta.shape)} and tilt {tuple(linear.shape)}; expected (B, n, d), "
            "(B, n), (B,) and (B, d)."
        )
    if bool((targets == 0).all(-1).any()):
        raise InvalidInput(
            "z has rows of zeros, whose solution may be u = 0 where Q has no gradient. "
            "Leave them out."
        )
    for rows in inputs:
        if not independent_rows(rows.detach().cpu().double().numpy()):
            raise InvalidInput(
                f"the {n} rows of X (in {d} dimensions) are linearly dependent in some "
                "member of the batch. Remove rows until they are not."
            )
    lengths = _power_of_two(inputs)
    rows, right = inputs / lengths[..., None], targets / lengths
    unit = _power_of_two(right, even=True)
    with failures_in_words("the minimizer of Q"):
        best = _minimized(
            rows, right / unit[:, None], delta / unit, linear / unit.sqrt()[:, None]
        )
    worst = torch.maximum(best.residual, best.stationarity)
    bar = 1e-8 if inputs.dtype == torch.float64 else 1e-3
    if not bool((worst <= bar).all()):
        raise InvalidInput(
            f"{int((~(worst <= bar)).sum())} of {count} minimizers are not resolved to "
            f"{bar:g} (the worst to {float(worst.max()):.1g}). Take an imbalance and a "
            "tilt of the size of X^+ z."
        )
    return replace(best, u=best.u * unit[:, None])


def _minimized(
    inputs: Tensor, targets: Tensor, delta: Tensor, linear: Tensor
) -> LeastRegularizer:
    """Newton's method for a whole batch, each member with a length of step of its own.

    200 problems in 8 dimensions take some 30 times as long one after the other, so that
    this is not the iteration of `ibcore.oracles.newton` for one system.
    """
    n = inputs.shape[1]
    u, free = (
        minimum_norm(inputs, targets).weights,
        torch.linalg.svd(inputs)[2][:, n:].mT,
    )
    for _ in range(_NEWTON_STEPS):
        move, decrement = _newton(u, delta, linear, free)
        u = _shorten(u, move, decrement, delta, linear)
        if bool((move.norm(dim=-1) <= 1e-15 * u.norm(dim=-1)).all()):
            break
    slope = (free.mT @ regularizer_gradient(u, delta, linear)[..., None])[..., 0]
    size = u.norm(dim=-1) / _outer_weight(u.norm(dim=-1), delta)
    residual = ((inputs @ u[..., None])[..., 0] - targets).norm(dim=-1) / targets.norm(
        dim=-1
    )
    return LeastRegularizer(u, slope.norm(dim=-1) / size, residual)


def _power_of_two(values: Tensor, *, even: bool = False) -> Tensor:
    """The power of two next above the largest entry along the last dimension, 1 for
    zeros; `even`: of even power.
    """
    largest = values.abs().amax(-1)
    power = torch.frexp(largest).exponent
    power = power + power % 2 if even else power
    return torch.where(
        largest > 0, torch.ldexp(torch.ones_like(largest), power), 1.0
    ).to(values)


def _outer_weight(r: Tensor, imbalance: Tensor) -> Tensor:
    """|a| from a^2 - |w|^2 = delta and |a| |w| = r, without cancellation for negative
    delta.
    """
    root = torch.sqrt(imbalance**2 + 4 * r**2)
    return torch.sqrt(
        torch.where(
            imbalance >= 0, (imbalance + root) / 2, 2 * r**2 / (root - imbalance)
        )
    )


def _newton(
    u: Tensor, delta: Tensor, tilt: Tensor, free: Tensor
) -> tuple[Tensor, Tensor]:
    """The Newton step within the constraints, (B, d), and its decrement, (B,).

    Hess Q = (I - e e^T) / |a| + e e^T |a| / (a^2 + |w|^2), e = u/|u|.
    """
    r = u.norm(dim=-1)
    a, axis = _outer_weight(r, delta), u / r[:, None]
    along = a / (a**2 + (r / a) ** 2) - 1 / a
    hessian = torch.eye(u.shape[-1]).to(u) / a[:, None, None] + along[:, None, None] * (
        axis[:, :, None] * axis[:, None, :]
    )
    slope = free.mT @ regularizer_gradient(u, delta, tilt)[..., None]
    inner = torch.linalg.solve(free.mT @ hessian @ free, slope)
    return (free @ inner)[..., 0], (slope * inner).sum((-2, -1))


def _shorten(
    u: Tensor, move: Tensor, decrement: Tensor, delta: Tensor, tilt: Tensor
) -> Tensor:
    """u - c move with the largest c = 1, 1/2, ...

    where Q falls enough; c = 1 where rounding hides the fall.
    """
    value = regularizer(u, delta, tilt)
    hidden, length = decrement <= 1e-10 * (1 + value.abs()), torch.ones_like(decrement)
    for _ in range(40):
        short = (
            regularizer(u - length[:, None] * move, delta, tilt)
            > value - 1e-4 * length * decrement
        )
        short &= ~hidden
        if not bool(short.any()):
            break
        length = torch.where(short, length / 2, length)
    return u - length[:, None] * move
