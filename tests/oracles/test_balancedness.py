"""The laws of the imbalance, against finite differences, other integrators and exact
optima.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from ibcore.oracles import balancedness as oracle
from ibcore.validation import InvalidInput


def test_the_change_of_layers_by_hand():
    first, second = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0, 5.0]])
    change = oracle.layer_change([first, second])
    assert change.tolist() == [9 - 1, 15 - 2, 15 - 2, 25 - 4]


def test_the_change_of_neurons_by_hand():
    first, second = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0, 5.0]])
    shift = torch.tensor([1.0, 0.0])
    assert oracle.neuron_change([first, second], [shift]).tolist() == [7, 21]
    assert oracle.neuron_change([first, second], [shift], 2.0).tolist() == [16, 46]


@pytest.mark.parametrize("gap", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("target", [0.5, 2.0])
def test_the_limit_of_a_product_is_where_its_flow_ends(gap, target):
    def field(_t, x):
        return -2 * (x[0] * x[1] - target) * x[::-1]

    start = [math.sqrt(gap + 0.25), 0.5]
    end = solve_ivp(field, (0, 60), start, rtol=1e-10, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(oracle.product_limit(gap, target), end, rtol=1e-6)


def test_no_limit_without_an_imbalance():
    with pytest.raises(InvalidInput):
        oracle.product_limit(0.0)


def test_the_rule_of_gauss_is_exact_for_polynomials():
    times, weights = oracle.gauss_times(3.0, pieces=2, nodes=3)
    assert float(weights @ times**5) == pytest.approx(3**6 / 6, rel=1e-13)
    assert bool((np.diff(times) > 0).all())


def test_decay():
    start = torch.tensor([1.0, -2.0]).double()
    expected = start * math.exp(-1)
    torch.testing.assert_close(oracle.decayed(start, 0.25, 2.0), expected)


def test_the_least_norms_are_attained_by_a_balanced_pair_and_by_no_other_that_we_try():
    g = torch.Generator().manual_seed(7201)
    matrix = torch.randn(3, 4, generator=g).double()
    U, S, Vh = torch.linalg.svd(matrix, full_matrices=False)
    first, second = S.sqrt()[:, None] * Vh, U * S.sqrt()
    least = oracle.least_norms(matrix)
    cost = first.square().sum() + second.square().sum()
    torch.testing.assert_close(cost, least)
    for _ in range(20):
        turn = torch.randn(3, 3, generator=g).double()
        other = (turn @ first).square().sum()
        other += (second @ torch.linalg.inv(turn)).square().sum()
        assert float(other) > float(least)
    with pytest.raises(InvalidInput):
        oracle.least_norms(matrix[0])
