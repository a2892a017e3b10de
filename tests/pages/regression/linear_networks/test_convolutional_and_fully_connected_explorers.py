import pytest
import torch
from matplotlib.figure import Figure

from ibcore.pages.regression.linear_networks.convolutional_and_fully_connected import (
    explorers,
    signals,
)


@pytest.fixture
def two_scales(monkeypatch):
    monkeypatch.setattr(explorers, "SCALES", (10.0, 0.1))


@pytest.mark.usefixtures("two_scales")
def test_a_frame_and_its_sentence():
    fig, sentence = explorers.explore_spectrum("even", 10.0)
    assert isinstance(fig, Figure)
    assert len(fig.axes) == 2
    assert "l2 norm 0.0 %" in sentence


@pytest.mark.usefixtures("two_scales")
def test_even_inputs_follow_the_prediction():
    predicted = signals.predicted_excess(explorers.example("even"), [10.0, 0.1])
    measured = [explorers.excess("even", alpha) for alpha in (10.0, 0.1)]
    torch.testing.assert_close(
        predicted, torch.tensor(measured).double(), rtol=1e-5, atol=1e-8
    )


def test_every_position_says_something_else():
    sentences = {
        explorers.explore_spectrum(kind, alpha)[1]
        for kind in explorers.KINDS
        for alpha in explorers.SCALES
    }
    assert len(sentences) == len(explorers.KINDS) * len(explorers.SCALES)
