import itertools

import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ibcore.measures import sin_angle
from ibcore.pages.classification.extensions.losses_and_paths.explorers import (
    EXPONENTIAL,
    POINTS,
    TAILS,
    explore_tail,
    tail_end,
    tail_points,
)


@pytest.mark.parametrize("points", POINTS)
def test_both_sets_have_the_same_street(points):
    _, best = tail_points(points)
    torch.testing.assert_close(
        best.primal, torch.tensor([0.5, 0.5], dtype=torch.float64), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("tail", [TAILS[0], TAILS[3], EXPONENTIAL])
def test_a_frame_says_where_training_ends(tail):
    fig, sentence = explore_tail(tail, POINTS[0])
    assert isinstance(fig, Figure)
    assert ("exponential" in sentence) == (tail == EXPONENTIAL)
    fig.canvas.draw()
    plt.close(fig)


def test_every_position_says_something_else():
    positions = list(itertools.product(TAILS, POINTS))
    sentences = {explore_tail(*position)[1] for position in positions}
    assert len(sentences) == len(positions)
    plt.close("all")


def test_heavier_tails_end_farther_from_the_street():
    sines = [
        float(sin_angle(tail_end(tail, POINTS[0]), tail_points(POINTS[0])[1].primal))
        for tail in TAILS
    ]
    assert sines == sorted(sines, reverse=True)
    assert sines[0] > 0.1
    assert sines[-1] < 1e-4
