import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, linprog

from ibcore.oracles.basis_pursuit import (
    basis_pursuit,
    excess_bound,
    excess_near,
    leading_excess,
    quasi_norm_interpolant,
)
from ibcore.oracles.q_alpha import q_alpha_minimizer, start_scale
from ibcore.problems.sparse_regression import runners_up, sparse_regression
from ibcore.validation import InvalidInput
from tests.oracles.exact_systems import least_l1
from tests.oracles.scalings import FACTORS, few


def _problem(n=15, d=40, k=3, seed=0):
    return sparse_regression(n, d, k, torch.Generator().manual_seed(seed))


def test_a_sparse_truth_is_recovered_with_a_certificate():
    data = _problem()
    found = basis_pursuit(data.X, data.y)
    torch.testing.assert_close(found.primal, data.truth, rtol=1e-10, atol=1e-12)
    values = found.dual @ data.X
    torch.testing.assert_close(
        values[found.support], data.truth.sign()[found.support], rtol=1e-8, atol=0
    )
    assert float(values[~found.support].abs().max()) == pytest.approx(
        1 - found.slack, rel=1e-8
    )
    assert max(found.gap, found.residual) < 1e-10


def test_one_equation_in_closed_form():
    data = runners_up(5, 0.3)
    found = basis_pursuit(2 * data.X, data.y)
    torch.testing.assert_close(found.primal, data.truth / 2)
    assert found.slack == pytest.approx(0.3)
    assert found.norm == pytest.approx(0.5)


def test_linear_program_and_enumeration_agree():
    for seed in range(5):
        data = _problem(3, 8, 8, seed)
        found = basis_pursuit(data.X, data.y)
        torch.testing.assert_close(
            quasi_norm_interpolant(data.X, data.y, 1.0),
            found.primal,
            rtol=1e-8,
            atol=1e-10,
        )
        for power in (2 / 3, 1 / 2):
            other = quasi_norm_interpolant(data.X, data.y, power)
            torch.testing.assert_close(data.X @ other, data.y)
            assert (
                float(other.abs().pow(power).sum())
                <= float(found.primal.abs().pow(power).sum()) + 1e-12
            )


def test_excess_by_duality_is_the_excess():
    data = _problem()
    found = basis_pursuit(data.X, data.y)
    beta = torch.stack(
        [q_alpha_minimizer(data.X, data.y, alpha).primal for alpha in (0.01, 0.1, 1.0)]
    )
    expected = beta.abs().sum(-1) / found.norm - 1
    torch.testing.assert_close(
        excess_near(found, data.X, beta), expected, rtol=1e-8, atol=1e-13
    )


def null_space_constant(X, on, signs):
    """Max of signs.v_on over v in null(X) with |v_off|_1 <= 1; v_off is the difference
    of two positive vectors.
    """
    off = X[:, ~on]
    sizes = np.concatenate([np.zeros(on.sum()), np.ones(2 * off.shape[1])])
    found = linprog(
        -np.concatenate([signs, np.zeros(2 * off.shape[1])]),
        A_ub=sizes[None],
        b_ub=[1],
        A_eq=np.hstack([X[:, on], off, -off]),
        b_eq=np.zeros(len(X)),
        bounds=[(None, None)] * on.sum() + [(0, None)] * (2 * off.shape[1]),
    )
    return -found.fun


@pytest.mark.parametrize(
    ("n", "d", "k"), [(15, 40, 3), (6, 14, 2), (3, 8, 8), (10, 30, 9)]
)
def test_the_slack_is_one_minus_a_null_space_constant(n, d, k):
    """By duality of linear programs, to the 1e-7 to which HiGHS solves either of them."""
    for seed in range(1105020, 1105025):
        data = _problem(n, d, k, seed)
        found = basis_pursuit(data.X, data.y)
        on = found.support.numpy()
        constant = null_space_constant(
            data.X.numpy(), on, found.primal.sign().numpy()[on]
        )
        assert found.slack == pytest.approx(1 - constant, rel=0, abs=1e-6)


