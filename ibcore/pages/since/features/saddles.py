"""Regression problems of the page, and gradient flow of a diagonal network through the
saddles that are predicted for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.dynamics.stiff_flow import integrate
from ibcore.dynamics.trajectory import REACHED
from ibcore.oracles.saddle_path import SaddlePath, saddle_path
from ibcore.problems.sparse_regression import sparse_regression
from ibcore.validation import InvalidInput, regression_data

Array = NDArray[np.float64]
EXAMPLES, FEATURES = 6, 10
BEYOND = 1.25  # the flow ends at so many times the last jump
APART = 4.0  # least (distance to the next jump) v_k log(1/alpha) / 2
_TOLERANCE = 1e-6
_LARGEST = 200.0  # exponent at which a trial step of Newton's method is cut off
_READINGS = 241


@dataclass(frozen=True)
class Problem:
    """Data X (n, d) and y (n,), and the path that is predicted for alpha -> 0."""

    X: Tensor
    y: Tensor
    path: SaddlePath

    @property
    def end(self) -> float:
        """The time T at which the flow is stopped."""
        return BEYOND * float(self.path.times[-1])

    @property
    def lengths(self) -> Tensor:
        """Of the plateaus, (K,), the first at the first saddle after beta = 0."""
        ends = torch.cat([self.path.times, self.path.times.new_tensor([self.end])])
        return ends.diff()

    @property
    def middles(self) -> Tensor:
        """Times in the middle of all plateaus, (K + 1,), that at beta = 0 included."""
        before = self.path.times[:1] / 2
        return torch.cat([before, self.path.times + self.lengths / 2])


@dataclass(frozen=True)
class Descent:
    """One flow at the K saddles that are predicted for it; see `Visits`, (K,) each.

    apart: whether a jump lies far enough from its neighbors.
    """

    misses: Tensor
    exponents: Tensor
    delays: Tensor
    apart: Tensor
    status: str

    @property
    def complete(self) -> bool:
        return self.status == REACHED


def drawn(seeds: Sequence[int]) -> list[Problem]:
    """Six equations in ten unknowns."""
    draws = [
        sparse_regression(
            EXAMPLES, FEATURES, FEATURES, torch.Generator().manual_seed(seed)
        )
        for seed in seeds
    ]
    return [own(draw.X, draw.y) for draw in draws]


def own(X: object, y: object) -> Problem:
    """X and y, each divided by its root mean square."""
    inputs, targets = (part.detach().cpu().double() for part in regression_data(X, y))
    sizes = [float(part.square().mean().sqrt()) for part in (inputs, targets)]
    if not all(sizes):
        raise InvalidInput("X or y is zero everywhere; there is nothing to fit.")
    inputs, targets = inputs / sizes[0], targets / sizes[1]
    return Problem(inputs, targets, saddle_path(inputs, targets))


def coefficients(
    problem: Problem, depth: float, times: Sequence[float]
) -> tuple[Tensor, str]:
    """beta (len(times), d) of gradient flow from u = v = e^-depth at rising times T = 2
    t / depth, and why the integration ended.

    u and v stay positive and become as small as e^(-2 depth), so that their logarithms
    are integrated, all 2 d of them, by Radau with the Jacobian. A test compares with
    the flow in u and v where these do not underflow.
    """
    X, y = problem.X.numpy(), problem.y.numpy()
    hessian, pull = 2 / len(y) * X.T @ X, 2 / len(y) * X.T @ y
    d = len(hessian)

    def squares(logs: Array) -> tuple[Array, Array]:
        both = np.exp(np.minimum(2 * logs, _LARGEST))
        return both[:d], both[d:]

    def velocity(logs: Array) -> Array:
        plus, minus = squares(logs)
        slope = pull - hessian @ (plus - minus)
        return depth * np.concatenate([slope, -slope])

    def jacobian(logs: Array) -> Array:
        plus, minus = squares(logs)
        rows = np.hstack([-2 * hessian * plus, 2 * hessian * minus])
        return depth * np.vstack([rows, -rows])

    run = integrate(
        velocity,
        jacobian,
        np.full(2 * d, -depth),
        times=list(times),
        method="Radau",
        tolerance=_TOLERANCE,
        floor=_TOLERANCE,
        max_seconds=math.inf,
    )
    plus, minus = (2 * run.path).exp().chunk(2, -1)
    return plus - minus, run.status


def followed(problem: Problem, depth: float) -> Descent:
    """The flow from alpha = e^-depth, in the middle of the plateaus and at the jumps."""
    path, middles = problem.path, problem.middles
    widths = 3 * APART / (path.speeds * depth)
    begins = torch.maximum(middles[:-1], path.times - widths)
    stops = torch.minimum(middles[1:], path.times + widths)
    parts = torch.linspace(0, 1, _READINGS, dtype=torch.float64)
    windows = list(torch.lerp(begins[:, None], stops[:, None], parts))
    times = torch.cat([middles[1:], *windows]).unique()
    beta, status = coefficients(problem, depth, times.tolist())
    size = path.saddles.abs().max()
    at_rest = beta[torch.searchsorted(times, middles[1:])]
    return Descent(
        (at_rest - path.saddles[1:]).abs().amax(1) / size,
        exponents(problem, depth),
        (_crossings(path, windows, times, beta) - path.times) * path.speeds * depth,
        _apart(problem, depth),
        status,
    )


def _crossings(
    path: SaddlePath, windows: Sequence[Tensor], times: Tensor, beta: Tensor
) -> Tensor:
    """When beta has gone half of the way from one saddle to the next, (K,); NaN where
    it does not within its window.
    """
    found = torch.full_like(path.times, math.nan)
    for k, window in enumerate(windows):
        step = path.saddles[k + 1] - path.saddles[k]
        way = (beta[torch.searchsorted(times, window)] - path.saddles[k]) @ step
        share = way / step.square().sum()
        first = int((share >= 0.5).int().argmax())
        if first and bool(share[first - 1] < 0.5):
            part = (0.5 - share[first - 1]) / (share[first] - share[first - 1])
            found[k] = torch.lerp(window[first - 1], window[first], part)
    return found


def _apart(problem: Problem, depth: float) -> Tensor:
    """Whether a jump lies far from the one before and from the next, (K,)."""
    lengths = torch.cat([problem.path.times[:1], problem.lengths])
    nearest = torch.minimum(lengths[:-1], lengths[1:])
    return nearest / 2 * problem.path.speeds * depth >= APART


def exponents(problem: Problem, depth: float) -> Tensor:
    """By how many powers of e a deviation from the saddle has shrunk in the middle of
    its plateau, to leading order, (K,).

    Entries off the support are e^(-2 depth (1 - |s_i|)). On the support A deviations
    decay at the rates 2 depth times the eigenvalues of |beta|^(1/2) H |beta|^(1/2) in
    T, with H the Hessian of L.
    """
    X, path = problem.X, problem.path
    hessian = 2 / len(X) * X.mT @ X
    found = []
    for k, length in enumerate(problem.lengths.tolist(), start=1):
        beta, s = path.saddles[k], path.middle(k, length)
        off = 1 - s[beta == 0].abs()
        root = beta[beta != 0].abs().sqrt()
        block = hessian[beta != 0][:, beta != 0] * root * root[:, None]
        slowest = torch.linalg.eigvalsh(block).amin() * length / 2
        found.append(torch.cat([off, slowest[None]]).amin())
    return 2 * depth * torch.stack(found)
