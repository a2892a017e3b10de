import math

import pytest
import torch

from ibcore.measures import slope
from ibcore.models.wide import WideNetwork
from ibcore.oracles.infinite_width import (
    covariance_correction,
    excess_kurtosis,
    kernel_variance,
    kurtosis_error,
    limit_kernel,
    normal_moments,
    output_covariance,
)
from ibcore.oracles.kernels import output_layer_kernel, tangent_kernel


def inputs(features, *, count=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, features, generator=generator, dtype=torch.float64)


def normals(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_one_hidden_layer_is_the_kernel_of_two_layer_networks():
    """The recursion with b = 1 on inputs of d features against kernels whose first
    layer is not divided by sqrt(d).
    """
    X, Z = inputs(3), inputs(3, count=2, seed=1)
    scaled = [points / math.sqrt(3) for points in (X, Z)]
    torch.testing.assert_close(
        output_covariance(X, Z, 1, 1.0), output_layer_kernel(*scaled) + 1
    )
    torch.testing.assert_close(limit_kernel(X, Z, 1, 1.0), tangent_kernel(*scaled) + 1)


def expectations(S, seed):
    """E relu relu' and E relu' relu'' of normal pairs with covariance S, by 4,000,000
    draws, with standard errors.
    """
    draws = normals(4_000_000, 2, seed=seed) @ torch.linalg.cholesky(S).T
    rows = draws.relu().prod(1), (draws > 0).double().prod(1)
    return [(row.mean(), row.std() / 2000) for row in rows]


@pytest.mark.parametrize("bias", [0.0, 0.5])
def test_the_recursion_is_that_of_numerical_expectations(bias):
    X = inputs(3, count=2)
    for hidden in (1, 2):
        S, S_next = (output_covariance(X, X, k, bias) for k in (hidden, hidden + 1))
        T, T_next = (limit_kernel(X, X, k, bias) for k in (hidden, hidden + 1))
        (product, e1), (gates, e2) = expectations(S, hidden)
        assert abs(float(S_next[0, 1] - product - bias**2)) < 5 * float(e1)
        expected = T[0, 1] * gates + S_next[0, 1]
        error = abs(float(T_next[0, 1] - expected))
        assert error < 5 * float(T[0, 1].abs() * e2)
        on_diagonal = T[0, 0] / 2 + S[0, 0] / 2 + bias**2
        assert float(T_next[0, 0]) == pytest.approx(float(on_diagonal))


def test_wide_deep_networks_have_this_tangent_kernel():
    X = inputs(4, seed=2)
    net = WideNetwork(X, (1500, 1500), bias=0.5)
    K = net.tangent_kernel(net.start(4, torch.Generator().manual_seed(3))).mean(0)
    limit = limit_kernel(X, X, 2, 0.5)
    assert float((K - limit).norm() / limit.norm()) < 0.05


@pytest.mark.parametrize("angle", [0.3, 1.2, 2.5])
def test_moments_of_normal_pairs(angle):
    u = normals(2_000_000, 2, seed=4)
    v = math.cos(angle) * u[:, 0] + math.sin(angle) * u[:, 1]
    for i, j in ((1, 1), (2, 2), (3, 1)):
        draws = u[:, 0].relu() ** i * v.relu() ** j
        exact = normal_moments(torch.tensor(angle).double(), i, j)
        error = draws.std() / math.sqrt(len(draws))
        assert abs(float(draws.mean() - exact)) < 5 * float(error)


def test_moments_on_the_diagonal():
    zero = torch.zeros(1, dtype=torch.float64)
    assert float(normal_moments(zero, 2, 2)) == pytest.approx(1.5)
    assert float(normal_moments(zero, 1, 1)) == pytest.approx(0.5)


def test_kurtosis_of_one_layer_and_with_biases():
    assert excess_kurtosis((30,), 0.0, 7.0) == pytest.approx(0.5)
    assert excess_kurtosis((10, 20), 0.0, 1.0) == pytest.approx(3 * (1.5 * 1.25 - 1))
    q = torch.ones(400_000, dtype=torch.float64) * 1.25
    for seed in (5, 6):
        layer = normals(400_000, 8, seed=seed).relu().square().mean(1)
        q = 0.25 + q * layer
    seen = 3 * (q.square().mean() / q.mean().square() - 1)
    assert float(seen) == pytest.approx(excess_kurtosis((8, 8), 0.5, 1.0), rel=0.03)


def test_the_standard_error_of_the_kurtosis():
    point = torch.ones(1, 3, dtype=torch.float64)
    net = WideNetwork(point, (24, 24), out=8, biases=False)
    generator = torch.Generator().manual_seed(7)
    seen = net.outputs(net.start(40_000, generator)).reshape(100, 400 * 8)
    found = seen.pow(4).mean(1) / seen.square().mean(1).square() - 3
    expected = kurtosis_error((24, 24), 8, 400)
    assert float(found.std()) == pytest.approx(expected, rel=0.25)


def test_the_variance_of_the_kernel():
    X = inputs(3, count=3, seed=8)
    net = WideNetwork(X, (6,), bias=0.5)
    K = net.tangent_kernel(net.start(200_000, torch.Generator().manual_seed(9)))
    torch.testing.assert_close(
        6 * K.var(0), kernel_variance(X, X, 0.5), rtol=0.06, atol=0
    )


def test_the_correction_vanishes_where_the_covariance_is_exact():
    x, z = inputs(3, count=2)
    assert float(covariance_correction(x, z, 1, 0.5).abs().max()) == 0
    deep = covariance_correction(x, z, 3, 0.5)
    assert float(deep[[0, 2]].abs().max()) < 1e-12 < float(deep[1].abs())


def test_the_correction_is_what_narrow_networks_are_off_by():
    """Two inputs at an obtuse angle, where it is large; covariances given the layers
    below, layer by layer.
    """
    points = torch.tensor([[1.0, 0.0], [-0.9, 0.43589]]).double() * math.sqrt(2)
    m, draws = 16, 400_000
    K = (points @ points.T / 2).expand(draws, 2, 2)
    generator = torch.Generator().manual_seed(10)
    for _ in range(2):
        root = torch.linalg.cholesky(K + 1e-12 * torch.eye(2))
        total = torch.zeros(draws, 2, 2, dtype=torch.float64)
        for _ in range(m):
            z = torch.randn(draws, 2, 1, generator=generator, dtype=torch.float64)
            active = (root @ z).relu()
            total += active @ active.mT
        K = total / m
    seen = K[:, 0, 1]
    apart = seen.mean() - output_covariance(points, points, 2, 0.0)[0, 1]
    expected = covariance_correction(points[0], points[1], 2, 0.0)[1] / m
    error = seen.std() / math.sqrt(draws)
    assert float(expected.abs()) > 8 * float(error)
    assert abs(float(apart - expected)) < 5 * float(error) + float(expected.abs()) / 5


def test_the_largest_correction_at_the_bias_of_the_claim():
    x = torch.tensor([1.0, 0.0]).double() * math.sqrt(2)
    sizes = []
    for angle in torch.linspace(0.1, 3.1, 31):
        z = math.sqrt(2) * torch.tensor([torch.cos(angle), torch.sin(angle)]).double()
        variance = output_covariance(x[None], x[None], 2, 0.5)[0, 0]
        sizes.append(float(covariance_correction(x, z, 2, 0.5)[1].abs() / variance))
    assert 0.1 < max(sizes) < 0.13


def test_kernels_of_deep_networks_approach_the_limit_at_the_root_rate():
    X = inputs(4, seed=11)
    limit = limit_kernel(X, X, 2, 0.0)
    widths, errors = (32, 128, 512), []
    for m in widths:
        net = WideNetwork(X, (m, m), biases=False)
        K = net.tangent_kernel(net.start(40, torch.Generator().manual_seed(m)))
        errors.append((K - limit).square().mean().sqrt())
    rate = slope(torch.tensor(widths).double().log(), torch.stack(errors).log())
    assert abs(float(rate) + 0.5) < 0.15
