"""The least roughness int |f''| of a function through given points, in closed form and as a linear program."""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from torch import Tensor

from ibcore.validation import InvalidInput, real_tensor


@dataclass(frozen=True)
class LeastRoughness:
    """The least total variation of f' on [x_1, x_n] over all f through the points, with its certificate.

    value (...): the least roughness, sum_i |s_{i+1} - s_i| for the slopes s_i from point to point.
    slopes (..., n - 1): of the function that connects the points by straight lines, which attains it.
    certificate (..., n): weights c such that sum_i c_i f(x_i) <= int |f''| for every f, and
    sum_i c_i y_i = value: no function through the points is less rough.
    """

    value: Tensor
    slopes: Tensor
    certificate: Tensor


def least_roughness(x: object, y: object) -> LeastRoughness:
    """The closed form (the piecewise linear interpolant is least rough; Savarese, Evron, Soudry and Srebro 2019).

    Between two neighboring points f' takes the value s_i (mean value theorem), so its variation is at
    least sum_i |s_{i+1} - s_i|; straight lines have no more. `x` (..., n) increasing, `y` (..., n).

    Raises `InvalidInput` for NaNs, fewer than three points, or inputs that do not increase.
    """
    inputs, labels = _curve(x, y)
    gaps = inputs.diff()
    slopes = labels.diff() / gaps
    signs = torch.sign(slopes.diff())
    padded = torch.nn.functional.pad(signs, (1, 1))
    rise = padded.diff() / gaps
    certificate = torch.nn.functional.pad(rise, (0, 1)) - torch.nn.functional.pad(
        rise, (1, 0)
    )
    return LeastRoughness(slopes.diff().abs().sum(-1), slopes, certificate)


def certificate_bound(certificate: object, x: object) -> Tensor:
    """max_k |sum_i c_i (x_i - k)_+| over all bends k, (...); a certificate is valid if this is at most 1.

    As a function of k the sum is piecewise linear with bends at the x_i, so the largest of n values is
    the largest of all. Valid certificates also sum to zero against constants and lines.
    """
    weights, inputs = real_tensor("certificate", certificate), real_tensor("x", x)
    ramps = (inputs[..., :, None] - inputs[..., None, :]).clamp(min=0)
    return (weights[..., None] * ramps).sum(-2).abs().amax(-1)


@dataclass(frozen=True)
class RoughnessProgram:
    """The solution of the linear program.

    value: its optimum.      positions, jumps: where the slope of the optimal f jumps, and by how much.
    gap: primal minus dual objective, relative.      residual: largest |f(x_i) - y_i|.
    """

    value: float
    positions: np.ndarray
    jumps: np.ndarray
    gap: float
    residual: float


def least_roughness_program(
    x: object, y: object, *, between: int = 5
) -> RoughnessProgram:
    """min sum_k |c_k| over f(x) = p + q x + sum_k c_k (x - t_k)_+ through the points `x` (n,), `y` (n,).

    Bends t_k are allowed at the inner points and at `between` positions in every gap.
    """
    inputs, labels = (values.numpy(force=True) for values in _curve(x, y))
    if inputs.ndim != 1:
        raise InvalidInput(
            f"x has shape {inputs.shape}, expected one data set of shape (n,). Solve them one by one."
        )
    shares = np.arange(between + 1) / (between + 1)
    positions = (inputs[:-1, None] + np.diff(inputs)[:, None] * shares).ravel()[1:]
    jumps, line = cp.Variable(len(positions)), cp.Variable(2)
    features = np.maximum(inputs[:, None] - positions, 0)
    through = features @ jumps + line[0] + line[1] * inputs == labels
    problem = cp.Problem(cp.Minimize(cp.norm1(jumps)), [through])
    value = float(problem.solve(solver=cp.CLARABEL))
    dual = abs(float(np.asarray(through.dual_value) @ labels))
    residual = float(np.abs(through.residual).max())
    return RoughnessProgram(
        value,
        positions,
        np.asarray(jumps.value),
        abs(value - dual) / max(1.0, value),
        residual,
    )


def _curve(x: object, y: object) -> tuple[Tensor, Tensor]:
    inputs, labels = real_tensor("x", x), real_tensor("y", y)
    if inputs.shape != labels.shape or inputs.shape[-1] < 3:
        raise InvalidInput(
            f"x has shape {tuple(inputs.shape)} and y {tuple(labels.shape)}; expected the same shape "
            f"with at least 3 points along the last dimension."
        )
    if not bool((inputs.diff() > 0).all()):
        raise InvalidInput(
            "x does not increase from point to point, expected sorted distinct inputs. "
            "Sort x and y together and remove repeated inputs."
        )
    return inputs, labels.to(inputs)
