"""Gradient flow on tail losses by SciPy's integrators: a second opinion on `ibcore.dynamics.log_time`.

With S = log mean_i(-l'(m_i)), p = softmax(log(-l'(m_i))) and r = t exp(S), gradient flow on the mean loss is

    d theta/dx = r/(1 + r) sum_i p_i grad m_i(theta),   d log t/dx = 1/(1 + r),

in a variable x in which both sides are bounded, early and late. log t is a coordinate of the state, so
no quadrature is needed. A model that is homogeneous of degree k is followed in (theta/rho, log rho),
rho = |theta|, with r = k rho^(k-2) t exp(S) and the field divided by k rho^(k-2), where it stays bounded
too. Jacobians are analytic up to the second derivatives of the model, which are central differences.

A plain loop over the batch: fast for single small problems, where tensors of a few entries cost more to
dispatch than to multiply. LSODA has been seen to crawl without end and to return finite values that are
wrong, so every run has a limit of steps and of time, and ends where its state is not finite or its loss
rises.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import BDF, LSODA, Radau
from scipy.optimize import brentq
from scipy.special import expit
from torch import Tensor

from ibcore.dynamics.protocols import Model, TailLoss, checked_parts, starting_point
from ibcore.dynamics.trajectory import (
    LOSS_ROSE,
    NOT_FINITE,
    PASSED,
    REACHED,
    UNDERFLOW,
    Trajectory,
    broke_down,
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
    real_tensor,
)

Array = NDArray[np.float64]
_SOLVERS: dict[str, Any] = {"LSODA": LSODA, "BDF": BDF, "Radau": Radau}
_FIRST = (
    -17.0
)  # log of r at the start; the second-order term of theta, r^2, is below rounding
_DIFFERENCE = 1e-5
_REST = 100  # steps between two looks at whether the loss has a least value and the run has come to it
_FAINT = (
    1e-6  # share of the longest gradient of a margin below which the loss hardly falls
)
_LANDING = 1e-10  # relative distance at which a stop counts as met
_SMALL = 0.01  # change of a margin over which the curvature of a loss with an exponential tail stays what it is
_CLOSE = 1e-6  # losses whose logarithms differ by less are not told apart at rest
_RISE = 100  # rises of log L below this many tolerances are errors of the integrator, not of the method


class OutOfTime(Exception):
    """The wall clock ran out within a step."""


def _log_mean(values: Array) -> float:
    """log of the mean of exp(values); SciPy's own takes a hundred times as long on ten entries."""
    top = values.max()
    return float(top + math.log(np.exp(values - top).sum() / len(values)))


