"""Gradient flow in the raw parameters by a stiff solver, one problem at a time.

From a small start the growth rates of the parameters and the decay rates of the
residuals differ by many orders of magnitude. SciPy's LSODA (Petzold 1983), which
changes between Adams and BDF formulas, takes a few thousand evaluations with an
analytic Jacobian where an explicit method takes half a million. It has also been seen
to crawl without end and to return finite values that are wrong, so a run has limits of
steps and of time, watches the invariants it is given, and says why it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.dynamics.protocols import Model, pullback, starting_point
from ibcore.dynamics.recorder import Drift, Recorder
from ibcore.dynamics.scipy_walk import SOLVERS, Walk, keep_passed
from ibcore.dynamics.trajectory import (
    CONVERGED,
    NO_EVENT,
    REACHED,
)
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    one_of,
    positive_integer,
    positive_number,
    real_tensor,
)

Array = NDArray[np.float64]
Field = Callable[[Array], Array]
_FOREVER = 1e200  # times beyond which SciPy's solvers overflow


class CurvedModel(Model, Protocol):
    """A model with sum_i weights_i Hess f_i(theta), (B, P, P), for weights (B, n):
    `hessian`.
    """

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class StiffRun:
    """Where one integration ended.

    state: (P,), float64 on the CPU.   time: of the flow.   path: (K, P) states at the
    requested times, NaN where the run ended before.   status: `converged` (its event
    came), `reached the last stop`, or what cut it short, in the words of
    `ibcore.dynamics.trajectory`.
    steps, evaluations: of the field.   drift: the largest change of each invariant,
    relative to the larger of its start and 1.
    """

    state: Tensor
    time: float
    path: Tensor
    status: str
    steps: int
    evaluations: int
    drift: Mapping[str, float] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """The run ended where it was asked to, by its event or at its last stop."""
        return self.status in (CONVERGED, REACHED)


@threads()
def integrate(
    vector_field: Field,
    jacobian: Field | None,
    start: object,
    *,
    times: Sequence[float] = (),
    horizon: float | None = None,
    done: Callable[[Array], bool] | None = None,
    method: str = "LSODA",
    tolerance: float = 1e-10,
    floor: float | None = None,
    invariants: Mapping[str, Callable[[Array], float]] | None = None,
    max_steps: int = 100_000,
    max_seconds: float = 60.0,
) -> StiffRun:
    """The autonomous system x' = `vector_field`(x) from `start` (P,) at time 0 until
    `done`, or to the last stop.

    times: rising times above 0 whose states are kept.   horizon: the last stop, by
    default the last of `times` or infinity.   jacobian: x to (P, P), by default finite
    differences of the solver.   tolerance: relative local error;
    floor: the absolute one, by default `tolerance` times the largest entry of the
    start, at most `tolerance`.
    method: LSODA, BDF, Radau, or DOP853, which is explicit.   done: asked after every
    step. Raises `InvalidInput` for an empty or infinite start, times out of order, or
    neither an end nor an event.
    """
    x = real_tensor("start", start, ndim=1).detach().cpu().double().numpy()
    one_of("method", method, SOLVERS)
    tolerance = positive_number("tolerance", tolerance)
    stops = np.asarray(times, dtype=float)
    if stops.ndim != 1 or not bool((np.diff(stops, prepend=0.0) > 0).all()):
        raise InvalidInput(
            "times do not rise from above 0; sort them and drop repetitions."
        )
    end = float(stops[-1]) if len(stops) else np.inf
    if horizon is not None:
        end = positive_number("horizon", horizon, infinite=True)
    if not np.isfinite(end) and done is None:
        raise InvalidInput(
            "the run has no end: give times, a horizon, or an event `done`."
        )
    absolute = (
        floor
        if floor is not None
        else tolerance * min(1.0, float(np.abs(x).max()) or 1.0)
    )
    run = _Run(stops, end, done, invariants or {}, x)
    walk = Walk(
        positive_integer("max_steps", max_steps),
        positive_number("max_seconds", max_seconds, infinite=True),
    )
    status = walk.follow(
        method,
        lambda _t, x: vector_field(x),
        x,
        end=end,
        jacobian=None if jacobian is None else lambda _t, x: jacobian(x),
        tolerance=tolerance,
        floor=positive_number("floor", absolute),
        arrived=run.arrived,
        accept=run.accept,
    )
    return StiffRun(
        torch.from_numpy(run.x),
        run.t,
        run.recorder.kept["path"][:, 0],
        status,
        walk.steps,
        walk.evaluations,
        {name: float(most) for name, most in run.drift.largest.items()},
    )


@threads()
def stiff_flow(
    model: CurvedModel,
    targets: object,
    theta: object,
    *,
    target_loss: float = 1e-26,
    **settings: Any,
) -> StiffRun:
    """Gradient flow of the mean square loss (1/n) sum_i (f_i(theta) - y_i)^2 from
    `theta` (P,) to `target_loss`.

    targets: y (n,).
    target_loss: 0 for a run that ends at its `times` or `horizon`.
    settings: those of `integrate`, such as `times` (rising, whose states are kept),
    `horizon`, `tolerance`, `max_steps` and `max_seconds`.

    Raises `InvalidInput` for targets that do not match the outputs, a start that is not
    finite, times out of order, and a run with neither an end nor a target. Source:
    LSODA (Petzold 1983).

    A diagonal network keeps u v, and ends where u^2 - v^2 fits the data:

    >>> from ibcore import Diagonal, stiff_flow
    >>> u, v = stiff_flow(Diagonal([[1.0]]), [2.0], [0.1, 0.1]).state.tolist()
    >>> round(u * v, 8), round(u**2 - v**2, 8)
    (0.01, 2.0)
    """
    y = real_tensor("targets", targets, ndim=1).detach().cpu().double()
    start = real_tensor("theta", theta, ndim=1).detach().cpu().double()
    first = model.outputs(starting_point(model, start[None]))
    if first.shape != (1, len(y)):
        raise InvalidInput(
            f"targets have shape {tuple(y.shape)}, expected one for each of the "
            f"{first.shape[-1]} outputs of the model."
        )

    field = square_field(model, y)
    done = (lambda x: field.loss(x) <= target_loss) if target_loss > 0 else None
    return integrate(field.descent, field.curvature, theta, done=done, **settings)


class SquareField(Protocol):
    """The mean square loss of a model, minus its gradient and the Jacobian of that, at
    parameters (P,).
    """

    def loss(self, theta: Array) -> float: ...

    def descent(self, theta: Array) -> Array: ...

    def curvature(self, theta: Array) -> Array: ...


def square_field(model: CurvedModel, targets: Tensor) -> SquareField:
    """The field of a model with targets (n,): its own `square_field(targets)`, where it
    has one that is faster, or that of its derivatives.
    """
    own: SquareField | None = getattr(model, "square_field", lambda _: None)(targets)
    return DerivedField(model, targets) if own is None else own


@dataclass(frozen=True)
class DerivedField:
    """The field by the pullback, Jacobian and Hessian of a model."""

    model: CurvedModel
    targets: Tensor

    def _rest(self, theta: Array) -> tuple[Tensor, Tensor]:
        point = torch.from_numpy(theta)[None]
        return point, self.model.outputs(point) - self.targets

    def loss(self, theta: Array) -> float:
        return float(self._rest(theta)[1].square().mean())

    def descent(self, theta: Array) -> Array:
        point, rest = self._rest(theta)
        push: Array = pullback(self.model, point, rest)[0].numpy()
        return -2 / rest.shape[-1] * push

    def curvature(self, theta: Array) -> Array:
        point, rest = self._rest(theta)
        rows = self.model.jacobian(point)[0]
        bent: Array = (rows.mT @ rows + self.model.hessian(point, rest)[0]).numpy()
        return -2 / rest.shape[-1] * bent


class _Run:
    """The state of one integration."""

    def __init__(
        self,
        stops: Array,
        end: float,
        done: Callable[[Array], bool] | None,
        invariants: Mapping[str, Callable[[Array], float]],
        x: Array,
    ) -> None:
        self.end, self.done = end, done
        self.x, self.t = x.copy(), 0.0
        state = torch.from_numpy(x)[None]
        self.recorder = Recorder(torch.from_numpy(stops), {"path": state})
        laws = {name: _of_tensors(law) for name, law in invariants.items()}
        self.drift = Drift(laws, state)

    def arrived(self, _solver: Any) -> str:
        """Why the run is at its end, or nothing."""
        if self.done is not None and self.done(self.x):
            return CONVERGED
        if self.t >= self.end:
            return REACHED
        return NO_EVENT if self.t > _FOREVER else ""

    def accept(self, solver: Any) -> str:
        """Take the step that the solver made."""
        self.x, self.t = solver.y.copy(), float(solver.t)
        self.drift.watch(torch.from_numpy(self.x)[None])
        keep_passed(
            self.recorder,
            solver,
            self.t,
            lambda _between, stop: stop,
            lambda state: {"path": torch.from_numpy(state)[None]},
        )
        return ""


def _of_tensors(law: Callable[[Array], float]) -> Callable[[Tensor], Tensor]:
    """An invariant of a state in NumPy as one of a batch of one, (1, P) to (1,)."""
    return lambda x: x.new_tensor([law(x[0].numpy())])
