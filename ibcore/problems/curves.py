"""A handful of points on the line: scalar inputs, scalar labels, for fits that can be
looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, positive_integer, real_number, real_tensor


@dataclass(frozen=True)
class Points:
    """B data sets of n points: x (B, n), increasing along each row, and labels y (B,
    n).
    """

    x: Tensor
    y: Tensor

    @property
    def inputs(self) -> Tensor:
        """x as the inputs of a model with one feature, (B, n, 1)."""
        return self.x[..., None]

    def grid(self, count: int) -> Tensor:
        """`count` equispaced inputs from the first to the last point of each data set,
        (B, count).
        """
        steps = torch.linspace(0, 1, count, dtype=self.x.dtype, device=self.x.device)
        return self.x[:, :1] + (self.x[:, -1:] - self.x[:, :1]) * steps

    def first(self, count: int) -> Points:
        """The first `count` data sets."""
        return Points(self.x[:count], self.y[:count])

    def to(self, device: torch.device | str) -> Points:
        return Points(self.x.to(device), self.y.to(device))


def points(x: object, y: object) -> Points:
    """One data set of your own, sorted, as a batch of one.

    Raises `InvalidInput` for NaNs, different lengths, fewer than three points, or an
    input that occurs
    twice: no function takes two values at one point.
    """
    inputs, labels = (
        real_tensor("x", x, ndim=1).double(),
        real_tensor("y", y, ndim=1).double(),
    )
    if len(inputs) != len(labels):
        raise InvalidInput(
            f"x has {len(inputs)} entries and y {len(labels)}; expected one label a "
            "point."
        )
    if len(inputs) < 3:
        raise InvalidInput(
            f"got {len(inputs)} point(s), expected at least 3. Two points lie on a "
            "line."
        )
    inputs, order = inputs.sort()
    if bool((inputs.diff() == 0).any()):
        twice = inputs[1:][inputs.diff() == 0][0]
        raise InvalidInput(
            f"x = {float(twice):g} occurs twice, expected distinct inputs. Average its "
            "labels first."
        )
    return Points(inputs[None], labels[order][None])


def jittered_inputs(batch: int, count: int, generator: torch.Generator) -> Tensor:
    """`count` inputs in [-1, 1], one in the middle half of each of `count` equal cells:
    (batch, count), float64.

    Neighbors are at least half a cell apart.
    """
    positive_integer("batch", batch)
    positive_integer("count", count, least=3)
    offsets = 0.25 + 0.5 * torch.rand(
        batch, count, generator=generator, dtype=torch.float64
    )
    return 2 * (torch.arange(count, dtype=torch.float64) + offsets) / count - 1


def sine_points(
    batch: int, count: int, generator: torch.Generator, *, noise: float = 0.1
) -> Points:
    """y = sin(pi x) + noise N(0, 1) at jittered inputs."""
    noise = _level(noise)
    x = jittered_inputs(batch, count, generator)
    return Points(x, torch.sin(math.pi * x) + noise * _normal(x, generator))


def scattered_points(batch: int, count: int, generator: torch.Generator) -> Points:
    """Independent standard normal labels at jittered inputs: nothing to learn, only to
    pass through.
    """
    x = jittered_inputs(batch, count, generator)
    return Points(x, _normal(x, generator))


CUBIC = (0.0, 0.2, 0.0, 0.8)  # Legendre coefficients of 2 x^3 - x


def cubic(x: Tensor) -> Tensor:
    """The cubic 2 x^3 - x that `cubic_points` hides in noise."""
    return 2 * x**3 - x


def cubic_points(
    batch: int, count: int, generator: torch.Generator, *, noise: float
) -> Points:
    """y = 2 x^3 - x + noise N(0, 1) at jittered inputs."""
    noise = _level(noise)
    x = jittered_inputs(batch, count, generator)
    return Points(x, cubic(x) + noise * _normal(x, generator))


def chebyshev_points(degree: int, count: int) -> Points:
    """y = T_k(x), the Chebyshev polynomial of degree k, at `count` equispaced inputs in
    [-1, 1].

    Source: the toy task of Cohen, Kaur, Li, Kolter and Talwalkar 2021, with 20 points
    (recalled).
    """
    positive_integer("degree", degree)
    positive_integer("count", count, least=3)
    x = torch.linspace(-1, 1, count, dtype=torch.float64)[None]
    return Points(x, torch.cos(degree * torch.acos(x)))


def zigzag(data: Points, *, between: int = 4) -> Points:
    """The same points with `between` more in every gap, alternately above and below the
    straight line.

    The new points lie off the line by half the range of the labels of their data set,
    so a function through all of them fits the data and is as wiggly as that amplitude
    makes it.
    """
    positive_integer("between", between)
    amplitude = (data.y.amax(-1) - data.y.amin(-1)) / 2
    steps = torch.arange(between + 1, dtype=data.x.dtype, device=data.x.device) / (
        between + 1
    )
    signs = torch.where(
        torch.arange(between + 1, device=data.x.device) % 2 == 1, 1.0, -1.0
    ).to(data.x)
    signs[0] = 0.0
    x, y = (
        values[:, :-1, None] + values.diff()[..., None] * steps
        for values in (data.x, data.y)
    )
    y = y + amplitude[:, None, None] * signs
    ends = data.x[:, -1:], data.y[:, -1:]
    return Points(
        *(
            torch.cat([inner.flatten(1), end], -1)
            for inner, end in zip((x, y), ends, strict=True)
        )
    )


def _level(noise: float) -> float:
    if not 0 <= real_number("noise", noise) < math.inf:
        raise InvalidInput(
            f"noise is {noise!r}, expected a finite number of at least 0."
        )
    return noise


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype)
