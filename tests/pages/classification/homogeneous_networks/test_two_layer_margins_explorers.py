import numpy as np
import pytest

from ibcore.oracles.margin_trap import BEST, TRAP
from ibcore.pages.classification.homogeneous_networks.two_layer_margins.explorers import (
    ANGLES,
    SIZES,
    explore_trap,
    walks,
)


@pytest.mark.parametrize("size", SIZES)
def test_walks_end_in_the_trap_exactly_where_the_second_neuron_sees_no_point_or_both(
    size,
):
    margins = walks(size)[1][-1]
    trapped = np.array([angle in (90, 260, 270) for angle in ANGLES])
    assert np.allclose(margins[trapped], TRAP, rtol=1e-2)
    assert np.allclose(margins[~trapped], BEST, rtol=1e-2)


def test_the_picture_says_where_the_walk_ends():
    caught, free = explore_trap(270, 0.1), explore_trap(0, 0.1)
    assert "270 degrees" in caught[1]
    assert "not the optimum" in caught[1]
    assert "largest possible" in free[1]
    walk = free[0].axes[0].lines[1]
    assert walk.get_xdata()[-1] == pytest.approx(180 - 14.04, abs=0.5)
    assert walk.get_ydata()[-1] == pytest.approx(14.04, abs=0.5)


def test_every_start_has_a_sentence_and_a_walk_of_its_own():
    frames = [explore_trap(angle, size) for angle in ANGLES for size in SIZES]
    assert len({sentence for _, sentence in frames}) == len(frames)
    walks_ = {fig.axes[0].lines[1].get_xydata().tobytes() for fig, _ in frames}
    assert len(walks_) == len(frames)
