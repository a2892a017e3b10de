import pytest

from ibcore.pages.regression.matrix_factorization.nuclear_norm.explorers import (
    RATIOS,
    SCALES,
    completions,
    explore_completion,
)
from ibcore.pages.regression.matrix_factorization.nuclear_norm.runs import sense


def test_a_frame_shows_the_matrix_and_says_where_the_trace_is():
    fig, sentence = explore_completion(3.0, 1e-8)
    left, right = fig.axes
    assert len(left.texts) == 16
    assert len(left.patches) == 6
    assert right.get_xscale() == "log"
    assert "R = 3" in sentence
    assert "times the least nuclear norm" in sentence


@pytest.mark.parametrize("ratio", RATIOS)
def test_every_completion_has_the_known_entries_and_the_last_is_of_rank_one(ratio):
    matrices, least = completions(ratio)
    assert len(matrices) == len(SCALES)
    assert abs(matrices[:, 0, 3] - ratio).max() < 1e-9
    assert matrices[-1].trace() == pytest.approx(2 + 2 * ratio**2, abs=0.02)
    assert least == pytest.approx(12 if ratio > 1 else 2.5, rel=1e-6)


def test_many_observations_leave_no_choice():
    (found,) = sense([24], problems=1)
    assert max(found.factorized, found.nuclear) < 1e-4
    assert found.ratio == pytest.approx(1, abs=1e-4)


def test_every_position_of_the_sliders_says_something_of_its_own():
    positions = [(ratio, scale) for ratio in RATIOS for scale in SCALES]
    sentences = {explore_completion(*position)[1] for position in positions}
    assert len(sentences) == len(positions)
