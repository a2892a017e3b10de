import math
from functools import partial

import numpy as np
import pytest
import torch
from numpy.polynomial import legendre

from ibcore.claims import Setting
from ibcore.claims.introduction import (
    intro_poly_overfit,
    intro_random_labels,
    kernel_distances,
    memorize,
    smooth_or_wiggly,
)
from ibcore.demonstrations.introduction import (
    LABEL_NOISE,
    fit_points,
    fit_polynomial,
    start_wiggly,
)
from ibcore.dynamics.trajectory import step_limit
from ibcore.models.polynomial import legendre_features
from ibcore.oracles.least_squares import descent_from_zero
from ibcore.problems.curves import cubic, cubic_points, points, scattered_points
from ibcore.validation import InvalidInput

SETTING = Setting.create("quick", seed=11, device="cpu")


@pytest.fixture(scope="module")
def wiggly():
    return smooth_or_wiggly.verify(
        SETTING, seeds=3, narrow_sets=20, small_sets=3, kernel_sets=8
    )


@pytest.fixture(scope="module")
def labels():
    return intro_random_labels.verify(SETTING, seeds=3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_claims_stand(wiggly, labels):
    for verdict in (wiggly, labels, intro_poly_overfit.verify(SETTING)):
        assert [
            check.name for check in verdict.evidence.checks if not check.holds
        ] == []
        assert verdict.stands


# --- polynomials


def test_least_squares_agrees_with_numpy():
    data = cubic_points(3, 10, generator(), noise=0.3)
    fit = fit_polynomial(data, 8)
    for x, y, coefficients, train in zip(
        data.x, data.y, fit.coefficients, fit.train, strict=True
    ):
        expected, (residual, *_) = legendre.legfit(x.numpy(), y.numpy(), 8, full=True)
        np.testing.assert_allclose(coefficients.numpy(), expected, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(float(train), residual[0] / 10, rtol=1e-6)


def test_test_error_agrees_with_a_fine_grid():
    fit = fit_polynomial(cubic_points(3, 10, generator(), noise=0.3), 8)
    nodes, weights = (torch.from_numpy(part) for part in legendre.leggauss(30))
    expected = (fit(nodes) - cubic(nodes)).square() @ weights / 2 + LABEL_NOISE**2
    torch.testing.assert_close(fit.test, expected)


def test_degree_sixty_is_where_gradient_descent_from_zero_ends():
    data = cubic_points(2, 10, generator(), noise=0.3)
    weights = 1 / (torch.arange(61, dtype=torch.float64) + 1)
    features = legendre_features(data.x, 60) * weights
    step = 5 / torch.linalg.matrix_norm(features, 2).square()
    found = descent_from_zero(features, data.y, step, 10**7) * weights
    torch.testing.assert_close(
        found, fit_polynomial(data, 60).coefficients, rtol=0, atol=1e-9
    )


# --- labels


def test_the_same_digits_and_start_at_every_corruption(labels):
    again = memorize(SETTING, 0.0, seeds=3, train=500, width=128)
    assert torch.equal(again.test, labels.data["runs"][0.0].test)
    assert set(again.run.status) == {"converged"}


def test_a_step_limit_is_no_fit():
    short = memorize(SETTING, 1.0, seeds=2, train=500, width=16, max_steps=10)
    assert short.run.status == (step_limit(10),) * 2
    assert float(short.train.max()) < 1


# --- smooth or wiggly


def test_a_trained_network_can_be_refitted_to_your_own_points():
    data = points([0.3, -0.8, 0.9, -0.1], [1.0, 0.0, -1.0, 2.0])
    fit = fit_points(data, 128, 100.0, generator())
    assert fit.flow.status == ("converged",)
    torch.testing.assert_close(
        fit.network.outputs(fit.flow.theta), data.y, rtol=0, atol=3e-4
    )
    assert 1 < float(fit.ratio) < 2
    assert fit.on_grid(50).shape == (1, 50)


def test_points_on_a_line_need_no_roughness():
    with pytest.raises(InvalidInput, match="on a line"):
        fit_points(points([0.0, 1.0, 2.0], [0.0, 1.0, 2.0]), 64, 100.0, generator())


@pytest.mark.parametrize(
    ("width", "scale", "name"),
    [
        (0, 100.0, "width"),
        (-3, 100.0, "width"),
        (64, -1.0, "scale"),
        (64, math.nan, "scale"),
    ],
)
def test_bad_networks_are_refused(width, scale, name):
    with pytest.raises(InvalidInput, match=name):
        fit_points(scattered_points(1, 8, generator()), width, scale, generator())


def test_certificate_holds_for_networks_that_did_not_fit(wiggly):
    tiny = wiggly.data["tiny"]
    assert not tiny.fits.any()
    assert float(tiny.ratio.min()) < 1 < float(tiny.certified.min())


def test_an_unperturbed_wiggly_start_proves_nothing():
    fit = fit_points(scattered_points(2, 8, generator()), 64, 100.0, generator())
    still = start_wiggly(fit, generator(), perturbation=0.0)
    assert float(still.loss.max()) < 1e-20
    assert math.isnan(still.stays_wiggly(fit))


def test_a_refit_that_does_not_fit_proves_nothing():
    fit = fit_points(scattered_points(2, 8, generator()), 64, 100.0, generator())
    assert math.isnan(start_wiggly(fit, generator(), max_steps=1).stays_wiggly(fit))


def test_small_starts_stay_far_from_the_kernel_interpolant():
    distance = partial(kernel_distances, SETTING, (256,), 4)
    assert float(distance(scale=10.0).median()) > 1.5 * float(
        distance(scale=1000.0).median()
    )
