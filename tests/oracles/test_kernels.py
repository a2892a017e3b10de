import math

import pytest
import torch
from hypothesis import given

from ibcore.measures import slope
from ibcore.models.two_layer import TwoLayerReLU
from ibcore.oracles.kernels import (
    kernel_interpolant,
    output_layer_kernel,
    tangent_kernel,
)
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


def inputs(features, *, count=5, seed=0):
    return torch.randn(
        count,
        features,
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    )


def empirical(X, width, networks, *, seed):
    """Tangent kernels of finite networks at a standard normal start, output layer alone
    and all weights.
    """
    net = TwoLayerReLU(X, width)
    generator = torch.Generator().manual_seed(seed)
    jacobian = net.jacobian(
        torch.randn(networks, net.dimension, generator=generator, dtype=X.dtype)
    )
    output_layer = jacobian[..., -width:]
    return output_layer @ output_layer.mT, jacobian @ jacobian.mT


@pytest.mark.parametrize("features", [1, 3])
def test_finite_networks_have_these_kernels_on_average(features):
    X = inputs(features)
    for kernels, limit in zip(
        empirical(X, 50, 2000, seed=1),
        (output_layer_kernel, tangent_kernel),
        strict=True,
    ):
        error = (kernels.mean(0) - limit(X, X)).abs()
        assert bool((error <= 5 * kernels.std(0) / math.sqrt(2000)).all())


def test_finite_kernels_approach_the_limit_at_the_root_rate():
    X = inputs(1)
    widths = torch.tensor([64.0, 256.0, 1024.0, 4096.0])
    distances = [
        (empirical(X, int(m), 60, seed=2)[1] - tangent_kernel(X, X))
        .square()
        .mean()
        .sqrt()
        for m in widths
    ]
    assert abs(float(slope(widths.log(), torch.stack(distances).log())) + 0.5) < 0.1


def test_order_one_kernel_on_the_diagonal_is_half_the_square():
    X = inputs(3)
    expected = (X.square().sum(-1) + 1) / 2
    torch.testing.assert_close(output_layer_kernel(X, X).diagonal(), expected)
    torch.testing.assert_close(tangent_kernel(X, X).diagonal(), 2 * expected)


def test_small_angles_keep_their_digits():
    X = torch.tensor([[0.5], [0.5 + 1e-9]], dtype=torch.float64)
    gates = (tangent_kernel(X, X) - output_layer_kernel(X, X)) / (X @ X.mT + 1)
    angle = math.pi - 2 * math.pi * float(gates[0, 1])
    assert abs(angle - 1e-9 / 1.25) < 1e-14


@pytest.mark.parametrize("kernel", [output_layer_kernel, tangent_kernel])
def test_interpolants_pass_through_the_points(kernel):
    X, y = inputs(1, count=8), inputs(1, count=8, seed=5)[:, 0]
    f = kernel_interpolant(kernel, X, y)
    assert float(f.residual) < 1e-9
    torch.testing.assert_close(f(X), y, rtol=0, atol=1e-7)


def test_the_interpolant_is_the_wide_network_with_frozen_hidden_weights():
    X, y = inputs(1, count=6), inputs(1, count=6, seed=5)[:, 0]
    Z = torch.linspace(-1, 1, 9, dtype=torch.float64)[:, None]
    net = TwoLayerReLU(torch.cat([X, Z]), 40_000)
    theta = torch.randn(
        1,
        net.dimension,
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
    )
    features = net.jacobian(theta)[0, :, -net.width :]
    by_features = features[6:] @ torch.linalg.pinv(features[:6]) @ y
    expected = kernel_interpolant(output_layer_kernel, X, y)(Z)
    assert float((by_features - expected).abs().max()) < 0.15 * float(y.abs().max())


def test_only_the_tangent_kernel_bends_at_the_data():
    X, y = inputs(1, count=6).sort(0).values, inputs(1, count=6, seed=5)[:, 0]
    step = 1e-5
    Z = X[2] + step * torch.tensor([[-1.0], [0.0], [1.0]], dtype=torch.float64)
    bends = [
        float(kernel_interpolant(kernel, X, y)(Z).diff().diff().abs()) / step
        for kernel in (output_layer_kernel, tangent_kernel)
    ]
    assert bends[0] < 1e-2
    assert bends[1] > 0.1


def test_batches_are_solved_one_by_one():
    X = torch.stack([inputs(1, seed=s) for s in (0, 1)])
    y = torch.stack([inputs(1, seed=s)[:, 0] for s in (2, 3)])
    f = kernel_interpolant(output_layer_kernel, X, y)
    assert f(X).shape == (2, 5)
    torch.testing.assert_close(f(X), y, rtol=0, atol=1e-7)


def test_coinciding_inputs_are_refused():
    X = torch.tensor([[0.0], [1.0], [1.0]], dtype=torch.float64)
    with pytest.raises(InvalidInput, match="clearly distinct"):
        kernel_interpolant(output_layer_kernel, X, torch.ones(3, dtype=torch.float64))


def test_shapes_must_match():
    with pytest.raises(InvalidInput, match="one target an input"):
        kernel_interpolant(output_layer_kernel, inputs(1), torch.ones(4))


@few
@given(b=FACTORS, k=FACTORS)
def test_units_of_targets_and_of_the_kernel_do_not_matter(b, k):
    X, y = inputs(2), inputs(1, seed=5)[:, 0]
    base = kernel_interpolant(tangent_kernel, X, y)
    found = kernel_interpolant(lambda x, z: k * tangent_kernel(x, z), X, b * y)
    torch.testing.assert_close(found(X + 1) / b, base(X + 1), rtol=1e-9, atol=1e-10)
    assert float(found.norm) * k**0.5 / b == pytest.approx(float(base.norm))
    assert float(found.residual) < 1e-12


def test_two_precisions_and_zero_targets():
    X = torch.tensor([[0.0], [1.0], [2.0]])
    found = kernel_interpolant(tangent_kernel, X, torch.tensor([0.0, 1, 1]).double())
    torch.testing.assert_close(found(X), torch.tensor([0.0, 1, 1]), rtol=0, atol=1e-5)
    nothing = kernel_interpolant(tangent_kernel, X, torch.zeros(3))
    assert float(nothing.residual) == float(nothing.norm) == 0


def test_a_kernel_of_zeros_is_refused():
    with pytest.raises(InvalidInput, match="singular to rounding"):
        kernel_interpolant(lambda x, z: 0 * (x @ z.mT), inputs(1), torch.ones(5))
