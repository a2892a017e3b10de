from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.figures import figure
from ibcore.pages.introduction import claims as page
from ibcore.pages.introduction.figures import (
    CurvePicture,
    plot_corruption,
    plot_curves,
    plot_kernel_end,
    plot_polynomial_fits,
    plot_polynomials,
    plot_random_labels,
    plot_roughness,
    plot_starts,
    plot_steps,
    plot_test_errors,
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
    plot_curves(ax, picture)
    network = ax.lines[1]
    assert (network.get_linestyle() == "-") == fits
    assert ("does not fit" in network.get_label()) != fits


def test_every_dot_of_the_roughness_figure_is_inside(ax):
    plot_roughness(
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
    plot_kernel_end(ax, (64, 256), distances)
    assert any(np.allclose(line.get_ydata(), [0.2, 0.1]) for line in ax.lines)


def test_polynomials_have_their_own_styles(ax):
    curves = {degree: GRID**degree for degree in (3, 8, 60)}
    plot_polynomials(ax, X, X**3, GRID, curves, GRID**3)
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines[:4]}) == 4


def test_sorted_errors_carry_their_degrees(ax):
    plot_test_errors(ax, {3: np.array([0.2, 0.1]), 8: np.array([2.0, 1.0])})
    assert texts(ax) == ["degree 3", "degree 8"]
    assert ax.lines[0].get_ydata().tolist() == [0.1, 0.2]


def test_corruption_figures(ax):
    levels, accuracies = (0.0, 0.5, 1.0), np.array([[1.0, 0.9], [0.6, 0.5], [0.1, 0.1]])
    plot_corruption(ax, levels, np.ones((3, 2)), accuracies)
    assert {"guessing", "training labels", "new digits"} == set(texts(ax))
    other = figure()[1]
    plot_steps(other, levels, np.array([[10, 20], [30, 40], [50, 60]]))
    assert other.lines[-1].get_ydata().tolist() == [15, 35, 55]


def test_what_was_measured_of_polynomials_is_shown():
    verdict = page.intro_poly_overfit.verify(Setting("quick", 0))
    axes = figure(2)[1]
    plot_polynomial_fits(axes, verdict.measured)
    assert len(axes[0].lines) == 5
    assert axes[0].lines[-1].get_xdata().tolist() == verdict.measured.data.x[0].tolist()
    assert texts(axes[1]) == ["degree 3", "degree 8", "degree 60"]
    assert all(len(line.get_ydata()) == 200 for line in axes[1].lines)


def test_what_was_measured_of_labels_is_shown_by_level():
    runs = {
        level: SimpleNamespace(
            train=torch.ones(2), test=torch.full((2,), 1 - level), ran=torch.tensor(ran)
        )
        for level, ran in ((0.0, [10, 20]), (0.5, [30, 40]), (0.9, [50, 60]))
    }
    left, right = figure(2)[1]
    plot_random_labels((left, right), SimpleNamespace(runs=runs))
    assert right.lines[-1].get_xdata().tolist() == [0.0, 0.5, 0.9]
    assert right.lines[-1].get_ydata().tolist() == [15, 35, 55]
    assert any(
        np.allclose(line.get_ydata(), [1.0, 0.5, 0.1])
        for line in left.lines
        if len(line.get_ydata()) == 3
    )


def test_starts_are_those_of_one_scale_and_kind(ax):
    def group(kind, width, scale, ratio):
        refit = SimpleNamespace(ratio=torch.tensor([40.0 * ratio]))
        return SimpleNamespace(
            kind=kind,
            width=width,
            scale=scale,
            random=SimpleNamespace(ratio=torch.tensor([ratio])),
            wiggly=SimpleNamespace(refit=refit),
        )

    groups = (
        group("scattered", 256, 100.0, 1.5),
        group("sine", 256, 100.0, 7.0),
        group("scattered", 256, 30.0, 8.0),
    )
    narrow = (group("scattered", 64, 100.0, 2.5),)
    plot_starts(ax, SimpleNamespace(wide=groups, narrow=narrow))
    heights = [float(line.get_ydata()[0]) for line in ax.lines[:4]]
    assert heights == [2.5, 1.5, 100.0, 60.0]
