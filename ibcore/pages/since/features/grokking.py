"""Gradient flow of diagonal networks with weight decay from a large start, in the time
x = lambda t - log alpha.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from ibcore.dynamics.stiff_flow import integrate
from ibcore.dynamics.trajectory import REACHED
from ibcore.oracles.max_margin import max_margin
from ibcore.oracles.penalized_logistic import Penalized, penalized_logistic

Array = NDArray[np.float64]
EXAMPLES, FEATURES, RELEVANT, TESTS = 40, 60, 3, 4000
DECAY = 1e-3
READINGS = (*(np.arange(-8, 17) / 4), 5.0, 6.5, 8.0, 10.0, 13.0, 16.0, 20.0)  # x
EARLY, BEFORE = READINGS.index(-2.0), READINGS.index(-1.0)
_TOLERANCE = 1e-7


@dataclass(frozen=True)
class Task:
    """Signs X (n, d) with labels y (n,) of a linear teacher (d,), test data, and what
    theory predicts.

    separator: (d,), the unit vector of the l2 max-margin predictor.      early, late:
    the minimizers with the penalty of the time x = -2 and with the l1 norm.
    """

    X: Tensor
    y: Tensor
    tests: Tensor
    answers: Tensor
    separator: Tensor
    early: Penalized
    late: Penalized


def task(
    generator: torch.Generator, *, dense: bool = False, decay: float = DECAY
) -> Task:
    """Forty examples of sixty random signs; the label is the sign of the sum of three
    of them, or of a normal linear form of all where `dense` is true.
    """
    teacher = torch.zeros(FEATURES, dtype=torch.float64)
    teacher[torch.randperm(FEATURES, generator=generator)[:RELEVANT]] = 1
    if dense:
        teacher = torch.randn(FEATURES, generator=generator, dtype=torch.float64)
    draw = torch.randint(2, (EXAMPLES + TESTS, FEATURES), generator=generator)
    X, tests = (2.0 * draw.double() - 1).split([EXAMPLES, TESTS])
    y, answers = (X @ teacher).sign(), (tests @ teacher).sign()
    best = max_margin(X, y).primal
    width = 2 * math.exp(-2 * READINGS[EARLY])
    return Task(
        X,
        y,
        tests,
        answers,
        best / best.norm(),
        penalized_logistic(X, y, decay / 2, width),
        penalized_logistic(X, y, decay / 2),
    )


@dataclass(frozen=True)
class Training:
    """beta (K, d) of one flow at K times x, NaN before its start.

    kept: largest error of 4 u v = 4 alpha^2 e^(-2 lambda t), over the largest entry of
    (u + v)^2 + (u - v)^2 at the time.
    """

    beta: Tensor
    x: Tensor
    kept: float
    status: str

    @property
    def complete(self) -> bool:
        return self.status == REACHED

    def cosines(self, direction: Tensor) -> Tensor:
        """Of beta with a direction (d,), (K,)."""
        return self.beta @ direction / self.beta.norm(dim=-1) / direction.norm()

    def accuracy(self, data: Task) -> Tensor:
        """Share of the test data that are answered right, (K,)."""
        return ((self.beta @ data.tests.mT).sign() == data.answers).double().mean(-1)

    def right(self, data: Task) -> Tensor:
        """Whether all training examples are answered right, (K,)."""
        return (self.beta @ (data.y[:, None] * data.X).mT > 0).all(-1)

    def penalized(self, data: Task, decay: float = DECAY) -> Tensor:
        """L + (lambda / 2) sum_j sqrt(beta_j^2 + 4 e^(-4 x)), (K,)."""
        margins = self.beta @ (data.y[:, None] * data.X).mT
        loss = torch.nn.functional.softplus(-margins).mean(-1)
        widths = 2 * torch.exp(-2 * self.x)[:, None]
        return loss + decay / 2 * torch.hypot(self.beta, widths).sum(-1)


def trained(
    data: Task,
    depth: float,
    readings: Sequence[float] = READINGS,
    *,
    decay: float = DECAY,
    clock: float = DECAY,
) -> Training:
    """Gradient flow of beta = u^2 - v^2 on L + (decay / 2)(|u|^2 + |v|^2) with the
    logistic loss, from u = v = e^depth.

    readings: rising x = clock t - depth; those before the start are NaN. The flow is
    followed in u + v and u - v, a rotation of the parameters but for a factor, in which
    beta is a product and not a difference of large numbers; by LSODA, and by Radau
    where LSODA does not arrive, with the Jacobian.
    """
    A = (data.y[:, None] * data.X).numpy()
    n, d = A.shape

    def velocity(state: Array) -> Array:
        p, q = state[:d], state[d:]
        slope = expit(-A @ (p * q)) @ A / n
        return np.concatenate([2 * q * slope - decay * p, 2 * p * slope - decay * q])

    def jacobian(state: Array) -> Array:
        p, q = state[:d], state[d:]
        wrong = expit(-A @ (p * q))
        curved = (A.T * (wrong * (1 - wrong) / n)) @ A
        cross = np.diag(2 * wrong @ A / n)
        both = np.concatenate([q, p])
        whole = -2 * both[:, None] * np.tile(curved, (2, 2)) * both
        whole += np.block([[np.zeros((d, d)), cross], [cross, np.zeros((d, d))]])
        return np.asarray(whole - decay * np.eye(2 * d))

    later = [x for x in readings if x + depth > 0]
    size = math.exp(depth)
    for method in ("LSODA", "Radau"):
        run = integrate(
            velocity,
            jacobian,
            np.concatenate([np.full(d, 2 * size), np.zeros(d)]),
            times=[(x + depth) / clock for x in later],
            method=method,
            tolerance=_TOLERANCE,
            floor=_TOLERANCE * min(1.0, 1 / size),
            max_seconds=math.inf,
        )
        if run.complete:
            break
    p, q = run.path.chunk(2, -1)
    missing = p.new_full((len(readings) - len(later), d), math.nan)
    x = torch.tensor(list(readings), dtype=torch.float64)
    expected = 4 * torch.exp(2 * depth - 2 * decay / clock * (x[-len(later) :] + depth))
    wrong = (p.square() - q.square() - expected[:, None]).abs()
    kept = (wrong.amax(-1) / (p.square() + q.square()).amax(-1)).amax()
    return Training(torch.cat([missing, p * q]), x, float(kept), run.status)


def halfway(run: Training, direction: Tensor) -> float:
    """x at which the cosine with a direction is halfway from its value at x = -1 to its
    last one; NaN where it never is.
    """
    cosines = run.cosines(direction)[BEFORE:]
    level = (cosines[0] + cosines[-1]) / 2
    below = torch.nonzero(cosines <= level)[:, 0]
    if not len(below) or int(below[0]) == 0:
        return math.nan
    k = int(below[0])
    part = (cosines[k - 1] - level) / (cosines[k - 1] - cosines[k])
    return float(torch.lerp(run.x[BEFORE + k - 1], run.x[BEFORE + k], part))
