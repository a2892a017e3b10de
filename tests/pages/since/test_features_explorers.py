import numpy as np
import torch

from ibcore.figures import figure
from ibcore.pages.since.features import explorers, figures, grokking, saddles


def test_frames_before_and_after():
    fig, sentence = explorers.explore_frequencies("addition", 0)
    assert "after 0 steps: the least margin is -" in sentence
    assert len(fig.axes) == 2
    _, after = explorers.explore_frequencies("addition", explorers.STEPS[-1])
    assert "1.00 times the largest possible" in after
    assert "1.00 of the power" in after
    _, other = explorers.explore_frequencies("no group", explorers.STEPS[-1])
    assert "0.8" in other


def test_the_explorer_has_no_more_than_thirty_frames():
    assert len(explorers.TABLES) * len(explorers.STEPS) <= 30


def test_bars_are_sorted_by_their_main_frequency():
    shares = np.array([[0.0, 0.1, 0.9], [0.1, 0.9, 0.0], [0.0, 0.2, 0.8]])
    fig, ax = figure()
    figures.plot_shares(ax, shares, np.ones(3), "three neurons")
    fig.draw_without_rendering()
    assert len(ax.collections) == 3
    first = ax.collections[0].get_paths()[0].vertices
    assert 0.9 in np.round(first[first[:, 0] == 0][:, 1], 6)


def test_every_figure_draws():
    fig, axes = figure(3, rows=2, height=6)
    axes = axes.ravel()
    figures.plot_neuron(axes[0], np.random.default_rng(0).normal(size=(3, 5)), 2)
    problem = saddles.drawn([1600160])[0]
    times = torch.linspace(0, problem.end, 40)[1:]
    beta, _ = saddles.coefficients(problem, 5.0, times.tolist())
    figures.plot_coefficients(
        axes[1], times.numpy(), beta.numpy(), problem.path, "title"
    )
    data = grokking.task(torch.Generator().manual_seed(1600161))
    run = grokking.trained(data, 4.0)
    figures.plot_accuracies(axes[2], (data, {4: run, 8: run}), (data, {4: run}))
    assert len(axes[2].lines) == 3
    figures.plot_biases(axes[3], data, {4: run, 8: run})
    assert len(axes[3].lines) == 4
    rows = np.array([[np.nan, np.nan], [0.1, 0.3]])
    figures.plot_residuals(axes[4], np.array([1.0, 2.0]), rows, rows, rows)
    fig.draw_without_rendering()
    middle = axes[4].lines[-1].get_ydata()
    assert np.isnan(middle[0])
    assert middle[1] == 0.2
