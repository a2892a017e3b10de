import numpy as np
import pytest
import torch
from torch.func import jacrev

from ibcore.models.convolutional import Convolutional
from ibcore.models.filter_pair import FilterPair
from ibcore.validation import InvalidInput


def draw(*shape, seed=0):
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


@pytest.mark.parametrize("d", [5, 6])
def test_it_is_the_gradient_flow_of_the_convolutional_network(d):
    X, y, theta = draw(3, d), draw(3, seed=1), draw(2 * d, seed=2)
    pair, model = FilterPair(X, y), Convolutional(X)

    def loss(at):
        return (model.outputs(at[None])[0] - y).square().mean()

    at = theta.numpy()
    np.testing.assert_allclose(
        pair.coefficients(at), model.coefficients(theta).numpy(), atol=1e-12
    )
    assert pair.loss(at) == pytest.approx(float(loss(theta)))
    np.testing.assert_allclose(pair.field(at), -jacrev(loss)(theta).numpy(), atol=1e-12)
    np.testing.assert_allclose(
        pair.curvature(at), -jacrev(jacrev(loss))(theta).numpy(), atol=1e-12
    )


def test_targets_of_another_number_are_refused():
    with pytest.raises(InvalidInput, match="expected"):
        FilterPair(draw(3, 5), draw(4))
