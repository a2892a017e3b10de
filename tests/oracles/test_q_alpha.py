import cvxpy as cp
import numpy as np
import pytest
import torch
from hypothesis import given

from ibcore.oracles.least_squares import minimum_norm
from ibcore.oracles.q_alpha import (
    _Link,
    inverse_link,
    link,
    q_alpha_minimizer,
    q_alpha_path,
    q_minimizer,
    q_value,
    shape_scale,
    start_scale,
)
from ibcore.oracles.woodworth import woodworth
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


def _data(n=4, d=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return X, X @ torch.randn(d, generator=generator, dtype=torch.float64)


def test_depth_two_is_the_function_of_woodworth():
    beta = torch.linspace(-3, 3, 25, dtype=torch.float64).reshape(5, 5)
    for alpha in (0.01, 0.3, 2.0):
        torch.testing.assert_close(
            q_value(beta, start_scale(alpha)),
            woodworth(beta, alpha),
            rtol=1e-13,
            atol=0,
        )


@pytest.mark.parametrize("depth", [2, 3, 4, 6])
def test_the_slope_of_q_inverts_the_link(depth):
    z = torch.linspace(-0.95, 0.95, 21, dtype=torch.float64)
    torch.testing.assert_close(
        inverse_link(link(z, depth), depth), z, rtol=1e-12, atol=1e-14
    )
    x, step = link(z, depth)[:, None], 1e-5
    slope = (q_value(x + step, 1.0, depth) - q_value(x - step, 1.0, depth)) / (2 * step)
    torch.testing.assert_close(slope, z, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("alpha", [0.2, 0.5, 2.0])
def test_depth_two_agrees_with_the_cone_program(alpha):
    X, y = _data()
    p, q = cp.Variable(9), cp.Variable(9)
    entropy = cp.sum(cp.kl_div(p, 1) + cp.kl_div(q, 1))
    cp.Problem(
        cp.Minimize(entropy), [alpha**2 * X.numpy() @ (p - q) == y.numpy()]
    ).solve(solver=cp.CLARABEL)
    found = q_alpha_minimizer(X, y, alpha).primal
    np.testing.assert_allclose(
        found, alpha**2 * (p.value - q.value), atol=1e-3
    )  # a value to 1e-8


@pytest.mark.parametrize("depth", [3, 4])
def test_deep_minimizers_are_least_and_stationary_in_the_null_space(depth):
    X, y = _data()
    best = q_alpha_minimizer(X, y, 0.5, depth)
    null = torch.linalg.svd(X).Vh[4:]
    height = q_value(best.primal, start_scale(0.5, depth), depth)
    nearby = (
        best.primal
        + 1e-3
        * torch.randn(50, 5, generator=torch.Generator().manual_seed(1)).double()
        @ null
    )
    assert bool((q_value(nearby, start_scale(0.5, depth), depth) > height).all())
    slope = inverse_link(best.primal / start_scale(0.5, depth), depth)
    assert float((null @ slope).norm()) < 1e-11


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_one_feature_and_one_equation_in_closed_form(depth):
    x, y = torch.tensor([[2.0, -2.0]]).double(), torch.tensor([3.0]).double()
    best = q_alpha_minimizer(x, y, 0.4, depth)
    torch.testing.assert_close(
        best.primal, torch.tensor([0.75, -0.75]).double(), rtol=1e-14, atol=0
    )
    dual = (
        inverse_link(torch.tensor([0.75]).double() / start_scale(0.4, depth), depth) / 2
    )
    torch.testing.assert_close(best.dual, dual, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("depth", "alphas"),
    [
        (2, (1e-12, 1e-6, 1e-3, 1.0, 1e3)),
        (3, (1e-2, 0.1, 1.0, 1e3)),
        (4, (0.1, 1.0, 1e2)),
    ],
)
def test_every_scale_is_certified_and_the_path_agrees_with_single_solutions(
    depth, alphas
):
    X, y = _data(12, 40, 3)
    for alpha, one in zip(alphas, q_alpha_path(X, y, alphas, depth), strict=True):
        assert max(one.residual, one.correction) < 1e-11
        assert (
            float((q_alpha_minimizer(X, y, alpha, depth).primal - one.primal).norm())
            < 1e-10
        )
    assert float((one.primal - minimum_norm(X, y).weights).norm()) < 1e-5


def test_shapes_act_through_one_number_and_coordinates_may_differ():
    assert float(shape_scale(0.5, 0.0)) == 1.0
    u, v = 0.3, 0.2
    assert float(shape_scale(u * v, (u - v) / (u + v))) == pytest.approx(u**2 + v**2)
    X, y = _data()
    c = torch.linspace(0.1, 2, 9, dtype=torch.float64)
    best = q_minimizer(X, y, c)
    dual = torch.linalg.lstsq(X.T, torch.asinh(best.primal / c)[:, None])
    assert best.residual < 1e-14
    torch.testing.assert_close(
        (X.T @ dual.solution)[:, 0],
        torch.asinh(best.primal / c),
        rtol=1e-11,
        atol=1e-12,
    )


def test_the_largest_safe_share_never_lowers_the_dual():
    X, y = _data(6, 10, 5)
    for depth in (2, 3, 4):
        steps = q_alpha_minimizer(X, 1e6 * y, 1.0, depth)
        assert steps.residual < 1e-11
        assert steps.steps < 100


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_short_steps_are_taken_whole_and_longer_ones_until_the_dual_turns(depth):
    """Above depth 2 (1 - t e)^(-p - 1) has integrated to 1 at the share, or e^(t d)."""
    link = _Link(depth)
    long, z = 0.1 if depth == 2 else 0.1 / (link.power + 1), np.zeros(1)
    assert link.share(z, np.array([long])) == 1
    for step in (1.01 * long, 5 * long, 0.9):
        share = link.share(z, np.array([step]))
        times = np.linspace(0, share, 20_001)
        growth = (
            np.exp(times * step)
            if depth == 2
            else (1 - times * step) ** (-link.power - 1)
        )
        assert share < 1
        assert np.trapezoid(growth, times) == pytest.approx(1, rel=1e-6)


def test_bad_input_is_refused():
    X, y = _data()
    with pytest.raises(InvalidInput, match="linearly dependent"):
        q_alpha_minimizer(torch.cat([X, X[:1]]), torch.cat([y, y[:1]]), 1.0)
    with pytest.raises(InvalidInput, match="y is zero"):
        q_alpha_minimizer(X, 0 * y, 1.0)
    with pytest.raises(InvalidInput, match="above 0"):
        q_alpha_minimizer(X, y, -1.0)
    with pytest.raises(InvalidInput, match="not above 0"):
        q_minimizer(X, y, torch.zeros(9))
    with pytest.raises(InvalidInput, match="depth"):
        q_alpha_minimizer(X, y, 1.0, depth=1)
    with pytest.raises(InvalidInput, match="one target a row"):
        q_alpha_minimizer(X, torch.stack([y, y], 1), 1.0)
    with pytest.raises(InvalidInput, match="between -1 and 1"):
        shape_scale(1.0, 1.0)


def test_newton_reaches_the_tiniest_scales_where_almost_every_coordinate_vanishes():
    """Two nonzero coordinates and 15 equations: 13 directions of the dual do not move
    beta at all.
    """
    alphas = [10.0**-k for k in range(13)]
    for seed in range(5):
        draw = torch.Generator().manual_seed(seed)
        X = torch.randn(15, 40, generator=draw, dtype=torch.float64)
        path = q_alpha_path(X, X[:, 0] - X[:, 1] / 2, alphas)
        assert max(one.residual for one in path) < 1e-12
        assert path[-1].steps < 200


@pytest.mark.parametrize("depth", [2, 3])
@few
@given(a=FACTORS, b=FACTORS, r=FACTORS)
def test_units_of_inputs_targets_scale_and_one_equation_do_not_matter(depth, a, b, r):
    X, y = _data()
    base = q_minimizer(X, y, 0.3, depth)
    row = torch.ones(4, dtype=torch.float64)
    row[2] = r
    found = q_minimizer(a * row[:, None] * X, b * row * y, 0.3 * b / a, depth)
    torch.testing.assert_close(found.primal * (a / b), base.primal, rtol=1e-9, atol=0)
    torch.testing.assert_close(found.dual * a * row, base.dual, rtol=1e-9, atol=0)
    assert max(found.residual, found.correction) < 1e-11


@few
@given(c=FACTORS)
def test_one_column_in_other_units_is_solved_or_refused(c):
    """Stationarity, asinh(beta / s) in the row space, by rational elimination: one row,
    so one number nu.
    """
    x, y, s = torch.tensor([[1.0, c]], dtype=torch.float64), 1.0, 0.5
    found = q_minimizer(x, [y], s)
    assert float(x[0] @ found.primal) == pytest.approx(y, rel=1e-12)
    ratio = torch.asinh(found.primal / s) / x[0]
    assert float(ratio[0]) == pytest.approx(float(ratio[1]), rel=1e-9)


def test_shapes_of_scale_and_targets_are_told():
    X, y = _data()
    with pytest.raises(InvalidInput, match="scale has shape"):
        q_minimizer(X, y, torch.ones(3))
    with pytest.raises(InvalidInput, match="expected \\(4,\\)"):
        q_minimizer(X, y[:, None], 1.0)
    with pytest.raises(InvalidInput, match="alphas are empty"):
        q_alpha_path(X, y, [])
