"""Starts of the runaway completion, and its flow in two kinds of coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.dynamics.complex_step import complex_jacobian
from ibcore.dynamics.stiff_flow import StiffRun, integrate
from ibcore.models.runaway_completion import (
    RawWeights,
    Reduced,
    balanced_layers,
    balanced_rotations,
    loss,
    product,
)
from ibcore.threads import threads

Array = NDArray[np.float64]
HALF_SUM = 1.5  # our time, for the mean of three squares, per time of half their sum
EARLY = tuple(HALF_SUM * t for t in (1.0, 10.0, 30.0))
LATE = tuple(HALF_SUM * t for t in (1e4, 1e5, 1e6, 1e7, 1e8))
REDUCED = (*EARLY, *LATE, *(HALF_SUM * t for t in (1e12, 1e16, 1e20, 1e24, 1e28, 1e32)))
AT = {t: i for i, t in enumerate(REDUCED)}
LOPSIDED = tuple(float(t) for t in np.geomspace(0.1, 20, 20))
LARGEST, LEAST = 0.3, 0.03  # eigenvalues of W(0)
START = np.array([[0.1, 0.02], [0.02, 0.05]])
IMBALANCES = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-14)


@dataclass(frozen=True)
class Path:
    """One start at K times: W_11, L and log(sigma_2/sigma_1), each (K,); NaN with a
    reason where a solver gave up.
    """

    entry: Array
    loss: Array
    log_ratio: Array
    lost: str = ""


def draw_matrix(seed: int) -> Array:
    """W(0) = R diag(s) R^T, R a uniform rotation, s log-uniform in [0.03, 0.3]."""
    rng = np.random.default_rng(seed)
    values = np.exp(rng.uniform(math.log(LEAST), math.log(LARGEST), 2))
    basis = _rotation(rng.uniform(0, math.pi))
    return np.asarray(basis * values @ basis.T)


def draw_lopsided(seed: int) -> Array:
    """W(0) that is not symmetric, with det W(0) > 0: nearly a multiple of e_1 e_2^T, so
    that W_12 is fitted long before W_21, and the path is close to the matrices of loss
    just below 1/3 for which W_12 W_21 is least.
    """
    rng = np.random.default_rng(seed)
    first, second = rng.uniform(0.01, 0.03, 2)
    values = np.array([rng.uniform(0.8, 1), 10 ** rng.uniform(-4, -3)])
    cos, sin = math.cos(second), math.sin(second)
    right = np.array([[sin, -cos], [cos, sin]])
    return np.asarray(_rotation(first) * values @ right.T)


def _rotation(angle: float) -> Array:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def mirrored(matrix: Array) -> Array:
    """The symmetric matrix with the smaller eigenvalue negated."""
    values, basis = np.linalg.eigh(matrix)
    return np.asarray(basis * (values * [-1, 1]) @ basis.T)


def follow(matrix: Array, depth: int, times: Sequence[float]) -> Path:
    """The flow in reduced coordinates and log-time, which cannot lose the sign of the
    determinant: log det is one.

    By LSODA, which now and then gives up here, and then by BDF; NaN where that gives up
    too.
    """
    reduced = Reduced(depth)
    for method in ("LSODA", "BDF"):
        run = integrate(
            reduced.field,
            complex_jacobian(reduced.field),
            reduced.start(matrix),
            times=[math.log1p(t) for t in times],
            tolerance=3e-9,
            floor=1e-12,
            method=method,
        )
        if run.complete:
            break
    if not run.complete:
        nothing = np.full(len(times), math.nan)
        return Path(nothing, nothing, nothing, f"depth {depth}: {run.status}")
    states = run.path.numpy()
    return Path(
        reduced.entries(states)[0], reduced.loss(states), reduced.log_ratio(states)
    )


@threads()
def follow_raw(
    layers: Array, times: Sequence[float], tolerance: float
) -> tuple[StiffRun, Array]:
    """The flow in `layers` (k, 2, 2), watching the signs of det W_j; W, (K, 2, 2)."""
    depth = len(layers)
    raw = RawWeights(depth)
    run = integrate(
        raw.field,
        complex_jacobian(raw.field),
        torch.from_numpy(layers.ravel()),
        times=times,
        tolerance=tolerance,
        invariants={"sign": raw.signs},
    )
    return run, product(run.path.numpy().reshape(len(times), depth, 2, 2))


@dataclass(frozen=True)
class Paths:
    """B flows of one depth in reduced coordinates, W_11, L and log(sigma_2/sigma_1) at
    the times, (B, K) each.
    """

    entry: Tensor
    loss: Tensor
    log_ratio: Tensor


@dataclass(frozen=True)
class Raw:
    """B flows in the raw weights: W_11 and L at T times, (B, T) each, and by how much
    signs of det W_j changed, (B,).

    A flow that ended early has NaN.
    """

    entry: Tensor
    loss: Tensor
    signs: Tensor


def stacked(paths: Sequence[Path]) -> Paths:
    """The flows of one depth as tensors."""
    parts = ("entry", "loss", "log_ratio")
    rows = (np.stack([getattr(path, name) for path in paths]) for name in parts)
    return Paths(*map(torch.from_numpy, rows))


def raw_times(depth: int) -> tuple[float, ...]:
    """Times to which raw weights are followed beside the reduced coordinates."""
    return (*EARLY, *LATE) if depth == 3 else EARLY


def raw_flows(layers: Sequence[Array], times: Sequence[float], tolerance: float) -> Raw:
    """Flows in the raw weights from each of `layers` (k, 2, 2)."""
    entries, losses, signs = [], [], []
    for start in layers:
        run, path = follow_raw(start, times, tolerance)
        entries.append(path[:, 0, 0])
        losses.append(loss(path))
        signs.append(run.drift["sign"] if run.complete else math.nan)
    return Raw(
        torch.from_numpy(np.stack(entries)),
        torch.from_numpy(np.stack(losses)),
        torch.tensor(signs, dtype=torch.float64),
    )


def off_symmetry(matrices: Tensor, depth: int) -> Raw:
    """From matrices (B, 2, 2) that are not symmetric, to t = 20."""
    layers = [balanced_rotations(one, depth) for one in matrices]
    return raw_flows(layers, LOPSIDED, 1e-11)


def of_negative_determinant(matrices: Tensor, depth: int) -> Raw:
    """From mirror images of matrices (B, 2, 2)."""
    layers = [balanced_layers(mirrored(one), depth) for one in matrices.numpy()]
    return raw_flows(layers, LATE[-1:], 1e-8)


@dataclass(frozen=True)
class Escape:
    """Ends of the flow at depth 2 from starts that are unbalanced by epsilon: epsilon
    and W_11 there, each (K,).

    losses: (K,).
    flips: whether det W_1 or det W_2 changed sign, (K,).
    """

    imbalances: Array
    entries: Array
    losses: Array
    flips: Array


@threads()
def escape(imbalances: tuple[float, ...] = IMBALANCES) -> Escape:
    """Raw weights, W_1 = W(0)^(1/2) + epsilon e_2 e_2^T and W_2 = W(0)^(1/2), until the
    loss is below 1e-24.
    """
    raw, rows = RawWeights(2), []
    for size in imbalances:
        layers = balanced_layers(START, 2)
        layers[0, 1, 1] += size
        run = integrate(
            raw.field,
            complex_jacobian(raw.field),
            torch.from_numpy(layers.ravel()),
            tolerance=1e-12,
            floor=1e-16,
            done=lambda x: float(loss(product(x.reshape(2, 2, 2)))) < 1e-24,
            invariants={"sign": raw.signs},
        )
        matrix = product(run.state.numpy().reshape(2, 2, 2))
        rows.append((size, matrix[0, 0], loss(matrix), run.drift["sign"] > 0))
    return Escape(*(np.array(column) for column in zip(*rows, strict=True)))
