import numpy as np
import torch

from ibcore.figures import figure
from ibcore.pages.further.lazy_training import explorers, figures
from ibcore.pages.further.lazy_training.features import learn
from ibcore.pages.further.lazy_training.plane import (
    on_a_line,
    paired_ring,
    ring_start,
)


def test_a_lazy_frame_and_a_rich_one():
    fig, lazy = explorers.explore_scale(30.0, 320)
    assert "Width 320, scale 30" in lazy
    assert len(fig.axes) == 2
    line = explorers.explored(30.0, 320)
    assert line.moved < 0.02
    rich = on_a_line(explorers.POINTS_X, explorers.POINTS_Y, 1.0, 40)
    assert rich.moved > 0.3
    assert rich.gap > 2 * line.gap


def test_the_explorer_has_no_more_than_thirty_frames():
    assert len(explorers.SCALES) * len(explorers.WIDTHS) <= 30


def test_a_ring_starts_as_zero_on_a_circle():
    theta = ring_start(12)
    assert theta.shape == (1, 36)
    assert bool((theta[0, 24:] == 0).all())
    sizes = theta[0, :12].square() + theta[0, 12:24].square()
    torch.testing.assert_close(sizes, torch.full_like(sizes, 2.0))
    twins = paired_ring(12)[0].unflatten(0, (3, 2, 6))
    torch.testing.assert_close(twins[2, 0], -twins[2, 1])
    torch.testing.assert_close(twins[:2, 0], twins[:2, 1])


def test_every_figure_draws():
    fig, axes = figure(4, height=3)
    line = explorers.explored(30.0, 320)
    figures.plot_function(axes[0], line)
    figures.plot_neurons(axes[1], line)
    rng = np.random.default_rng(0)
    sizes = np.array([10.0, 100.0])
    figures.plot_law(axes[2], sizes, rng.uniform(0.1, 1, (2, 8)), -0.5, "blue")
    figures.plot_factor(axes[3], np.ones(8), np.ones(8) * 0.1, np.ones(8) * 1.1)
    fig.draw_without_rendering()
    assert len(axes[2].lines) == 10


def test_a_direction_is_learned_by_moving_only():
    found = learn(lambda X: X[..., 0].abs(), (1.0, 0.01), seed=5)
    assert found.errors.shape == (2, 8)
    assert bool((found.errors[1] < 0.6 * found.errors[0]).all())
    assert bool((found.moved[1] > 5 * found.moved[0]).all())
    fig, ax = figure(height=3)
    moved, errors = found.moved.numpy(), found.errors.numpy()
    figures.plot_errors(ax, moved, errors, "blue", "label")
    fig.draw_without_rendering()
