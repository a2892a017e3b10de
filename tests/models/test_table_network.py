import torch

from ibcore.models.base import Model
from ibcore.models.table_network import TableNetwork, group_norm, table_margins
from ibcore.problems.latin_squares import addition


def test_outputs_are_sums_over_neurons():
    net = TableNetwork(3, 2)
    theta = torch.randn(
        4, net.dimension, generator=torch.Generator().manual_seed(1600101)
    ).double()
    u, v, w = net.neurons(theta).unbind(-2)
    scores = net.outputs(theta)
    assert scores.shape == (4, 9, 3)
    by_hand = sum(w[2, j, 1] * (u[2, j, 0] + v[2, j, 2]) ** 2 for j in range(2))
    torch.testing.assert_close(scores[2, 2, 1], by_hand)
    torch.testing.assert_close(net.outputs(2 * theta), 8 * scores)
    weights = torch.ones_like(scores)
    pulled = Model.pullback(net, theta, weights)
    torch.testing.assert_close((pulled * theta).sum(-1), 3 * scores.sum((1, 2)))


def test_margins_compare_the_right_symbol_with_each_other_one():
    scores = torch.tensor([[[5.0, 1, 2], [0, 7, 3], [1, 1, 4]]]).repeat(1, 3, 1)
    table = torch.tensor([[0, 1, 2]] * 3)
    margins = table_margins(scores, table).sort().values
    assert margins.shape == (1, 18)
    assert margins[0, ::3].tolist() == [3, 3, 3, 4, 4, 7]
    assert bool((table_margins(scores, addition(3)).amin(-1) < 0).all())


def test_the_group_norm_adds_cubes():
    neurons = torch.zeros(2, 3, 4)
    neurons[0, 0, 0], neurons[1, 2, 3] = 3, 4
    assert abs(float(group_norm(neurons)) - 91 ** (1 / 3)) < 1e-6
