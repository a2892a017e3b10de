import itertools

import pytest
import torch
from matplotlib.figure import Figure

from ibcore.pages.classification.homogeneous_networks.simple_predictors import explorers
from ibcore.pages.classification.homogeneous_networks.simple_predictors.runs import (
    class_sines,
)
from ibcore.problems.separable import orthogonally_separable


def test_every_position_shows_a_figure_and_says_something_else():
    positions = list(itertools.product(explorers.STAGES, explorers.LENGTHS))
    frames = [explorers.explore_mirrors(*one) for one in positions]
    assert len({sentence for _, sentence in frames}) == len(positions)
    assert all(isinstance(fig, Figure) and len(fig.axes) == 2 for fig, _ in frames)


@pytest.mark.parametrize("length", explorers.LENGTHS)
def test_the_network_becomes_linear_where_mirror_images_are_as_long(length):
    run = explorers.training(length)
    bends = [run.bend(stage) for stage in range(len(explorers.STAGES))]
    assert bends[0] > 0.5
    assert (bends[-1] < 0.01) == (length == 1)
    assert bends[-1] < 0.01 or bends[-1] > 0.1


@pytest.mark.parametrize("length", explorers.LENGTHS)
def test_the_boundary_becomes_straight_in_any_case(length):
    """f changes its sign at two opposite points of the circle, to two degrees."""
    run = explorers.training(length)
    _, values = run.around(len(explorers.STAGES) - 1)
    places = (values[1:] > 0).logical_xor(values[:-1] > 0).nonzero()[:, 0]
    assert len(places) == 2
    assert abs(int(places.diff()) - (len(values) - 1) // 2) <= 1
    assert bool((run.net.outputs(run.theta[-1:])[0] * run.data.y > 0).all())


def test_neurons_of_a_class_turn_to_its_own_margin():
    """The sines fall like the root of log 1/L."""
    generator = torch.Generator().manual_seed(7603)
    data = orthogonally_separable(10, 3, generator)
    found = class_sines(data, 6, [-1e6, -1e10], generator)
    for sines in found.values():
        assert sines.shape == (2, 3)
        assert bool((sines[1] < 1e-4).all())
        torch.testing.assert_close(
            sines[0] / sines[1], torch.full((3,), 100.0).double(), rtol=0.25, atol=0
        )
