import torch

from ibcore.measures.homogeneity import degree
from ibcore.models.residual import ResidualSquares

GENERATOR = torch.Generator().manual_seed(1600100)
X = torch.randn(5, 3, generator=GENERATOR, dtype=torch.float64)


def test_one_neuron_by_hand():
    net = ResidualSquares([[2.0, 1.0]], 1)
    theta = torch.tensor([[3.0, 1.0, -1.0, 0.5, 4.0, 7.0]]).double()
    assert net.outputs(theta).tolist() == [[3 * (1 + 1) + 1 + 4 + 7]]


def test_the_leading_part_is_what_is_left_far_out():
    net = ResidualSquares(X, 4)
    theta = torch.randn(2, net.dimension, generator=GENERATOR, dtype=torch.float64)
    far = net.outputs(1e6 * theta) / 1e18
    torch.testing.assert_close(far, net.leading().outputs(theta), rtol=1e-4, atol=1e-5)
    assert degree(net.leading().outputs, theta) == net.degree
    assert degree(net.outputs, theta) != degree(net.outputs, theta)
