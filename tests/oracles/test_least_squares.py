import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ibcore.oracles.least_squares import descent_from_zero, minimum_norm, ridge
from ibcore.validation import InvalidInput
from tests.oracles.exact_systems import least_l2
from tests.oracles.scalings import FACTORS, few


def system(n, p, *batch, seed=0, outputs=None):
    generator = torch.Generator().manual_seed(seed)
    phi = torch.randn(*batch, n, p, generator=generator, dtype=torch.float64)
    shape = (*batch, n) if outputs is None else (*batch, n, outputs)
    return phi, torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    ("n", "p"), [(20, 7), (20, 20), (20, 21), (20, 90), (1, 1), (5, 1)]
)
def test_agrees_with_the_singular_value_decomposition(n, p):
    phi, y = system(n, p, outputs=3)
    reference = torch.linalg.lstsq(phi, y, driver="gelsd").solution
    torch.testing.assert_close(
        minimum_norm(phi, y).weights, reference, rtol=1e-9, atol=1e-9
    )


def test_certificate_of_an_interpolant_and_of_a_regression():
    over, under = minimum_norm(*system(20, 60, 4)), minimum_norm(*system(60, 20, 4))
    for fit in (over, under):
        assert fit.stationarity.max() < 1e-14
        assert fit.outside.max() < 1e-13
    assert over.residual.max() < 1e-13
    assert under.residual.min() > 0.1
    assert torch.equal(over.norm, torch.linalg.vector_norm(over.weights, dim=-1))


def test_certificate_notices_another_interpolant():
    phi, y = system(20, 60)
    fit = minimum_norm(phi, y)
    stray = torch.linalg.qr(phi.T, mode="complete").Q[:, -1]
    other = fit.weights + stray
    assert torch.linalg.vector_norm(phi @ other - y) < 1e-12
    back = minimum_norm(phi, phi @ other).weights
    assert torch.linalg.vector_norm(other - back) == pytest.approx(1.0, abs=1e-10)


def test_duplicated_rows_and_dead_features_are_no_obstacle():
    phi, y = system(12, 30)
    phi, y = torch.cat([phi, phi[:3]]), torch.cat([y, y[:3]])
    phi[:, 5] = 0
    fit = minimum_norm(phi, y)
    assert fit.residual < 1e-13
    assert abs(fit.weights[5]) < 1e-15
    reference = torch.linalg.lstsq(phi, y[:, None], driver="gelsd").solution[:, 0]
    torch.testing.assert_close(fit.weights, reference, rtol=1e-10, atol=1e-10)


def test_no_direction_is_cut_before_rounding_does():
    U = torch.linalg.qr(system(10, 10)[0]).Q
    V = torch.linalg.qr(system(10, 10, seed=1)[0]).Q
    singular = torch.logspace(0, -10, 10, dtype=torch.float64)
    w = V.sum(1)
    fit = minimum_norm(
        U @ torch.diag(singular) @ V.T, U @ torch.diag(singular) @ V.T @ w
    )
    assert torch.linalg.vector_norm(fit.weights - w) < 1e-4


