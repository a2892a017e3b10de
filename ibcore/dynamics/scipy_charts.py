"""Coordinates in which SciPy's integrators follow gradient flow on a tail loss, for one
member of a batch in NumPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from ibcore.dynamics.protocols import Model, TailLoss

Array = NDArray[np.float64]
_FIRST = (
    -17.0
)  # log of r at the start; the second-order term of theta, r^2, is below rounding
_DIFFERENCE = 1e-5
_FARTHEST = (
    690.0  # log of parameters or margins from which on sums of them may overflow
)
_STEEPEST = 1e100  # entries of a Jacobian at a trial state far off the flow
_SMALL = 0.01  # change of a margin over which the curvature of a loss with an exponential tail stays what it is
FAINT = (
    1e-6  # share of the longest gradient of a margin below which the loss hardly falls
)


def _log_mean(values: Array) -> float:
    """log of the mean of exp(values); SciPy's own takes a hundred times as long on ten
    entries.
    """
    top = values.max()
    return float(top + math.log(np.exp(values - top).sum() / len(values)))


@dataclass(frozen=True)
class Single:
    """One member of a batch in NumPy: margins (n,), rows (n, P), and its loss."""

    model: Model
    loss: TailLoss
    fixed: tuple[Array, Array] | None  # rows and offset of a linear model

    def margins(self, theta: Array) -> Array:
        if self.fixed:
            return self.fixed[0] @ theta + self.fixed[1]
        return self.model.outputs(torch.from_numpy(theta)[None])[0].numpy()

    def rows(self, theta: Array) -> Array:
        return (
            self.fixed[0]
            if self.fixed
            else self.model.jacobian(torch.from_numpy(theta)[None])[0].numpy()
        )

    def vanished(self, theta: Array) -> bool:
        """sum_i p_i grad m_i is zero to the rounding of its terms."""
        rows, (p, _) = self.rows(theta), self.weights(self.margins(theta))
        terms = p @ np.abs(rows).max(1)
        return bool(np.abs(p @ rows).max() <= 32 * np.finfo(float).eps * terms)

    def faint(self, theta: Array) -> bool:
        """sum_i p_i grad m_i is small compared with the longest gradient of a margin."""
        rows, (p, _) = self.rows(theta), self.weights(self.margins(theta))
        longest = np.linalg.norm(rows, axis=1).max()
        return bool(np.linalg.norm(p @ rows) <= FAINT * longest)

    def newton(self, theta: Array) -> tuple[float, Array]:
        """How far log L is above its least value, infinite where the step of Newton's
        method, (P,), is long.

        For a linear model: by Bach (2010) the decrement says it where no margin changes
        by more than 0.01.
        """
        rows, margins = self.rows(theta), self.margins(theta)
        p, mean_slope = self.weights(margins)
        spread, pull = self.sensitivity(margins, p)
        hessian = -(spread + np.outer(p, pull))
        step = np.linalg.lstsq(rows.T @ hessian @ rows, p @ rows, rcond=None)[0]
        share = math.exp(mean_slope - self.log_loss(margins)) * float(p @ rows @ step)
        near = np.abs(rows @ step).max() <= _SMALL and 0 <= share <= _SMALL
        return (share if near else math.inf), np.asarray(step, dtype=np.float64)

    def bend(self, theta: Array, weights: Array) -> Array | float:
        """sum_i weights_i of the second derivatives of m_i, (P, P)."""
        if self.fixed:
            return 0.0
        step = _DIFFERENCE * max(1.0, float(np.abs(theta).max())) * np.eye(len(theta))
        both = torch.from_numpy(np.concatenate([theta + step, theta - step]))
        push = (self.model.jacobian(both).mT @ torch.from_numpy(weights)).numpy()
        difference = (push[: len(theta)] - push[len(theta) :]) / (2 * step[0, 0])
        return (difference + difference.T) / 2

    def log_loss(self, margins: Array) -> float:
        return _log_mean(self.loss.log_value(torch.from_numpy(margins)).numpy())

    def weights(self, margins: Array) -> tuple[Array, float]:
        """Softmax weights p (n,) and S, the log of the mean slope."""
        log_slopes = self.loss.log_slope(torch.from_numpy(margins)).numpy()
        top = log_slopes.max()
        slopes = np.exp(log_slopes - top)
        total = slopes.sum()
        return slopes / total, float(top) + math.log(total / len(slopes))

    def sensitivity(self, margins: Array, p: Array) -> tuple[Array, Array]:
        """dp/dm (n, n) and dS/dm (n,).

        A loss that couples its margins says so by `log_slope_jacobian`.
        """
        coupled = getattr(self.loss, "log_slope_jacobian", None)
        m = torch.from_numpy(margins)
        tilt = (
            p[:, None] * coupled(m).numpy()
            if coupled
            else np.diag(p * self.loss.log_slope_rate(m).numpy())
        )
        pull = tilt.sum(0)
        return tilt - np.outer(p, pull), pull


class Chart(Protocol):
    """Coordinates of the state: the last one is log t."""

    def start(self, theta: Array) -> Array: ...

    def theta(self, state: Array) -> Array: ...

    def field(self, x: float, state: Array) -> Array: ...

    def jacobian(self, x: float, state: Array) -> Array: ...

    def representable(self, state: Array) -> bool: ...


@dataclass(frozen=True)
class Plain:
    """State (theta, log t)."""

    single: Single

    def start(self, theta: Array) -> Array:
        p, mean_slope = self.single.weights(self.single.margins(theta))
        return np.append(
            theta + np.exp(_FIRST) * p @ self.single.rows(theta), _FIRST - mean_slope
        )

    def theta(self, state: Array) -> Array:
        return state[:-1]

    def field(self, _x: float, state: Array) -> Array:
        theta, log_time = state[:-1], state[-1]
        p, mean_slope = self.single.weights(self.single.margins(theta))
        share = expit(log_time + mean_slope)
        out = np.empty_like(state)
        out[:-1], out[-1] = share * (p @ self.single.rows(theta)), 1 - share
        return out

    def jacobian(self, _x: float, state: Array) -> Array:
        theta, log_time = state[:-1], state[-1]
        rows, margins = self.single.rows(theta), self.single.margins(theta)
        p, mean_slope = self.single.weights(margins)
        spread, pull = self.single.sensitivity(margins, p)
        share = expit(log_time + mean_slope)
        tilt, push = share * (1 - share) * np.append(pull @ rows, 1.0), p @ rows
        inner = share * (rows.T @ spread @ rows + self.single.bend(theta, p))
        out = np.zeros((len(state), len(state)))
        out[:-1, :-1] = inner
        out[:-1] += np.outer(push, tilt)
        out[-1] = -tilt
        return out

    def representable(self, state: Array) -> bool:
        return bool(np.isfinite(state).all())


@dataclass(frozen=True)
class Polar:
    """State (theta/rho, log rho, log t) for a model of degree k.

    The steps grow with log t, so that a solver tries states far off the flow, whose
    margins are no doubles. Field and Jacobian stay finite there: LSODA does not take
    back a step that met NaN, but one whose equations do not solve.
    """

    single: Single
    degree: float

    def start(self, theta: Array) -> Array:
        first = Plain(self.single).start(theta)
        rho = np.linalg.norm(first[:-1])
        return np.concatenate([first[:-1] / rho, [np.log(rho), first[-1]]])

    def theta(self, state: Array) -> Array:
        return np.exp(state[-2]) * state[:-2] / np.linalg.norm(state[:-2])

    def representable(self, state: Array) -> bool:
        """rho and rho^k, with which the margins grow, are doubles."""
        return bool(max(1.0, self.degree) * state[-2] <= _FARTHEST)

    def _scale(self, log_rho: float) -> float:
        """rho^k, held where doubles end."""
        return float(np.exp(min(self.degree * log_rho, _FARTHEST)))

    def _push(self, state: Array) -> tuple[Array, Array, Array, Array, float]:
        """Direction, rows there, margins, weights and r/(1 + r)."""
        unit, log_rho, log_time, k = state[:-2], state[-2], state[-1], self.degree
        margins = self._scale(log_rho) * self.single.margins(unit)
        p, mean_slope = self.single.weights(margins)
        share = expit(log_time + mean_slope + np.log(k) + (k - 2) * log_rho)
        return unit, self.single.rows(unit), margins, p, share

    def field(self, _x: float, state: Array) -> Array:
        unit, rows, _, p, share = self._push(state)
        push = p @ rows / self.degree
        along = unit @ push
        return np.concatenate(
            [share * (push - along * unit), [share * along, 1 - share]]
        )

    def jacobian(self, _x: float, state: Array) -> Array:
        unit, rows, margins, p, share = self._push(state)
        k, size = self.degree, len(unit)
        spread, pull = self.single.sensitivity(margins, p)
        scale = self._scale(state[-2])
        push, along = p @ rows / k, unit @ (p @ rows) / k
        bent = np.zeros((size, size + 2))  # derivative of push
        bent[:, :size] = (
            scale * rows.T @ spread @ rows + self.single.bend(unit, p)
        ) / k
        bent[:, size] = rows.T @ (spread @ margins)
        level = np.zeros(size + 2)  # derivative of `along`
        level[:] = unit @ bent
        level[:size] += push
        tilt = (
            share
            * (1 - share)
            * np.concatenate([scale * pull @ rows, [k * pull @ margins + k - 2, 1.0]])
        )
        out = np.zeros((size + 2, size + 2))
        out[:size] = share * (bent - np.outer(unit, level)) + np.outer(
            push - along * unit, tilt
        )
        out[:size, :size] -= share * along * np.eye(size)
        out[size] = share * level + along * tilt
        out[-1] = -tilt
        return np.clip(out, -_STEEPEST, _STEEPEST)
