"""Convex programs written in CVXPY, handed to a solver without noise.

A solver may fail, warn, or call something solved that is not. None of that is an error
here: whoever states the program looks at its status and certifies what came out.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import cvxpy as cp


def clarabel(problem: cp.Problem, tolerance: float | None = None) -> bool:
    """Whether Clarabel calls the problem solved; gap and feasibility to `tolerance`, if
    not to its own.
    """
    names = ("gap_abs", "gap_rel", "feas")
    options = {} if tolerance is None else {f"tol_{name}": tolerance for name in names}
    return _handed(problem, cp.CLARABEL, **options)


def clarabel_at_best(problem: cp.Problem, tolerances: Sequence[float]) -> bool:
    """Whether Clarabel calls the problem solved to one of the tolerances; the first, in
    their order, is taken.
    """
    return any(clarabel(problem, tolerance) for tolerance in tolerances)


def highs(problem: cp.Problem, **options: float) -> bool:
    """Whether HiGHS calls the linear program solved; `options` are its own, by their
    names there.
    """
    return _handed(problem, cp.HIGHS, **({"highs_options": options} if options else {}))


def _handed(problem: cp.Problem, solver: str, **options: Any) -> bool:
    """An unknown status of HiGHS is reported as a ValueError."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Solution may be inaccurate")
        try:
            problem.solve(solver=solver, **options)
        except (cp.SolverError, ValueError):
            return False
    return problem.status == cp.OPTIMAL
