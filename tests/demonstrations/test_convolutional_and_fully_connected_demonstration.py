import pytest
import torch
from matplotlib.figure import Figure

from ibcore.demonstrations import convolutional_and_fully_connected as demonstration
from ibcore.figures.convolutional_and_fully_connected import (
    draw_excess,
    draw_small_start,
)
from ibcore.figures.style import figure


@pytest.fixture(autouse=True)
def two_scales(monkeypatch):
    monkeypatch.setattr(demonstration, "SCALES", (10.0, 0.1))


def test_a_frame_and_its_sentence():
    fig, sentence = demonstration.draw_example("even", 10.0)
    assert isinstance(fig, Figure)
    assert "l2 norm 0.0 %" in sentence


def test_even_inputs_follow_the_prediction():
    data, sparse = demonstration.example("even")
    predicted = demonstration.predicted_excess(
        data.X, data.y, sparse.value, [10.0, 0.1]
    )
    measured = [demonstration.excess("even", alpha) for alpha in (10.0, 0.1)]
    torch.testing.assert_close(
        predicted, torch.tensor(measured).double(), rtol=1e-5, atol=1e-8
    )


def test_the_distance_of_a_network_of_depth_three_falls_with_the_scale():
    (_, far), (_, near) = demonstration.deeper(3, (0.1, 0.03))
    assert near == pytest.approx(0.3 * far, rel=0.1)


def test_figures_of_the_claims_are_drawn():
    scales = torch.tensor([1.0, 0.1]).numpy()
    values = torch.tensor([[0.3, 0.1], [0.2, 0.05]]).numpy()
    _, axes = figure(2)
    draw_excess(axes, scales, values, scales, values, scales, values)
    assert len(axes[0].lines) == 4
    _, axes = figure(2)
    draw_small_start(axes, scales, values, values, values)
    assert len(axes[1].lines) == 4
