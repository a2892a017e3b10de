import math

import pytest
import torch
from hypothesis import given

from ibcore.models.two_layer import TwoLayerReLU
from ibcore.oracles.expressivity import memorizing_network
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


def case(count=60, features=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return draw(count, features), draw(count), draw(features)


def test_three_points_by_hand():
    X = torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)
    net = memorizing_network(X, [1.0, 2.0, 0.0], torch.ones(1))
    torch.testing.assert_close(
        net.thresholds, torch.tensor([-1.0, 0.1, 1.1], dtype=torch.float64)
    )
    torch.testing.assert_close(
        net.weights, torch.tensor([1.0, 0.0, -10 / 3], dtype=torch.float64)
    )


def test_any_labels_are_fitted_with_2n_plus_d_weights():
    X, y, direction = case()
    net = memorizing_network(X, y, direction)
    assert net.parameters == 2 * 60 + 7
    torch.testing.assert_close(net(X), y, rtol=0, atol=1e-9)


def test_it_is_a_two_layer_network():
    X, y, direction = case()
    built = memorizing_network(X, y, direction)
    net = TwoLayerReLU(X, 60)
    theta = torch.cat(
        [direction.repeat(60), -built.thresholds, built.weights * math.sqrt(60)]
    )
    torch.testing.assert_close(net.outputs(theta[None])[0], y, rtol=0, atol=1e-8)


def test_a_repeated_row_cannot_have_two_labels():
    X, y, direction = case(count=5)
    X[3] = X[1]
    with pytest.raises(InvalidInput, match="same projection"):
        memorizing_network(X, y, direction)


@few
@given(a=FACTORS, b=FACTORS)
def test_units_of_inputs_and_labels_stretch_thresholds_and_weights(a, b):
    X, y, direction = case(12, 3)
    base, net = (
        memorizing_network(X, y, direction),
        memorizing_network(a * X, b * y, direction),
    )
    torch.testing.assert_close(net.thresholds / a, base.thresholds)
    torch.testing.assert_close(net.weights * (a / b), base.weights, rtol=1e-7, atol=0)
    torch.testing.assert_close(net(a * X) / b, y, rtol=0, atol=1e-9)


def test_one_point_needs_one_neuron():
    for x in (3.0, 0.0, 1e12):
        net = memorizing_network([[x]], [5.0], torch.ones(1))
        assert float(net(torch.tensor([[x]]).double())) == pytest.approx(5)


def test_projections_that_rounding_confuses_and_wrong_shapes_are_refused():
    """A slope of 1e14 between the first two points has to be taken back after the
    second.
    """
    _, y, _ = case(11, 1)
    X = torch.cat([torch.tensor([0.0, 1e-14]), torch.linspace(1, 2, 9)])[:, None]
    with pytest.raises(InvalidInput, match="another direction"):
        memorizing_network(X, y, torch.ones(1))
    with pytest.raises(InvalidInput, match="expected \\(n, d\\), \\(n,\\) and"):
        memorizing_network(X, y[:, None], torch.ones(1))
    with pytest.raises(InvalidInput, match="expected \\(n, d\\), \\(n,\\) and"):
        memorizing_network(X, y, torch.ones(2))
