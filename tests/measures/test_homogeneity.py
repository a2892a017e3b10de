import math

import pytest
import torch

from ibcore.measures.homogeneity import degree
from ibcore.models.network import Network


def theta(size, seed=7601):
    return torch.randn(3, size, generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.parametrize("power", [0, 1, 2, 5])
def test_the_degree_of_a_power(power):
    assert degree(lambda t: t**power, theta(4)) == pytest.approx(power, abs=1e-9)


@pytest.mark.parametrize(
    "outputs", [lambda t: t + 1, lambda t: torch.cat([t, t**2], -1), torch.tanh]
)
def test_what_is_not_homogeneous_has_none(outputs):
    assert math.isnan(degree(outputs, theta(4)))


def test_one_output_without_a_number_leaves_no_degree():
    assert math.isnan(
        degree(lambda t: torch.where(t == t[0, 0], torch.nan, t), theta(4))
    )


@pytest.mark.parametrize(("activation", "k"), [("relu", 3), ("squared_relu", 7)])
def test_three_layers(activation, k):
    inputs = torch.randn(6, 5, generator=torch.Generator().manual_seed(7602)).double()
    net = Network(inputs, (32, 32), activation, biases=False)
    assert degree(net.outputs, theta(net.dimension)) == pytest.approx(k)
