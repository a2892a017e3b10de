"""Least squares in closed form: minimum norm, ridge, and gradient descent stopped
early.

Equivariant: for a Phi and b y (ridge: a^2 penalty, descent: eta / a^2) the weights are
w b / a. Systems are solved for Phi and y of size one. Units in which single columns
differ cost digits, as the condition of Phi says: the weights are right to about 1e-16
of it, relative to their length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.oracles.equations import failures_in_words
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_tensor,
)


@dataclass(frozen=True)
class LeastSquares:
    """The least-squares solution of least Euclidean norm, with its certificate.

    weights: (..., p) or (..., p, K), as the targets.      norm: (...), |w|_2 over all
    outputs.
    residual: (...), |Phi w - y| / |y|; 0 for an interpolant.
    stationarity: (...), |Phi^T (Phi w - y)| / (|Phi|_F |y|); 0 for a least-squares
    solution.
    outside: (...), share of |w| outside the row space of Phi; 0 for the least norm
    among them.
    """

    weights: Tensor
    norm: Tensor
    residual: Tensor
    stationarity: Tensor
    outside: Tensor


@threads()
def minimum_norm(features: object, targets: object) -> LeastSquares:
    """The least-norm minimizer of |Phi w - y|^2 for `features` (..., n, p) and
    `targets` (..., n) or (..., n, K).

    Works through the eigenvectors of the smaller Gram matrix, with one step of
    iterative refinement, and through the singular values of Phi where that matrix has
    lost too many digits. Only directions that vanish to rounding, below eps * max(n, p)
    of the largest singular value, are left out: a larger cut would be a regularizer.

    The pseudoinverse of Moore (1920) and Penrose (1955), and where gradient descent
    from zero converges to.

    Raises `InvalidInput` for NaNs, empty input or shapes that do not match.

    One equation, 3 w_1 + 4 w_2 = 25, whose nearest solution is 25 (3, 4) / 25:

    >>> from ibcore import minimum_norm
    >>> best = minimum_norm([[3.0, 4.0]], [25.0])
    >>> best.weights.round(decimals=12), round(best.norm.item(), 12)
    (tensor([3., 4.], dtype=torch.float64), 5.0)
    """
    system = _systems(features, targets)
    phi, y = system.phi, system.y
    with failures_in_words("least squares"):
        solve = _pseudoinverse(phi)
        w = solve(y)
        w = w + solve(y - phi @ w)
        again = solve(phi @ w)
    rest = y - phi @ w
    scale = _above_zero(_norm(y))
    weights = system.given(w)
    return LeastSquares(
        weights,
        torch.linalg.vector_norm(weights, dim=-1) if system.single else _norm(weights),
        _norm(rest) / scale,
        _norm(phi.mT @ rest) / (_above_zero(_norm(phi)) * scale),
        _norm(w - again) / _above_zero(_norm(w)),
    )


@threads()
def ridge(features: object, targets: object, penalty: float) -> Tensor:
    """Minimizer of (1/n) |Phi w - y|^2 + `penalty` |w|^2: weights (..., p) or (..., p,
    K), as the targets.

    By Cholesky's factorization where the penalty is not small beside Phi^T Phi, else by
    singular values.
    """
    system = _systems(features, targets)
    phi, y = system.phi, system.y
    shift = positive_number("penalty", penalty) * phi.shape[-2] / system.unit**2
    gram, wide = _smaller_gram(phi)
    shifted = gram + shift * torch.eye(
        gram.shape[-1], dtype=phi.dtype, device=phi.device
    )
    eps = torch.finfo(phi.dtype).eps
    if bool((shift <= eps**0.5 * gram.diagonal(dim1=-2, dim2=-1).amax()).any()):
        with failures_in_words("ridge regression"):
            left, values, right = torch.linalg.svd(phi, full_matrices=False)
        shares = values[..., None] / (values.square()[..., None] + shift)
        return system.given(right.mT @ (shares * (left.mT @ y)))
    factor = torch.linalg.cholesky(shifted)
    w = (
        phi.mT @ torch.cholesky_solve(y, factor)
        if wide
        else torch.cholesky_solve(phi.mT @ y, factor)
    )
    return system.given(w)


@threads()
def descent_from_zero(
    features: object, targets: object, step_size: Tensor | float, steps: int
) -> Tensor:
    """Where `steps` steps of gradient descent on (1/n) |Phi w - y|^2 from w = 0 lead,
    without taking them.

    Along an eigenvector of the Gram matrix with eigenvalue l the iterate has come the
    share 1 - (1 - 2 eta l / n)^steps of its way to the minimum-norm solution.
    step_size: eta, one number or (...), one a system. Returns weights shaped like the
    targets, (..., p) or (..., p, K). Raises `InvalidInput` for a step size that is not
    finite, or so large that the iterates leave the doubles.
    """
    system = _systems(features, targets)
    phi, y = system.phi, system.y
    count = positive_integer("steps", steps, least=0)
    gram, wide = _smaller_gram(phi)
    with failures_in_words("the path of descent"):
        values, basis = torch.linalg.eigh(gram)
    eta = real_tensor("step_size", step_size).to(phi)[..., None]
    pace = 2 * eta * system.unit[..., 0] ** 2 / phi.shape[-2]
    moves = values > torch.finfo(phi.dtype).eps * values[..., -1:]
    gain = torch.where(
        moves,
        _shares(pace * values, count) / values.where(moves, torch.ones_like(values)),
        count * pace,
    )
    w = basis @ (gain[..., None] * (basis.mT @ (y if wide else phi.mT @ y)))
    w = system.given(phi.mT @ w if wide else w)
    if not bool(torch.isfinite(w).all()):
        raise InvalidInput(
            f"descent leaves the doubles within {count} steps. Take a step size below "
            "1 / L, L the largest eigenvalue of (2/n) Phi^T Phi."
        )
    return w


def _shares(pace: Tensor, count: int) -> Tensor:
    """1 - (1 - pace)^count without cancellation for small paces."""
    small = pace.clamp(max=0.5)
    return torch.where(
        pace < 0.5,
        -torch.expm1(count * torch.log1p(-small)),
        1 - (1 - pace).pow(count),
    )


@dataclass(frozen=True)
class _Systems:
    """Phi (..., n, p) and y (..., n, K) divided by powers of two `unit` and `size`,
    (..., 1, 1).

    single: whether the targets came without the dimension K.
    """

    phi: Tensor
    y: Tensor
    unit: Tensor
    size: Tensor
    single: bool

    def given(self, w: Tensor) -> Tensor:
        """The weights (..., p) or (..., p, K) of the given system for the weights (...,
        p, K) of this one.
        """
        scaled = w * (self.size / self.unit)
        return scaled[..., 0] if self.single else scaled


def _systems(features: object, targets: object) -> _Systems:
    phi, y = real_tensor("features", features), real_tensor("targets", targets)
    if phi.ndim < 2:
        raise InvalidInput(
            f"features have shape {tuple(phi.shape)}, expected (..., n, p). Add the "
            "missing dimension."
        )
    single = y.shape == phi.shape[:-1] or y.ndim == 1
    y = y.to(phi)[..., None] if single else y.to(phi)
    if y.shape[-2] != phi.shape[-2]:
        raise InvalidInput(
            f"features have shape {tuple(phi.shape)} and targets {tuple(y.shape)}; "
            f"expected one target a row: (..., {phi.shape[-2]}) or (..., "
            f"{phi.shape[-2]}, K)."
        )
    unit, size = _power_of_two(phi), _power_of_two(y)
    return _Systems(phi / unit, y / size, unit, size, single)


def _power_of_two(matrices: Tensor) -> Tensor:
    """The power of two next above the largest entry, (..., 1, 1); 1 for zero matrices."""
    largest = matrices.abs().amax((-2, -1), keepdim=True)
    return torch.where(
        largest > 0,
        torch.ldexp(torch.ones_like(largest), torch.frexp(largest).exponent),
        torch.ones_like(largest),
    )


def _above_zero(sizes: Tensor) -> Tensor:
    return sizes.where(sizes > 0, torch.ones_like(sizes))


def _smaller_gram(phi: Tensor) -> tuple[Tensor, bool]:
    """Phi Phi^T if there are at least as many features as samples, else Phi^T Phi; and
    which it is.
    """
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
