"""The least roughness int |f''| of a function through given points, in closed form and
as a linear program.

Equivariant: for a x + s and b y the value is multiplied by b / a, and a line may be
added to y.
"""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.equations import within
from ibcore.threads import threads
from ibcore.validation import InvalidInput, positive_integer, real_tensor

_ROUNDING = 1e-15  # relative size of a distance from a line that counts as none
_SOLVED = 1e-6


@dataclass(frozen=True)
class LeastRoughness:
    """The least total variation of f' on [x_1, x_n] over all f through the points, with
    its certificate.

    value (...): the least roughness, sum_i |s_{i+1} - s_i| for the slopes s_i from
    point to point. slopes (..., n - 1): of the function that connects the points by
    straight lines, which attains it. certificate (..., n): weights c such that sum_i
    c_i f(x_i) <= int |f''| for every f, and sum_i c_i y_i = value: no function through
    the points is less rough.
    """

    value: Tensor
    slopes: Tensor
    certificate: Tensor


@threads()
def least_roughness(x: object, y: object) -> LeastRoughness:
    """The closed form (the piecewise linear interpolant is least rough; Savarese,
    Evron, Soudry and Srebro 2019).

    Between two neighboring points f' takes the value s_i (mean value theorem), so its
    variation is at least sum_i |s_{i+1} - s_i|; straight lines have no more. `x` (...,
    n) increasing, `y` (..., n).

    Raises `InvalidInput` for NaNs, fewer than three points, or inputs that do not
    increase.
    """
    inputs, labels = polyline_points(x, y)
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
    """max_k |sum_i c_i (x_i - k)_+| over all bends k, (...); a certificate is valid if
    this is at most 1.

    As a function of k the sum is piecewise linear with bends at the x_i, so the largest
    of n values is the largest of all. Valid certificates also sum to zero against
    constants and lines.
    """
    weights, inputs = real_tensor("certificate", certificate), real_tensor("x", x)
    ramps = (inputs[..., :, None] - inputs[..., None, :]).clamp(min=0)
    return (weights[..., None] * ramps).sum(-2).abs().amax(-1)


@dataclass(frozen=True)
class RoughnessProgram:
    """The solution of the linear program.

    value: its optimum.      positions, jumps: where the slope of the optimal f jumps,
    and by how much.
    gap: value minus that of a feasible dual solution, over value.
    residual: largest |f(x_i) - y_i| over the largest distance of y from the line
    through its ends.
    """

    value: float
    positions: np.ndarray
    jumps: np.ndarray
    gap: float
    residual: float


@threads()
def least_roughness_program(
    x: object, y: object, *, between: int = 5
) -> RoughnessProgram:
    """min sum_k |c_k| over f(x) = p + q x + sum_k c_k (x - t_k)_+ through the points
    `x` (n,), `y` (n,).

    Bends t_k are allowed at the inner points and at `between` positions in every gap.
    Solved for x on [0, 1] and y of size one, less the line through its ends.
    Raises `InvalidInput` as `least_roughness` does, and where gap or residual stay
    above 1e-6.
    """
    positive_integer("between", between, least=0)
    inputs, labels = (values.numpy(force=True) for values in polyline_points(x, y))
    if inputs.ndim != 1:
        raise InvalidInput(
            f"x has shape {inputs.shape}, expected one data set of shape (n,). Solve "
            "them one by one."
        )
    inputs, labels = inputs.astype(np.float64), labels.astype(np.float64)
    length = float(inputs[-1] - inputs[0])
    x01 = (inputs - inputs[0]) / length
    bent = labels - labels[0] - (labels[-1] - labels[0]) * x01
    size = float(np.abs(bent).max())
    shares = np.arange(between + 1) / (between + 1)
    positions = (x01[:-1, None] + np.diff(x01)[:, None] * shares).ravel()[1:]
    places = inputs[0] + length * positions
    if size <= _ROUNDING * float(np.abs(labels).max()):
        return RoughnessProgram(0.0, places, np.zeros(len(positions)), 0.0, 0.0)
    jumps, gap, residual = _program(x01, bent / size, positions)
    jumps = jumps * (size / length)
    return RoughnessProgram(float(np.abs(jumps).sum()), places, jumps, gap, residual)


def _program(
    x: np.ndarray, y: np.ndarray, positions: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """The jumps, the gap and the residual for x (n,) on [0, 1], y (n,) of size one and
    bends at `positions`.
    """
    jumps, line = cp.Variable(len(positions)), cp.Variable(2)
    features = np.maximum(x[:, None] - positions, 0)
    through = features @ jumps + line[0] + line[1] * x == y
    problem = cp.Problem(cp.Minimize(cp.norm1(jumps)), [through])
    programs.clarabel(problem)
    if jumps.value is None or through.dual_value is None:
        raise InvalidInput(
            f"Clarabel did not solve the linear program (it says '{problem.status}'). "
            "Merge points that nearly coincide."
        )
    c = np.asarray(through.dual_value)
    lines = np.linalg.qr(np.stack([np.ones_like(x), x], 1))[0]
    c = c - lines @ (lines.T @ c)
    c = c / max(1.0, float(np.abs(c @ features).max()))
    value = float(np.abs(jumps.value).sum())
    gap = abs(value - abs(float(c @ y))) / value
    residual = float(np.abs(through.residual).max())
    if not within(_SOLVED, gap, residual):
        raise InvalidInput(
            f"the linear program was not solved to {_SOLVED:g} (gap {gap:.1g}, "
            f"residual {residual:.1g}). Merge points that nearly coincide."
        )
    return np.asarray(jumps.value), gap, residual


def polyline_points(x: object, y: object) -> tuple[Tensor, Tensor]:
    """Sorted distinct inputs and their labels, (..., n) with n >= 3; raises
    `InvalidInput` for others.
    """
    inputs, labels = real_tensor("x", x), real_tensor("y", y)
    if inputs.shape != labels.shape or inputs.shape[-1] < 3:
        raise InvalidInput(
            f"x has shape {tuple(inputs.shape)} and y {tuple(labels.shape)}; expected "
            "the same shape with at least 3 points along the last dimension."
        )
    if not bool((inputs.diff() > 0).all()):
        raise InvalidInput(
            "x does not increase from point to point, expected sorted distinct inputs. "
            "Sort x and y together and remove repeated inputs."
        )
    return inputs, labels.to(inputs)
