import numpy as np
import pytest

from ibcore.pages.regression.nonlinear_networks.relu_neuron.explorers import (
    COUNTS,
    explore_turns,
    wound,
)
from ibcore.pages.regression.nonlinear_networks.relu_neuron.runs import train, walked
from ibcore.problems.relu_pairs import Shape, pair


def test_a_frame_tells_the_ratio():
    figure, sentence = explore_turns(4)
    assert len(figure.axes) == 2
    assert sentence.startswith(
        "4 points of label 0: the path turns 4 times and ends at 1.33 times"
    )
    assert wound(4) is wound(4)


def test_every_position_changes_the_sentence():
    ends = {explore_turns(count)[1].partition("ends")[2] for count in COUNTS}
    assert len(ends) == len(COUNTS)


def test_the_path_begins_at_zero_and_ends_where_training_does():
    data = pair(Shape(3, 0.5, 1, 1.1, 1))[1]
    path = walked(data, tolerance=1e-10, misfit=1e-11)
    assert not path[0].any()
    np.testing.assert_allclose(path[-1], train(data).state.numpy(), atol=1e-8)
    assert (np.diff(path[:, 2]) <= 1e-12).all()
    assert path[-1, 2] == pytest.approx(-0.33818277, abs=1e-8)
