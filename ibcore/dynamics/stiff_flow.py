"""Gradient flow in the raw parameters by a stiff solver, one problem at a time.

From a small start the growth rates of the parameters and the decay rates of the residuals differ by many
orders of magnitude. SciPy's LSODA (Petzold 1983), which changes between Adams and BDF formulas, takes a few
thousand evaluations with an analytic Jacobian where an explicit method takes half a million. It has also been
seen to crawl without end and to return finite values that are wrong, so a run has limits of steps and of
time, watches the invariants it is given, and says why it ended.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import BDF, DOP853, LSODA, Radau
from torch import Tensor

from ibcore.dynamics.protocols import Model, pullback, starting_point
from ibcore.dynamics.trajectory import (
    CONVERGED,
    NO_EVENT,
    NOT_FINITE,
    REACHED,
    UNDERFLOW,
    broke_down,
    step_limit,
    wall_limit,
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
_SOLVERS: dict[str, Any] = {
    "LSODA": LSODA,
    "BDF": BDF,
    "Radau": Radau,
    "DOP853": DOP853,
}


class CurvedModel(Model, Protocol):
    """A model with sum_i weights_i Hess f_i(theta), (B, P, P), for weights (B, n): `hessian`."""

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class StiffRun:
    """Where one integration ended.

    state: (P,), float64 on the CPU.   time: of the flow.   path: (K, P) states at the requested times, NaN where the
    run ended before.   status: `converged` (its event came), `reached the last stop`, or what cut it short, in the
    words of `ibcore.dynamics.trajectory`.
    steps, evaluations: of the field.   drift: the largest change of each invariant, relative to the larger of its
    start and 1.
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
    """The autonomous system x' = `vector_field`(x) from `start` (P,) at time 0 until `done`, or to the last stop.

    times: rising times above 0 whose states are kept.   horizon: the last stop, by default the last of `times` or
    infinity.   jacobian: x to (P, P), by default finite differences of the solver.   tolerance: relative local error;
    floor: the absolute one, by default `tolerance` times the largest entry of the start, at most `tolerance`.
    method: LSODA, BDF, Radau, or DOP853, which is explicit.   done: asked after every step.
    Raises `InvalidInput` for an empty or infinite start, times out of order, or neither an end nor an event.
    """
    x = real_tensor("start", start, ndim=1).detach().cpu().double().numpy()
    one_of("method", method, _SOLVERS)
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
    run = _Run(vector_field, stops, end, dict(invariants or {}), x)
    status = run.follow(
        _SOLVERS[method],
        jacobian,
        tolerance,
        positive_number("floor", absolute),
        done,
        positive_integer("max_steps", max_steps),
        positive_number("max_seconds", max_seconds, infinite=True),
    )
    return StiffRun(
        torch.from_numpy(run.x),
        run.t,
        torch.from_numpy(run.path),
        status,
        run.steps,
        run.evaluations,
        run.drift,
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
    """Gradient flow of the mean square loss (1/n) sum_i (f_i(theta) - y_i)^2 from `theta` (P,) to `target_loss`.

    targets: y (n,).   target_loss: 0 for a run that ends at its `times` or `horizon`.   settings: those of `integrate`.
    Raises `InvalidInput` for targets that do not match the outputs, and what `integrate` raises.
    """
    y = real_tensor("targets", targets, ndim=1).detach().cpu().double()
    start = real_tensor("theta", theta, ndim=1).detach().cpu().double()
    first = model.outputs(starting_point(model, start[None]))
    if first.shape != (1, len(y)):
        raise InvalidInput(
            f"targets have shape {tuple(y.shape)}, expected one for each of the {first.shape[-1]} "
            f"outputs of the model."
        )

    def residual(x: Array) -> tuple[Tensor, Tensor]:
        point = torch.from_numpy(x)[None]
        return point, model.outputs(point) - y

    def descent(x: Array) -> Array:
        point, rest = residual(x)
        return -2 / len(y) * pullback(model, point, rest)[0].numpy()

    def curvature(x: Array) -> Array:
        point, rest = residual(x)
        rows = model.jacobian(point)[0]
        return -2 / len(y) * (rows.mT @ rows + model.hessian(point, rest)[0]).numpy()

    done = (
        (lambda x: float(residual(x)[1].square().mean()) <= target_loss)
        if target_loss > 0
        else None
    )
    return integrate(descent, curvature, theta, done=done, **settings)


class _OutOfTime(Exception):
    """The wall clock ran out within a step."""


class _Run:
    """The state of one integration."""

    def __init__(
        self,
        vector_field: Field,
        stops: Array,
        end: float,
        invariants: dict[str, Callable[[Array], float]],
        x: Array,
    ) -> None:
        self.field, self.stops, self.end, self.x, self.t = (
            vector_field,
            stops,
            end,
            x.copy(),
            0.0,
        )
        self.path, self.kept = np.full((len(stops), len(x)), np.nan), 0
        self.steps = self.evaluations = 0
        self.invariants, self.reference = (
            invariants,
            {name: law(x) for name, law in invariants.items()},
        )
        self.drift = dict.fromkeys(invariants, 0.0)

    def follow(
        self,
        solver_type: Any,
        jacobian: Field | None,
        tolerance: float,
        floor: float,
        done: Callable[[Array], bool] | None,
        max_steps: int,
        max_seconds: float,
    ) -> str:
        """Step to the end; the reason why it ended."""
        deadline = time.perf_counter() + max_seconds

        def counted(_t: float, x: Array) -> Array:
            self.evaluations += 1
            if time.perf_counter() > deadline:
                raise _OutOfTime
            return self.field(x)

        implicit = solver_type is not DOP853 and jacobian is not None
        extra = {"jac": lambda _t, x, at=jacobian: at(x)} if implicit else {}
        try:
            solver = solver_type(
                counted, 0.0, self.x, self.end, rtol=tolerance, atol=floor, **extra
            )
            while self.steps < max_steps:
                if reason := self._arrived(done):
                    return reason
                if solver.status != "running":
                    return broke_down("the time of the flow overflowed")
                with warnings.catch_warnings():
                    warnings.simplefilter(
                        "ignore"
                    )  # LSODA warns where it fails; the status says so
                    solver.step()
                if solver.status == "failed" or not np.isfinite(solver.y).all():
                    return UNDERFLOW if solver.status == "failed" else NOT_FINITE
                self._accept(solver)
        except _OutOfTime:
            return wall_limit(max_seconds)
        except InvalidInput:
            raise
        except (ValueError, np.linalg.LinAlgError) as error:
            return broke_down(f"the solver stopped ({error})")
        return step_limit(max_steps)

    def _arrived(self, done: Callable[[Array], bool] | None) -> str:
        """Why the run is at its end, or nothing."""
        if done is not None and done(self.x):
            return CONVERGED
        if self.t >= self.end:
            return REACHED
        return NO_EVENT if self.t > _FOREVER else ""

    def _accept(self, solver: Any) -> None:
        self.x, self.t, self.steps = solver.y.copy(), float(solver.t), self.steps + 1
        for name, law in self.invariants.items():
            start = self.reference[name]
            self.drift[name] = max(
                self.drift[name], abs(law(self.x) - start) / max(1.0, abs(start))
            )
        between = None
        while self.kept < len(self.stops) and self.stops[self.kept] <= self.t:
            between = between or solver.dense_output()
            self.path[self.kept] = between(self.stops[self.kept])
            self.kept += 1