@dataclass(frozen=True)
class _Single:
    """One member of a batch in NumPy: margins (n,), rows (n, P), and its loss."""

    model: Model
    loss: TailLoss
    fixed: tuple[Array, Array] | None  # rows and offset of a linear model

    def margins(self, theta: Array) -> Array:
        if self.fixed:
            return self.fixed[0] @ theta + self.fixed[1]
        return self.model.outputs(torch.from_numpy(theta)[None])[0].numpy()

    def rows(self, theta: Array) -> Array:
        return (
            self.fixed[0]
            if self.fixed
            else self.model.jacobian(torch.from_numpy(theta)[None])[0].numpy()
        )

    def vanished(self, theta: Array) -> bool:
        """sum_i p_i grad m_i is zero to the rounding of its terms."""
        rows, (p, _) = self.rows(theta), self.weights(self.margins(theta))
        terms = p @ np.abs(rows).max(1)
        return bool(np.abs(p @ rows).max() <= 32 * np.finfo(float).eps * terms)

    def faint(self, theta: Array) -> bool:
        """sum_i p_i grad m_i is small compared with the longest gradient of a margin."""
        rows, (p, _) = self.rows(theta), self.weights(self.margins(theta))
        longest = np.linalg.norm(rows, axis=1).max()
        return bool(np.linalg.norm(p @ rows) <= _FAINT * longest)

    def newton(self, theta: Array) -> tuple[float, Array]:
        """How far log L is above its least value, infinite where the step of Newton's method, (P,), is long.

        For a linear model: by Bach (2010) the decrement says it where no margin changes by more than 0.01.
        """
        rows, margins = self.rows(theta), self.margins(theta)
        p, mean_slope = self.weights(margins)
        spread, pull = self.sensitivity(margins, p)
        hessian = -(spread + np.outer(p, pull))
        step = np.linalg.lstsq(rows.T @ hessian @ rows, p @ rows, rcond=None)[0]
        share = math.exp(mean_slope - self.log_loss(margins)) * float(p @ rows @ step)
        near = np.abs(rows @ step).max() <= _SMALL and 0 <= share <= _SMALL
        return (share if near else math.inf), np.asarray(step, dtype=np.float64)

    def bend(self, theta: Array, weights: Array) -> Array | float:
        """sum_i weights_i of the second derivatives of m_i, (P, P)."""
        if self.fixed:
            return 0.0
        step = _DIFFERENCE * max(1.0, float(np.abs(theta).max())) * np.eye(len(theta))
        both = torch.from_numpy(np.concatenate([theta + step, theta - step]))
        push = (self.model.jacobian(both).mT @ torch.from_numpy(weights)).numpy()
        difference = (push[: len(theta)] - push[len(theta) :]) / (2 * step[0, 0])
        return (difference + difference.T) / 2

    def log_loss(self, margins: Array) -> float:
        return _log_mean(self.loss.log_value(torch.from_numpy(margins)).numpy())

    def weights(self, margins: Array) -> tuple[Array, float]:
        """Softmax weights p (n,) and S, the log of the mean slope."""
        log_slopes = self.loss.log_slope(torch.from_numpy(margins)).numpy()
        top = log_slopes.max()
        slopes = np.exp(log_slopes - top)
        total = slopes.sum()
        return slopes / total, float(top) + math.log(total / len(slopes))

    def sensitivity(self, margins: Array, p: Array) -> tuple[Array, Array]:
        """dp/dm (n, n) and dS/dm (n,). A loss that couples its margins says so by `log_slope_jacobian`."""
        coupled = getattr(self.loss, "log_slope_jacobian", None)
        m = torch.from_numpy(margins)
        tilt = (
            p[:, None] * coupled(m).numpy()
            if coupled
            else np.diag(p * self.loss.log_slope_rate(m).numpy())
        )
        pull = tilt.sum(0)
        return tilt - np.outer(p, pull), pull


class _Chart(Protocol):
    """Coordinates of the state: the last one is log t."""

    def start(self, theta: Array) -> Array: ...

    def theta(self, state: Array) -> Array: ...

    def field(self, x: float, state: Array) -> Array: ...

    def jacobian(self, x: float, state: Array) -> Array: ...


@dataclass(frozen=True)
class _Plain:
    """State (theta, log t)."""

    single: _Single

    def start(self, theta: Array) -> Array:
        p, mean_slope = self.single.weights(self.single.margins(theta))
        return np.append(
            theta + np.exp(_FIRST) * p @ self.single.rows(theta), _FIRST - mean_slope
        )

    def theta(self, state: Array) -> Array:
        return state[:-1]

    def field(self, _x: float, state: Array) -> Array:
        theta, log_time = state[:-1], state[-1]
        p, mean_slope = self.single.weights(self.single.margins(theta))
        share = expit(log_time + mean_slope)
        out = np.empty_like(state)
        out[:-1], out[-1] = share * (p @ self.single.rows(theta)), 1 - share
        return out

    def jacobian(self, _x: float, state: Array) -> Array:
        theta, log_time = state[:-1], state[-1]
        rows, margins = self.single.rows(theta), self.single.margins(theta)
        p, mean_slope = self.single.weights(margins)
        spread, pull = self.single.sensitivity(margins, p)
        share = expit(log_time + mean_slope)
        tilt, push = share * (1 - share) * np.append(pull @ rows, 1.0), p @ rows
        inner = share * (rows.T @ spread @ rows + self.single.bend(theta, p))
        out = np.zeros((len(state), len(state)))
        out[:-1, :-1] = inner
        out[:-1] += np.outer(push, tilt)
        out[-1] = -tilt
        return out


