"""Convolutions as sums, as products of spectra, and their derivatives."""

from dataclasses import replace

import pytest
import torch
from torch.func import jacrev, vmap

from ibcore.models.convolutional import Convolutional
from ibcore.validation import InvalidInput
from tests.cases import normal

MODELS = [
    Convolutional(normal(4, d, seed=0), depth, kernel)
    for d, depth, kernel in (
        (5, 2, None),
        (6, 3, None),
        (6, 2, 2),
        (5, 3, 2),
        (4, 4, 3),
        (4, 3, 4),
    )
]


@pytest.mark.parametrize("model", MODELS)
def test_jacobian_agrees_with_automatic_differentiation(model):
    theta = normal(3, model.dimension, seed=1)
    expected = vmap(jacrev(lambda one: model.outputs(one[None])[0]))(theta)
    torch.testing.assert_close(model.jacobian(theta), expected)


@pytest.mark.parametrize("model", MODELS)
def test_outputs_are_linear_in_x_and_homogeneous_in_theta(model):
    theta = normal(2, model.dimension, seed=2)
    torch.testing.assert_close(
        model.outputs(theta), model.coefficients(theta) @ model.inputs.T
    )
    torch.testing.assert_close(
        model.outputs(3 * theta), 3.0**model.degree * model.outputs(theta)
    )


@pytest.mark.parametrize("model", MODELS)
def test_each_member_may_have_its_own_inputs(model):
    theta, inputs = (
        normal(2, model.dimension, seed=3),
        normal(2, 4, model.features, seed=4),
    )
    several = replace(model, inputs=inputs)
    for i in range(2):
        alone = replace(model, inputs=inputs[i])
        torch.testing.assert_close(
            several.outputs(theta)[i], alone.outputs(theta[i : i + 1])[0]
        )
        torch.testing.assert_close(
            several.jacobian(theta)[i], alone.jacobian(theta[i : i + 1])[0]
        )
        weights = normal(2, 4, seed=10)
        torch.testing.assert_close(
            several.pullback(theta, weights)[i],
            alone.pullback(theta[i : i + 1], weights[i : i + 1])[0],
        )
        torch.testing.assert_close(
            several.hessian(theta, weights)[i],
            alone.hessian(theta[i : i + 1], weights[i : i + 1])[0],
        )


def test_convolution_is_the_circular_sum():
    w, v = normal(5, seed=5), normal(5, seed=6)
    expected = torch.stack(
        [sum(w[j] * v[(i - j) % 5] for j in range(5)) for i in range(5)]
    )
    model = Convolutional(torch.eye(5, dtype=torch.float64))
    torch.testing.assert_close(model.coefficients(torch.cat([w, v])), expected)


def test_a_kernel_of_one_entry_only_scales():
    model = Convolutional(torch.eye(4, dtype=torch.float64), kernel=1)
    assert model.dimension == 5
    last = normal(1, 4, seed=7)
    torch.testing.assert_close(
        model.coefficients(torch.cat([torch.full((1, 1), 2.0).double(), last], -1)),
        2 * last,
    )


@pytest.mark.parametrize("model", MODELS)
def test_pullback_and_hessian_agree_with_automatic_differentiation(
    model,
):
    theta, weights = normal(2, model.dimension, seed=8), normal(2, 4, seed=9)
    torch.testing.assert_close(
        model.pullback(theta, weights),
        (weights[:, None, :] @ model.jacobian(theta))[:, 0],
    )
    for one, row, found in zip(
        theta, weights, model.hessian(theta, weights), strict=True
    ):
        expected = jacrev(jacrev(lambda at, row=row: model.outputs(at[None])[0] @ row))(
            one
        )
        torch.testing.assert_close(found, expected)


def convolved(first, second):
    """The circular sum over all pairs of entries of two vectors of one length."""
    d, result = len(first), torch.zeros_like(first)
    for i in range(d):
        for j in range(d):
            result[(i + j) % d] += first[i] * second[j]
    return result


@pytest.mark.parametrize("model", MODELS)
def test_the_predictor_is_the_sum_over_all_layers(model):
    theta, d = normal(model.dimension, seed=11), model.features
    kernel = model.kernel or d
    layers = [
        torch.nn.functional.pad(layer, (0, d - len(layer)))
        for layer in theta.split([kernel] * (model.depth - 1) + [d])
    ]
    expected = layers[0]
    for layer in layers[1:]:
        expected = convolved(expected, layer)
    torch.testing.assert_close(model.coefficients(theta), expected)


@pytest.mark.parametrize("model", MODELS)
def test_spectra_are_the_sums_of_fourier_and_multiply(model):
    theta, d = normal(2, model.dimension, seed=12), model.features
    turns = torch.arange(d // 2 + 1)[:, None] * torch.arange(d).double() / d
    waves = torch.exp(-2j * torch.pi * turns)
    spectra = model.spectra(theta)
    assert len(spectra) == model.depth == model.degree
    for layer, spectrum in zip(theta.split(model.sizes, -1), spectra, strict=True):
        padded = torch.nn.functional.pad(layer, (0, d - layer.shape[-1]))
        torch.testing.assert_close(spectrum, padded.to(waves) @ waves.T)
    torch.testing.assert_close(
        torch.stack(spectra).prod(0), model.coefficients(theta).to(waves) @ waves.T
    )


def test_a_shifted_last_layer_shifts_the_predictor():
    model = Convolutional(normal(3, 6, seed=13), 3, 2)
    theta = normal(2, model.dimension, seed=14)
    shifted = torch.cat([theta[:, :4], theta[:, 4:].roll(2, -1)], -1)
    torch.testing.assert_close(
        model.coefficients(shifted), model.coefficients(theta).roll(2, -1)
    )


def test_layers_of_full_width_commute():
    model = Convolutional(normal(3, 5, seed=15), 3)
    theta = normal(2, 15, seed=16)
    other = theta.unflatten(-1, (3, 5))[:, [2, 0, 1]].flatten(1)
    torch.testing.assert_close(model.outputs(other), model.outputs(theta))
    same = Convolutional(model.inputs, 3, 5)
    torch.testing.assert_close(same.outputs(theta), model.outputs(theta))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Convolutional(normal(4, 3, seed=0), 1), "depth"),
        (lambda: Convolutional(normal(4, seed=0), 2), "expected \\(n, d\\)"),
        (lambda: Convolutional(normal(4, 3, seed=0), 2, 4), "1 to the width 3"),
        (lambda: Convolutional(normal(4, 3, seed=0), 2, 0), "kernel"),
    ],
)
def test_bad_input_is_refused(build, message):
    with pytest.raises(InvalidInput, match=message):
        build()
