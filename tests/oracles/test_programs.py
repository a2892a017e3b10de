"""Programs are handed over without noise, and their outcome is told."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest

from ibcore.oracles import programs


@pytest.fixture
def program():
    """The shortest w with w_1 + 2 w_2 >= 1, which is (1, 2)/5."""
    w = cp.Variable(2)
    return w, cp.Problem(cp.Minimize(cp.sum_squares(w)), [w @ np.array([1, 2]) >= 1])


@pytest.mark.parametrize("tolerance", [None, 1e-9])
def test_clarabel_solves(program, tolerance):
    w, problem = program
    assert programs.clarabel(problem, tolerance)
    assert np.abs(w.value - [0.2, 0.4]).max() < 1e-6


def test_the_first_tolerance_that_is_met_is_taken(program):
    w, problem = program
    assert not programs.clarabel(problem, 1e-40)
    assert programs.clarabel_at_best(problem, (1e-40, 1e-9))
    assert np.abs(w.value - [0.2, 0.4]).max() < 1e-6
    assert not programs.clarabel_at_best(problem, (1e-40,))


def test_highs_solves_linear_programs():
    x = cp.Variable(2)
    problem = cp.Problem(cp.Minimize(cp.sum(x)), [x >= [1, 2]])
    assert programs.highs(problem)
    assert programs.highs(problem, primal_feasibility_tolerance=1e-10)
    assert problem.value == 3


def test_a_program_without_solution_is_not_solved():
    x = cp.Variable()
    assert not programs.highs(cp.Problem(cp.Minimize(x), [x >= 1, x <= 0]))
    assert not programs.clarabel(cp.Problem(cp.Minimize(x)))


def test_a_solver_that_fails_leaves_no_earlier_success(program):
    """HiGHS takes no cones of second order, and then the status is still the one of the
    run before.
    """
    w, _ = program
    problem = cp.Problem(cp.Minimize(cp.norm(w)), [w >= 1])
    assert programs.clarabel(problem)
    assert not programs.highs(problem)
