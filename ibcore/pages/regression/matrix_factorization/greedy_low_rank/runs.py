"""Descent on layers, and gradient flow from tiny starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.factor_descent import FactorRun, descend_factors
from ibcore.dynamics.stiff_flow import Array, StiffRun, integrate
from ibcore.models.matrix_factorization import SymmetricFactorization
from ibcore.models.observations import Entries, Sensing
from ibcore.oracles.nuclear_minimization import nuclear_completion
from ibcore.problems.planted_low_rank import (
    gaussian_matrices,
    gaussian_product,
    revealed_entries,
    semidefinite,
)
from ibcore.threads import threads

FITTED = 1e-7  # mean square loss at which a flow that learns rank by rank is at its end
SAFETY = 0.8  # step sizes times the estimated smoothness


def slope(observations: Entries | Sensing, y: Tensor, products: Tensor) -> Tensor:
    """Gradient of the mean square loss with respect to W at W (B, p, q)."""
    rest = observations.read(products) - y
    return observations.spread(2 / y.shape[-1] * rest)


def normal_layers(
    depth: int,
    count: int,
    size: int,
    scale: Tensor | float,
    generator: torch.Generator,
) -> Tensor:
    """Layers (depth, count, d, d) of entries N(0, scale^2/d), one scale or (count,)."""
    spread = torch.as_tensor(scale, dtype=torch.float64).expand(count) / size**0.5
    shape = (depth, count, size, size)
    entries = torch.randn(shape, generator=generator, dtype=torch.float64)
    return spread[:, None, None] * entries


def descended(
    observations: Entries | Sensing, y: Tensor, layers: Tensor, stops: Sequence[int]
) -> FactorRun:
    """Gradient descent from `layers` (k, B, d, d) on B problems at once."""
    return descend_factors(
        lambda W: slope(observations, y, W), layers, stops, safety=SAFETY
    )


@threads()
def complete(
    rows: Tensor,
    columns: Tensor,
    values: Tensor,
    size: int,
    *,
    depth: int,
    start: Tensor | float,
    stops: Sequence[int],
    seed: int = 0,
) -> FactorRun:
    """Completion of B matrices from entries (B, n) by descent on random layers.

    start: their entries are N(0, start^2/size); one number, or (B,).
    """
    generator = torch.Generator().manual_seed(seed)
    layers = normal_layers(depth, len(values), size, start, generator)
    seen = Entries(rows, columns, (size, size))
    return descended(seen, values, layers, stops)


@threads()
def recovery(
    size: int, rank: int, shares: Sequence[float], count: int, steps: int
) -> dict[str, tuple[float, ...]]:
    """Shares of `count` random matrices recovered to one percent, by entries observed.

    By the least nuclear norm, and by `steps` steps of descent at depths 2 and 3.
    """
    found: dict[str, list[float]] = {}
    for share in shares:
        draw = torch.Generator().manual_seed(round(1000 * share))
        truth = torch.stack([gaussian_product(size, rank, draw) for _ in range(count)])
        places = [revealed_entries(size, share, draw) for _ in truth]
        for name, guess in _guesses(truth, places, steps).items():
            norm = torch.linalg.matrix_norm
            error = norm(guess - truth) / norm(truth)
            found.setdefault(name, []).append(float((error < 0.01).double().mean()))
    return {name: tuple(values) for name, values in found.items()}


def _guesses(
    truth: Tensor, places: Sequence[tuple[Tensor, Tensor]], steps: int
) -> dict[str, Tensor]:
    """Completions (B, d, d) of matrices seen at `places`, by the name of the method."""
    size = truth.shape[-1]
    rows, columns = (torch.stack(part) for part in zip(*places, strict=True))
    values = Entries(rows, columns, (size, size)).read(truth)
    least = [
        nuclear_completion(*parts, (size, size), tolerance=1e-5).matrix
        for parts in zip(rows, columns, values, strict=True)
    ]
    guesses = {"nuclear norm": torch.stack(least)}
    for depth, start in ((2, 1e-6), (3, 0.05)):
        run = complete(
            rows, columns, values, size, depth=depth, start=start, stops=(steps,)
        )
        guesses[f"depth {depth}"] = run.products[-1]
    return guesses


@dataclass(frozen=True)
class Sensed:
    """Symmetric matrices A (n, d, d), observations y (n,) of `truth` (d, d)."""

    A: Tensor
    y: Tensor
    truth: Tensor


@threads()
def sensed(seed: int, size: int, observed: int, spectrum: Sequence[float]) -> Sensed:
    """A matrix with the eigenvalues `spectrum` seen through random symmetric ones."""
    generator = torch.Generator().manual_seed(seed)
    truth = semidefinite(size, spectrum, generator)
    A = gaussian_matrices(observed, size, generator, symmetric=True)
    return Sensed(A, Sensing(A).read(truth[None])[0], truth)


@dataclass(frozen=True)
class Tracked:
    """A flow of U U^T, and W at the steps of the integrator: products (K, d, d)."""

    run: StiffRun
    products: Tensor


def tracked(
    problem: Sensed, basis: Tensor, scale: float, *, fitted: float = FITTED
) -> Tracked:
    """Gradient flow from U U^T = `scale` I until the loss is `fitted`.

    U(0) is a multiple of `basis`, the eigenvectors of -grad f(0): then the
    columns of U, which the flow moves each on its own, grow one after
    another, and a small one is not lost in the rounding of a large one.
    """
    model, n = SymmetricFactorization(Sensing(problem.A)), len(problem.y)
    visited: list[Array] = []

    def residual(x: Array) -> tuple[Tensor, Tensor]:
        theta = torch.from_numpy(x)[None]
        return theta, model.outputs(theta) - problem.y

    def velocity(x: Array) -> Array:
        theta, rest = residual(x)
        return -2 / n * model.pullback(theta, rest)[0].numpy()

    def done(x: Array) -> bool:
        visited.append(x.copy())
        return float(residual(x)[1].square().mean()) <= fitted

    run = integrate(
        velocity,
        None,
        scale**0.5 * basis.flatten(),
        done=done,
        method="DOP853",
        tolerance=1e-6,
        floor=1e-6 * scale**0.5,
        max_steps=4000,
    )
    path = torch.stack([torch.from_numpy(x) for x in visited])
    return Tracked(run, model.product(path))
