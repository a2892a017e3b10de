"""How sharpness-aware minimization drifts along a line of minima, to leading order in
its radius rho and for any step size eta.

The loss is sum_i h_i(y) x_i^2 / 2 with x = 0 as its line of minima. With the whole
gradient the steps jump to and fro along the steepest direction, x_1 = +-eta rho h_1 /
(2 - eta h_1), and in the time tau = eta rho^2 k after k of them

    y' = -(h_1' / 2) (2 / (2 - eta h_1))^2 .

With one of n examples in each step, drawn at random, every coordinate has such a jump,
with n h_i in place of h_1, and

    y' = -(1/2) sum_i h_i' (2 / (2 - n eta h_i))^2 .

As eta tends to 0 the force is the gradient of the largest eigenvalue, or of the trace.
Source: Wen, Ma and Li 2023 (abstract read, theorems recalled) for the limit; the jump
is Bartlett, Long and Bousquet's (2023); the laws at finite eta are derived on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A line of minima with n curvatures h_i(y) = floor_i + rate_i (y - center_i)^2,
    (n,) each, and the step size eta.
    """

    floor: Array
    rate: Array
    center: Array
    step_size: float

    def widths(self, y: float) -> Array:
        """h_i(y), (n,)."""
        return self.floor + self.rate * (y - self.center) ** 2

    def slopes(self, y: float) -> Array:
        """h_i'(y), (n,)."""
        return 2 * self.rate * (y - self.center)

    def force_of_all(self, y: float) -> float:
        """y' with the whole gradient, where h_1 is the largest."""
        gain = jump_gain(self.step_size * self.widths(y)[0])
        return float(-self.slopes(y)[0] / 2 * gain)

    def force_of_one(self, y: float) -> float:
        """The mean y' with one example in each step."""
        gains = jump_gain(len(self.floor) * self.step_size * self.widths(y))
        return float(-(self.slopes(y) * gains).sum() / 2)

    def path_of_all(self, start: float, times: Sequence[float]) -> Array:
        """y at the times tau with the whole gradient, (K,)."""
        return _followed(self.force_of_all, start, times)

    def path_of_one(self, start: float, times: Sequence[float]) -> Array:
        """The mean y at the times tau with one example in each step, (K,)."""
        return _followed(self.force_of_one, start, times)

    def rest_of_one(self) -> float:
        """Where the force with one example in each step vanishes, between the least and
        the largest center.
        """
        ends = float(self.center.min()), float(self.center.max())
        return float(brentq(self.force_of_one, *ends, xtol=1e-14))

    def separated(self, low: float, high: float, ratio: float) -> bool:
        """Whether h_1 is at least `ratio` times every other h_i between two points."""
        widths = np.array([self.widths(y) for y in np.linspace(low, high, 200)])
        return bool((widths[:, :1] >= ratio * widths[:, 1:]).all())

    def stable(self, low: float, high: float, most: float) -> bool:
        """Whether n eta h_i is at most `most` between two points."""
        widths = np.array([self.widths(y) for y in (low, high)])
        return bool((len(self.floor) * self.step_size * widths <= most).all())


def _followed(
    force: Callable[[float], float], start: float, times: Sequence[float]
) -> Array:
    solved = solve_ivp(
        lambda _tau, y: [force(float(y[0]))],
        (0, times[-1]),
        [start],
        t_eval=times,
        rtol=1e-10,
        atol=1e-12,
    )
    return np.asarray(solved.y[0])


def jump_gain(relative: float | Array) -> float | Array:
    """((|x| + rho) / rho)^2 = (2 / (2 - eta h))^2 of the jump across a parabola of
    curvature h, for `relative` = eta h below 2.
    """
    return (2 / (2 - np.asarray(relative))) ** 2


def jump(curvature: float, step_size: float, radius: float) -> float:
    """|x| of the jump to and fro on h x^2 / 2: eta rho h / (2 - eta h)."""
    return step_size * radius * curvature / (2 - step_size * curvature)