@dataclass(frozen=True)
class _Polar:
    """State (theta/rho, log rho, log t) for a model of degree k."""

    single: _Single
    degree: float

    def start(self, theta: Array) -> Array:
        first = _Plain(self.single).start(theta)
        rho = np.linalg.norm(first[:-1])
        return np.concatenate([first[:-1] / rho, [np.log(rho), first[-1]]])

    def theta(self, state: Array) -> Array:
        return np.exp(state[-2]) * state[:-2] / np.linalg.norm(state[:-2])

    def _push(self, state: Array) -> tuple[Array, Array, Array, Array, float]:
        """Direction, rows there, margins, weights and r/(1 + r)."""
        unit, log_rho, log_time, k = state[:-2], state[-2], state[-1], self.degree
        margins = np.exp(k * log_rho) * self.single.margins(unit)
        p, mean_slope = self.single.weights(margins)
        share = expit(log_time + mean_slope + np.log(k) + (k - 2) * log_rho)
        return unit, self.single.rows(unit), margins, p, share

    def field(self, _x: float, state: Array) -> Array:
        unit, rows, _, p, share = self._push(state)
        push = p @ rows / self.degree
        along = unit @ push
        return np.concatenate(
            [share * (push - along * unit), [share * along, 1 - share]]
        )

    def jacobian(self, _x: float, state: Array) -> Array:
        unit, rows, margins, p, share = self._push(state)
        k, size = self.degree, len(unit)
        spread, pull = self.single.sensitivity(margins, p)
        scale = np.exp(k * state[-2])
        push, along = p @ rows / k, unit @ (p @ rows) / k
        bent = np.zeros((size, size + 2))  # derivative of push
        bent[:, :size] = (
            scale * rows.T @ spread @ rows + self.single.bend(unit, p)
        ) / k
        bent[:, size] = rows.T @ (spread @ margins)
        level = np.zeros(size + 2)  # derivative of `along`
        level[:] = unit @ bent
        level[:size] += push
        tilt = (
            share
            * (1 - share)
            * np.concatenate([scale * pull @ rows, [k * pull @ margins + k - 2, 1.0]])
        )
        out = np.zeros((size + 2, size + 2))
        out[:size] = share * (bent - np.outer(unit, level)) + np.outer(
            push - along * unit, tilt
        )
        out[:size, :size] -= share * along * np.eye(size)
        out[size] = share * level + along * tilt
        out[-1] = -tilt
        return out


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
    """Gradient flow on the mean loss from `theta` (B, P), recorded at the given stops, one run after another.

    Arguments and result are those of `ibcore.dynamics.log_time.flow`; a stop is met to the accuracy of the
    solver's interpolant. `method` is LSODA (Petzold 1983), BDF or Radau, `tolerance` the relative and
    absolute local error of every coordinate of the state. `degree` is the k with which the model is
    homogeneous, m(c theta) = c^k m(theta); it selects the coordinates (theta/rho, log rho), without which
    only linear models can be followed far. `max_steps` and `max_seconds` hold for each run, which ends for
    itself, with a status in the words of `ibcore.dynamics.trajectory`. A loss whose
    log-slopes depend on several margins has to provide `log_slope_jacobian`, (n,) to (n, n).
    Rejected steps are not reported by SciPy: `Trajectory.rejected` is 0.

    Raises `InvalidInput` for stops out of order, a last stop that every start has passed, unknown methods,
    parameters that are not finite or do not fit the model, and a nonlinear model with another data set for
    every member.
    """
    checked_parts(model, loss)
    theta = starting_point(model, theta)
    one_of("method", method, _SOLVERS)
    tolerance = positive_number("tolerance", tolerance)
    max_seconds = positive_number("max_seconds", max_seconds, infinite=True)
    max_steps = positive_integer("max_steps", max_steps)
    if degree is not None:
        positive_number("degree", degree)
    stops = _stops(log_loss, log_time)
    singles = _singles(model, loss, theta)
    runs = []
    for member, single in zip(
        theta.detach().cpu().double().numpy(), singles, strict=True
    ):
        chart: _Chart = _Plain(single) if degree is None else _Polar(single, degree)
        run = _Run(
            single,
            chart,
            stops,
            by_time=log_time is not None,
            invariants=dict(invariants or {}),
        )
        run.integrate(member, _SOLVERS[method], tolerance, max_steps, max_seconds)
        runs.append(run)
    if all(run.status == PASSED for run in runs):
        raise InvalidInput(
            passed_message(-float(stops[-1]), max(run.first for run in runs))
        )
    return _trajectory(runs, theta)


