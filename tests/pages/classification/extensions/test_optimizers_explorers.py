import itertools
import math

import pytest
import torch

from ibcore.dynamics.directions import Steepest
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.pages.classification.extensions.optimizers import explorers, runs


def test_the_three_answers_are_as_described():
    data = explorers.three_answers()
    for p, expected in ((1.0, 0.0), (2.0, math.atan2(1, 2)), (math.inf, math.pi / 4)):
        w = norm_max_margin(data.X, data.y, p).primal
        assert math.atan2(float(w[1]), float(w[0])) == pytest.approx(expected, abs=1e-6)


def test_a_frame_shows_the_direction_and_its_prediction():
    fig, sentence = explorers.explore_direction("coordinate descent", 3000)
    fig.draw_without_rendering()
    assert len(fig.axes) == 2
    assert "l1 norm is at 0.0 degrees" in sentence
    found = explorers.directions()
    assert bool(found.w.isfinite().all())
    assert explorers.directions() is found


def test_every_position_of_the_explorer_says_something_else():
    positions = list(itertools.product(explorers.OPTIMIZERS, explorers.STEPS))
    sentences = [explorers.explore_direction(*position)[1] for position in positions]
    assert len(set(sentences)) == len(positions)
    assert "its own limiting norm" in explorers.explore_direction("AdaGrad", 3)[1]
    assert "its limit with small fixed steps" in sentences[-1]


def test_with_epsilon_adam_leaves_the_direction_that_it_takes_without():
    without, with_it = explorers.directions().w[-1, -2:]
    steep = [float(w[1] / w[0]) for w in (without, with_it)]
    assert steep[0] == pytest.approx(1, abs=0.05)
    assert steep[1] < 0.9
    torch.testing.assert_close(*explorers.directions().w[0, -2:], rtol=1e-3, atol=0)


def test_gaps_on_own_data_are_smallest_in_the_own_norm():
    data = explorers.three_answers()
    gaps = runs.margin_gaps(data, Steepest(1), 0.05, steps=1000)
    assert min(gaps, key=gaps.__getitem__) == "l1"
