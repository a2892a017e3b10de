import numpy as np
import pytest
from matplotlib import pyplot as plt

from ibcore.figures import figure
from ibcore.pages.classification.extensions.losses_and_paths import figures


@pytest.fixture
def ax():
    fig, axes = figure()
    yield axes
    fig.canvas.draw()
    plt.close(fig)


@pytest.mark.parametrize(("current", "texts"), [(1, 0), (None, 1)])
def test_tail_angles_mark_the_chosen_power(ax, current, texts):
    figures.plot_tail_angles(
        ax, np.array([1.0, 2.0, 5.0]), np.array([9.0, 5.0, 2.0]), current
    )
    assert len(ax.lines) == 2 - texts
    assert len(ax.texts) == texts


def test_chase_draws_two_bundles(ax):
    times = np.array([1.0, 10.0, 100.0])
    figures.plot_chase(ax, times, np.ones((4, 3)) / times, np.ones((4, 3)) / times**2)
    assert len(ax.lines) == 8


def test_class_angles_draw_runs_and_levels(ax):
    figures.plot_class_angles(
        ax, [-10.0, -100.0], np.array([[0.1, 0.2], [0.01, 0.02]]), np.array([0.3, 0.4])
    )
    assert len(ax.lines) == 2
    assert len(ax.collections) == 1
    assert [text.get_text() for text in ax.texts] == [
        "cross entropy",
        "tail 1/m on every pair",
    ]
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [10, 100])
