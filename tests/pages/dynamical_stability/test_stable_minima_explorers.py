import numpy as np
import pytest

from ibcore.figures import figure
from ibcore.pages.dynamical_stability.stable_minima import explorers, figures
from ibcore.pages.dynamical_stability.stable_minima.objectives import two_valleys
from ibcore.pages.dynamical_stability.stable_minima.runs import curve_path


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (0.02, "rest in the sharp minimum"),
        (0.14, "no rest and jumps about the sharp"),
        (0.4, "rests in the flat minimum"),
        (1.03, "no rest and jumps about the flat"),
        (1.05, "jumps from valley to valley"),
        (1.2, "diverges"),
    ],
)
def test_the_ball_does_what_its_sentence_says(step, words):
    fig, sentence = explorers.explore_valleys(step)
    assert f"Step {step:g}" in sentence
    assert words in sentence
    fig.draw_without_rendering()


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (0.3, "converges"),
        (1.15, "two places"),
        (1.27, "four places"),
        (1.5, "stays bounded"),
        (2.05, "diverges"),
    ],
)
def test_the_double_well_does_what_its_sentence_says(step, words):
    fig, sentence = explorers.explore_well(step)
    assert words in sentence
    assert len(fig.axes) == 2
    fig.draw_without_rendering()


def test_the_ball_ends_inside_the_picture_unless_it_diverges():
    for step in explorers.VALLEY_STEPS[:-1]:
        fig, sentence = explorers.explore_valleys(step)
        (ax,) = fig.axes
        end = ax.lines[-1].get_xydata()
        (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
        assert "diverges" not in sentence
        assert ((end > (left, low)) & (end < (right, high))).all(), step


def test_explorers_do_not_begin_on_their_answer():
    assert "comes to rest" in explorers.explore_valleys(explorers.VALLEY_STEPS[0])[1]
    assert "converges" in explorers.explore_well(explorers.WELL_STEPS[0])[1]


def test_every_figure_draws():
    fig, axes = figure(4, rows=2, height=5)
    path = curve_path(two_valleys, -0.99, 0.25, 12).numpy()
    generator = np.random.default_rng(0)
    values = np.abs(generator.normal(size=(12, 5)))
    axes = axes.ravel()
    figures.plot_valley(axes[0], -1.0, 0.4, path, "sharp")
    figures.plot_ends(axes[1], values[:, 0], np.where(values[:, 1] > 1, np.nan, 1.5))
    figures.plot_kicked(axes[2], np.array([1.5, 2.5]), np.array([1.5, 1.2]))
    figures.plot_diagram(axes[3], np.linspace(0.9, 1.5, 12), values, values[:, :2], 1.2)
    figures.plot_leaving(axes[4], {"a": values[:, 0], "b": values[:, 1]})
    figures.plot_plane(axes[5], values.reshape(6, 5, 2), np.array([0.8, 1.1]))
    figures.plot_apart(axes[6], values, 0.9)
    figures.plot_critical(axes[7], np.array([1, 2, 4]), values[:3], values[:3] * 0.9)
    fig.draw_without_rendering()
    fig, ax = figure()
    figures.plot_mean_and_median(ax, np.arange(12), *values.T[:3])
    fig.draw_without_rendering()
    assert len(ax.lines) == 3
