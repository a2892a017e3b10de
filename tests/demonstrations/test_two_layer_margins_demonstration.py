import numpy as np
import pytest

from ibcore.demonstrations.two_layer_margins import (
    ANGLES,
    SIZES,
    draw_trap,
    explore_trap,
    walks,
)
from ibcore.oracles.margin_trap import BEST, TRAP


@pytest.mark.parametrize("size", SIZES)
def test_walks_end_in_the_trap_exactly_where_the_second_neuron_sees_no_point_or_both(
    size,
):
    margins = walks(size)[1][-1]
    trapped = np.array([angle in (90, 260, 270) for angle in ANGLES])
    assert np.allclose(margins[trapped], TRAP, rtol=1e-2)
    assert np.allclose(margins[~trapped], BEST, rtol=1e-2)


def test_the_picture_says_where_the_walk_ends():
    caught, free = draw_trap(270, 0.1), draw_trap(0, 0.1)
    assert "not the optimum" in caught[1]
    assert "largest possible" in free[1]
    walk = free[0].axes[0].lines[1]
    assert walk.get_xdata()[-1] == pytest.approx(180 - 14.04, abs=0.5)
    assert walk.get_ydata()[-1] == pytest.approx(14.04, abs=0.5)


def test_the_explorer_starts_with_a_dead_second_neuron():
    explorer = explore_trap()
    assert "270 degrees" in explorer.frame(explorer.start).sentence
