"""Gradient flow against the logarithm of its time, where the loss has a limit that it
does not reach.

The negative gradient comes as a vector of moderate size and the logarithm of its unit,
so that nothing underflows, and u = log t is the variable of the integration:

    d theta/du = t (-grad L(theta)) = exp(u + log_unit) vector .

On an exponential tail this stays bounded, and the parameters grow like u. A stiff
solver then takes some hundred steps to u = 10^6. What converges instead of growing is
held by a force that grows like t; the solver is implicit there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.dynamics.stiff_flow import integrate
from ibcore.dynamics.trajectory import REACHED
from ibcore.threads import threads
from ibcore.validation import InvalidInput, positive_number, real_tensor

Array = NDArray[np.float64]
Scaled = Callable[[Array], tuple[Array, float]]
_FIRST = -17.0  # log of the first step; its square is below rounding
_LARGEST = 300.0  # exponents of trial steps beyond this are cut off


@dataclass(frozen=True)
class ClockedRun:
    """Where one flow was at the times that were asked for.

    path: (K, P), NaN where the run ended before.
    status: why it ended, in the words of `ibcore.dynamics.trajectory`, one entry.
    steps, evaluations: of the gradient.
    """

    path: Tensor
    status: tuple[str]
    steps: int
    evaluations: int

    @property
    def reached(self) -> bool:
        """The run came to its last stop."""
        return self.status == (REACHED,)


@threads()
def clocked_flow(
    slope: Scaled,
    start: object,
    log_times: Sequence[float],
    *,
    bend: Scaled | None = None,
    since: float | None = None,
    **settings: Any,
) -> ClockedRun:
    """Gradient flow from `start` (P,), recorded at the rising `log_times`; at times so
    early that nothing has moved yet it is at the start.

    slope: theta (P,) -> (vector (P,), log_unit) with -grad L = exp(log_unit) vector.
    bend: theta -> (matrix (P, P), log_unit), the derivative of -grad L in the same
        form; without it the solver takes finite differences.
    since: log t at the start; without it the flow starts at t = 0.
    settings: those of `ibcore.dynamics.stiff_flow.integrate`, such as `tolerance`, by
        default 1e-9, also absolute; and `max_seconds`.

    Raises `InvalidInput` for times out of order or before the start, and where all are
    so early.

    The loss e^-w has w = log(1 + t) from w = 0:

    >>> import numpy as np
    >>> from ibcore.dynamics.log_clock import clocked_flow
    >>> run = clocked_flow(lambda w: (np.ones(1), -float(w[0])), [0.0], [100.0])
    >>> round(run.path.item(), 6)
    100.0
    """
    theta = real_tensor("start", start, ndim=1).detach().cpu().double().numpy()
    vector, log_unit = slope(theta)
    first = since
    if first is None:
        size = float(np.abs(vector).max())
        first = _FIRST - log_unit - (np.log(size) if size > 0 else 0.0)
        theta = theta + np.exp(first + log_unit) * vector
    late = [u for u in log_times if u > first]
    if not late or (since is not None and len(late) < len(log_times)):
        raise InvalidInput(
            f"log_times are {list(log_times)}, expected times after the start at "
            f"{first:g}."
        )
    tolerance = positive_number("tolerance", settings.pop("tolerance", 1e-9))
    run = integrate(
        lambda state: np.append(_moved(slope, state), 1.0),
        None if bend is None else lambda state: _jacobian(slope, bend, state),
        np.append(theta, first),
        times=[u - first for u in late],
        tolerance=tolerance,
        floor=settings.pop("floor", tolerance),
        **settings,
    )
    before = torch.from_numpy(theta).expand(len(log_times) - len(late), -1)
    path = torch.cat([before, run.path[:, :-1]])
    return ClockedRun(path, (run.status,), run.steps, run.evaluations)


def _moved(slope: Scaled, state: Array) -> Array:
    vector, log_unit = slope(state[:-1])
    return np.asarray(np.exp(min(state[-1] + log_unit, _LARGEST)) * vector)


def _jacobian(slope: Scaled, bend: Scaled, state: Array) -> Array:
    matrix, log_unit = bend(state[:-1])
    out = np.zeros((len(state), len(state)))
    out[:-1, :-1] = np.exp(min(state[-1] + log_unit, _LARGEST)) * matrix
    out[:-1, -1] = _moved(slope, state)
    return out
