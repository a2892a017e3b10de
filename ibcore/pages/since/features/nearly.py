"""Gradient flow of nearly homogeneous networks, in the logarithm of the length of its
path, and the quantities of the proof.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.dynamics.stiff_flow import StiffRun, integrate
from ibcore.measures.kkt import KKT, kkt
from ibcore.models.margins import Margins
from ibcore.models.residual import ResidualSquares
from ibcore.problems.random_labels import random_labels
from ibcore.validation import InvalidInput, binary_data

Array = NDArray[np.float64]
EXAMPLES, FEATURES, WIDTH = 6, 4, 8
START = 0.5
STOPS = tuple(np.arange(10, 41) / 10)  # s, counted from the first moment without error
EVERY = 1e9  # for `active` of `kkt`: all constraints are allowed
SPREAD = 10.0  # of the rates in the control, up and down
_TOLERANCE, _MOST_STEPS = 1e-6, 4000


@dataclass(frozen=True)
class Network:
    """A network on its data, rows of X of length at most 1, with a start theta (P,).

    rates: (P,), learning rates of its own for every parameter, for the control.
    """

    net: ResidualSquares
    labels: Tensor
    theta: Tensor
    rates: Tensor

    @property
    def margins(self) -> Margins:
        return Margins(self.net, self.labels)

    @property
    def leading(self) -> Margins:
        """Of the homogenization."""
        return Margins(self.net.leading(), self.labels)


def drawn(seeds: Sequence[int]) -> list[Network]:
    """Six points on the sphere in four dimensions with random labels."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return [network(*random_labels(EXAMPLES, FEATURES, one), one) for one in generators]


def own(X: object, y: object, seeds: Sequence[int]) -> list[Network]:
    """A reader's data, divided by the length of the longest input, one start a seed."""
    inputs, labels = (part.detach().cpu().double() for part in binary_data(X, y))
    longest = float(inputs.norm(dim=1).amax())
    if longest == 0:
        raise InvalidInput("X is zero everywhere; every network answers all alike.")
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return [network(inputs / longest, labels, one) for one in generators]


def network(X: Tensor, y: Tensor, generator: torch.Generator) -> Network:
    """Eight neurons, a normal start of standard deviation 0.5, rates between 1/10 and
    10.
    """
    net = ResidualSquares(X, WIDTH)
    theta = torch.randn(net.dimension, generator=generator, dtype=torch.float64)
    even = torch.rand(net.dimension, generator=generator, dtype=torch.float64)
    return Network(net, y, START * theta, SPREAD ** (2 * even - 1))


def grown(problem: Network, rates: Tensor, stops: Sequence[float]) -> StiffRun:
    """States (K, P) of theta' = |theta| D G / |D G| at `stops`, where G is the softmax-
    weighted gradient of the margins and D = diag(rates).

    It is gradient flow of the exponential loss in another time, for D = I, and then s
    is the logarithm of |theta| up to how much the direction turns. The clock starts
    where all examples are right. BDF, and Radau where BDF takes too many steps, both
    with the Jacobian.
    """
    flow = _Flow(problem, rates)

    def right(x: Array) -> bool:
        return bool((flow.margins(x)[0] > 0).all())

    follow = partial(
        integrate,
        flow.velocity,
        flow.jacobian,
        tolerance=_TOLERANCE,
        floor=_TOLERANCE,
        max_steps=_MOST_STEPS,
        max_seconds=math.inf,
    )
    for method in ("BDF", "Radau"):
        run = follow(problem.theta, method=method, horizon=50.0, done=right)
        if right(run.state.numpy()):
            run = follow(run.state, method=method, times=list(stops))
            if run.complete:
                break
    return run


class _Flow:
    """The field of `grown` and its Jacobian in NumPy, for speed; a test compares them
    with the model.
    """

    def __init__(self, problem: Network, rates: Tensor) -> None:
        self.X, self.y = problem.net.inputs.numpy(), problem.labels.numpy()
        self.D, self.m, self.d = rates.numpy(), problem.net.width, self.X.shape[1]

    def margins(self, x: Array) -> tuple[Array, Array, Array]:
        """The margins (n,), a (m,) and z (n, m)."""
        m, d = self.m, self.d
        a, skip = x[:m], x[m + m * d :]
        z = self.X @ x[m : m + m * d].reshape(m, d).T
        return self.y * ((z * z + z) @ a + self.X @ skip[:-1] + skip[-1]), a, z

    def pull(self, x: Array) -> tuple[Array, Array, Array, Array]:
        """G (P,), p_i y_i (n,), a and z."""
        margins, a, z = self.margins(x)
        shares = np.exp(margins.min() - margins)
        q = shares / shares.sum() * self.y
        by_w = ((2 * z + 1) * a * q[:, None]).T @ self.X
        parts = [q @ (z * z + z), by_w.ravel(), q @ self.X, [q.sum()]]
        return np.concatenate(parts), q, a, z

    def velocity(self, x: Array) -> Array:
        pull = self.D * self.pull(x)[0]
        return np.asarray(np.linalg.norm(x) * pull / np.linalg.norm(pull))

    def jacobian(self, x: Array) -> Array:
        mean, q, a, z = self.pull(x)
        n, m, d = len(q), self.m, self.d
        by_w = ((2 * z + 1) * a)[:, :, None] * self.X[:, None, :]
        parts = [z * z + z, by_w.reshape(n, -1), self.X, np.ones((n, 1))]
        rows = np.concatenate(parts, 1)
        turned = -(rows.T * np.abs(q)) @ rows + np.outer(mean, mean)
        second, mixed = 2 * (self.X.T * q) @ self.X, ((2 * z + 1) * q[:, None]).T
        for j, row in enumerate(mixed @ self.X):
            own = slice(m + j * d, m + (j + 1) * d)
            turned[own, own] += a[j] * second
            turned[j, own] += row
            turned[own, j] += row
        pull, turned = self.D * mean, self.D[:, None] * turned
        size, length = np.linalg.norm(pull), np.linalg.norm(x)
        unit = pull / size
        across = turned - np.outer(unit, unit @ turned)
        return np.asarray(length / size * across + np.outer(unit, x / length))


