import pytest

from ibcore.pages.regression.nonlinear_networks.monotone_neurons.explorers import (
    ANGLES,
    IMBALANCES,
    explore_neuron,
)
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.hidden import (
    drift_by_share,
)
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.plane import trained


@pytest.mark.parametrize("imbalance", IMBALANCES)
def test_the_flow_ends_at_the_minimizer(imbalance):
    for angle in ANGLES[::2]:
        assert trained(imbalance, angle).error < 1e-8


def test_all_imbalances_start_from_the_same_function():
    starts = [trained(imbalance, 110).path[0] for imbalance in IMBALANCES]
    for start in starts[1:]:
        assert float((start - starts[0]).norm()) < 1e-15


def test_a_frame_says_how_far_the_shortest_solution_is():
    figure, sentence = explore_neuron(1.0, 110)
    assert len(figure.axes) == 1
    assert "Imbalance 1, start at 110 degrees" in sentence
    assert "1.32 from the shortest" in sentence


def test_every_position_changes_the_sentence():
    sentences = {
        explore_neuron(imbalance, angle)[1]
        for imbalance in IMBALANCES
        for angle in ANGLES
    }
    assert len(sentences) == len(IMBALANCES) * len(ANGLES)


def test_drift_and_error_are_of_first_order_in_the_step():
    rows = drift_by_share((0.5, 0.25), problems=4)
    for column in (1, 2):
        assert rows[0][column] / rows[1][column] == pytest.approx(2, abs=0.3)
