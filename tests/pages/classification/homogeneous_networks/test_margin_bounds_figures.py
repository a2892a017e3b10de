import numpy as np

from ibcore.figures import figure
from ibcore.pages.classification.homogeneous_networks.margin_bounds.figures import (
    plot_bounds,
    plot_distributions,
    plot_growth,
    plot_ratios,
)


def test_distributions_are_those_of_the_margins():
    values = np.linspace(0, 1, 101)
    fig, ax = figure()
    plot_distributions(ax, {"true": values, "random": values / 2}, "margin")
    fig.canvas.draw()
    medians = [
        float(line.get_xdata()[0]) for line in ax.lines if len(line.get_xdata()) == 1
    ]
    assert medians == [0.5, 0.25]


def test_ratios_have_one_row_a_measure():
    fig, ax = figure()
    plot_ratios(
        ax,
        [
            ("raw, random", "random", np.array([1.0, 1.2])),
            ("raw, again", "true again", np.array([1.0])),
        ],
    )
    fig.canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "raw, random",
        "raw, again",
    ]


def test_growth_has_a_thick_mean_for_every_curve():
    sizes = np.array([75, 300])
    values = np.array([[800.0, 700.0], [1000.0, 1200.0]])
    fig, axes = figure(2)
    plot_growth(axes, sizes, values, values / 10, values / 1e4)
    fig.canvas.draw()
    assert [len(ax.lines) for ax in axes] == [3, 7]
    mean = axes[0].lines[-1].get_ydata()
    assert np.allclose(mean, np.sqrt(values.prod(1)))


def test_bounds_have_one_row_each_and_the_line_of_guessing():
    fig, ax = figure()
    plot_bounds(ax, [("error", np.array([0.1, 0.2])), ("bound", np.array([0.7]))], 0.9)
    fig.canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["error", "bound"]
    assert ax.lines[-1].get_xdata()[0] == 0.9
