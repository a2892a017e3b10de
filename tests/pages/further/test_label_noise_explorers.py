import numpy as np
import torch

from ibcore.figures import figure
from ibcore.pages.further.label_noise import explorers, figures
from ibcore.pages.further.label_noise.strengths import follow
from ibcore.problems.sparse_regression import sparse_regression


def test_a_frame_without_noise_is_dense_and_one_with_noise_is_not():
    fig, sentence = explorers.explore_strength(0.0, 100)
    assert "Labels shaken by 0 for 100 steps" in sentence
    assert len(fig.axes) == 2
    _, other = explorers.explore_strength(2.0, 3000)
    assert "3 of 40 coefficients" in other
    assert sentence.split(":")[1] != other.split(":")[1]


def test_the_explorer_has_no_more_than_thirty_frames():
    count = len(explorers.EXPLORED_STEPS) * len(explorers.EXPLORED_STRENGTHS)
    assert count <= 30


def test_following_own_data():
    data = sparse_regression(15, 30, 2, torch.Generator().manual_seed(0))
    found = follow(data.X, data.y, [0.0, 2.0], [50, 1000])
    assert found.coefficients.shape == (2, 2, 30)
    assert float(found.errors[1, 1]) < 0.1 * float(found.errors[1, 0])
    torch.testing.assert_close(
        found.coefficients[1, 0], found.no_noise, rtol=0, atol=0.05
    )


def test_every_figure_draws():
    fig, axes = figure(5, height=3)
    rng = np.random.default_rng(0)
    figures.plot_coefficients(axes[0], rng.normal(size=9), np.eye(9)[2])
    figures.plot_strengths(
        axes[1], np.array([1.0, 10.0]), rng.uniform(0.1, 1, (2, 3)), (0, 1, 2), 1
    )
    figures.plot_errors(axes[2], [1, 2, 3], rng.uniform(1, 2, (4, 3, 5)), "title")
    figures.plot_excess(axes[3], rng.uniform(1.1, 2, (4, 6)), "title")
    figures.plot_networks(axes[4], rng.uniform(0.2, 2, (3, 8)))
    fig.draw_without_rendering()
    assert len(axes[2].lines) == 4
