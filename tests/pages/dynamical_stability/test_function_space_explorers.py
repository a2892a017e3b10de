import numpy as np
import torch

from ibcore.figures import figure
from ibcore.oracles.stable_functions import most_bends
from ibcore.pages.dynamical_stability.function_space import explorers, figures


def test_the_frames_are_settled_minima_whose_integral_falls():
    found = explorers.frames()
    assert found.functions.shape == (len(explorers.TIMES), 401)
    assert bool((found.steps.diff() >= 0).all())
    assert float(found.steps[-1]) > 50 * float(found.steps[0])
    assert len(found.steps.unique()) >= 5
    assert float(found.bends[-1]) < float(found.bends[0]) / 3
    for step, bends in zip(found.steps, found.bends, strict=True):
        assert float(bends) < most_bends(float(step))
    at = np.searchsorted(found.grid.numpy(), found.problem.x[0, 1:-1].numpy())
    labels = found.problem.y[0, 1:-1]
    assert float((found.functions[:, at] - labels).abs().max()) < 0.2


def test_a_frame_of_the_explorer():
    fig, sentence = explorers.explore_spline(explorers.TIMES[-1])
    assert "Settled at the step" in sentence
    assert len(fig.axes) == 2
    fig.draw_without_rendering()


def test_every_figure_draws():
    fig, axes = figure(3, rows=2, height=5)
    axes = axes.ravel()
    x = np.linspace(-1, 1, 5)
    figures.plot_spline(axes[0], x, x, x, x**2)
    figures.plot_bends(axes[1], np.array([0.01, 0.1]), np.array([3.0, 1.0]))
    figures.plot_pairs(axes[2], x + 2, [x + 1, x + 2], ["a", "b"], "$I$")
    figures.plot_slopes(axes[3], [x + 2, x + 2], [x + 1.5, x + 3], ["a", "b"])
    truth = np.array([0.0, 1.0, -0.5])
    figures.plot_coefficients(axes[4], truth, [truth, 0.5 * truth], ["a", "b"])
    figures.plot_norms(axes[5], x + 3, x + 2, np.ones(5), "mean 3")
    fig.draw_without_rendering()
    assert torch.is_tensor(explorers.frames().grid)
