import numpy as np
import pytest

from ibcore.figures import figure
from ibcore.figures.introduction import (
    CurvePicture,
    draw_corruption,
    draw_curves,
    draw_kernel_end,
    draw_polynomials,
    draw_roughness,
    draw_steps,
    draw_test_errors,
)

X = np.linspace(-1, 1, 5)
GRID = np.linspace(-1, 1, 31)


@pytest.fixture
def ax():
    return figure()[1]


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("fits", [True, False])
def test_a_network_that_does_not_fit_looks_different(ax, fits):
    picture = CurvePicture(X, X**2, GRID, GRID**2, {"least rough fit": (X, X**2)}, fits)
    draw_curves(ax, picture)
    network = ax.lines[1]
    assert (network.get_linestyle() == "-") == fits
    assert ("does not fit" in network.get_label()) != fits


def test_every_dot_of_the_roughness_figure_is_inside(ax):
    draw_roughness(
        ax,
        {64: np.array([1.2, 1.4]), 256: np.array([1.1, 1.3])},
        {64: np.array([40.0, 60.0]), 256: np.array([50.0, 90.0])},
    )
    assert {"least rough", "twice that", "random start", "wiggly start"} == set(
        texts(ax)
    )
    low, high = ax.get_ylim()
    assert low < 1.1
    assert high > 90


def test_kernel_figure_shows_the_typical_distance(ax):
    distances = np.array([[0.1, 0.4], [0.05, 0.2]])
    draw_kernel_end(ax, (64, 256), distances)
    assert any(np.allclose(line.get_ydata(), [0.2, 0.1]) for line in ax.lines)


def test_polynomials_have_their_own_styles(ax):
    curves = {degree: GRID**degree for degree in (3, 8, 60)}
    draw_polynomials(ax, X, X**3, GRID, curves, GRID**3)
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines[:4]}) == 4


def test_sorted_errors_carry_their_degrees(ax):
    draw_test_errors(ax, {3: np.array([0.2, 0.1]), 8: np.array([2.0, 1.0])})
    assert texts(ax) == ["degree 3", "degree 8"]
    assert ax.lines[0].get_ydata().tolist() == [0.1, 0.2]


def test_corruption_figures(ax):
    levels, accuracies = (0.0, 0.5, 1.0), np.array([[1.0, 0.9], [0.6, 0.5], [0.1, 0.1]])
    draw_corruption(ax, levels, np.ones((3, 2)), accuracies)
    assert {"guessing", "training labels", "new digits"} == set(texts(ax))
    other = figure()[1]
    draw_steps(other, levels, np.array([[10, 20], [30, 40], [50, 60]]))
    assert other.lines[-1].get_ydata().tolist() == [15, 35, 55]
