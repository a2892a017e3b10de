"""Up to which curvature a step of gradient descent with momentum is stable, in closed
form.

Along an eigenvector of a fixed Hessian with eigenvalue h a step is a linear map of two
numbers, and it is stable while both eigenvalues of its 2 x 2 matrix are at most 1 in
absolute value. They leave the disk through -1.

Equivariant: the step size times the curvature has no unit.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, real_number

Number = TypeVar("Number", float, Tensor)


def largest_stable_curvature(
    step_size: Number, beta: float = 0.0, *, nesterov: bool = False
) -> Number:
    """2 / eta for gradient descent, (2 + 2 beta) / eta for the heavy ball, and for
    Nesterov's momentum 2 (1 + beta) / (eta (1 + 2 beta)).

    step_size: eta above 0, of any shape.      beta: the momentum, from 0 up to but not
    including 1.
    Source: Cohen, Kaur, Li, Kolter and Talwalkar 2021, appendix B (recalled); derived
    on the page.
    """
    if not 0 <= real_number("beta", beta) < 1:
        raise InvalidInput(
            f"beta is {beta!r}, expected a number from 0 up to but not including 1."
        )
    shrink = 1 + 2 * beta if nesterov else 1.0
    return 2 * (1 + beta) / shrink / step_size


def companion(scaled: float, beta: float, *, nesterov: bool = False) -> Tensor:
    """The map of (z_k, z_(k-1)) to (z_(k+1), z_k) along an eigenvector of curvature
    scaled / eta, (2, 2).
    """
    factor = 1 - scaled if nesterov else 1.0
    now = 1 + beta - scaled if not nesterov else (1 + beta) * factor
    return torch.tensor([[now, -beta * factor], [1.0, 0.0]], dtype=torch.float64)