@pytest.mark.parametrize(("d", "limit"), [(100, 0.409), (10_000, 0.451)])
def test_excess_over_bound_on_the_data_that_attain_its_order_tends_to_the_limit(
    d, limit
):
    """One equation with d - 1 runners-up that lag by log d / log(1/c): beta = c sinh of
    zeta and of (1 - lag) zeta.
    """
    exact = (d - 1) / (2 * d - 1) * math.log(d) / (1 + math.log(d))
    assert exact == pytest.approx(limit, abs=1e-3)
    gaps = []
    for c in (1e-40, 1e-80, 1e-160):
        lag = math.log(d) / math.log(1 / c)

        def rest(zeta, c=c, lag=lag):
            return (d - 1) * c * math.sinh((1 - lag) * zeta)

        zeta = brentq(
            lambda z, c=c, lag=lag, rest=rest: (
                c * math.sinh(z) + (1 - lag) * rest(z) - 1
            ),
            0,
            math.asinh(1 / c),
            xtol=1e-13,
        )
        bound = (math.asinh(1 / c) + 1) / math.log(2 / (d * c)) - 1
        gaps.append(abs(lag * rest(zeta) / bound - exact))
    assert gaps[1] < 0.6 * gaps[0]
    assert gaps[2] < 0.6 * gaps[1]


def test_the_bound_holds_and_is_of_logarithmic_order():
    data = _problem(seed=4)
    found = basis_pursuit(data.X, data.y)
    for alpha in (0.1, 1e-3, 1e-6):
        beta = q_alpha_minimizer(data.X, data.y, alpha).primal
        assert float(excess_near(found, data.X, beta)) <= excess_bound(
            found, start_scale(alpha)
        )
    assert excess_bound(found, 1e-40) == pytest.approx(
        excess_bound(found, 1e-80) * 2, rel=0.1
    )
    assert excess_bound(found, 10.0) == math.inf


@pytest.mark.parametrize(("depth", "alpha"), [(3, 1e-4), (4, 0.01)])
def test_the_leading_excess_of_one_equation(depth, alpha):
    data = runners_up(4, 0.5)
    found = basis_pursuit(data.X, data.y)
    p = depth / (depth - 2)
    assert leading_excess(found, data.X, depth) == pytest.approx(
        3 * (2**p - 1.5**-p) / 2
    )
    beta = q_alpha_minimizer(data.X, data.y, alpha, depth).primal
    measured = float(excess_near(found, data.X, beta)) / alpha**depth
    assert measured == pytest.approx(leading_excess(found, data.X, depth), rel=2e-3)


def test_bad_input_is_refused():
    data = _problem()
    with pytest.raises(InvalidInput, match="fewer nonzero"):
        leading_excess(basis_pursuit(data.X, data.y), data.X, 3)
    with pytest.raises(InvalidInput, match="depth is 2"):
        leading_excess(basis_pursuit(data.X, data.y), data.X, 2)
    with pytest.raises(InvalidInput, match="supports"):
        quasi_norm_interpolant(data.X, data.y, 0.5)
    with pytest.raises(InvalidInput, match="power"):
        quasi_norm_interpolant(data.X, data.y, 2.0)
    with pytest.raises(InvalidInput, match="no solution"):
        basis_pursuit(
            torch.tensor([[1.0, 0.0], [1.0, 0.0]]).double(),
            torch.tensor([0.0, 1.0]).double(),
        )


SMALL = np.array([[2.0, 0, -2, 1], [3, -2, 0, 5], [1, 1, -4, 0]])
GOALS = np.array([2.0, 3.0, -1.0])


@few
@given(a=FACTORS, b=FACTORS, r=FACTORS)
def test_units_of_inputs_targets_and_one_equation_do_not_matter(a, b, r):
    data = _problem(6, 14, 2)
    base = basis_pursuit(data.X, data.y)
    row = torch.ones(6, dtype=torch.float64)
    row[0] = r
    found = basis_pursuit(a * row[:, None] * data.X, b * row * data.y)
    torch.testing.assert_close(found.primal * (a / b), base.primal, rtol=1e-9, atol=0)
    torch.testing.assert_close(found.dual * a * row, base.dual, rtol=1e-7, atol=1e-9)
    assert found.slack == pytest.approx(base.slack, rel=1e-7)
    assert max(found.gap, found.residual) < 1e-12


def test_a_small_right_hand_side_has_a_small_solution():
    """The interpolants are (1, 0, 0) + s (1, 3/2, 1), so the least norm is 1, whatever
    the unit.
    """
    X, y = np.array([[2.0, 0, -2], [3, -2, 0]]), np.array([2.0, 3.0])
    for unit in (1.0, 1e-9):
        found = basis_pursuit(X, unit * y)
        np.testing.assert_allclose(found.primal, [unit, 0, 0], rtol=1e-15, atol=0)
        assert found.gap < 1e-15


