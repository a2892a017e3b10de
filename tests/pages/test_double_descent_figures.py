import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.figures import figure
from ibcore.pages.double_descent.claims import benign_overfitting, double_descent_linear
from ibcore.pages.double_descent.figures import (
    plot_benign,
    plot_feature_error,
    plot_feature_norm,
    plot_linear_risk,
    plot_networks,
    plot_parts,
    plot_risk_during_descent,
    plot_spectra,
)
from ibcore.pages.double_descent.runs import FeatureCurves, NetworkCurves

COUNTS = np.array([10, 40, 100])
CURVES = np.linspace(0.1, 0.9, 18).reshape(3, 2, 3)


@pytest.fixture
def ax():
    return figure()[1]


@pytest.fixture(scope="module")
def linear():
    return double_descent_linear.verify(
        Setting("quick", 0), repetitions=20, descents=1
    ).measured


def test_linear_risk_leaves_a_gap_where_the_formula_is_infinite(ax, linear):
    plot_linear_risk(ax, linear)
    here = linear.counts.tolist().index(40)
    lines = [line for line in ax.lines if len(line.get_xdata()) == len(linear.counts)]
    assert len(lines) == 2
    assert all(np.isnan(line.get_ydata()[here]) for line in lines)


def test_parts_have_a_line_and_marks_each(ax, linear):
    plot_parts(ax, linear, "strongest first")
    bias, variance = (line for line in ax.lines if len(line.get_xdata()) == 100)
    assert np.isfinite(bias.get_ydata()).all()
    assert np.isnan(variance.get_ydata()[38:41]).all()
    marks = [line for line in ax.lines if line.get_marker() in "so"]
    assert [len(line.get_xdata()) for line in marks] == [4, 4]
    shown = np.interp(marks[0].get_xdata(), bias.get_xdata(), bias.get_ydata())
    assert marks[0].get_ydata() == pytest.approx(shown, abs=0.2)


def test_spectra_are_drawn_under_their_density(linear):
    axes = figure(3)[1]
    plot_spectra(axes, linear.spectra)
    for ax in axes:
        (bars,), (line,) = ax.patches, ax.lines
        assert bars.get_data().values.sum() * 0.1 == pytest.approx(1, abs=0.05)
        assert float(line.get_ydata().max()) > 0.2


def test_benign_overfitting_is_drawn_for_every_spectrum(ax):
    measured = benign_overfitting.verify(
        Setting("quick", 0), sizes=(25, 50), draws=8
    ).measured
    plot_benign(ax, measured)
    assert len(ax.lines) == 8
    assert len(ax.texts) == 4
    lines, marks = ax.lines[::2], ax.lines[1::2]
    for line, mark in zip(lines, marks, strict=True):
        assert mark.get_ydata() == pytest.approx(line.get_ydata(), rel=0.3)


def test_every_curve_has_its_own_color_and_line_style(ax):
    plot_risk_during_descent(
        ax,
        {
            "samples": 40,
            "counts": COUNTS,
            "steps": [10, 100, 1000, 10000],
            "risk": np.ones((4, 3)),
            "limit": np.array([1.0, np.inf, 1.0]),
        },
    )
    curves = [line for line in ax.lines if len(line.get_xdata()) == 3]
    assert len({(line.get_color(), line.get_linestyle()) for line in curves}) == 5


def test_feature_figures_show_one_curve_a_corruption(ax):
    shown = torch.as_tensor(CURVES)
    data = FeatureCurves(
        torch.as_tensor(COUNTS), 40, *[shown] * 4, shown[0], shown[..., 0]
    )
    plot_feature_error(ax, data)
    assert {text.get_text() for text in ax.texts} >= {
        "clean labels",
        "10% redrawn",
        "20% redrawn",
    }
    plot_feature_norm(ax, data)
    assert ax.get_ylabel() == "norm of the solution"


def test_networks_are_drawn_over_their_parameters(ax):
    test, train = torch.ones(3, 8), torch.tensor([[0.8], [0.1], [0.0]])
    widths, parameters = torch.tensor([1, 12, 192]), torch.tensor([18, 216, 3456])
    plot_networks(ax, NetworkCurves(widths, parameters, 200, train, test, test))
    assert ax.get_xscale() == "log"
    assert {text.get_text() for text in ax.texts} >= {"test", "training"}
