import torch

from ibcore.dynamics.objective import Objective
from ibcore.losses import Square
from ibcore.models.network import Network
from ibcore.oracles.tanh_landscape import TanhLandscape


def test_loss_gradient_and_hessian_are_those_of_the_network():
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(7, 3, generator=generator).double()
    y = torch.randn(7, generator=generator).double()
    network = Network(X, (4,), "tanh")
    objective, landscape = Objective(network, Square(), y), TanhLandscape(X, y)
    w = network.initial(2, generator)
    torch.testing.assert_close(landscape.loss(w), objective.mean(w))
    vector, log_unit = objective.at(w).slope
    expected = -log_unit.exp().unsqueeze(-1) * vector
    torch.testing.assert_close(landscape.gradient(w), expected)
    hessian, product = landscape.hessian(w), objective.curvature(w)
    for column, axis in enumerate(torch.eye(w.shape[-1]).double()):
        torch.testing.assert_close(hessian[..., column], product(axis.expand_as(w)))
