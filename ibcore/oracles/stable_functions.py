"""What a step size says of the function at a minimum that it can stay in: three bounds
in closed form.

At a minimum with f(x_i) = y_i for all i the Hessian of the mean square is (2/n) sum_i
g_i g_i^T with g_i the gradient of f(x_i) in the parameters. So its largest eigenvalue
is at least 2 |mean of g_i|^2 and its trace is 2 mean |g_i|^2, and stable under gradient
descent of step eta are minima whose largest eigenvalue is at most 2 / eta. Each
function below turns one of the two sides into a statement about f. Losses and steps are
those of the book (no factor 1/2).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.validation import positive_number


def bend_weights(x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """What a bend at t costs a neuron that is active to its left, and to its right: two
    (B, m).

    x: inputs (B, n).      positions: t, (B, m).
    To the left: P(X < t)^2 E[t - X | X < t] sqrt(1 + E[X | X < t]^2) for X uniform
    among the inputs; the right is its mirror image. Zero where no input is on that
    side.
    Source: Mulayoff, Michaeli and Soudry 2021, theorem 1.
    """
    signed = positions[..., :, None] - x[..., None, :]
    return side_weight(signed, x), side_weight(-signed, x)


def side_weight(signed: Tensor, x: Tensor) -> Tensor:
    """The weight (B, m) of the side on which `signed` (B, m, n) is positive.

    signed: distances of the inputs x (B, n) from the kinks, with a sign.
    """
    on = (signed > 0).to(x)
    share = on.mean(-1)
    distance = (on * signed).mean(-1)
    total = (on * x[..., None, :]).mean(-1)
    return distance * torch.sqrt(share.square() + total.square())


def bend_weight(x: Tensor, positions: Tensor) -> Tensor:
    """g(t), the smaller of the two `bend_weights`: (B, m); zero at and beyond the
    outermost inputs.
    """
    return torch.minimum(*bend_weights(x, positions))


def least_sharpness(weighted_bends: Tensor) -> Tensor:
    """2 + 4 int |f''| g: no interpolating minimum of a univariate ReLU network with
    this integral is flatter.
    """
    return 2 + 4 * weighted_bends


def most_bends(step: float) -> float:
    """1 / (2 eta) - 1/2: the largest int |f''| g at a stable minimum; the paper has
    1/eta - 1/2, and twice our eta.
    """
    return 1 / (2 * positive_number("step", step)) - 0.5


def mean_load(inputs: Tensor, coefficients: Tensor) -> Tensor:
    """4 sum_j m_j^2 |beta_j| with m the mean input, (B,): at most 1 / eta at a stable
    minimum of a diagonal network.

    inputs: (B, n, d).      coefficients: beta = u^2 - v^2, (B, d).
    Source: after Nacson, Ravichandran, Srebro and Soudry 2022.
    """
    return 4 * (inputs.mean(-2).square() * coefficients.abs()).sum(-1)


def input_gradient_bound(first: Tensor, inputs: Tensor, trace: Tensor) -> Tensor:
    """|W_1|_2^2 tr(H) / (2 min_i |x_i|^2), (B,): the largest mean of |grad_x f(x_i)|^2
    at an interpolating minimum.

    first: W_1, (B, m, d), the only way by which x enters.      inputs: (B, n, d).
    trace: of the Hessian, (B,). NaN for members whose W_1 is not finite.
    Source: after Ma and Ying 2021.
    """
    whole = first.isfinite().all(-1).all(-1)
    safe = torch.where(whole[:, None, None], first, 0.0)
    norm = torch.linalg.matrix_norm(safe, 2)
    largest = torch.where(whole, norm, torch.nan).square()
    return largest * trace / (2 * inputs.square().sum(-1).amin(-1))
