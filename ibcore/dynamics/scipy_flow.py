"""Gradient flow on tail losses by SciPy's integrators: a second opinion on
`ibcore.dynamics.log_time`.

With S = log mean_i(-l'(m_i)), p = softmax(log(-l'(m_i))) and r = t exp(S), gradient
flow on the mean loss is

    d theta/dx = r/(1 + r) sum_i p_i grad m_i(theta),   d log t/dx = 1/(1 + r),

in a variable x in which both sides are bounded, early and late. log t is a coordinate
of the state, so no quadrature is needed. A model that is homogeneous of degree k is
followed in (theta/rho, log rho), rho = |theta|, with r = k rho^(k-2) t exp(S) and the
field divided by k rho^(k-2), where it stays bounded too. Jacobians are analytic up to
the second derivatives of the model, which are central differences.

A plain loop over the batch: fast for single small problems, where tensors of a few
entries cost more to dispatch than to multiply. LSODA has been seen to crawl without end
and to return finite values that are wrong, so every run has a limit of steps and of
time, and ends where its state is not finite or its loss rises.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from torch import Tensor

from ibcore.dynamics.protocols import Model, TailLoss, checked_parts, starting_point
from ibcore.dynamics.recorder import Drift, Recorder, Stops
from ibcore.dynamics.scipy_charts import FAINT, Chart, Plain, Polar, Single
from ibcore.dynamics.scipy_walk import FIRST, Walk, keep_passed
from ibcore.dynamics.trajectory import (
    LOSS_ROSE,
    NOT_FINITE,
    PASSED,
    REACHED,
    Trajectory,
    passed_message,
    stationary,
    stationary_to,
    step_limit,
    wall_limit,
)
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    one_of,
    positive_integer,
    positive_number,
)

Array = NDArray[np.float64]
_METHODS = ("LSODA", "BDF", "Radau")
_REST = 100  # steps between two looks at whether the loss has a least value and the run has come to it
_LANDING = 1e-10  # relative distance at which a stop counts as met
_CLOSE = 1e-6  # losses whose logarithms differ by less are not told apart at rest
_TOO_LARGE = (
    f"{NOT_FINITE}: its parameters or margins pass e^690, near the largest double"
)
_RISE = 100  # rises of log L below this many tolerances are errors of the integrator, not of the method


@threads()
def scipy_flow(
    model: Model,
    loss: TailLoss,
    theta: Tensor,
    *,
    log_loss: float | Sequence[float] | Tensor | None = None,
    log_time: float | Sequence[float] | Tensor | None = None,
    method: str = "LSODA",
    degree: float | None = None,
    tolerance: float = 1e-8,
    max_steps: int = 20_000,
    max_seconds: float = 60.0,
    invariants: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
) -> Trajectory:
    """Gradient flow on the mean loss from `theta` (B, P), recorded at the given stops,
    one run after another.

    Arguments and result are those of `flow`; a stop is met to the accuracy of the
    solver's interpolant. `method` is LSODA (Petzold 1983), BDF or Radau, `tolerance`
    the relative and absolute local error of every coordinate of the state. `degree` is
    the k with which the model is homogeneous, m(c theta) = c^k m(theta); it selects the
    coordinates (theta/rho, log rho), without which only linear models can be followed
    far, and reaches up to rho^k = e^690. Linear models on an exponential tail go
    without: at degree 1 a margin is known to the tolerance times its size, too little
    below about log L = -1e6. `max_steps` and `max_seconds` hold for each run, which
    ends for itself, with a status in the words of `ibcore.dynamics.trajectory`. A loss
    whose log-slopes depend on several margins has to provide `log_slope_jacobian`, (n,)
    to (n, n).
    Rejected steps are not reported by SciPy: `Trajectory.rejected` is 0.

    Raises `InvalidInput` for stops out of order, a last stop that every start has
    passed, unknown methods, parameters that are not finite or do not fit the model, and
    a nonlinear model with another data set for every member.

    One example x = 1 and the logistic loss have e^w + w = t + 1:

    >>> import math
    >>> from ibcore import Linear, Logistic, scipy_flow
    >>> log_time = math.log(math.exp(5) + 4)
    >>> run = scipy_flow(Linear([[1.0]]), Logistic(), [[0.0]], log_time=log_time)
    >>> round(run.theta.item(), 6)
    5.0
    """
    checked_parts(model, loss)
    theta = starting_point(model, theta)
    one_of("method", method, _METHODS)
    tolerance = positive_number("tolerance", tolerance)
    max_seconds = positive_number("max_seconds", max_seconds, infinite=True)
    max_steps = positive_integer("max_steps", max_steps)
    if degree is not None:
        positive_number("degree", degree)
    stops = Stops.of(log_loss, log_time, theta.double())
    singles = _singles(model, loss, theta)
    runs = []
    for member, single in zip(
        theta.detach().cpu().double().numpy(), singles, strict=True
    ):
        chart: Chart = Plain(single) if degree is None else Polar(single, degree)
        walk = Walk(max_steps, max_seconds)
        run = _Run(single, chart, stops, walk, dict(invariants or {}))
        run.integrate(member, method, tolerance)
        runs.append(run)
    if all(run.status == PASSED for run in runs):
        raise InvalidInput(
            passed_message(-float(stops.values[-1]), max(run.first for run in runs))
        )
    return _trajectory(runs, theta)


def _singles(model: Model, loss: TailLoss, theta: Tensor) -> list[Single]:
    if not model.linear:
        if len(model.outputs(theta[:1])) != 1:
            raise InvalidInput(
                "the model is not linear and has another data set for every member of "
                "the batch; call scipy_flow once for each data set."
            )
        return [Single(model, loss, None)] * len(theta)
    rows = model.jacobian(theta)
    offset = model.outputs(theta) - (rows @ theta[..., None])[..., 0]
    return [
        Single(model, loss, (a, b))
        for a, b in zip(
            *(x.detach().cpu().double().numpy() for x in (rows, offset)), strict=True
        )
    ]


class _Run:
    """One run: what it recorded at its stops and why it ended."""

    def __init__(
        self,
        single: Single,
        chart: Chart,
        stops: Stops,
        walk: Walk,
        invariants: Mapping[str, Callable[[Tensor], Tensor]],
    ) -> None:
        self.single, self.chart, self.walk = single, chart, walk
        self.stops, self.by_time = stops.values.cpu().double(), stops.by_time
        self.invariants = invariants
        self.status, self.first = "", math.nan

    def integrate(self, theta: Array, method: str, tolerance: float) -> None:
        """Follow the flow to the last stop, or to where it ends."""
        start = torch.from_numpy(theta)[None]
        self.drift = Drift(self.invariants, start)
        names = "log_loss", "log_time", "work"
        numbers = dict.fromkeys(names, start[:, 0])
        self.recorder = Recorder(self.stops, {"theta": start, **numbers})
        self.tolerance = tolerance
        state = self._begin(theta)
        if state is None:
            return
        self.status = self.walk.follow(
            method,
            self.chart.field,
            state,
            jacobian=self.chart.jacobian,
            tolerance=tolerance,
            floor=tolerance,
            arrived=self._arrived,
            accept=self._accept,
        )
        limits = wall_limit(self.walk.max_seconds), step_limit(self.walk.max_steps)
        limited = self.status in limits and not self.single.fixed
        if limited and self.single.faint(self.theta):
            self.status = stationary_to(FAINT, self.status)

    def _begin(self, theta: Array) -> Array | None:
        """The first state, or nothing, with the reason, where the run ends at its
        start.
        """
        self.theta = theta
        if self.single.vanished(theta):
            self._rest(theta)
            return None
        with np.errstate(invalid="ignore", over="ignore"):
            state = self.chart.start(theta)
        if not np.isfinite(state).all():
            self.status = NOT_FINITE
            return None
        self.level = self.first = self._log_loss(state)
        while self._ahead and self._progress(state) >= self._target:
            self._keep(self._values(state))
        if self._ahead:
            return state
        last = float(self.stops[-1])
        here = -self.single.log_loss(
            self.single.margins(theta)
        )  # before the first step
        passed = here > last + _LANDING * max(1.0, abs(last))
        self.status = PASSED if passed and not self.by_time else REACHED
        return None

    def _arrived(self, solver: Any) -> str:
        """Why the run is at its end, or nothing."""
        if not self._ahead:
            return REACHED
        looks = self.walk.steps % _REST == _REST - 1
        if looks and self._rested(self.chart.theta(solver.y)):
            return self.status
        return ""

    def _rested(self, theta: Array) -> bool:
        """No step of a linear model brings the run closer to its next stop; then it
        ends here.
        """
        if not self.single.fixed:
            return False
        excess, step = self.single.newton(theta)
        if self.by_time:
            resting = bool((np.abs(step) <= self.tolerance * (1 + np.abs(theta))).all())
            resting = resting and math.isfinite(excess)
        else:
            level = self.single.log_loss(self.single.margins(theta))
            resting = self._target + level > 10 * excess + _CLOSE
        if resting:
            self._rest(theta)
        return bool(resting)

    def _rest(self, theta: Array) -> None:
        """The state stays as it is: later times have it, lower losses do not come."""
        level = self.single.log_loss(self.single.margins(theta))
        self.status = REACHED if self.by_time else stationary(level)
        while self.by_time and self._ahead:
            self._keep(self._values_at(theta, level, self._target))

    def _accept(self, solver: Any) -> str:
        """Record the stops within the last step, or say that the loss rose in it."""
        if not self.chart.representable(solver.y):
            return _TOO_LARGE
        level, self.level = self.level, self._log_loss(solver.y)
        self.theta = self.chart.theta(solver.y)
        if self.level > level + _RISE * self.tolerance * (1 + abs(level)):
            return LOSS_ROSE
        self.drift.watch(torch.from_numpy(self.theta)[None])
        keep_passed(
            self.recorder,
            solver,
            float(solver.y[-1]) if self.by_time else -self.level,
            lambda between, stop: self._crossing(between, stop, solver),
            self._values,
        )
        return ""

    def _crossing(
        self, between: Callable[[float], Array], stop: float, solver: Any
    ) -> float:
        def ahead(x: float) -> float:
            return self._progress(between(x)) - stop

        if ahead(solver.t_old) >= 0:
            return float(solver.t_old)
        if ahead(solver.t) <= 0:
            return float(solver.t)
        nearest = 1e-14 * max(1.0, solver.t)
        found = brentq(ahead, solver.t_old, solver.t, xtol=nearest, rtol=1e-14)
        return float(found)

    @property
    def _ahead(self) -> bool:
        """A stop is left."""
        return bool(self.recorder.pending)

    @property
    def _target(self) -> float:
        """The next stop."""
        return float(self.recorder.target)

    def _log_loss(self, state: Array) -> float:
        return self.single.log_loss(self.single.margins(self.chart.theta(state)))

    def _progress(self, state: Array) -> float:
        return float(state[-1]) if self.by_time else -self._log_loss(state)

    def _keep(self, values: dict[str, Any]) -> None:
        self.recorder.keep_rows(FIRST, values)

    def _values(self, state: Array) -> dict[str, Any]:
        """What is kept of a state at a stop."""
        theta = self.chart.theta(state)
        return self._values_at(theta, self._log_loss(state), float(state[-1]))

    def _values_at(self, theta: Array, level: float, log_time: float) -> dict[str, Any]:
        return {
            "theta": torch.from_numpy(theta)[None],
            "log_loss": level,
            "log_time": log_time,
            "work": float(self.walk.evaluations),
        }


def _trajectory(runs: list[_Run], like: Tensor) -> Trajectory:
    steps, evaluations = (
        torch.tensor([getattr(run.walk, name) for run in runs])
        for name in ("steps", "evaluations")
    )
    kept = {
        name: torch.cat([run.recorder.kept[name] for run in runs], 1).to(like)
        for name in runs[0].recorder.kept
    }
    drift = {
        name: torch.cat([run.drift.largest[name] for run in runs]).to(like)
        for name in runs[0].invariants
    }
    return Trajectory(
        **kept,
        status=tuple(run.status for run in runs),
        steps=steps,
        rejected=torch.zeros_like(steps),
        evaluations=evaluations,
        drift=drift,
    )
