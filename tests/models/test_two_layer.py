import math

import pytest
import torch

from ibcore.models.two_layer import TwoLayerReLU, zero_output_start
from ibcore.validation import InvalidInput


@pytest.fixture(
    params=[(1, False), (3, False), (3, True)], ids=["scalar", "shared", "batched"]
)
def case(request):
    features, batched = request.param
    generator = torch.Generator().manual_seed(3)
    shape = (4, 6, features) if batched else (6, features)
    net = TwoLayerReLU(
        torch.randn(shape, generator=generator, dtype=torch.float64), width=5
    )
    return net, torch.randn(4, net.dimension, generator=generator, dtype=torch.float64)


def test_outputs_are_the_sum_over_neurons(case):
    net, theta = case
    (w, b), a = net.hidden(theta), theta[:, -5:]
    inputs = net.inputs.expand(4, 6, net.features)
    by_hand = [
        [
            sum(
                float(a[k, j]) * max(0.0, float(w[k, j] @ inputs[k, i] + b[k, j]))
                for j in range(5)
            )
            / math.sqrt(5)
            for i in range(6)
        ]
        for k in range(4)
    ]
    torch.testing.assert_close(
        net.outputs(theta), torch.tensor(by_hand, dtype=torch.float64)
    )


def test_zero_output_start_is_the_zero_function():
    scale = torch.tensor([0.5, 2.0], dtype=torch.float64)
    theta = zero_output_start(4000, 1, scale, torch.Generator().manual_seed(0))
    net = TwoLayerReLU(torch.linspace(-1, 1, 7, dtype=torch.float64)[:, None], 4000)
    assert not net.outputs(theta).any()
    w, b = net.hidden(theta)
    torch.testing.assert_close(
        torch.cat([b, w[..., 0]], -1).std(-1), scale, rtol=0.05, atol=0
    )


def test_kinks_are_where_the_slope_jumps():
    theta = torch.tensor(
        [[2.0, -4.0, 0.0, -1.0, 1.0, 0.5, 2.0, -3.0, 1.0]], dtype=torch.float64
    )
    net = TwoLayerReLU(torch.zeros(1, 1, dtype=torch.float64), 3)
    positions, jumps = net.kinks(theta)
    assert positions[0].tolist() == [0.5, 0.25, math.inf]
    expected = torch.tensor([4.0, -12.0, 0.0], dtype=torch.float64) / math.sqrt(3)
    torch.testing.assert_close(jumps[0], expected)
    grid = torch.tensor([0.0, 0.25, 0.3, 0.5, 1.0], dtype=torch.float64)
    slopes = net.on(grid[:, None]).outputs(theta)[0].diff() / grid.diff()
    torch.testing.assert_close(slopes[1] - slopes[0], expected[1])
    torch.testing.assert_close(slopes[3] - slopes[2], expected[0])


def test_kinks_need_scalar_inputs():
    net = TwoLayerReLU(torch.zeros(2, 3, dtype=torch.float64), 4)
    with pytest.raises(InvalidInput, match="3 features"):
        net.kinks(torch.zeros(1, net.dimension, dtype=torch.float64))


@pytest.mark.parametrize("width", [0, -5, 2.5])
def test_widths_that_are_no_widths(width):
    with pytest.raises(InvalidInput, match="width"):
        TwoLayerReLU(torch.zeros(2, 1), width)


def test_inputs_of_wrong_shape():
    with pytest.raises(InvalidInput, match=r"\(n, d\)"):
        TwoLayerReLU(torch.zeros(5), 3)
