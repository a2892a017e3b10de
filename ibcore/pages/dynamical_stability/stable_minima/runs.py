"""Training of the page: descent on quadratics, on a product, on curves, and stochastic
descent near a minimum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.dynamics.batches import without_replacement
from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.objective import FunctionObjective, Objective
from ibcore.dynamics.paces import constant
from ibcore.dynamics.stiff_flow import integrate
from ibcore.losses import Square
from ibcore.models.linear import Linear
from ibcore.oracles.mean_square import critical_step
from ibcore.pages.dynamical_stability.stable_minima.objectives import (
    Curve,
    Values,
    product,
    quadratic,
)
from ibcore.threads import threads
from ibcore.validation import real_tensor

Array = NDArray[np.float64]

RESIDUAL = 1e-10
"""|xy - 1| at which a run on the product counts as converged."""

PRODUCT_STEPS = 20_000


@dataclass(frozen=True)
class Quadratics:
    """B quadratics in d dimensions, with starts (B, d): eigenvalues (B, d), rising, and
    basis (B, d, d).
    """

    eigenvalues: Tensor
    basis: Tensor
    start: Tensor

    @classmethod
    def draw(cls, seeds: Sequence[int], dimension: int) -> Quadratics:
        """Spectra log-uniform over three decades, random bases, and starts whose parts
        have sizes from 1/2 to 3/2.
        """
        rows = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            powers = torch.rand(dimension, generator=generator, dtype=torch.float64)
            matrix = torch.randn(
                dimension, dimension, generator=generator, dtype=torch.float64
            )
            parts = (
                torch.rand(dimension, generator=generator, dtype=torch.float64) + 0.5
            )
            signs = torch.randint(2, (dimension,), generator=generator) * 2 - 1
            basis = torch.linalg.qr(matrix).Q
            eigenvalues = (10 ** (3 * powers - 2)).sort().values
            rows.append((eigenvalues, basis, basis @ (parts * signs)))
        return cls(*(torch.stack(parts) for parts in zip(*rows, strict=True)))

    @property
    def hessians(self) -> Tensor:
        """(B, d, d), symmetric."""
        return self.basis * self.eigenvalues[:, None] @ self.basis.mT


def quadratic_descent(problems: Quadratics, step: Tensor, count: int) -> Tensor:
    """Gradient descent with one step size each (B,), `count` times, (B, d)."""
    run = descend(
        quadratic(problems.hessians),
        problems.start,
        constant(step),
        steps=[count],
        max_seconds=math.inf,
    )
    return run.theta[0]


def product_descent(start: Tensor, step: float) -> Run:
    """Gradient descent on half (xy - 1)^2 from (B, 2) until |xy - 1| is `RESIDUAL`, or
    `PRODUCT_STEPS`.
    """
    return descend(
        FunctionObjective(product),
        start,
        constant(step),
        until=lambda point: point.loss <= RESIDUAL**2 / 2,
        max_steps=PRODUCT_STEPS,
        max_seconds=math.inf,
    )


def pair_descent(start: Tensor, step: float, steps: Sequence[int]) -> Tensor:
    """States (K, B, 2) of gradient descent on half (xy - 1)^2, NaN where a run is not
    finite or beyond 10.
    """
    run = descend(
        FunctionObjective(product),
        start,
        constant(step),
        steps=steps,
        until=lambda point: point.theta.abs().amax(-1) > 10,
        max_seconds=math.inf,
    )
    return run.theta


def sharp_minima(sharpness: Tensor) -> Tensor:
    """The minima of half (xy - 1)^2 with x >= y > 0 of these sharpnesses, at least 2,
    (B, 2).
    """
    x = ((sharpness + (sharpness.square() - 4).clamp_min(0).sqrt()) / 2).sqrt()
    return torch.stack([x, 1 / x], -1)


def product_flow(start: Tensor) -> tuple[Tensor, tuple[str, ...]]:
    """Where gradient flow on half (xy - 1)^2 from (B, 2) ends, (B, 2), NaN where it
    does not, and why it does not.
    """
    ends, broken = [], []
    for row in start:
        run = integrate(
            _descent,
            _descent_jacobian,
            row,
            done=lambda z: abs(z[0] * z[1] - 1) <= RESIDUAL,
            tolerance=1e-11,
            max_seconds=math.inf,
        )
        ends.append(run.state if run.complete else torch.full_like(row, torch.nan))
        if not run.complete:
            broken.append(f"gradient flow: {run.status}")
    return torch.stack(ends), tuple(broken)


def _descent(z: Array) -> Array:
    return -(z[0] * z[1] - 1) * z[::-1]


def _descent_jacobian(z: Array) -> Array:
    x, y = z
    mixed = 1 - 2 * x * y
    return np.array([[-y * y, mixed], [mixed, -x * x]])


def curve_descent(
    curve: Curve | FunctionObjective,
    start: Tensor,
    step: Tensor,
    steps: Sequence[int],
    *,
    leave: float = math.inf,
    center: float = 0.0,
) -> Run:
    """Gradient descent on a function of one variable from (B,) with steps (B,), frozen
    beyond `leave` from `center`.
    """
    objective = curve.objective() if isinstance(curve, Curve) else curve
    beyond = None
    if leave < math.inf:

        def beyond(point: Any) -> Tensor:
            return (point.theta[:, 0] - center).abs() > leave

    return descend(
        objective,
        start[:, None],
        constant(step),
        steps=steps,
        until=beyond,
        max_seconds=math.inf,
    )


@threads()
def curve_path(values: Values, start: float, step: float, steps: int) -> Tensor:
    """Iterates 0, ..., `steps` of gradient descent on a function of one variable, NaN
    from beyond 1e6 on.
    """
    at = torch.tensor([start], dtype=torch.float64)
    sizes = torch.full_like(at, step)
    curve = Curve(values, 0.0, (1.0, 0.0, 0.0))
    run = curve_descent(curve, at, sizes, range(steps + 1), leave=1e6)
    return run.theta[:, 0, 0]


@dataclass(frozen=True)
class Regressions:
    """Q linear regressions of n examples in d dimensions, with starts one unit from
    their minimum.

    inputs: (Q, n, d).      minimum: (Q, d).      start: (Q, d).      noise: (Q, n),
    normal. The targets are the outputs at the minimum, so that every example is fitted
    there. With the part of `noise` added that no linear map reproduces, the minimum
    stays where it is and fits no example.
    """

    inputs: Tensor
    minimum: Tensor
    start: Tensor
    noise: Tensor

    @classmethod
    def draw(cls, seeds: Sequence[int], count: int, dimension: int) -> Regressions:
        """Normal inputs, minimum and direction of the start."""
        rows = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            draw = torch.randn(
                count + 2, dimension, generator=generator, dtype=torch.float64
            )
            noise = torch.randn(count, generator=generator, dtype=torch.float64)
            way = draw[-1] / torch.linalg.vector_norm(draw[-1])
            rows.append((draw[:count], draw[-2], draw[-2] + way, noise))
        return cls(*(torch.stack(parts) for parts in zip(*rows, strict=True)))

    @property
    def hessians(self) -> Tensor:
        """2 x x^T of every example, (Q, n, d, d)."""
        return 2 * self.inputs[..., :, None] * self.inputs[..., None, :]

    def targets(self, noise: float = 0.0) -> Tensor:
        """(Q, n); `noise` is the size of the part that is not fitted."""
        fitted = (self.inputs @ self.minimum[..., None])[..., 0]
        basis = torch.linalg.qr(self.inputs).Q
        inside = (basis @ (basis.mT @ self.noise[..., None]))[..., 0]
        return fitted + noise * (self.noise - inside)


@threads()
def critical_steps(X: object, sizes: Sequence[int]) -> Tensor:
    """Critical steps of SGD for a linear model on inputs X (n, d) of rank d, in units
    of 2 / lambda, for each size.

    The loss is the mean square and every example is fitted; the targets do not matter
    then. Raises `InvalidInput` for malformed inputs and where the rank is below d.
    """
    inputs = real_tensor("X", X, ndim=2).double()
    hessians = 2 * inputs[:, :, None] * inputs[:, None, :]
    sharpness = float(torch.linalg.eigvalsh(hessians.mean(0))[-1])
    steps = [critical_step(hessians, size) * sharpness / 2 for size in sizes]
    return torch.tensor(steps, dtype=torch.float64)


@threads()
def stochastic_descent(
    problems: Regressions,
    size: int,
    step: Tensor,
    steps: Sequence[int],
    *,
    chains: int,
    seed: int,
    noise: float = 0.0,
) -> Tensor:
    """Squared distances from the minimum at the stops, (K, Q, chains), of SGD with
    batches of `size`.

    step: (Q,), one step size a regression.
    """
    many = [
        part.repeat_interleave(chains, 0)
        for part in (
            problems.inputs,
            problems.targets(noise),
            problems.start,
            problems.minimum,
            step,
        )
    ]
    inputs, targets, start, minimum, sizes = many
    run = descend(
        Objective(Linear(inputs), Square(), targets, shared=False),
        start,
        constant(sizes),
        steps=steps,
        batches=without_replacement(size, torch.Generator().manual_seed(seed)),
        max_seconds=math.inf,
    )
    distances = (run.theta - minimum).square().sum(-1)
    return distances.reshape(len(steps), len(step), chains)
