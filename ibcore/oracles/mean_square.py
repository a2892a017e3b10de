"""Moments of stochastic gradient descent at a minimum that fits every example, from its
linear operators.

Near such a minimum a step of size eta on the batch b multiplies theta, the distance
from the minimum, by I - eta H_b with H_b the mean of the Hessians of the examples in b.
A batch of B examples is drawn anew at every step, all batches being equally likely.
"""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

from ibcore.threads import threads
from ibcore.validation import InvalidInput


def batch_hessians(hessians: Tensor, size: int) -> Tensor:
    """The Hessians of all batches of `size` of n examples with Hessians (n, d, d), (n
    over size, d, d).
    """
    count = len(hessians)
    spread(count, size)
    return torch.stack(
        [hessians[list(rows)].mean(0) for rows in combinations(range(count), size)]
    )


@threads()
def moment_operator(hessians: Tensor, size: int, step: float) -> Tensor:
    """The matrix (d^2, d^2) that takes E theta theta^T to the next one.

    It is the mean of A x A, A = I - step H_b, over all batches of `size`,
    each taken up by itself; for few examples.
    """
    steps = _steps(hessians, size, step)
    d = steps.shape[-1]
    pairs = torch.einsum("bij,bkl->ikjl", steps, steps) / len(steps)
    return pairs.reshape(d * d, d * d)


def _steps(hessians: Tensor, size: int, step: float) -> Tensor:
    unit = torch.eye(hessians.shape[-1], dtype=hessians.dtype)
    return unit - step * batch_hessians(hessians, size)


@threads()
def mean_square_after(operator: Tensor, start: Tensor, count: int) -> float:
    """E |theta|^2 after `count` steps from `start` (d,), by the matrix of
    `moment_operator`.
    """
    second = (
        torch.linalg.matrix_power(operator, count) @ torch.outer(start, start).flatten()
    )
    return float(second.reshape(len(start), -1).diagonal().sum())


def radius(operator: Tensor) -> float:
    """The largest modulus of an eigenvalue."""
    return float(torch.linalg.eigvals(operator).abs().max())


def spread(count: int, size: int) -> float:
    """(n - B) / (B (n - 1)): the variance of a mean of B of n numbers, without
    replacement, over that of one.

    Raises `InvalidInput` for a batch that is empty or larger than the data.
    """
    if not 1 <= size <= count:
        raise InvalidInput(f"a batch has {size} examples, expected 1 to {count}.")
    return (count - size) / (size * (count - 1)) if count > 1 else 0.0


@threads()
def critical_step(hessians: Tensor, size: int) -> float:
    """The step up to which SGD with batches of `size` is stable in mean square, 2 /
    radius(C^-1 D).

    C M = (H M + M H) / 2 and D M = E H_b M H_b = (1 - c) H M H + c / n sum_i H_i M H_i
    with c of `spread`. The mean H of the Hessians (n, d, d) has to be positive
    definite; no batch is enumerated.
    Source: Mulayoff and Michaeli 2024 (abstract read, theorem recalled); proved on the
    page. Raises `InvalidInput` for a singular H.
    """
    mean, d, c = hessians.mean(0), hessians.shape[-1], spread(len(hessians), size)
    unit = torch.eye(d, dtype=hessians.dtype)
    if float(torch.linalg.eigvalsh(mean)[0]) <= 1e-12 * float(mean.diagonal().sum()):
        raise InvalidInput(
            "the mean Hessian is singular. Pass Hessians restricted to the span of the "
            "gradients; SGD does not leave it."
        )
    single = torch.einsum("bij,bkl->ikjl", hessians, hessians) / len(hessians)
    C = (torch.kron(mean, unit) + torch.kron(unit, mean)) / 2
    D = (1 - c) * torch.kron(mean, mean) + c * single.reshape(d * d, d * d)
    return 2 / radius(torch.linalg.solve(C, D))


@threads()
def sufficient_step(hessians: Tensor, size: int) -> float:
    """The step up to which the largest eigenvalue of (I - step H)^2 + step^2 c Sigma is
    at most 1.

    Sigma = mean H_i^2 - H^2, c of `spread`. Up to there E |theta|^2 does not grow in
    any step, from any theta. It is 2 over the largest eigenvalue of H^-1/2 (H^2 + c
    Sigma) H^-1/2. Source: Wu, Ma and E 2018 (recalled).
    """
    mean, c = hessians.mean(0), spread(len(hessians), size)
    square = mean @ mean
    second = (1 - c) * square + c * (hessians @ hessians).mean(0)
    root = torch.linalg.cholesky(mean)
    half = torch.linalg.solve_triangular(root, second, upper=False)
    whole = torch.linalg.solve_triangular(root, half.mT, upper=False)
    return 2 / float(torch.linalg.eigvalsh(whole)[-1])


@threads()
def square_moments(
    hessians: Tensor, size: int, step: float, start: Tensor, count: int
) -> tuple[float, float]:
    """Mean and standard deviation of |theta|^2 after `count` steps from `start` (d,),
    exactly.

    The fourth moments of theta are a vector of d^4 entries, which a step maps linearly;
    for small d.
    """
    steps, d = _steps(hessians, size, step), len(start)
    pair = torch.einsum("bij,bkl->bikjl", steps, steps).reshape(-1, d * d, d * d)
    second = torch.outer(start, start).reshape(-1)
    fourth = torch.outer(second, second)
    trace = torch.eye(d, dtype=start.dtype).reshape(-1)
    for _ in range(count):
        second = pair.mean(0) @ second
        fourth = (pair @ fourth @ pair.mT).mean(0)
    mean = float(trace @ second)
    variance = float(trace @ fourth @ trace) - mean**2
    return mean, max(variance, 0.0) ** 0.5
