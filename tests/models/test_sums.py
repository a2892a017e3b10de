import pytest
import torch
from torch.func import jacrev, vmap

from ibcore.models import Linear
from ibcore.models.activations import SquaredReLU
from ibcore.models.network import Network
from ibcore.models.sums import Sum
from ibcore.validation import InvalidInput


def test_a_sum_adds_outputs_and_stacks_gradients():
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(5, 3, generator=generator).double()
    net = Network(X, (4,), SquaredReLU(), biases=False)
    model = Sum((Linear(X), net), (3, net.dimension))
    theta = torch.randn(2, 3 + net.dimension, generator=generator).double()
    torch.testing.assert_close(
        model.outputs(theta), theta[:, :3] @ X.T + net.outputs(theta[:, 3:])
    )
    torch.testing.assert_close(model.contributions(theta).sum(0), model.outputs(theta))
    automatic = vmap(jacrev(lambda t: model.outputs(t[None])[0]))(theta)
    torch.testing.assert_close(model.jacobian(theta), automatic)
    assert not model.linear


def test_a_sum_of_linear_models_is_linear():
    X = torch.eye(2).double()
    assert Sum((Linear(X), Linear(X)), (2, 2)).linear


def test_parts_without_dimensions_are_refused():
    with pytest.raises(InvalidInput, match="one dimension a part"):
        Sum((Linear(torch.eye(2).double()),), ())


def test_parameters_are_of_the_kind_of_the_first_part():
    single, double = (
        Linear(torch.eye(2).to(t)) for t in (torch.float32, torch.float64)
    )
    assert Sum((single, double), (2, 2)).like.dtype == torch.float32
    assert Sum((double, single), (2, 2)).like.dtype == torch.float64
