import itertools

import numpy as np
import torch

from ibcore.figures import figure
from ibcore.pages.regression.implicit_regularizers import explorers, figures


def test_all_sentences_differ_and_say_what_theory_says():
    frames = {
        (kind, ratio): explorers.explore_weights(kind, ratio)
        for kind, ratio in itertools.product(
            explorers.PARAMETRIZATIONS, explorers.RATIOS
        )
    }
    sentences = [sentence for _, sentence in frames.values()]
    assert len(set(sentences)) == len(sentences) == 25
    assert all(len(fig.axes) == 2 for fig, _ in frames.values())
    together = [sentence for sentence in sentences if "All five" in sentence]
    assert len(together) == 15
    for kind in ("four hidden neurons", "u · Tu - v · Tv"):
        assert explorers.followed(kind).spread > 0.05


def test_w_itself_ends_at_the_least_norm():
    nearest = torch.linalg.pinv(explorers.X) @ explorers.Y
    for end in explorers.followed("w itself").ends:
        torch.testing.assert_close(end, nearest, rtol=1e-6, atol=1e-8)


def test_every_figure_draws():
    fig, axes = figure(3, rows=2, height=5)
    axes = axes.ravel()
    path = np.array([[0.0, 0.0], [0.5, 0.2], [1.0, 1.0]])
    figures.plot_paths(axes[0], [path, path + 1], np.array([[0, 1], [1, 0]]), 1)
    figures.plot_ends(axes[1], np.array([0.1, 10]), np.array([0.2, 0.4]), 0, 1.0)
    figures.plot_square(axes[2], [path, path[::-1]], "square")
    times = np.logspace(-1, 1, 9)
    figures.plot_loss(axes[3], times, 1 / times, 4.0)
    figures.plot_dual(axes[4], times, times, times, times, 10.0)
    figures.plot_regimes(
        axes[5], times, [times, 1 / times], times[:3], [times[:3], times[:3]]
    )
    fig.draw_without_rendering()
    assert len(axes[5].lines) == 4
