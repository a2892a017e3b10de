"""Least squares in closed form: minimum norm, ridge, and gradient descent stopped early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_tensor,
)


@dataclass(frozen=True)
class LeastSquares:
    """The least-squares solution of least Euclidean norm, with its certificate.

    weights: (..., p) or (..., p, K), as the targets.      norm: (...), |w|_2 over all outputs.
    residual: (...), |Phi w - y| / |y|; 0 for an interpolant.
    stationarity: (...), |Phi^T (Phi w - y)| / (|Phi|_F |y|); 0 for a least-squares solution.
    outside: (...), share of |w| outside the row space of Phi; 0 for the least norm among them.
    """

    weights: Tensor
    norm: Tensor
    residual: Tensor
    stationarity: Tensor
    outside: Tensor


def minimum_norm(features: object, targets: object) -> LeastSquares:
    """The least-norm minimizer of |Phi w - y|^2 for `features` (..., n, p) and `targets` (..., n) or (..., n, K).

    Works through the eigenvectors of the smaller Gram matrix, with one step of iterative refinement,
    and through the singular values of Phi where that matrix has lost too many digits. Only directions
    that vanish to rounding, below eps * max(n, p) of the largest singular value, are left out:
    a larger cut would be a regularizer.

    Raises `InvalidInput` for NaNs, empty input or shapes that do not match.
    """
    phi, y, single = _systems(features, targets)
    solve = _pseudoinverse(phi)
    w = solve(y)
    w = w + solve(y - phi @ w)
    rest = y - phi @ w
    scale = _norm(y).clamp(min=torch.finfo(y.dtype).tiny)
    outside = _norm(w - solve(phi @ w)) / _norm(w).clamp(min=torch.finfo(y.dtype).tiny)
    return LeastSquares(
        w[..., 0] if single else w,
        _norm(w),
        _norm(rest) / scale,
        _norm(phi.mT @ rest) / (_norm(phi) * scale),
        outside,
    )


def ridge(features: object, targets: object, penalty: float) -> Tensor:
    """Minimizer of (1/n) |Phi w - y|^2 + `penalty` |w|^2: weights (..., p) or (..., p, K), as the targets."""
    phi, y, single = _systems(features, targets)
    shift = positive_number("penalty", penalty) * phi.shape[-2]
    gram, wide = _smaller_gram(phi)
    shifted = gram + shift * torch.eye(
        gram.shape[-1], dtype=phi.dtype, device=phi.device
    )
    factor = torch.linalg.cholesky(shifted)
    w = (
        phi.mT @ torch.cholesky_solve(y, factor)
        if wide
        else torch.cholesky_solve(phi.mT @ y, factor)
    )
    return w[..., 0] if single else w


def descent_from_zero(
    features: object, targets: object, step_size: Tensor | float, steps: int
) -> Tensor:
    """Where `steps` steps of gradient descent on (1/n) |Phi w - y|^2 from w = 0 lead, without taking them.

    Along an eigenvector of the Gram matrix with eigenvalue l the iterate has come the share
    1 - (1 - 2 eta l / n)^steps of its way to the minimum-norm solution. step_size: eta, one number or
    (...), one a system. Returns weights shaped like the targets, (..., p) or (..., p, K).
    """
    phi, y, single = _systems(features, targets)
    count = positive_integer("steps", steps, least=0)
    gram, wide = _smaller_gram(phi)
    values, basis = torch.linalg.eigh(gram)
    pace = (
        2
        * torch.as_tensor(step_size, dtype=phi.dtype, device=phi.device)[..., None]
        / phi.shape[-2]
    )
    moves = values > torch.finfo(phi.dtype).eps * values[..., -1:]
    shares = 1 - (1 - pace * values).pow(count)
    gain = torch.where(
        moves, shares / values.where(moves, torch.ones_like(values)), count * pace
    )
    w = basis @ (gain[..., None] * (basis.mT @ (y if wide else phi.mT @ y)))
    w = phi.mT @ w if wide else w
    return w[..., 0] if single else w


def _systems(features: object, targets: object) -> tuple[Tensor, Tensor, bool]:
    """Phi (..., n, p), y (..., n, K), and whether the targets came without the dimension K."""
    phi, y = real_tensor("features", features), real_tensor("targets", targets)
    if phi.ndim < 2:
        raise InvalidInput(
            f"features have shape {tuple(phi.shape)}, expected (..., n, p). Add the missing dimension."
        )
    single = y.shape == phi.shape[:-1] or y.ndim == 1
    y = y.to(phi)[..., None] if single else y.to(phi)
    if y.shape[-2] != phi.shape[-2]:
        raise InvalidInput(
            f"features have shape {tuple(phi.shape)} and targets {tuple(y.shape)}; expected one target "
            f"a row: (..., {phi.shape[-2]}) or (..., {phi.shape[-2]}, K)."
        )
    return phi, y, single


def _smaller_gram(phi: Tensor) -> tuple[Tensor, bool]:
    """Phi Phi^T if there are at least as many features as samples, else Phi^T Phi; and which it is."""
    wide = phi.shape[-2] <= phi.shape[-1]
    return (phi @ phi.mT if wide else phi.mT @ phi), wide


def _pseudoinverse(phi: Tensor) -> Callable[[Tensor], Tensor]:
    """R -> pinv(Phi) R for R (..., n, K)."""
    gram, wide = _smaller_gram(phi)
    values, basis = torch.linalg.eigh(gram)
    eps = torch.finfo(phi.dtype).eps
    if bool((values[..., 0] <= eps**0.75 * values[..., -1]).any()):
        inverse = torch.linalg.pinv(phi, rtol=eps * max(phi.shape[-2:]))
        return lambda right: inverse @ right
    invert = lambda right: basis @ ((basis.mT @ right) / values[..., None])  # noqa: E731
    return (
        (lambda right: phi.mT @ invert(right))
        if wide
        else (lambda right: invert(phi.mT @ right))
    )


def _norm(matrices: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(matrices)
