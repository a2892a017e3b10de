import numpy as np
import pytest

from ibcore.models.runaway_completion import Reduced
from ibcore.oracles import runaway_completion as law
from ibcore.pages.regression.matrix_factorization.norm_to_infinity.explorers import (
    DEPTHS,
    MOMENTS,
    TIMES,
    explore_moment,
    followed,
)
from ibcore.pages.regression.matrix_factorization.norm_to_infinity.runs import escape


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_paths_of_the_explorer_end_on_the_law(depth):
    states, losses = followed(depth)
    assert Reduced(depth).entries(states)[0][-1] == pytest.approx(
        law.entry(depth, TIMES[-1]), rel=1e-6
    )
    assert losses[-1] == pytest.approx(law.loss(depth, TIMES[-1]), rel=1e-6)


def test_a_frame_tells_entry_loss_and_rank():
    figure, sentence = explore_moment(3, 8)
    assert len(figure.axes) == 2
    assert "Depth 3 at t = 1e8: the free entry is 1.9e+03, the loss 9e-08" in sentence
    assert "10^(" in explore_moment(2, 16)[1]


def test_without_balance_the_entry_stays_finite_as_derived():
    """W_11^2 grows with log(1/epsilon) at a rate that rises to 4."""
    ends = escape((1e-4, 1e-8, 1e-12))
    assert ends.flips.all()
    assert float(ends.losses.max()) < 1e-23
    slopes = np.diff(ends.entries**2) / np.log(1e4)
    assert 3.4 < slopes[0] < slopes[1] < 4


def test_every_position_of_the_sliders_says_something_of_its_own():
    positions = [(depth, moment) for depth in DEPTHS for moment in MOMENTS]
    sentences = {explore_moment(*position)[1] for position in positions}
    assert len(sentences) == len(positions)
