"""SciPy's integrators, one accepted step after the other, with a limit of steps and of
time: one driver for all flows.

LSODA has been seen to crawl without end and to return finite values that are wrong, so
that every walk says why it ended, and its caller looks at every step.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import BDF, DOP853, LSODA, Radau

from ibcore.dynamics.recorder import Recorder
from ibcore.dynamics.trajectory import (
    NOT_FINITE,
    UNDERFLOW,
    broke_down,
    step_limit,
    wall_limit,
)
from ibcore.validation import InvalidInput

Array = NDArray[np.float64]
Field = Callable[[float, Array], Array]
SOLVERS: dict[str, Any] = {
    "LSODA": LSODA,
    "BDF": BDF,
    "Radau": Radau,
    "DOP853": DOP853,
}


FIRST = torch.zeros(1, dtype=torch.long)  # the place of the one member of a walk


class OutOfTime(Exception):
    """The wall clock ran out within a step."""


class OutOfRange(Exception):
    """The field is not finite, where DOP853 would halve its step without end."""


class Walk:
    """One integration: its limits, its clock, and how many steps and evaluations of the
    field it took.
    """

    def __init__(self, max_steps: int, max_seconds: float) -> None:
        self.max_steps, self.max_seconds = max_steps, max_seconds
        self.steps = self.evaluations = 0
        self.began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the walk was made."""
        return time.perf_counter() - self.began

    def follow(
        self,
        method: str,
        field: Field,
        start: Array,
        *,
        end: float = np.inf,
        jacobian: Field | None = None,
        tolerance: float,
        floor: float,
        arrived: Callable[[Any], str],
        accept: Callable[[Any], str],
    ) -> str:
        """Step from `start` at 0; why the walk ended, in the words of
        `ibcore.dynamics.trajectory`.

        arrived: asked before every step and at the last one why the solver is where it
        was to go, or nothing.
        accept: takes a step that the solver made, or says why it must not count.
        SciPy's solvers have state, time and interpolant. A `jacobian` is used by the
        methods that take one.
        """
        extra = {} if jacobian is None or method == "DOP853" else {"jac": jacobian}
        try:
            solver = SOLVERS[method](
                self._counted(field, finite=method == "DOP853"),
                0.0,
                start,
                end,
                rtol=tolerance,
                atol=floor,
                **extra,
            )
            while self.steps < self.max_steps:
                if reason := arrived(solver) or self._step(solver) or accept(solver):
                    return reason
                self.steps += 1
            return arrived(solver) or step_limit(self.max_steps)
        except OutOfTime:
            return wall_limit(self.max_seconds)
        except OutOfRange:
            return NOT_FINITE
        except InvalidInput:
            raise
        except (ValueError, np.linalg.LinAlgError) as error:
            return broke_down(f"the solver stopped ({error})")

    def _counted(self, field: Field, *, finite: bool) -> Field:
        """The field, counted, and stopped when the time is over, or where it is not
        `finite`.
        """

        def counted(x: float, state: Array) -> Array:
            self.evaluations += 1
            if self.seconds > self.max_seconds:
                raise OutOfTime
            value = field(x, state)
            if finite and not np.isfinite(value).all():
                raise OutOfRange
            return value

        return counted

    @staticmethod
    def _step(solver: Any) -> str:
        """One step; why it failed, or nothing.

        LSODA warns where it fails, and the status says so.
        """
        if solver.status != "running":
            return broke_down("the variable of the flow overflowed")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            solver.step()
        if solver.status == "failed":
            return UNDERFLOW
        return "" if np.isfinite(solver.y).all() else NOT_FINITE


def keep_passed(
    recorder: Recorder,
    solver: Any,
    arrived: float,
    place: Callable[[Callable[[float], Array], float], float],
    values: Callable[[Array], Mapping[str, Any]],
) -> None:
    """Record the one member of `recorder` at the stops within the solver's last step.

    arrived: the variable of the stops after it.      place: where in the step, of the
    solver's interpolant and a stop.      values: what is kept of a state.
    """
    between = None
    while bool(recorder.pending) and arrived >= float(stop := recorder.target):
        between = between or solver.dense_output()
        recorder.keep_rows(FIRST, values(between(place(between, float(stop)))))
