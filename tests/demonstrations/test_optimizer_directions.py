import math

import pytest
from matplotlib.figure import Figure

from ibcore.demonstrations import optimizers
from ibcore.dynamics.directions import Steepest
from ibcore.oracles.norm_margin import norm_max_margin


def test_the_three_answers_are_as_described():
    data = optimizers.three_answers()
    for p, expected in ((1.0, 0.0), (2.0, math.atan2(1, 2)), (math.inf, math.pi / 4)):
        w = norm_max_margin(data.X, data.y, p).primal
        assert math.atan2(float(w[1]), float(w[0])) == pytest.approx(expected, abs=1e-6)


def test_a_frame_shows_the_direction_and_its_prediction():
    fig, sentence = optimizers.draw_direction("coordinate descent", 3000)
    assert isinstance(fig, Figure)
    fig.canvas.draw()
    assert "l1 norm is at 0.0 degrees" in sentence
    found = optimizers.directions()
    assert bool(found.w.isfinite().all())
    assert optimizers.directions() is found


def test_gaps_on_own_data_are_smallest_in_the_own_norm():
    data = optimizers.three_answers()
    gaps = optimizers.margin_gaps(data, Steepest(1), 0.05, steps=1000)
    assert min(gaps, key=gaps.__getitem__) == "l1"
