import numpy as np
import pytest
import torch

from ibcore.figures import figure
from ibcore.oracles.path_norm import least_path_norm, middle_range
from ibcore.pages.further.parameter_norms import explorers, figures

GRID = torch.linspace(-1, 1, 401).double()


@pytest.mark.parametrize("height", explorers.HEIGHTS)
def test_members_stay_in_the_band_and_cost_the_same(height):
    data = explorers.moved_points(height)
    least = least_path_norm(data.x, data.y)
    assert float(least.variation) > abs(float(least.tilt))
    low, high = explorers.band(data, GRID)
    for share in explorers.SHARES:
        f = explorers.member(data, share, GRID)
        assert bool(((f >= low - 1e-9) & (f <= high + 1e-9)).all())
        points = explorers.member(data, share, data.x[0])
        torch.testing.assert_close(points, data.y[0])
        fine = torch.linspace(-1, 1, 2001).double()
        slopes = explorers.member(data, share, fine).diff() / fine.diff()
        assert float(slopes.diff().abs().sum()) == pytest.approx(
            float(least.value), rel=1e-6
        )


def test_the_band_agrees_with_the_oracle_in_the_middle():
    data = explorers.moved_points(-0.6)
    middle = (data.x[0, 1:] + data.x[0, :-1]) / 2
    low, high = explorers.band(data, middle)
    line = (data.y[0, 1:] + data.y[0, :-1]) / 2
    below, above = middle_range(data.x[0], data.y[0])
    torch.testing.assert_close(low - line, below)
    torch.testing.assert_close(high - line, above)


def test_frames_say_whether_there_is_a_choice():
    fig, words = explorers.explore_family(0.9, 0.0)
    assert "the only interpolant" in words
    assert len(fig.axes) == 2
    assert "across one gap" in explorers.explore_family(-1.0, 0.5)[1]
    assert "across 2 gaps" in explorers.explore_family(-0.2, 1.0)[1]


def test_every_figure_draws():
    fig, axes = figure(4, height=3)
    strengths = np.array([1e-3, 3e-4])
    figures.plot_costs(
        axes[0],
        strengths,
        np.array([[0.9, 0.8], [0.97, 0.95]]),
        np.array([[0.9, 0.8], [0.97, 0.94]]),
        np.ones(2),
    )
    figures.plot_balls(axes[1], (2, 3, 4))
    scales = np.array([1e-2, 1e-4, 1e-8, 1e-12])
    excess = np.array([[0.1], [1e-2], [1e-3], [-1e-9]])
    figures.plot_scales(axes[2], scales, excess, np.array([0.25]))
    slope = axes[2].lines[0].get_ydata()
    np.testing.assert_allclose(slope, [1e-3, 1e-4])
    figures.plot_band(axes[3], GRID.numpy(), 0 * GRID.numpy(), 0 * GRID.numpy() + 1)
    fig.draw_without_rendering()
    assert axes[1].get_aspect() == 1


def test_every_place_in_the_family_has_a_sentence_of_its_own():
    sentences = {explorers.explore_family(-0.2, s)[1] for s in explorers.SHARES}
    assert len(sentences) == len(explorers.SHARES)
