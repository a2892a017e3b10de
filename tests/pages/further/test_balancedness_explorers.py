import numpy as np
import pytest
import torch

from ibcore.figures import figure
from ibcore.oracles.balancedness import product_limit
from ibcore.pages.further.balancedness import explorers, figures, rational


def test_a_frame_of_the_explorer():
    fig, sentence = explorers.explore_product(0.1, 3.0)
    assert "Step size 0.1: the imbalance goes from 3 to 1.86" in sentence
    assert len(fig.axes) == 2


@pytest.mark.parametrize("gap", explorers.PRODUCT_GAPS)
def test_small_steps_end_where_the_flow_ends(gap):
    path = rational.product_descent((np.sqrt(1 + gap), -1.0), 1e-3, 6000)
    np.testing.assert_allclose(path[-1], product_limit(gap), rtol=0.02)


def test_the_imbalance_of_a_product_is_multiplied_by_a_known_factor():
    path = rational.product_descent((2.0, -1.0), 0.1, 20)
    gaps = path[:, 0].square() - path[:, 1].square()
    factors = 1 - 4 * 0.1**2 * (path.prod(-1) - 1).square()
    torch.testing.assert_close(gaps[1:], gaps[:-1] * factors[:-1])


def test_every_figure_draws():
    fig, axes = figure(3, rows=2, height=5)
    axes = axes.ravel()
    times = np.linspace(0, 1, 5)
    lines = np.ones((5, 3))
    path = np.array([[2.0, -1.0], [1.0, 1.0]])
    figures.plot_plane(axes[0], path, 3.0, (1.8, 0.5))
    figures.plot_imbalances(axes[1], times, times, 1.0)
    figures.plot_norms(
        axes[2], times, lines, lines + 1, np.array([0.2]), np.array([0.4])
    )
    figures.plot_differences(axes[3], times, lines, lines * 2)
    sizes = np.array([1e-6, 1e-8])
    figures.plot_tolerances(axes[4], {"linear": (sizes, np.ones((2, 3)) * 1e-9)})
    figures.plot_drift(axes[5], sizes, np.ones((2, 3)), None, "ReLU")
    figures.plot_drift(axes[5], sizes, np.ones((2, 3)), np.ones(3), "linear")
    fig.draw_without_rendering()
    assert len(axes[3].lines) == 6
