import math

import numpy as np
import pytest
import torch

from ibcore.models.diagonal import Diagonal
from ibcore.models.network import Network
from ibcore.oracles import stable_functions as oracle


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def by_hand(x, t):
    """The weight as the paper writes it, with conditional means."""
    left, right = x[x < t], x[x > t]
    if not len(left) or not len(right):
        return 0.0
    sides = [
        (len(side) / len(x)) ** 2
        * np.abs(side - t).mean()
        * math.sqrt(1 + side.mean() ** 2)
        for side in (left, right)
    ]
    return min(sides)


def test_the_weight_is_that_of_the_paper():
    x = torch.rand(3, 7, generator=generator(), dtype=torch.float64) * 4 - 1
    t = torch.rand(3, 9, generator=generator(1), dtype=torch.float64) * 6 - 2
    expected = [
        [by_hand(a, s) for s in b] for a, b in zip(x.numpy(), t.numpy(), strict=True)
    ]
    torch.testing.assert_close(
        oracle.bend_weight(x, t), torch.tensor(expected).double()
    )
    assert expected[0].count(0.0) > 0


def test_the_weight_is_symmetric_and_a_scaling_of_points_far_out_is_quadratic():
    x = torch.rand(1, 8, generator=generator(), dtype=torch.float64) + 1
    t = torch.linspace(1.4, 1.6, 5, dtype=torch.float64)[None]
    torch.testing.assert_close(oracle.bend_weight(x, t), oracle.bend_weight(-x, -t))
    ratio = oracle.bend_weight(1e6 * x, 1e6 * t) / oracle.bend_weight(1e5 * x, 1e5 * t)
    torch.testing.assert_close(ratio, torch.full_like(ratio, 100), rtol=1e-9, atol=0)


def mean_gradient(model, theta):
    return model.jacobian(theta).mean(1).square().sum(-1)


def test_the_mean_gradient_meets_its_bound_where_the_neurons_are_balanced():
    """|mean gradient|^2 >= 1 + 2 sum |a w| g, with equality for one side's weight after
    a rescaling of each neuron.
    """
    x = torch.rand(4, 6, generator=generator(), dtype=torch.float64) * 2 - 1
    model = Network(x[..., None], (5,), "relu")
    theta = model.initial(4, generator(2))
    (w, b), (a, _) = model.layers(theta)
    w, a = w[..., 0], a[:, 0]
    left, right = oracle.bend_weights(x, -b / w)
    side = torch.where(w > 0, right, left)
    bound = 1 + 2 * ((a * w).abs() * side).sum(-1)
    assert bool((mean_gradient(model, theta) >= bound).all())
    z = (x[..., None] * w[:, None] + b[:, None]).relu()
    by_a = z.mean(1)
    on = (z > 0).double()
    by_first = a.abs() * torch.sqrt(
        on.mean(1).square() + (on * x[..., None]).mean(1).square()
    )
    factor = torch.where(
        by_a > 0, torch.sqrt(by_first / by_a.clamp(min=1e-300)), torch.ones_like(a)
    )
    balanced = torch.cat([w * factor, b * factor, a / factor, theta[:, -1:]], -1)
    torch.testing.assert_close(model.outputs(balanced), model.outputs(theta))
    torch.testing.assert_close(mean_gradient(model, balanced), bound)


def test_the_load_of_a_diagonal_network_is_met_where_one_copy_is_zero():
    inputs = torch.randn(3, 4, 6, generator=generator(), dtype=torch.float64)
    u = torch.randn(3, 6, generator=generator(1), dtype=torch.float64)
    model = Diagonal(inputs)
    one = torch.cat([u, 0 * u], -1)
    load = oracle.mean_load(inputs, model.coefficients(one))
    torch.testing.assert_close(mean_gradient(model, one), load)
    both = torch.cat([u, 0.3 * u], -1)
    load = oracle.mean_load(inputs, model.coefficients(both))
    assert bool((mean_gradient(model, both) > load).all())


def test_the_bound_of_the_input_gradient_is_met_by_one_neuron_with_fixed_output():
    inputs = torch.randn(2, 3, 4, generator=generator(), dtype=torch.float64)
    inputs = inputs / inputs.norm(dim=-1, keepdim=True)
    w = torch.randn(2, 1, 4, generator=generator(1), dtype=torch.float64)
    slopes = 1 - torch.tanh(inputs @ w.mT)[..., 0].square()
    by_input = slopes.square() * w.square().sum((-1, -2))[:, None]
    by_weight = slopes.square() * inputs.square().sum(-1)
    bound = oracle.input_gradient_bound(w, inputs, 2 * by_weight.mean(-1))
    torch.testing.assert_close(by_input.mean(-1), bound)


def test_bends_and_steps_convert_from_the_paper():
    step = 0.3
    sharpest = 2 / step
    assert oracle.most_bends(step) == pytest.approx(1 / (2 * step) - 0.5)
    bends = torch.tensor([oracle.most_bends(step)])
    assert float(oracle.least_sharpness(bends)) == pytest.approx(sharpest)


def test_a_first_layer_without_a_number_bounds_nothing():
    first = torch.ones(2, 3, 2).double()
    first[1, 0, 0] = torch.nan
    bound = oracle.input_gradient_bound(first, torch.ones(2, 4, 2), torch.ones(2))
    assert bound.isnan().tolist() == [False, True]
