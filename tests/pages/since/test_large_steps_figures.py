import numpy as np

from ibcore.figures import figure
from ibcore.pages.since.large_steps import figures


def test_every_figure_draws():
    fig, axes = figure(4, rows=2, height=6, width=14)
    axes = axes.ravel()
    figures.plot_losses(axes[0], np.geomspace(1, 1e-4, 101)[:, None], (2.0,), 0.2)
    figures.plot_margins(axes[1], np.array([1, 10, 100]), np.ones((3, 2)), (1.0, 2.0))
    figures.plot_threshold(axes[2], np.array([0.5, 1.5]), np.array([[0, 0], [0.1, 1]]))
    figures.plot_mean_losses(axes[3], *np.ones((3, 150)))
    figures.plot_distances(axes[4], *np.ones((2, 150)), np.ones((150, 3)))
    figures.plot_drifts(
        axes[5], np.arange(3), *({"all": np.ones(3), "one": np.ones(3)},) * 2
    )
    figures.plot_widths(axes[6], np.arange(3.0), np.ones((3, 2)), (0.5, 1.5))
    fig.draw_without_rendering()
    assert [len(ax.lines) for ax in axes[:3]] == [2, 3, 3]
    low = axes[2].lines[1].get_ydata()
    assert low.tolist() == [1e-13, 0.1]


def test_a_running_mean():
    values = np.arange(10.0)
    mean = figures.running(values, 4)
    assert mean[2:9].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]
    assert np.isnan(mean[[0, 1, 9]]).all()
    both = figures.running(np.stack([values, 2 * values], 1), 4)
    np.testing.assert_allclose(both[:, 1], 2 * mean)
