import pytest
import torch

from ibcore.oracles.least_squares import descent_from_zero, minimum_norm, ridge
from ibcore.validation import InvalidInput


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
