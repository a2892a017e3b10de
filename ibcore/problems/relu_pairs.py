"""Two data sets that one ReLU neuron fits with the same weights, and chains of such
pairs between any two vectors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ibcore.validation import InvalidInput, positive_number, real_tensor

Array = NDArray[np.float64]
_ROUNDING = 1e-12


@dataclass(frozen=True)
class NeuronData:
    """Inputs X (n, d) and targets y (n,) >= 0."""

    X: Array
    y: Array


@dataclass(frozen=True)
class Shape:
    """What fixes a pair up to rotation and scale.

    fast, slow: lengths c_1 > c_2 of the two points with positive labels.   height: tau,
    the pair is fitted by (1, tau, s).   kappa, tilt: the third point of the second data
    set is (1, -kappa, b) with b = tilt >= 0; tau kappa > 1.
    """

    fast: float = 10.0
    slow: float = 0.05
    height: float = 2.0
    kappa: float = 0.52
    tilt: float = 0.5

    def __post_init__(self) -> None:
        for name in ("fast", "slow", "height"):
            positive_number(name, getattr(self, name))
        if not self.height * self.kappa > 1 or not self.tilt >= 0:
            raise InvalidInput(
                f"height * kappa is {self.height * self.kappa:g} and tilt "
                f"{self.tilt:g}; expected a product above 1, so that the third point "
                "is off at (1, height, 0), and tilt >= 0."
            )
        if not self.fast**2 > self.height * self.kappa * self.slow**2:
            raise InvalidInput(
                f"fast is {self.fast:g} and slow {self.slow:g}; expected fast^2 > "
                "height * kappa * slow^2, so that the third point of the second data "
                "set is on at first."
            )


def pair(shape: Shape) -> tuple[NeuronData, NeuronData]:
    """The first and the second data set in three dimensions, which the same weights
    fit: (1, tau, s), s <= bound.

    Both have the points fast e_1 and slow e_2 with the labels fast and slow tau, and a
    third point of label 0: ((1 - tau kappa) / (1 + tau)) (1, 1, 0) + b e_3 in the
    first, (1, -kappa, b) in the second.
    """
    tau, tilt = shape.height, shape.tilt
    level = (1 - tau * shape.kappa) / (1 + tau)
    seen = np.array([[shape.fast, 0, 0], [0, shape.slow, 0]])
    y = np.array([shape.fast, shape.slow * tau, 0])
    return (
        NeuronData(np.vstack([seen, [level, level, tilt]]), y),
        NeuronData(np.vstack([seen, [1, -shape.kappa, tilt]]), y.copy()),
    )


def placed(data: NeuronData, height: float, base: object, rise: object) -> NeuronData:
    """`data` of a pair of this `height`, rotated and scaled into the d dimensions of
    `base` and `rise`.

    (1, height, 0) goes to `base` (d,), and -e_3 to the direction of `rise` (d,), which
    must be orthogonal to it. Raises `InvalidInput` for d < 3, a zero vector or vectors
    that are not orthogonal.
    """
    a, u = (
        real_tensor(name, value, ndim=1).detach().cpu().double().numpy()
        for name, value in (("base", base), ("rise", rise))
    )
    lengths = np.linalg.norm(a), np.linalg.norm(u)
    if (
        a.shape != u.shape
        or len(a) < 3
        or min(lengths) == 0
        or abs(a @ u) > 1e-9 * lengths[0] * lengths[1]
    ):
        raise InvalidInput(
            f"base has shape {a.shape} and rise {u.shape}; expected two orthogonal "
            "nonzero vectors of the same dimension, at least 3."
        )
    along, up = a / lengths[0], u / lengths[1]
    side = np.linalg.svd(np.stack([along, up]))[2][2]
    size = math.hypot(1, height)
    frame = np.stack(
        [(along - height * side) / size, (height * along + side) / size, -up]
    )
    return NeuronData(data.X @ frame, data.y * lengths[0] / size)


def chain(start: object, end: object, angle: float) -> Array:
    """Vectors (K + 1, d) from `start` to `end` whose neighbors differ by a vector
    orthogonal to the shorter one.

    Every step turns by at most `angle` (radians), in the plane of the two: first by
    even numbers of steps up and down through the angle between them, then by steps that
    lengthen, turning to and fro. In the other direction if `end` is the shorter one.
    Raises `InvalidInput` for zero vectors, or an angle outside (0, pi/2).
    """
    a, b = (
        real_tensor(name, value, ndim=1).detach().cpu().double().numpy()
        for name, value in (("start", start), ("end", end))
    )
    if (
        a.shape != b.shape
        or len(a) < 2
        or not a.any()
        or not b.any()
        or not 0 < angle < math.pi / 2
    ):
        raise InvalidInput(
            f"start has shape {a.shape}, end {b.shape} and angle is {angle:g}; "
            "expected two nonzero vectors of one dimension, at least 2, and an angle "
            "between 0 and pi/2."
        )
    if np.linalg.norm(a) > np.linalg.norm(b):
        return chain(b, a, angle)[::-1]
    return _rising(a, b, angle)


def _rising(a: Array, b: Array, angle: float) -> Array:
    size, growth = np.linalg.norm(a), np.linalg.norm(b) / np.linalg.norm(a)
    along, across, turn = _plane(a, b)
    turns = 2 * math.ceil(turn / (2 * angle) - _ROUNDING)
    lifts = 2 * math.ceil(
        -math.log(growth) / (2 * math.log(math.cos(angle))) - _ROUNDING
    )
    step = turn / max(turns, 1)
    tilt = math.acos(growth ** (-1 / max(lifts, 1)))
    far = size / math.cos(step)
    polar = [(far if j % 2 else size, j * step) for j in range(turns + 1)]
    polar += [
        (size * growth ** (j / lifts), turn + tilt * (j % 2))
        for j in range(1, lifts + 1)
    ]
    return np.stack(
        [r * (math.cos(t) * along + math.sin(t) * across) for r, t in polar]
    )


def _plane(a: Array, b: Array) -> tuple[Array, Array, float]:
    """Orthonormal vectors along `a` and across it towards `b`, (d,), and the angle
    between the two.
    """
    along = a / np.linalg.norm(a)
    across = b - (b @ along) * along
    if np.linalg.norm(across) < _ROUNDING * np.linalg.norm(b):
        across = np.linalg.svd(along[None])[2][1]
    across = across / np.linalg.norm(across)
    return along, across, math.atan2(b @ across, b @ along)
