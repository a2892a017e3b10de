import numpy as np
import pytest

from ibcore.oracles.separability import separable_part
from ibcore.pages.classification.homogeneous_networks.kkt_points import explorers
from ibcore.validation import InvalidInput


def test_no_line_through_the_origin_separates_the_points():
    X, y = explorers.circle_points()
    assert not bool(separable_part(X, y).separable.all())


def test_relu_neurons_end_orthogonal_to_points():
    path = explorers.training_path("ReLU")
    X, _ = explorers.circle_points()
    a, w = path.net.neurons(path.directions[-1])
    kept = (a.abs() * w.norm(dim=1)) > 0.01
    cosines = (w[kept] @ X.T / w[kept].norm(dim=1, keepdim=True)).abs().amin(1)
    assert float(cosines.max()) < 1e-2
    assert path.kinks[-1] > 0
    assert path.residuals[-1] < 0.02


@pytest.mark.parametrize("activation", explorers.ACTIVATIONS)
def test_margins_rise_and_residuals_fall(activation):
    path = explorers.training_path(activation)
    positive = path.margins[path.margins > 0]
    assert np.all(np.diff(positive) > -1e-2 * positive[-1])
    assert path.residuals[-1] < 0.05 * path.residuals[0]


def test_a_frame_says_what_it_shows():
    fig, sentence = explorers.explore_training(700, "ReLU")
    assert len(fig.axes) == 2
    assert "on a kink" in sentence
    _, early = explorers.explore_training(0, "squared ReLU")
    assert "misclassified" in early


@pytest.mark.parametrize("activation", explorers.ACTIVATIONS)
def test_every_stage_has_a_sentence_and_a_picture_of_its_own(activation):
    frames = [
        explorers.explore_training(stage, activation) for stage in explorers.STAGES
    ]
    assert len({sentence for _, sentence in frames}) == len(frames)
    tips = {fig.axes[0].lines[7].get_xydata().tobytes() for fig, _ in frames}
    assert len(tips) == len(frames)


def test_an_unknown_activation_is_refused():
    with pytest.raises(InvalidInput, match="activation"):
        explorers.training_path("tanh")
