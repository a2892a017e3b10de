"""The saddles that gradient flow visits in a diagonal network from a vanishing start,
and when it jumps from one to the next.

Pesme and Flammarion (2023), in the units of the book. The network beta = u^2 - v^2
starts at u = v = alpha and L(beta) = |X beta - y|^2 / n. In the time T = 2 t /
log(1/alpha) let s_i be the share of the way that log u_i has gone from log alpha to 0,
or minus that of log v_i. As alpha -> 0 the flow rests at beta while s moves by ds/dT =
-grad L(beta). It jumps when some |s_i| comes to 1, to the beta of least L among those
with beta_i >= 0 where s_i = 1, beta_i <= 0 where s_i = -1 and beta_i = 0 elsewhere.

Equivariant: for b X and c y times are divided by b c, saddles multiplied by c / b.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from torch import Tensor

from ibcore.oracles.equations import failures_in_words
from ibcore.threads import threads
from ibcore.validation import InvalidInput, regression_data

Array = NDArray[np.float64]
_REST = 1e-9  # of the first gradient, below which a coordinate counts as at rest
_AT = 1e-9  # distance from 1 at which |s_i| has arrived
_ZERO = 1e-12  # of the largest entry, below which an entry counts as 0
_MOST = 50  # jumps a coordinate


@dataclass(frozen=True)
class SaddlePath:
    """The path for alpha -> 0 with K jumps, float64 on the CPU.

    times: (K,), T of the jumps.      saddles: (K + 1, d), from beta = 0.
    positions: (K + 1, d), s at the beginning of each plateau.
    slopes: (K + 1, d), ds/dT on each plateau; the last is 0 to rounding.
    arrived: (K,), the coordinate that came to |s_i| = 1.
    violation: (K,), of the conditions of least L at the saddles, over the first
    gradient.
    """

    times: Tensor
    saddles: Tensor
    positions: Tensor
    slopes: Tensor
    arrived: Tensor
    violation: Tensor

    @property
    def speeds(self) -> Tensor:
        """(K,), |ds_i/dT| of the coordinate that brings the jump about."""
        return self.slopes[:-1].gather(1, self.arrived[:, None])[:, 0].abs()

    def middle(self, plateau: int, length: float) -> Tensor:
        """s (d,) when half of a plateau of this length is over."""
        return self.positions[plateau] + length / 2 * self.slopes[plateau]


@threads()
def saddle_path(X: object, y: object) -> SaddlePath:
    """All jumps until the gradient vanishes, for X (n, d) and y (n,).

    The saddles are found by nonnegative least squares (Lawson and Hanson 1974), an
    active-set method. Raises `InvalidInput` for malformed data, for y orthogonal to all
    columns, which leaves the flow at its start, and where the jumps do not come to an
    end.

    One equation: the larger entry is fitted alone, at the time n / (2 x_1 y).

    >>> from ibcore.oracles.saddle_path import saddle_path
    >>> path = saddle_path([[2.0, 1.0]], [4.0])
    >>> path.times.tolist(), path.saddles[-1].tolist()
    ([0.0625], [2.0, 0.0])
    """
    inputs, targets = (part.detach().cpu().double() for part in regression_data(X, y))
    with failures_in_words("the saddles"):
        return _jumps(inputs.numpy(), targets.numpy())


def _jumps(X: Array, y: Array) -> SaddlePath:
    beta, s, now = np.zeros(X.shape[1]), np.zeros(X.shape[1]), 0.0
    first = float(np.abs(_slope(X, y, beta)).max())
    if not first > 0:
        raise InvalidInput(
            "y is orthogonal to every column of X, so that the flow rests at its "
            "start. Center or change y."
        )
    times: list[float] = []
    arrived: list[int] = []
    missed: list[float] = []
    saddles, positions = [beta], [s]
    slopes = [_slope(X, y, beta)]
    while np.abs(slopes[-1]).max() > _REST * first:
        if len(times) == _MOST * len(beta):
            raise InvalidInput(
                f"after {len(times)} jumps the gradient is still "
                f"{np.abs(slopes[-1]).max() / first:.1g} of the first one; the columns "
                "of X are nearly dependent."
            )
        which, wait = _next(s, slopes[-1], _REST * first)
        now, s = now + wait, s + wait * slopes[-1]
        s = np.where(np.abs(s) >= 1 - _AT, np.sign(s), s)
        beta = _least(X, y, s)
        times.append(now)
        arrived.append(which)
        saddles.append(beta)
        positions.append(s)
        slopes.append(_slope(X, y, beta))
        missed.append(_violation(beta, s, slopes[-1]) / first)
    return SaddlePath(
        torch.tensor(times, dtype=torch.float64),
        torch.from_numpy(np.array(saddles)),
        torch.from_numpy(np.array(positions)),
        torch.from_numpy(np.array(slopes)),
        torch.tensor(arrived),
        torch.tensor(missed, dtype=torch.float64),
    )


def _slope(X: Array, y: Array, beta: Array) -> Array:
    """-grad L."""
    return np.asarray(-2 / len(y) * (X @ beta - y) @ X)


def _next(s: Array, slope: Array, rest: float) -> tuple[int, float]:
    """The coordinate whose |s_i| comes to 1 first, and how long that takes."""
    moving = np.abs(slope) > rest
    there = np.abs(s - np.sign(slope)) <= _AT
    waits = np.full(len(s), np.inf)
    inside = moving & ~there
    waits[inside] = (np.sign(slope[inside]) - s[inside]) / slope[inside]
    which = int(waits.argmin())
    if not np.isfinite(waits[which]):
        raise FloatingPointError("no coordinate moves and the gradient is not zero")
    return which, float(waits[which])


def _least(X: Array, y: Array, s: Array) -> Array:
    """The beta of least L with the signs of s where |s_i| = 1, and 0 elsewhere."""
    at = np.flatnonzero(np.abs(s) >= 1 - _AT)
    signs = np.sign(s[at])
    sizes, _ = nnls(X[:, at] * signs, y, maxiter=100 * len(s))
    beta, used = np.zeros(len(s)), at[sizes > _ZERO * sizes.max(initial=0)]
    beta[used] = np.linalg.lstsq(X[:, used], y, rcond=None)[0]
    return beta


def _violation(beta: Array, s: Array, slope: Array) -> float:
    """How far the slope is from 0 where beta is not 0, and from pointing inwards where
    |s_i| = 1 and beta_i = 0.
    """
    used, at = beta != 0, np.abs(s) >= 1 - _AT
    wrong = float((beta[used] * s[used] < 0).any())
    outwards = np.where(at & ~used, slope * np.sign(s), 0).max()
    return max(float(np.abs(slope[used]).max(initial=0)), float(outwards), wrong)
