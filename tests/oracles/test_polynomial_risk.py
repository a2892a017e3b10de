import pytest
import torch
from hypothesis import given

from ibcore.models.polynomial import legendre_features, mean_squares
from ibcore.oracles.polynomial_risk import expected_excess_risk, expected_train_error
from ibcore.problems.curves import jittered_inputs
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


def test_more_coefficients_leave_smaller_residuals():
    assert abs(expected_train_error(12, 3, 0.5) - 0.25 * 8 / 12) < 1e-15
    assert expected_train_error(12, 11, 0.5) == 0.0


def test_moments_agree_with_many_draws_of_the_noise():
    x = jittered_inputs(1, 12, torch.Generator().manual_seed(0))
    noise = 0.3 * torch.randn(
        40_000, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    for degree in (3, 8):
        errors = noise @ torch.linalg.pinv(legendre_features(x[0], degree)).T
        excess = (errors.square() * mean_squares(degree)).sum(-1)
        mean, deviation = expected_excess_risk(x, degree, 0.3)
        assert abs(float(excess.mean() / mean[0]) - 1) < 0.03
        assert abs(float(excess.std() / deviation[0]) - 1) < 0.06


def test_with_many_points_the_excess_is_parameters_over_points():
    x = jittered_inputs(1, 20_000, torch.Generator().manual_seed(0))
    mean, _ = expected_excess_risk(x, 8, 1.0)
    assert abs(float(mean[0]) * 20_000 - 9) < 0.1


@few
@given(factor=FACTORS)
def test_errors_are_proportional_to_the_square_of_the_noise(factor):
    x = jittered_inputs(2, 12, torch.Generator().manual_seed(0))
    for one, other in zip(
        expected_excess_risk(x, 3, 1.0), expected_excess_risk(x, 3, factor), strict=True
    ):
        torch.testing.assert_close(other / factor**2, one)
    assert expected_train_error(12, 3, factor) == pytest.approx(factor**2 * 8 / 12)


def test_more_coefficients_than_points():
    assert expected_train_error(12, 20, 1.0) == 0
    x = jittered_inputs(1, 5, torch.Generator().manual_seed(0))
    with pytest.raises(InvalidInput, match="do not determine"):
        expected_excess_risk(x, 5, 1.0)
    with pytest.raises(InvalidInput, match="noise is nan"):
        expected_excess_risk(x, 3, float("nan"))