def _stops(log_loss: object, log_time: object) -> Array:
    """The stops in the rising variable: log t, or -log L."""
    if (log_loss is None) == (log_time is None):
        raise InvalidInput(
            "scipy_flow got both or neither of log_loss and log_time; pass the stops in exactly one."
        )
    name, given, sign = (
        ("log_loss", log_loss, -1.0)
        if log_time is None
        else ("log_time", log_time, 1.0)
    )
    values = sign * np.atleast_1d(real_tensor(name, given).cpu().double().numpy())
    if values.ndim != 1 or bool((np.diff(values) <= 0).any()):
        raise InvalidInput(
            f"{name} has stops that do not {'rise' if sign > 0 else 'fall'}; "
            f"sort them and drop repetitions."
        )
    return values


def _singles(model: Model, loss: TailLoss, theta: Tensor) -> list[_Single]:
    if not model.linear:
        if len(model.outputs(theta[:1])) != 1:
            raise InvalidInput(
                "the model is not linear and has another data set for every member of the batch; "
                "call scipy_flow once for each data set."
            )
        return [_Single(model, loss, None)] * len(theta)
    rows = model.jacobian(theta)
    offset = model.outputs(theta) - (rows @ theta[..., None])[..., 0]
    return [
        _Single(model, loss, (a, b))
        for a, b in zip(
            *(x.detach().cpu().double().numpy() for x in (rows, offset)), strict=True
        )
    ]


