import numpy as np
import pytest
from matplotlib.figure import Figure

from ibcore.pages.double_descent.explorers import (
    EXPLORER_COUNTS,
    EXPLORER_NOISES,
    explore_wave,
    wave_fits,
)


def test_explorer_draws_a_frame_and_says_what_it_shows():
    fig, sentence = explore_wave(12, 0.3)
    assert isinstance(fig, Figure)
    assert sentence.startswith("12 features, noise 0.3: just enough")


def test_explorer_tells_the_story():
    typical = wave_fits(max(EXPLORER_NOISES))["typical"]
    peak = EXPLORER_COUNTS.index(12)
    assert int(typical.argmax()) == peak
    assert typical[peak] > 10 * max(typical[:peak].min(), typical[-1])


def test_explored_fits_pass_through_the_points():
    fits = wave_fits(0.1)
    for row in fits["values"][EXPLORER_COUNTS.index(1000) :]:
        assert np.interp(fits["x"], fits["grid"], row) == pytest.approx(
            fits["y"], abs=0.02
        )
