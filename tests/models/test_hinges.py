import pytest
import torch

from ibcore.measures.roughness import roughness
from ibcore.models.hinges import connect_the_dots
from ibcore.models.two_layer import TwoLayerReLU, zero_output_start
from ibcore.oracles.roughness import least_roughness
from ibcore.problems.curves import scattered_points, zigzag
from ibcore.validation import InvalidInput


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(2)
    data = zigzag(scattered_points(5, 8, generator))
    start = zero_output_start(
        64, 1, torch.full((5,), 0.7, dtype=torch.float64), generator
    )
    return data, start, connect_the_dots(start, data.x, data.y)


def test_passes_through_every_point(case):
    data, _, theta = case
    outputs = TwoLayerReLU(data.inputs, 64).outputs(theta)
    torch.testing.assert_close(outputs, data.y, rtol=0, atol=1e-11)


def test_is_straight_between_them(case):
    data, _, theta = case
    middles = (data.x[:, 1:] + data.x[:, :-1]) / 2
    expected = (data.y[:, 1:] + data.y[:, :-1]) / 2
    torch.testing.assert_close(
        TwoLayerReLU(middles[..., None], 64).outputs(theta),
        expected,
        rtol=0,
        atol=1e-11,
    )


def test_its_roughness_is_that_of_the_polygon(case):
    data, _, theta = case
    measured = roughness(
        *TwoLayerReLU(data.inputs, 64).kinks(theta), data.x[:, 0], data.x[:, -1]
    )
    torch.testing.assert_close(measured, least_roughness(data.x, data.y).value)


def test_neurons_are_balanced_and_the_others_keep_their_start(case):
    data, start, theta = case
    net = TwoLayerReLU(data.inputs, 64)
    (w, b), (w0, b0), a = net.hidden(theta), net.hidden(start), theta[:, -64:]
    torch.testing.assert_close(
        a[:, :36].square(), (b.square() + w[..., 0].square())[:, :36]
    )
    assert not a[:, 36:].any()
    assert torch.equal(b[:, 36:], b0[:, 36:])
    assert torch.equal(w[:, 36:], w0[:, 36:])


def test_a_narrow_network_is_refused(case):
    data, _, _ = case
    with pytest.raises(InvalidInput, match="expected at least one neuron a point"):
        connect_the_dots(torch.zeros(5, 3 * 35, dtype=torch.float64), data.x, data.y)
