"""Closed fields of the square loss against those of the derivatives of the models."""

import numpy as np
import pytest
import torch

from ibcore.dynamics.objective import Objective
from ibcore.dynamics.stiff_flow import DerivedField, square_field, stiff_flow
from ibcore.losses import Square
from ibcore.models.activations import RightReLU, Tanh
from ibcore.models.convolutional import Convolutional
from ibcore.models.neuron import Neuron, safe_step
from ibcore.models.square_fields import OneReLU, TwoFilters
from ibcore.validation import InvalidInput


def draw(*shape, seed=0):
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


FIELDS = {
    "two filters, odd": (Convolutional(draw(3, 5)), TwoFilters),
    "two filters, even": (Convolutional(draw(3, 6), kernel=6), TwoFilters),
    "ReLU neuron": (Neuron(draw(3, 6), RightReLU()), OneReLU),
}


@pytest.mark.parametrize("name", FIELDS)
def test_the_fields_of_models_are_those_of_their_derivatives(name):
    (model, kind), y = FIELDS[name], draw(3, seed=1)
    theta = draw(model.dimension, seed=2).numpy()
    field, expected = square_field(model, y), DerivedField(model, y)
    assert type(field) is kind
    outputs = model.outputs(torch.from_numpy(theta)[None])[0]
    np.testing.assert_allclose(field.outputs(theta), outputs, atol=1e-12)
    assert field.loss(theta) == pytest.approx(expected.loss(theta), rel=1e-12)
    for part in ("descent", "curvature"):
        found, sought = (getattr(one, part)(theta) for one in (field, expected))
        np.testing.assert_allclose(found, sought, atol=1e-12)


def test_coefficients_are_those_of_the_model():
    model, theta = Convolutional(draw(3, 5)), draw(10, seed=2)
    field = TwoFilters.on(model.inputs, draw(3, seed=1))
    beta = model.coefficients(theta).numpy()
    np.testing.assert_allclose(field.coefficients(theta.numpy()), beta, atol=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        Convolutional(draw(3, 6), depth=3),
        Convolutional(draw(3, 6), kernel=2),
        Convolutional(draw(1, 3, 6)),
        Neuron(draw(3, 6), Tanh()),
        Neuron(draw(1, 3, 6), RightReLU()),
    ],
)
def test_other_models_have_the_field_of_their_derivatives(model):
    assert isinstance(square_field(model, draw(3, seed=1)), DerivedField)


def test_both_fields_lead_to_the_same_end():
    model, y, start = Convolutional(draw(2, 6)), draw(2, seed=1), draw(12, seed=2)
    ways = (model, Convolutional(model.inputs[None]))
    ends = [stiff_flow(way, y, start, tolerance=1e-11).state for way in ways]
    torch.testing.assert_close(*ends, rtol=1e-7, atol=1e-8)


def test_targets_of_another_number_are_refused():
    with pytest.raises(InvalidInput, match="expected"):
        TwoFilters.on(draw(3, 5), draw(4))
    with pytest.raises(InvalidInput):
        OneReLU.on([[1.0, 0.0]], [1.0, 2.0])


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
        neuron = OneReLU.on(X[b], y[b])
        np.testing.assert_allclose(
            neuron.descent(w[b].detach().numpy()), -expected[b].numpy(), atol=1e-14
        )


def test_the_jacobian_is_the_difference_quotient(data):
    X, y, w = (part[0].numpy() for part in data)
    neuron = OneReLU.on(X, y)
    steps = [
        (neuron.descent(w + e) - neuron.descent(w - e)) / 2e-6 for e in 1e-6 * np.eye(4)
    ]
    np.testing.assert_allclose(neuron.curvature(w), np.stack(steps, 1), atol=1e-8)


def test_the_derivative_at_the_kink_is_one():
    neuron = OneReLU.on([[1.0, 0.0]], [2.0])
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
    assert OneReLU.on(X, y).misfit(w) == pytest.approx(
        OneReLU.on(5 * X, 35 * y).misfit(7 * w)
    )


def test_a_silent_point_counts_for_the_misfit_and_not_for_the_unrest():
    neuron = OneReLU.on([[1.0, 0.0], [-2.0, 1.0]], [1.0, 3.0])
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
