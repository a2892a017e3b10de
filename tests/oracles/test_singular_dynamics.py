import numpy as np
import pytest
import torch
from hypothesis import given

from ibcore.oracles.singular_dynamics import end_to_end_flow, singular_rates
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


def matrix(seed, size=3):
    return torch.randn(
        size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def test_depth_one_is_the_derivative_of_singular_values():
    W, G = matrix(0), matrix(1)
    ahead, back = (torch.linalg.svdvals(W - sign * 1e-6 * G) for sign in (1, -1))
    torch.testing.assert_close(
        singular_rates(W, G, 1), (ahead - back) / 2e-6, rtol=1e-7, atol=1e-8
    )


def test_rates_are_scaled_by_the_depth():
    W, G = matrix(2), matrix(3)
    values = torch.linalg.svdvals(W)
    for depth in (2, 3, 5):
        torch.testing.assert_close(
            singular_rates(W, G, depth),
            depth * values ** (2 - 2 / depth) * singular_rates(W, G, 1),
        )


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_flow_of_one_number_has_a_closed_form(depth):
    """Constant gradient -g: w' = k w^(2 - 2/k) g for one number."""
    times, g, w = [0.05, 0.1], 1.3, 0.7
    path = end_to_end_flow(lambda W: -g * np.ones_like(W), [[w]], depth, times)[:, 0, 0]
    t = torch.tensor(times, dtype=torch.float64)
    exact = {
        1: w + g * t,
        2: w * torch.exp(2 * g * t),
        3: (w ** (-1 / 3) - g * t) ** -3,
    }[depth]
    torch.testing.assert_close(path, exact, rtol=1e-8, atol=0)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_flow_of_w_has_the_predicted_rates(depth):
    goal, W = matrix(4).numpy(), 0.5 * matrix(5)
    step = 1e-4
    path = end_to_end_flow(lambda M: M - goal, W, depth, [step, 2 * step])
    middle = singular_rates(path[0], path[0] - torch.from_numpy(goal), depth)
    slope = (torch.linalg.svdvals(path[1]) - torch.linalg.svdvals(W)) / (2 * step)
    torch.testing.assert_close(slope, middle, rtol=1e-5, atol=1e-6)


def test_bad_input_is_refused():
    with pytest.raises(InvalidInput, match="square"):
        end_to_end_flow(lambda W: W, torch.ones(2, 3), 2, [1.0])
    with pytest.raises(InvalidInput, match="depth"):
        singular_rates(matrix(0), matrix(1), 0)


@pytest.mark.parametrize("depth", [1, 2, 3])
@few
@given(c=FACTORS, g=FACTORS)
def test_units_of_the_start_and_of_the_gradient_stretch_time(depth, c, g):
    goal, W = matrix(4).numpy(), matrix(5).numpy() + 3 * np.eye(3)
    times = np.array([0.05, 0.1])
    base = end_to_end_flow(lambda M: M - goal, W, depth, times)
    found = end_to_end_flow(
        lambda M: g * (M / c - goal), c * W, depth, times * c ** (2 / depth - 1) / g
    )
    torch.testing.assert_close(found / c, base, rtol=1e-7, atol=1e-8)


def test_the_error_falls_with_the_tolerance_and_the_default_is_a_small_one():
    """w' = 2 w from 1 to t = 3: an error of the eighth order, at most the tolerance a
    step.
    """

    def error(**options):
        path = end_to_end_flow(lambda W: -np.ones_like(W), [[1.0]], 2, [3.0], **options)
        return abs(float(path) / np.exp(6) - 1)

    errors = {
        tolerance: error(tolerance=tolerance) for tolerance in (1e-4, 1e-7, 1e-10)
    }
    assert all(errors[t] <= 10 * t for t in errors)
    assert errors[1e-4] > 30 * errors[1e-7] > 900 * errors[1e-10]
    assert error() == errors[1e-10]


@pytest.mark.parametrize("times", [[0.2, 0.1], [0.0], [-1.0], [float("nan")]])
def test_times_that_do_not_rise_are_refused(times):
    with pytest.raises(InvalidInput, match="times"):
        end_to_end_flow(lambda W: W, torch.eye(2).double(), 2, times)


def test_gradients_that_are_none_are_refused():
    for gradient in (lambda W: W[0], lambda W: W * np.nan):
        with pytest.raises(InvalidInput, match="gradient at the start"):
            end_to_end_flow(gradient, torch.eye(2).double(), 2, [1.0])
    with pytest.raises(InvalidInput, match="product has shape"):
        singular_rates(matrix(0), torch.ones(2, 2).double(), 2)
