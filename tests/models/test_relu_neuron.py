import numpy as np
import pytest
import torch

from ibcore.dynamics.objective import Objective
from ibcore.losses import Square
from ibcore.models.activations import RightReLU
from ibcore.models.neuron import Neuron
from ibcore.models.relu_neuron import ReLUNeuron, safe_step
from ibcore.validation import InvalidInput


@pytest.fixture
def data():
    draw = torch.Generator().manual_seed(0)
    X, w = (
        torch.randn(3, 6, 4, generator=draw).double(),
        torch.randn(3, 4, generator=draw).double(),
    )
    return X, torch.rand(3, 6, generator=draw).double(), w


def _gradient(X, y, w):
    return -Objective(Neuron(X, RightReLU()), Square(), y, shared=False).at(w).slope[0]


def test_gradients_are_those_of_autograd(data):
    X, y, w = data
    w.requires_grad_()
    loss = ((X @ w[..., None])[..., 0].relu() - y).square().mean(1)
    expected = torch.autograd.grad(loss.sum(), w)[0]
    torch.testing.assert_close(_gradient(X, y, w.detach()), expected)
    for b in range(3):
        neuron = ReLUNeuron.on(X[b], y[b])
        np.testing.assert_allclose(
            neuron.descent(w[b].detach().numpy()), -expected[b].numpy(), atol=1e-14
        )


def test_the_jacobian_is_the_difference_quotient(data):
    X, y, w = (part[0].numpy() for part in data)
    neuron = ReLUNeuron.on(X, y)
    steps = [
        (neuron.descent(w + e) - neuron.descent(w - e)) / 2e-6 for e in 1e-6 * np.eye(4)
    ]
    np.testing.assert_allclose(neuron.curvature(w), np.stack(steps, 1), atol=1e-8)


def test_the_derivative_at_the_kink_is_one():
    neuron = ReLUNeuron.on([[1.0, 0.0]], [2.0])
    np.testing.assert_allclose(neuron.descent(np.zeros(2)), [4, 0])
    X, y, w = (
        torch.tensor(values).double()
        for values in ([[[1.0, 0.0]]], [[2.0]], [[0.0, 0.0]])
    )
    gradient = _gradient(X, y, w)
    assert gradient.tolist() == [[-4, 0]]


def test_misfit_has_no_scale():
    X, y, w = (
        np.array([[1.0, 2.0], [0.0, 1.0]]),
        np.array([1.0, 0.0]),
        np.array([1.0, 0.5]),
    )
    assert ReLUNeuron.on(X, y).misfit(w) == pytest.approx(
        ReLUNeuron.on(5 * X, 35 * y).misfit(7 * w)
    )


def test_a_silent_point_counts_for_the_misfit_and_not_for_the_unrest():
    neuron = ReLUNeuron.on([[1.0, 0.0], [-2.0, 1.0]], [1.0, 3.0])
    w = np.array([1.0, 0.0])
    assert neuron.unrest(w) == 0
    assert neuron.misfit(w) == pytest.approx(3 / np.sqrt(5))


def test_a_step_never_moves_away_from_weights_that_fit(data):
    X, _, w = data
    teacher = torch.randn(3, 4, generator=torch.Generator().manual_seed(5)).double()
    y = (X @ teacher[..., None])[..., 0].relu()
    for factor in (1.0, 1.99):
        moved = w - factor * safe_step(X)[:, None] * _gradient(X, y, w)
        assert bool(((moved - teacher).norm(dim=1) <= (w - teacher).norm(dim=1)).all())


def test_shapes_must_match():
    with pytest.raises(InvalidInput):
        ReLUNeuron.on([[1.0, 0.0]], [1.0, 2.0])