@dataclass(frozen=True)
class Path:
    """What the proof speaks of, at K stops of one flow, (K,) each.

    corrected: log(1 / (n L)) / rho^3 less its allowance, with rho = |theta|.      angle:
    cosine between theta and G.      log_norm: log rho.      excess: (3 log(1 / (n L)) -
    p(rho)) / rho^3, a bound on theta.G / rho^3 from below.      allowed: the bound on
    the KKT residual of the homogenization.
    """

    corrected: Tensor
    angle: Tensor
    log_norm: Tensor
    excess: Tensor
    allowed: Tensor

    @classmethod
    def of(cls, problem: Network, path: Tensor) -> Path:
        """theta: (K, P). With r the length of the longest input, |theta.grad f - 3 f|
        is at most p(rho) = r rho^2 / 2 + 2 sqrt(r^2 + 1) rho, and |grad f - grad f_H|
        at most r rho + sqrt(r^2 + 1).
        """
        model = problem.margins
        margins, rho = model.outputs(path), path.norm(dim=-1)
        depth = -torch.logsumexp(-margins, -1)
        shares = torch.softmax(-margins, -1)
        pull = (shares[:, None] @ model.jacobian(path))[:, 0]
        along = (pull * path).sum(-1) / rho
        r = problem.net.inputs.norm(dim=-1).amax()
        side = (r**2 + 1).sqrt()
        corrected = depth / rho**3 - r / (2 * rho) - side / rho**2
        excess = 3 * depth - r * rho**2 / 2 - 2 * side * rho
        cosine = along / pull.norm(dim=-1)
        sine = (1 - cosine.square()).clamp_min(0).sqrt()
        return cls(
            corrected,
            cosine,
            rho.log(),
            excess / rho**3,
            sine + (r * rho + side) * rho / excess,
        )

    def since(self, first: int) -> Path:
        """From a stop on."""
        parts = (self.corrected, self.angle, self.log_norm, self.excess, self.allowed)
        return Path(*(part[first:] for part in parts))

    @property
    def fall(self) -> float:
        """By how much the corrected margin falls below an earlier one, over the last."""
        highest = self.corrected.cummax(0).values
        return float((highest - self.corrected).amax() / self.corrected[-1])

    @property
    def turning(self) -> float:
        """The integral of excess tan^2 over log rho, over the rise that bounds it."""
        integrand = self.excess * (self.angle.square().reciprocal() - 1)
        whole = torch.trapezoid(integrand, self.log_norm)
        return float(whole / (self.corrected[-1] - self.corrected[0]))


def conditions(problem: Network, theta: Tensor, rates: Tensor | None = None) -> KKT:
    """The KKT conditions of the homogenization at theta (P,), all constraints allowed.

    rates: those of the norm sum theta_l^2 / rates_l, by default the Euclidean one.
    """
    unit = theta / theta.norm()
    margins = problem.leading.outputs(unit[None])[0]
    rows = problem.leading.jacobian(unit[None])[0]
    if rates is None:
        return kkt(unit, margins, rows, active=EVERY)
    return kkt(unit / rates.sqrt(), margins, rows * rates.sqrt(), active=EVERY)


def residual_curves(
    problems: Sequence[Network], stops: Sequence[float]
) -> tuple[Tensor, Tensor, Tensor]:
    """Residuals along gradient flow and along the flow with uneven rates, and the bound
    of the proof for the first, (K, B) each; NaN where they are not defined.
    """
    found = []
    for problem in problems:
        plain = grown(problem, torch.ones_like(problem.theta), stops).path
        uneven = grown(problem, problem.rates, stops).path
        path = Path.of(problem, plain)
        allowed = torch.where(path.corrected > 0, path.allowed, math.nan)
        rows = [_residuals(problem, states) for states in (plain, uneven)]
        found.append(torch.stack([*rows, allowed]))
    plain, uneven, allowed = torch.stack(found, -1)
    return plain, uneven, allowed


def _residuals(problem: Network, states: Tensor) -> Tensor:
    right = (problem.leading.outputs(states) > 0).all(-1)
    values = [
        conditions(problem, theta).residual if good else math.nan
        for theta, good in zip(states, right.tolist(), strict=True)
    ]
    return torch.tensor(values, dtype=torch.float64)
