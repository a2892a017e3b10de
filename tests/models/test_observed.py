import pytest
import torch

from ibcore.models.base import Model
from ibcore.models.deep_linear import DeepLinear
from ibcore.models.diagonal import Diagonal
from ibcore.models.observed import Observed
from ibcore.validation import InvalidInput


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_a_linear_network_through_its_predictor():
    X, eye = normal(5, 3), torch.eye(3, dtype=torch.float64)
    theta, weights = normal(2, 8, seed=1), normal(2, 5, seed=2)
    direct, seen = DeepLinear(X, (2,)), Observed(DeepLinear(eye, (2,)), X, 3)
    torch.testing.assert_close(seen.predictor(theta), direct.end_to_end(theta))
    torch.testing.assert_close(seen.outputs(theta), direct.outputs(theta))
    torch.testing.assert_close(seen.jacobian(theta), direct.jacobian(theta))
    torch.testing.assert_close(
        seen.pullback(theta, weights), direct.pullback(theta, weights)
    )
    torch.testing.assert_close(
        seen.hessian(theta, weights), Model.hessian(direct, theta, weights)
    )


def test_parts_of_it():
    X = normal(5, 3)
    eye = torch.eye(3, dtype=torch.float64)
    model = Observed(Diagonal(eye), X, 3)
    theta = normal(2, 6, seed=3)
    rows = torch.tensor([3, 1])
    torch.testing.assert_close(
        model.minibatch(rows).outputs(theta), model.outputs(theta)[:, rows]
    )
    assert model.select(torch.tensor([0])).outputs(theta[:1]).shape == (1, 5)
    assert model.like.dtype == torch.float64
    with pytest.raises(InvalidInput, match="one column a coordinate"):
        Observed(Diagonal(eye), X[:, :2], 3)
