import pytest
import torch

from ibcore.dynamics.factor_descent import (
    descend_factors,
    partial_products,
    pulled_back,
)
from ibcore.validation import InvalidInput


def target(seed=0, batch=3, size=4):
    return torch.randn(
        batch,
        size,
        size,
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    )


def layers(depth, seed=1, scale=0.5, batch=3, size=4):
    draw = torch.Generator().manual_seed(seed)
    return scale * torch.randn(
        depth, batch, size, size, generator=draw, dtype=torch.float64
    )


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_gradients_of_the_layers_are_those_of_autograd(depth):
    weights, goal = layers(depth).requires_grad_(), target()
    product = partial_products(weights)[-1]
    (0.5 * (product - goal).square().sum()).backward()
    plain = weights.detach()
    below = partial_products(plain)
    torch.testing.assert_close(
        pulled_back(plain, below, below[-1] - goal), weights.grad
    )


def test_one_layer_reaches_the_minimum_of_a_quadratic_loss():
    goal = target()
    run = descend_factors(lambda W: 2 * (W - goal), layers(1), [200])
    torch.testing.assert_close(run.products[-1], goal, atol=1e-8, rtol=0)


@pytest.mark.parametrize("depth", [2, 3])
def test_full_observation_is_fitted_by_deep_layers_from_a_small_start(depth):
    goal = torch.linalg.qr(target(5))[0]
    run = descend_factors(
        lambda W: 2 / 16 * (W - goal), layers(depth, scale=0.1), [10, 1000]
    )
    error = (run.products - goal).square().sum((-1, -2)) / goal.square().sum((-1, -2))
    assert float(error[-1].max()) < 1e-3
    assert bool((run.times[1] > run.times[0]).all())


def test_the_path_does_not_depend_on_the_units_of_the_loss():
    goal = target()
    one = descend_factors(lambda W: W - goal, layers(2), [50]).products
    other = descend_factors(lambda W: 1e6 * (W - goal), layers(2), [50]).products
    torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


def test_problems_of_a_batch_do_not_see_each_other():
    goal, start = target(), layers(3)
    together = descend_factors(lambda W: W - goal, start, [1]).products
    shifted = goal.clone()
    shifted[0] *= 50
    assert torch.equal(
        descend_factors(lambda W: W - shifted, start, [1]).products[:, 1:],
        together[:, 1:],
    )


@pytest.mark.parametrize(
    ("weights", "stops", "safety", "message"),
    [
        (torch.zeros(2, 1, 3, 4), [5], 0.5, "square"),
        (torch.zeros(2, 1, 3, 3), [5, 5], 0.5, "stops"),
        (torch.zeros(2, 1, 3, 3), [], 0.5, "stops"),
        (torch.zeros(2, 1, 3, 3), [5], 1.5, "safety"),
    ],
)
def test_bad_input_is_refused(weights, stops, safety, message):
    with pytest.raises(InvalidInput, match=message):
        descend_factors(lambda W: W, weights, stops, safety=safety)
