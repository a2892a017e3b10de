import numpy as np
import pytest
import torch

from ibcore.demonstrations import kkt_points as demonstration
from ibcore.oracles.separability import separable_part
from ibcore.validation import InvalidInput


def test_no_line_through_the_origin_separates_the_points():
    X, y = demonstration.circle_points()
    assert not bool(separable_part(X, y).separable.all())


def test_relu_neurons_end_orthogonal_to_points():
    path = demonstration.training_path("ReLU")
    X, _ = demonstration.circle_points()
    a, w = path.net.layers(path.directions[-1])
    kept = (a.abs() * w.norm(dim=1)) > 0.01
    cosines = (w[kept] @ X.T / w[kept].norm(dim=1, keepdim=True)).abs().amin(1)
    assert float(cosines.max()) < 1e-2
    assert path.kinks[-1] > 0
    assert path.residuals[-1] < 0.02


@pytest.mark.parametrize("activation", demonstration.ACTIVATIONS)
def test_margins_rise_and_residuals_fall(activation):
    path = demonstration.training_path(activation)
    positive = path.margins[path.margins > 0]
    assert np.all(np.diff(positive) > -1e-2 * positive[-1])
    assert path.residuals[-1] < 0.05 * path.residuals[0]


def test_a_frame_says_what_it_shows():
    fig, sentence = demonstration.draw_training(700, "ReLU")
    assert len(fig.axes) == 2
    assert "on a kink" in sentence
    _, early = demonstration.draw_training(0, "squared ReLU")
    assert "misclassified" in early


def test_an_unknown_activation_is_refused():
    with pytest.raises(InvalidInput, match="activation"):
        demonstration.training_path("tanh")
    assert isinstance(demonstration.circle_points()[0], torch.Tensor)
