import numpy as np
import pytest
import torch

from ibcore.figures import figure
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.pages.classification.extensions.mirror_descent import (
    explorers,
    figures,
    runs,
)


@pytest.mark.parametrize("p", [1.1, 2.0, 10.0])
def test_one_point_decides_the_margin_in_the_plane(p):
    data = explorers.plane_points()
    best = norm_max_margin(data.X, data.y, p)
    expected = torch.tensor([2.0 ** (1 / (p - 1)), 1.0], dtype=torch.float64)
    expected = expected / (2 * expected[0] + expected[1])
    torch.testing.assert_close(best.primal, expected, rtol=2e-3, atol=2e-3)


def test_a_frame_of_the_explorer():
    fig, sentence = explorers.explore_plane(2.0, 1000)
    assert "p = 2 at t = 10^1,000" in sentence
    assert "(1.00, 0.50)" in sentence
    assert len(fig.axes) == 2


def test_following_own_data():
    data = explorers.plane_points()
    run, best, gaps = runs.follow(data.X, data.y, 3.0, [10.0, 1e5])
    assert run.reached
    assert best.gap < 1e-8
    assert float(gaps[1]) < 1e-4 < float(gaps[0])


def test_small_steps_stay_far_from_the_limit():
    data = explorers.plane_points()
    best = torch.tensor(
        [[norm_max_margin(data.X, data.y, p).margin for p in (1.5, 3.0)]]
    )
    gaps = runs.naive_gaps(
        data.signed[None], best, (1.5, 3.0), step_size=1e-3, steps=50
    )
    assert gaps.shape == (2, 1)
    assert float(gaps.min()) > 1e-3


def test_every_figure_draws():
    fig, axes = figure(4, height=3)
    gaps = np.array([[1e-3, 0.2], [0.3, 1e-6]])
    figures.plot_table(axes[0], gaps, (1.5, 3))
    figures.plot_decay(
        axes[1],
        np.array([1.0, 10.0, 100.0]),
        np.array([[0.1, 0.2], [0.05, 0.1], [0.01, 0.01]]),
        (1.5, 3),
        (-1, -1),
    )
    figures.plot_network_gaps(axes[2], np.array([1.0, 10.0]), gaps, (1.5, 3), "depth 2")
    figures.plot_hidden(
        axes[3], np.array([1.0, 10.0]), np.array([[1.0, 0.5], [2.0, 0.1]]), 1.5
    )
    fig.draw_without_rendering()
    assert len(axes[0].texts) == 4
