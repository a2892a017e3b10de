"""The objectives of the page: functions with their gradients, for the one loop of
explicit methods.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.objective import FunctionObjective

Values = Callable[[Tensor], tuple[Tensor, Tensor]]
"""x (...) -> f(x), f'(x), entry by entry."""


def quadratic(hessians: Tensor) -> FunctionObjective:
    """Half theta . H theta, a matrix H a member, (B, d, d)."""

    def values(theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
        gradient = (hessians[members] @ theta[..., None])[..., 0]
        return (theta * gradient).sum(-1) / 2, gradient

    return FunctionObjective(values)


def product(theta: Tensor, _members: Tensor) -> tuple[Tensor, Tensor]:
    """Half (xy - 1)^2 at theta = (x, y)."""
    x, y = theta.unbind(-1)
    rest = x * y - 1
    return rest.square() / 2, rest[:, None] * torch.stack([y, x], -1)


@dataclass(frozen=True)
class Curve:
    """A function of one variable with a minimum.

    values: x -> f, f'.      minimum: where it is.      derivatives: f'', f''', f''''
    there.
    """

    values: Values
    minimum: float
    derivatives: tuple[float, float, float]

    def objective(self) -> FunctionObjective:
        """The function of theta (B, 1)."""

        def values(theta: Tensor, _members: Tensor) -> tuple[Tensor, Tensor]:
            value, slope = self.values(theta[:, 0])
            return value, slope[:, None]

        return FunctionObjective(values)


def double_well(x: Tensor) -> tuple[Tensor, Tensor]:
    """(x^2 - 1)^2 / 4."""
    rest = x.square() - 1
    return rest.square() / 4, x * rest


def parabola(x: Tensor) -> tuple[Tensor, Tensor]:
    """x^2 / 2."""
    return x.square() / 2, x


def steepening(x: Tensor) -> tuple[Tensor, Tensor]:
    """x^2 / 2 + x^4 / 4, whose slope grows faster than the distance."""
    return x.square() / 2 + x**4 / 4, x + x**3


def cosine(x: Tensor) -> tuple[Tensor, Tensor]:
    """1 - cos x."""
    return 1 - x.cos(), x.sin()


CURVES = {
    "double well": Curve(double_well, 1.0, (2.0, 6.0, 6.0)),
    "cosine": Curve(cosine, 0.0, (1.0, 0.0, -1.0)),
    "parabola": Curve(parabola, 0.0, (1.0, 0.0, 0.0)),
    "steepening": Curve(steepening, 0.0, (1.0, 0.0, 6.0)),
}


def quartics(third: Tensor, fourth: Tensor) -> FunctionObjective:
    """x^2 / 2 + a x^3 / 6 + b x^4 / 24 of theta = x (B, 1), with a and b (B,) of each
    member.
    """

    def values(theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
        x, a, b = theta[:, 0], third[members], fourth[members]
        value = x.square() / 2 + a * x**3 / 6 + b * x**4 / 24
        return value, (x + a * x.square() / 2 + b * x**3 / 6)[:, None]

    return FunctionObjective(values)


SHARP, FLAT = (-1.0, 16.0), (2.0, 2.0)
"""Places and curvatures of the minima of `two_valleys`."""


def two_valleys(x: Tensor) -> tuple[Tensor, Tensor]:
    """p q / (p + q) of two parabolas p, q: two minima of value zero with the curvatures
    of p and of q.
    """
    (a, steep), (b, gentle) = SHARP, FLAT
    p, q = steep * (x - a).square() / 2, gentle * (x - b).square() / 2
    slope = (steep * (x - a) * q.square() + gentle * (x - b) * p.square()) / (
        p + q
    ).square()
    return p * q / (p + q), slope
