"""Training of a model that is linear in its parameters, in the space of its outputs,
solved in closed form.

With the tangent kernel K fixed the outputs of gradient flow of the mean square loss
(1/n) sum_i (f(x_i) - y_i)^2 obey

    df_t(z)/dt = -(2/n) K(z, X) (f_t(X) - y)

at every point z, a linear equation (Jacot, Gabriel and Hongler 2018; Lee et al. 2019).
In all functions `kernel` (..., N, n) holds K(z, x) for N points z, the n training
inputs first, `start` (..., N) their outputs at time 0, and `targets` (..., n) is y.
Where the training inputs' own K is singular to rounding, the prediction is NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ibcore.linear_algebra import symmetric_eigen
from ibcore.threads import threads

Progress = Callable[[Tensor], Tensor]
"""Eigenvalues (..., n) of K(X, X) -> by which share the error along each eigenvector has shrunk, (T, ..., n)."""


def flow_outputs(
    kernel: Tensor, start: Tensor, targets: Tensor, times: Tensor
) -> Tensor:
    """f_t at times (T,) of the flow or (T, ...): (T, ..., N). On the training inputs y
    + exp(-2 t K / n) (f_0 - y).
    """
    rate = 2 / targets.shape[-1]

    def progress(values: Tensor) -> Tensor:
        return -torch.expm1(-rate * _over(times, values) * values)

    return _path(kernel, start, targets, progress)


def descent_outputs(
    kernel: Tensor, start: Tensor, targets: Tensor, steps: Tensor, size: Tensor
) -> Tensor:
    """f_k after k of `steps` (T,) of descent of step `size` (...): y + (I - 2 size K /
    n)^k (f_0 - y) on the inputs.
    """
    rate = 2 / targets.shape[-1]

    def progress(values: Tensor) -> Tensor:
        factor = 1 - rate * size[..., None] * values
        return 1 - factor ** _over(steps, values)

    return _path(kernel, start, targets, progress)


def limit_outputs(kernel: Tensor, start: Tensor, targets: Tensor) -> Tensor:
    """f_0 + K(z, X) K^-1 (y - f_0(X)), (..., N): of all functions through the data the
    one nearest to f_0.

    Near in the norm of the reproducing kernel Hilbert space of K.
    """
    return _path(kernel, start, targets, lambda values: torch.ones_like(values)[None])[
        0
    ]


def least_change(kernel: Tensor, start: Tensor, targets: Tensor) -> Tensor:
    """The norm of that change, the root of (y - f_0) K^-1 (y - f_0), (...)."""
    n = targets.shape[-1]
    rest = targets - start[..., :n]
    solved = torch.linalg.solve(kernel[..., :n, :], rest[..., None])[..., 0]
    return (rest * solved).sum(-1).clamp(min=0).sqrt()


def _over(numbers: Tensor, values: Tensor) -> Tensor:
    """Times or steps (T,) or (T, ...), shaped to stand beside values (..., n)."""
    numbers = numbers.to(values)
    if numbers.ndim == 1:
        return numbers.reshape(-1, *[1] * values.ndim)
    return numbers[..., None]


@threads()
def _path(
    kernel: Tensor,
    start: Tensor,
    targets: Tensor,
    progress: Progress,
) -> Tensor:
    n = targets.shape[-1]
    values, vectors = symmetric_eigen(kernel[..., :n, :])
    singular = ~(values[..., :1] > 1e-13 * values[..., -1:])
    values = values.masked_fill(singular, torch.nan)
    rest = targets - start[..., :n]
    inner = (vectors.mT @ rest[..., None])[..., 0]
    moved = progress(values) * inner / values
    weights = (vectors @ moved[..., None])[..., 0]
    return start + (kernel @ weights[..., None])[..., 0]
