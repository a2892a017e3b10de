"""Derivatives of all models: closed forms against automatic differentiation, and that
against finite differences.
"""

from __future__ import annotations

import pytest
import torch

from ibcore.models.base import Model
from ibcore.models.network import ACTIVATIONS, Network
from tests.cases import CASES, DEVICES, DTYPES, MEMBERS, inputs, parameters

MODELS = [
    pytest.param(case, shared, id=f"{name}{', shared' if shared else ''}")
    for name, case in CASES.items()
    for shared in (True, False)
]
WITH_HESSIAN = [
    pytest.param(case, id=name)
    for name, case in CASES.items()
    if type(case.build(inputs(shared=True))).hessian is not Model.hessian
]


def weights_like(outputs):
    draw = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(1111010))
    return draw.to(outputs)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize(("case", "shared"), MODELS)
def test_closed_forms_are_the_derivatives_of_the_outputs(case, shared, dtype, device):
    model = case.build(inputs(shared=shared, dtype=dtype, device=device))
    theta = parameters(model)
    weights = weights_like(model.outputs(theta))
    close = {"rtol": 1e3 * torch.finfo(dtype).eps, "atol": 1e3 * torch.finfo(dtype).eps}
    torch.testing.assert_close(
        model.pullback(theta, weights), Model.pullback(model, theta, weights), **close
    )
    torch.testing.assert_close(
        model.jacobian(theta).expand(MEMBERS, *model.jacobian(theta).shape[1:]),
        Model.jacobian(model, theta),
        **close,
    )


@pytest.mark.parametrize(("case", "shared"), MODELS)
def test_outputs_and_their_pullback_may_be_had_together(case, shared):
    model = case.build(inputs(shared=shared))
    theta = parameters(model)
    outputs, pulled = model.vjp(theta)
    torch.testing.assert_close(outputs, model.outputs(theta))
    weights = weights_like(outputs)
    torch.testing.assert_close(pulled(weights), model.pullback(theta, weights))


@pytest.mark.parametrize("case", WITH_HESSIAN)
def test_closed_hessians_are_those_of_the_outputs(case):
    model = case.build(inputs(shared=True))
    theta = parameters(model)
    weights = weights_like(model.outputs(theta))
    torch.testing.assert_close(
        model.hessian(theta, weights), Model.hessian(model, theta, weights)
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("out", [1, 3])
def test_derivatives_of_a_network_are_limits_of_differences(name, out):
    net = Network(inputs(shared=False), (4, 3), name, out=out)
    theta = parameters(net)
    weights = weights_like(net.outputs(theta))
    along = parameters(net, seed=1111011)
    h = 1e-5
    ahead, back = net.outputs(theta + h * along), net.outputs(theta - h * along)
    slope = (
        net.jacobian(theta) @ along.unflatten(-1, (*[1] * (ahead.ndim - 2), -1, 1))
    )[..., 0]
    torch.testing.assert_close(slope, (ahead - back) / (2 * h), rtol=1e-7, atol=1e-7)
    turn = (
        net.pullback(theta + h * along, weights)
        - net.pullback(theta - h * along, weights)
    ) / (2 * h)
    bend = (net.hessian(theta, weights) @ along[..., None])[..., 0]
    torch.testing.assert_close(bend, turn, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("case", "shared"), MODELS)
def test_a_part_of_the_batch_or_of_the_examples_is_that_part(case, shared):
    model = case.build(inputs(shared=shared))
    theta = parameters(model)
    outputs, members = model.outputs(theta), torch.tensor([2, 0])
    torch.testing.assert_close(
        model.select(members).outputs(theta[members]), outputs[members]
    )
    rows = torch.tensor([4, 0, 4])
    torch.testing.assert_close(model.minibatch(rows).outputs(theta), outputs[:, rows])
    each = torch.tensor([[0, 1], [5, 5], [3, 0]])
    own = outputs[torch.arange(MEMBERS)[:, None], each]
    torch.testing.assert_close(model.minibatch(each).outputs(theta), own)


def test_a_network_is_that_of_torch_with_the_same_weights():
    X = inputs(shared=True)
    net = Network(X, (5, 3), "elu", out=2)
    theta = net.initial(1, torch.Generator().manual_seed(1111012))
    layers = [
        torch.nn.Linear(columns, rows, dtype=torch.float64)
        for rows, columns in net.shapes
    ]
    with torch.no_grad():
        for layer, (matrix, shift) in zip(layers, net.layers(theta), strict=True):
            layer.weight.copy_(matrix[0])
            layer.bias.copy_(shift[0])
    first, second, last = layers
    elu = torch.nn.functional.elu
    expected = last(elu(second(elu(first(X)))))
    torch.testing.assert_close(net.outputs(theta)[0], expected)


def test_a_relu_network_without_biases_is_homogeneous_of_its_depth():
    net = Network(inputs(shared=False), (6, 5), "relu", out=3, biases=False)
    theta = parameters(net)
    torch.testing.assert_close(net.outputs(2 * theta), 8 * net.outputs(theta))
    assert [tuple(matrix.shape) for matrix in net.matrices(theta)] == [
        (MEMBERS, *shape) for shape in net.shapes
    ]


def test_the_start_of_a_network_is_uniform_as_in_torch():
    net = Network(inputs(shared=True), (50,), "tanh")
    theta = net.initial(400, torch.Generator().manual_seed(1111013))
    (first, _), (second, _) = net.layers(theta)
    for matrix, columns in ((first, 4), (second, 50)):
        scaled = matrix * columns**0.5
        assert float(scaled.abs().max()) <= 1
        deviation = float(scaled.square().mean() - 1 / 3)
        assert abs(deviation) < 5 * (4 / 45 / scaled.numel()) ** 0.5
