import numpy as np
import pytest

from ibcore.figures import figure
from ibcore.figures.double_descent import (
    draw_feature_error,
    draw_feature_norm,
    draw_linear_risk,
    draw_networks,
    draw_risk_during_descent,
)

COUNTS = np.array([10, 40, 100])
CURVES = np.linspace(0.1, 0.9, 18).reshape(3, 2, 3)


@pytest.fixture
def ax():
    return figure()[1]


def test_linear_risk_leaves_a_gap_where_the_formula_is_infinite(ax):
    risk = np.array([1.5, np.inf, 1.0])
    names = ("equally weak", "strongest first")
    draw_linear_risk(
        ax,
        {
            "samples": 40,
            "counts": COUNTS,
            "far": np.array([True, False, True]),
            "predicted": dict.fromkeys(names, risk),
            "measured": dict.fromkeys(names, risk),
        },
    )
    lines = {len(line.get_xdata()): line for line in ax.lines}
    assert np.isnan(lines[3].get_ydata()[1])


def test_every_curve_has_its_own_color_and_line_style(ax):
    draw_risk_during_descent(
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
    data = {
        "samples": 40,
        "counts": COUNTS,
        "corruptions": (0.0, 0.1, 0.2),
        "error": CURVES,
        "norm": CURVES,
        "ridge": CURVES[0],
        "kernel": CURVES[..., 0],
    }
    draw_feature_error(ax, data)
    assert {text.get_text() for text in ax.texts} >= {
        "clean labels",
        "10% redrawn",
        "20% redrawn",
    }
    draw_feature_norm(ax, data)
    assert ax.get_ylabel() == "norm of the solution"


def test_networks_are_drawn_over_their_parameters(ax):
    draw_networks(
        ax,
        {
            "samples": 200,
            "parameters": np.array([18, 216, 3456]),
            "test": np.ones((3, 8)),
            "train": np.array([[0.8], [0.1], [0.0]]),
        },
    )
    assert ax.get_xscale() == "log"
    assert {text.get_text() for text in ax.texts} >= {"test", "training"}