def _right_or_refused(X, *, answered):
    """Against rational arithmetic; a dual that doubles cannot hold is refused, unless
    `answered` must be.
    """
    least = least_l1(X, GOALS)
    other = quasi_norm_interpolant(X, GOALS, 1.0)
    assert float(other.abs().sum()) == pytest.approx(least, rel=1e-9)
    try:
        found = basis_pursuit(X, GOALS)
    except InvalidInput as refusal:
        if answered or "comparable units" not in str(refusal):
            raise
        return
    assert found.norm == pytest.approx(least, rel=1e-8)
    allowed = 1 + 1e-14 * abs(found.dual.numpy()) @ abs(X)
    assert (abs(found.dual.numpy() @ X) <= allowed).all()


@few
@given(c=FACTORS, j=st.integers(0, 3))
def test_one_column_in_other_units_agrees_with_rational_arithmetic(c, j):
    _right_or_refused(SMALL * c ** np.eye(4)[j], answered=1e-6 <= c <= 1e6)


@few
@given(st.lists(st.floats(-12, 12), min_size=4, max_size=4))
def test_all_columns_in_other_units_are_right_or_refused(exponents):
    _right_or_refused(
        SMALL * 10.0 ** np.array(exponents),
        answered=max(exponents) - min(exponents) <= 6,
    )


def test_zero_and_repeated_columns_and_implied_equations():
    X = np.c_[SMALL, np.zeros(3), SMALL[:, 0]]
    least = basis_pursuit(SMALL, GOALS).norm
    for inputs, goals in (
        (X, GOALS),
        (np.r_[X, X[:1] + X[1:2]], np.r_[GOALS, GOALS[0] + GOALS[1]]),
        (np.r_[X, np.zeros((1, 6))], np.r_[GOALS, 0.0]),
    ):
        found = basis_pursuit(inputs, goals)
        assert found.norm == pytest.approx(least, rel=1e-12)
        assert max(found.gap, found.residual) < 1e-12
        for power in (1.0, 0.5, 0.01):
            beta = quasi_norm_interpolant(inputs, goals, power).numpy()
            np.testing.assert_allclose(inputs @ beta, goals, atol=1e-12)
        assert float(
            quasi_norm_interpolant(inputs, goals, 1.0).abs().sum()
        ) == pytest.approx(least)


def test_more_equations_than_unknowns_and_as_many():
    truth = np.array([1.0, -2.0])
    for X in (np.array([[1.0, 2], [3, 4], [5, 6]]), np.array([[1.0, 2], [3, 4]])):
        np.testing.assert_allclose(
            basis_pursuit(X, X @ truth).primal, truth, rtol=1e-12
        )
        np.testing.assert_allclose(
            quasi_norm_interpolant(X, X @ truth, 0.5), truth, rtol=1e-12
        )


def test_a_low_power_does_not_count_rounding():
    """y is the first column: one entry, whose power is 1, against three of another
    support.
    """
    beta = quasi_norm_interpolant(SMALL, SMALL[:, 0], 0.001)
    np.testing.assert_array_equal(beta != 0, [True, False, False, False])


@few
@given(a=FACTORS, b=FACTORS)
def test_the_quasi_norm_does_not_depend_on_units(a, b):
    base = quasi_norm_interpolant(SMALL, GOALS, 0.5)
    found = quasi_norm_interpolant(a * SMALL, b * GOALS, 0.5)
    torch.testing.assert_close(found * (a / b), base, rtol=1e-12, atol=0)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_contradictions_zero_targets_and_columns_of_targets_are_refused(unit):
    X = np.array([[1.0, 2], [2, 4]])
    for solver in (basis_pursuit, lambda X, y: quasi_norm_interpolant(X, y, 0.5)):
        with pytest.raises(InvalidInput, match="no solution"):
            solver(unit * X, [1.0, 1.0])
        with pytest.raises(InvalidInput, match="expected \\(2,\\)"):
            solver(unit * X, [[1.0], [2.0]])
    with pytest.raises(InvalidInput, match="y is zero"):
        basis_pursuit(unit * X, [0.0, 0.0])
    for inputs in (unit * X, 0 * X):
        assert not quasi_norm_interpolant(inputs, [0.0, 0.0], 0.5).any()
