import pytest
import torch

from ibcore.models.classifier import ReLUClassifier
from ibcore.validation import InvalidInput


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    net = ReLUClassifier(features=4, width=6, classes=3)
    theta = net.initial(2, generator) + 0.1
    X = torch.randn(2, 9, 4, generator=generator, dtype=torch.float64)
    return net, theta, X, torch.randint(3, (2, 9), generator=generator)


def test_gradient_is_the_derivative_of_cross_entropy(case):
    net, theta, X, y = case
    theta.requires_grad_()
    loss = torch.nn.functional.cross_entropy(
        net.logits(theta, X).flatten(0, 1), y.flatten(), reduction="none"
    )
    (expected,) = torch.autograd.grad(loss.view(2, 9).mean(-1).sum(), theta)
    torch.testing.assert_close(net.gradient(theta.detach(), X, y), expected)


def test_logits_are_those_of_torch_layers(case):
    net, theta, X, _ = case
    layers = torch.nn.Sequential(
        torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3)
    ).double()
    torch.nn.utils.vector_to_parameters(theta[1], layers.parameters())
    torch.testing.assert_close(net.logits(theta, X)[1], layers(X[1]).detach())


def test_accuracy_counts_the_largest_logit(case):
    net, theta, X, _ = case
    predicted = net.logits(theta, X).argmax(-1)
    assert net.accuracy(theta, X, predicted).tolist() == [1.0, 1.0]
    assert net.accuracy(theta, X, (predicted + 1) % 3).tolist() == [0.0, 0.0]


def test_start_has_the_stated_variances():
    net = ReLUClassifier(features=50, width=400, classes=10)
    W1, b1, W2, b2 = net._layers(net.initial(3, torch.Generator().manual_seed(0)))
    assert net.dimension == 400 * 50 + 400 + 4000 + 10
    assert abs(float(W1.var()) * 50 / 2 - 1) < 0.03
    assert abs(float(W2.var()) * 400 - 1) < 0.05
    assert not b1.any()
    assert not b2.any()


@pytest.mark.parametrize("sizes", [(0, 5, 3), (4, -1, 3), (4, 5, 1)])
def test_sizes_that_are_none(sizes):
    with pytest.raises(InvalidInput):
        ReLUClassifier(*sizes)
