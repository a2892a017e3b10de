"""How the singular values of W = W_k ... W_1 move under gradient flow from a balanced
start, without any layers.

Balanced: W_(j+1)^T W_(j+1) = W_j W_j^T for all j, which gradient flow preserves. Arora,
Cohen and Hazan (2018): with G the gradient of the loss at W,

    W' = - sum_j (W W^T)^((k-j)/k) G (W^T W)^((j-1)/k),      j = 1, ..., k,

and Arora, Cohen, Hu and Luo (2019): sigma_r' = -k sigma_r^(2 - 2/k) <G, u_r v_r^T>.

Equivariant: for a start c W whose gradient at c W is g G(W), the path is c W at times
multiplied by c^(2/k - 1) / g.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from torch import Tensor

from ibcore.oracles.equations import failures_in_words
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_tensor,
)

Array = NDArray[np.float64]
LossGradient = Callable[[Array], Array]
"""W (p, q) -> gradient of the loss there, (p, q)."""


def singular_rates(product: Tensor, gradient: Tensor, depth: int) -> Tensor:
    """sigma_r' of W = `product` (..., p, q) with `gradient` (..., p, q) of the loss
    there, (..., min(p, q)).
    """
    if product.ndim < 2 or product.shape[-2:] != gradient.shape[-2:]:
        raise InvalidInput(
            f"product has shape {tuple(product.shape)} and gradient "
            f"{tuple(gradient.shape)}; expected two of (..., p, q)."
        )
    with failures_in_words("the singular values"):
        left, values, right = torch.linalg.svd(product, full_matrices=False)
    along = torch.einsum("...ir,...ij,...rj->...r", left, gradient, right)
    return -positive_integer("depth", depth) * values ** (2 - 2 / depth) * along


@threads()
def end_to_end_flow(
    gradient: LossGradient,
    start: object,
    depth: int,
    times: Sequence[float],
    *,
    tolerance: float = 1e-10,
) -> Tensor:
    """W at `times` (rising, above 0), (K, p, q), from `start` (p, q) under the
    end-to-end equation of `depth`.

    start: of full rank; the equation of depth above 1 is not smooth where a singular
    value vanishes.
    tolerance: of the integrator, relative to the start.
    Raises `InvalidInput` for times that do not rise, a gradient of another shape or
    that is not finite at the start, and where the integration fails.
    """
    positive_number("tolerance", tolerance)
    moments = real_tensor("times", list(times), ndim=1).double().numpy()
    if not (moments[0] > 0 and (np.diff(moments) > 0).all()):
        raise InvalidInput(
            f"times are {list(times)}, expected rising numbers above 0. Sort them."
        )
    first: Array = real_tensor("start", start, ndim=2).detach().cpu().double().numpy()
    powers = 2 * np.arange(positive_integer("depth", depth))[:, None] / depth

    def velocity(_t: float, flat: Array) -> Array:
        W = flat.reshape(first.shape)
        left, values, right = np.linalg.svd(W, full_matrices=False)
        weights = (values ** powers[::-1]).T @ values**powers
        moved = left @ (weights * (left.T @ gradient(W) @ right.T)) @ right
        return -np.asarray(moved.ravel())

    if first.shape[0] != first.shape[1]:
        raise InvalidInput(
            f"start has shape {first.shape}, expected a square: else directions off "
            "its row or column space move too."
        )
    slope = np.asarray(gradient(first))
    if slope.shape != first.shape or not np.isfinite(slope).all():
        raise InvalidInput(
            f"the gradient at the start has shape {slope.shape} and "
            f"{int((~np.isfinite(slope)).sum())} entries that are not finite; expected "
            f"{first.shape}, all finite."
        )
    with failures_in_words("the end-to-end flow"):
        run = solve_ivp(
            velocity,
            (0, moments[-1]),
            first.ravel(),
            method="DOP853",
            t_eval=moments,
            rtol=tolerance,
            atol=tolerance * float(np.linalg.norm(first)),
        )
    if not run.success or not np.isfinite(run.y).all():
        raise InvalidInput(
            f"the end-to-end flow was not integrated ({run.message}). Ask for earlier "
            "times."
        )
    return torch.from_numpy(run.y.T.reshape(-1, *first.shape).copy())
