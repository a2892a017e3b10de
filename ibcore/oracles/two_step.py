"""Orbits of period two of gradient descent just above its threshold, in closed form or
to leading order.
"""

from __future__ import annotations

import torch
from torch import Tensor

LARGEST_STEP = 5**0.5 - 1
"""Up to which the orbit of `double_well_orbit` attracts, from 1 on."""


def double_well_orbit(step: Tensor) -> Tensor:
    """The two points of the orbit of gradient descent on (x^2 - 1)^2 / 4, smaller
    first, (..., 2).

    step: (...), above 1; NaN where it is not. The points are positive and solve x_1 x_2
    = 1 / step and x_1^2 + x_2^2 = 1 + 1 / step, so that x_1 + x_2 and x_2 - x_1 are the
    roots of 1 + 3 / step and 1 - 1 / step. The mirror image is an orbit as well.
    """
    total, gap = (1 + 3 / step).sqrt(), (1 - 1 / step).sqrt()
    orbit = torch.stack([total - gap, total + gap], -1) / 2
    return torch.where((step > 1)[..., None], orbit, torch.nan)


def double_well_multiplier(step: Tensor) -> Tensor:
    """By what two steps multiply a small distance from the orbit of
    `double_well_orbit`: 9 - 2 (1 + step)^2.
    """
    return 9 - 2 * (1 + step).square()


def transverse_multiplier(step: Tensor) -> Tensor:
    """By what two steps on half (xy - 1)^2 multiply x - y along that orbit with x = y:
    3 - 2 step.
    """
    return 3 - 2 * step


def flip_condition(second: Tensor, third: Tensor, fourth: Tensor) -> Tensor:
    """3 f'''^2 - f'' f'''' at a minimum; where it is positive, a small orbit attracts
    just above the threshold.

    Source: Chen and Bruna 2023 (recalled); it is minus f''^2 / 2 times the Schwarzian
    derivative of a step at the threshold, whose sign decides the period-doubling
    bifurcation.
    """
    return 3 * third.square() - second * fourth


def flip_amplitude(
    second: Tensor, third: Tensor, fourth: Tensor, excess: Tensor
) -> Tensor:
    """Half the distance of the two points of the small orbit where step f'' = 2 +
    excess, to leading order.

    Its square is 3 f''^2 excess / (3 f'''^2 - f'' f''''); NaN where there is no orbit
    on this side of the threshold.
    """
    square = 3 * second.square() * excess / flip_condition(second, third, fourth)
    return torch.where(square >= 0, square, torch.nan).sqrt()