class _Run:
    """One run: what it recorded at its stops and why it ended."""

    def __init__(
        self,
        single: _Single,
        chart: _Chart,
        stops: Array,
        *,
        by_time: bool,
        invariants: dict[str, Callable[[Tensor], Tensor]],
    ) -> None:
        self.single, self.chart, self.stops, self.by_time, self.invariants = (
            single,
            chart,
            stops,
            by_time,
            invariants,
        )
        self.kept: list[tuple[Array, float, float, int, float]] = []
        self.drift = dict.fromkeys(invariants, 0.0)
        self.status, self.steps, self.evaluations, self.first = "", 0, 0, math.nan

    def integrate(
        self,
        theta: Array,
        solver_type: Any,
        tolerance: float,
        max_steps: int,
        max_seconds: float,
    ) -> None:
        self.began = time.perf_counter()
        self.reference = {
            name: law(torch.from_numpy(theta)[None])
            for name, law in self.invariants.items()
        }
        state = self._begin(theta)
        deadline = self.began + max_seconds

        def field(x: float, state: Array) -> Array:
            self.evaluations += 1
            if time.perf_counter() > deadline:
                raise OutOfTime
            return self.chart.field(x, state)

        if state is None:
            return
        try:
            solver = solver_type(
                field,
                0.0,
                state,
                np.inf,
                jac=self.chart.jacobian,
                rtol=tolerance,
                atol=tolerance,
            )
            self._follow(solver, tolerance, max_steps)
        except OutOfTime:
            self.status = wall_limit(max_seconds)
        except InvalidInput:
            raise
        except (ValueError, np.linalg.LinAlgError) as error:
            self.status = broke_down(f"the solver stopped ({error})")
        limited = self.status in (wall_limit(max_seconds), step_limit(max_steps))
        if limited and not self.single.fixed and self.single.faint(self.theta):
            self.status = stationary_to(_FAINT, self.status)

    def _begin(self, theta: Array) -> Array | None:
        """The first state, or nothing, with the reason, where the run ends at its start."""
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
        while (
            len(self.kept) < len(self.stops)
            and self._progress(state) >= self.stops[len(self.kept)]
        ):
            self._keep(state)
        if len(self.kept) < len(self.stops):
            return state
        last = float(self.stops[-1])
        passed = -self.level > last + _LANDING * max(1.0, abs(last))
        self.status = PASSED if passed and not self.by_time else REACHED
        return None

    def _follow(self, solver: Any, tolerance: float, max_steps: int) -> None:
        while len(self.kept) < len(self.stops) and self.steps < max_steps:
            looks = self.steps % _REST == _REST - 1
            if looks and self._rested(self.chart.theta(solver.y), tolerance):
                return
            if solver.status != "running":
                self.status = broke_down("the variable of the flow overflowed")
                return
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # LSODA warns where it fails; the status says so
                solver.step()
            if not self._accept(solver, _RISE * tolerance):
                return
        done = len(self.kept) == len(self.stops)
        self.status = REACHED if done else step_limit(max_steps)

    def _rested(self, theta: Array, tolerance: float) -> bool:
        """No step of a linear model brings the run closer to its next stop; then it ends here."""
        if not self.single.fixed:
            return False
        excess, step = self.single.newton(theta)
        if self.by_time:
            resting = bool((np.abs(step) <= tolerance * (1 + np.abs(theta))).all())
            resting = resting and math.isfinite(excess)
        else:
            level = self.single.log_loss(self.single.margins(theta))
            resting = self.stops[len(self.kept)] + level > 10 * excess + _CLOSE
        if resting:
            self._rest(theta)
        return bool(resting)

    def _rest(self, theta: Array) -> None:
        """The state stays as it is: later times have it, lower losses do not come."""
        level = self.single.log_loss(self.single.margins(theta))
        seconds = time.perf_counter() - self.began
        self.status = REACHED if self.by_time else stationary(level)
        for stop in self.stops[len(self.kept) :] if self.by_time else ():
            self.kept.append((theta, level, float(stop), self.evaluations, seconds))

    def _accept(self, solver: Any, slack: float) -> bool:
        """Record the stops within the last step; False, with the reason, where the run cannot go on."""
        if solver.status == "failed":
            self.status = UNDERFLOW
            return False
        if not np.isfinite(solver.y).all():
            self.status = NOT_FINITE
            return False
        level, self.level = self.level, self._log_loss(solver.y)
        self.theta = self.chart.theta(solver.y)
        if self.level > level + slack * (1 + abs(level)):
            self.status = LOSS_ROSE
            return False
        self.steps += 1
        for name, law in self.invariants.items():
            reference = self.reference[name]
            change = (
                law(torch.from_numpy(self.chart.theta(solver.y))[None]) - reference
            ).abs()
            self.drift[name] = max(
                self.drift[name], float((change / reference.abs().clamp_min(1)).max())
            )
        between = None
        arrived = float(solver.y[-1]) if self.by_time else -self.level
        while (
            len(self.kept) < len(self.stops) and arrived >= self.stops[len(self.kept)]
        ):
            between = between or solver.dense_output()
            self._keep(between(self._crossing(between, solver)))
        return True

    def _crossing(self, between: Callable[[float], Array], solver: Any) -> float:
        target = self.stops[len(self.kept)]

        def ahead(x: float) -> float:
            return self._progress(between(x)) - target

        if ahead(solver.t_old) >= 0:
            return float(solver.t_old)
        if ahead(solver.t) <= 0:
            return float(solver.t)
        return float(
            brentq(
                ahead,
                solver.t_old,
                solver.t,
                xtol=1e-14 * max(1.0, solver.t),
                rtol=1e-14,
            )
        )

    def _log_loss(self, state: Array) -> float:
        return self.single.log_loss(self.single.margins(self.chart.theta(state)))

    def _progress(self, state: Array) -> float:
        return float(state[-1]) if self.by_time else -self._log_loss(state)

    def _keep(self, state: Array) -> None:
        self.kept.append(
            (
                self.chart.theta(state).copy(),
                self._log_loss(state),
                float(state[-1]),
                self.evaluations,
                time.perf_counter() - self.began,
            )
        )


def _trajectory(runs: list[_Run], like: Tensor) -> Trajectory:
    shape = (len(runs[0].stops), len(runs))
    theta = like.new_full((*shape, like.shape[-1]), torch.nan)
    scalars = [like.new_full(shape, torch.nan) for _ in range(4)]
    for b, run in enumerate(runs):
        for k, (point, *values) in enumerate(run.kept):
            theta[k, b] = torch.from_numpy(point).to(like)
            for column, value in zip(scalars, values, strict=True):
                column[k, b] = value
    log_loss, log_time, work, seconds = scalars
    steps, evaluations = (
        torch.tensor([getattr(run, name) for run in runs])
        for name in ("steps", "evaluations")
    )
    drift = {
        name: like.new_tensor([run.drift[name] for run in runs])
        for name in runs[0].drift
    }
    return Trajectory(
        theta,
        log_loss,
        log_time,
        tuple(run.status for run in runs),
        steps,
        torch.zeros_like(steps),
        evaluations,
        work,
        seconds,
        drift,
    )