def test_batches_are_independent():
    phi, y = system(10, 25, 5)
    whole = minimum_norm(phi, y).weights
    torch.testing.assert_close(
        whole[3], minimum_norm(phi[3], y[3]).weights, rtol=1e-12, atol=1e-12
    )
    shared = minimum_norm(phi, y[0]).weights
    torch.testing.assert_close(
        shared[3], minimum_norm(phi[3], y[0]).weights, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize(("n", "p"), [(15, 6), (15, 40)])
def test_ridge_is_stationary_and_tends_to_the_minimum_norm(n, p):
    phi, y = system(n, p, 2)
    w = ridge(phi, y, 0.3)
    gradient = (
        2 / n * (phi.mT @ ((phi @ w[..., None])[..., 0] - y)[..., None])[..., 0]
        + 2 * 0.3 * w
    )
    assert gradient.abs().max() < 1e-13
    gap = [
        float((ridge(phi, y, penalty) - minimum_norm(phi, y).weights).abs().max())
        for penalty in (1e-4, 1e-6)
    ]
    assert gap[1] == pytest.approx(gap[0] / 100, rel=0.05)


@pytest.mark.parametrize(("n", "p"), [(15, 6), (15, 40)])
@pytest.mark.parametrize("factor", [0.9, 1.9])
def test_descent_in_closed_form_is_descent(n, p, factor):
    phi, y = system(n, p, 2)
    eta = factor / (2 / n * torch.linalg.matrix_norm(phi, 2).square())
    w = torch.zeros(2, p, dtype=torch.float64)
    for _ in range(57):
        w = (
            w
            - eta[:, None]
            * 2
            / n
            * (phi.mT @ ((phi @ w[..., None])[..., 0] - y)[..., None])[..., 0]
        )
    torch.testing.assert_close(
        descent_from_zero(phi, y, eta, 57), w, rtol=1e-10, atol=1e-12
    )


def test_descent_without_steps_stays_at_zero_and_with_many_arrives():
    phi, y = system(15, 40)
    assert torch.count_nonzero(descent_from_zero(phi, y, 0.01, 0)) == 0
    eta = 1 / (2 / 15 * torch.linalg.matrix_norm(phi, 2).square())
    torch.testing.assert_close(
        descent_from_zero(phi, y, eta, 10_000), minimum_norm(phi, y).weights
    )


@pytest.mark.parametrize(
    ("phi", "y", "message"),
    [
        (torch.ones(3), torch.ones(3), "expected \\(..., n, p\\)"),
        (torch.ones(3, 2), torch.ones(4), "one target a row"),
        (torch.full((3, 2), float("nan")), torch.ones(3), "NaN or infinite"),
        (torch.ones(0, 2), torch.ones(0), "is empty"),
    ],
)
def test_bad_input_is_refused(phi, y, message):
    with pytest.raises(InvalidInput, match=message):
        minimum_norm(phi, y)


def test_penalty_must_be_positive():
    with pytest.raises(InvalidInput, match="penalty is 0"):
        ridge(torch.ones(3, 2), torch.ones(3), 0)


@pytest.mark.parametrize(("n", "p"), [(9, 4), (4, 9), (6, 6)])
@few
@given(a=FACTORS, b=FACTORS)
def test_units_of_features_and_targets_do_not_matter(n, p, a, b):
    phi, y = system(n, p)
    base, found = minimum_norm(phi, y), minimum_norm(a * phi, b * y)
    torch.testing.assert_close(found.weights * (a / b), base.weights)
    assert max(found.stationarity, found.outside) < 1e-12
    assert float(found.residual) == pytest.approx(float(base.residual), abs=1e-12)
    for penalty in (1e-20, 0.3):
        torch.testing.assert_close(
            ridge(a * phi, b * y, a**2 * penalty) * (a / b), ridge(phi, y, penalty)
        )
    torch.testing.assert_close(
        descent_from_zero(a * phi, b * y, 0.05 / a**2, 30) * (a / b),
        descent_from_zero(phi, y, 0.05, 30),
    )


@few
@given(c=FACTORS, j=st.integers(0, 3))
def test_one_column_in_other_units_is_right_to_its_condition(c, j):
    """Against rational arithmetic; a backward stable method leaves a few hundred eps
    times the condition.
    """
    X = np.array([[2.0, 0, -2, 1], [3, -2, 0, 5], [1, 1, -4, 0]])
    X[:, j] *= c
    y = np.array([2.0, 3, -1])
    exact, found = least_l2(X, y), minimum_norm(X, y).weights.numpy()
    allowed = 300 * np.finfo(float).eps * np.linalg.cond(X)
    assert np.linalg.norm(found - exact) <= allowed * np.linalg.norm(exact)


@pytest.mark.parametrize("share", [0.3, 30.0])
@pytest.mark.parametrize("n", [8, 20])
def test_a_direction_is_left_out_below_rounding_and_kept_above(n, share):
    """One singular value at `share` times eps max(n, p), the documented cut."""
    U, V = (torch.linalg.qr(system(n, n, seed=s)[0]).Q for s in (0, 1))
    singular = torch.ones(n, dtype=torch.float64)
    singular[-1] = share * torch.finfo(torch.float64).eps * n
    fit = minimum_norm(U @ torch.diag(singular) @ V.T, U[:, -1])
    found = abs(float(fit.weights @ V[:, -1])) * float(singular[-1])
    assert found < 0.1 if share < 1 else found > 0.5


def test_zero_features_and_zero_targets_leave_no_nan():
    phi, y = system(5, 8)
    for fit in (minimum_norm(0 * phi, y), minimum_norm(phi, 0 * y)):
        assert not fit.weights.any()
        certificate = torch.stack([fit.residual, fit.stationarity, fit.outside])
        assert bool(torch.isfinite(certificate).all())


def test_a_penalty_below_rounding_is_no_error():
    phi, y = system(6, 6)
    phi[5] = phi[4]
    w = ridge(phi, y, 1e-30)
    torch.testing.assert_close(w, minimum_norm(phi, y).weights, rtol=1e-6, atol=1e-8)


def test_descent_that_leaves_the_doubles_and_step_sizes_that_are_none():
    phi, y = system(5, 8)
    with pytest.raises(InvalidInput, match="leaves the doubles"):
        descent_from_zero(phi, y, 1e3, 10_000)
    with pytest.raises(InvalidInput, match="NaN or infinite"):
        descent_from_zero(phi, y, float("nan"), 3)


def test_a_tiny_step_goes_a_tiny_way():
    """One step of descent from 0 is (2 eta / n) Phi^T y, however small eta is."""
    phi, y = system(5, 8)
    torch.testing.assert_close(
        descent_from_zero(phi, y, 1e-30, 1) * 1e30, 2 / 5 * phi.mT @ y
    )
