import numpy as np
import pytest
import torch

from ibcore.figures import figure
from ibcore.pages.regression.linear_regression import figures
from ibcore.pages.regression.linear_regression.claims.norm_generalization import Cloud


@pytest.fixture
def ax():
    return figure()[1]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_the_plane_shows_the_fits_the_run_and_the_prediction(ax):
    path = np.array([[0.0, 0.0], [0.2, 0.4], [0.4, 0.8]])
    ball = np.add.outer(np.linspace(-1, 1, 9), np.linspace(-1, 1, 9))
    figures.plot_plane(ax, np.array([1.0, 2.0]), 2.0, path, path[-1], ball, 3.0)
    line = ax.lines[0].get_xydata()
    np.testing.assert_allclose(line @ [1.0, 2.0], 2.0, atol=1e-12)
    ends = [one.get_xydata()[-1] for one in ax.lines if len(one.get_xydata()) == 1]
    assert [0.4, 0.8] in [end.tolist() for end in ends]
    assert set(texts(ax)) == {"start", "fits the data"}
    (level,) = ax.collections
    assert float(level.get_linewidth()[0]) == 1.4
    ax.figure.draw_without_rendering()


def test_every_method_carries_its_name_where_it_ends(ax):
    steps = np.array([1.0, 5.0])
    figures.plot_distances(
        ax, {"a": (steps, np.array([0.5, 1e-20])), "b": (steps, np.array([0.5, 0.2]))}
    )
    assert texts(ax) == ["a", "b"]
    assert float(ax.lines[0].get_ydata()[-1]) == 1e-16
    assert float(ax.lines[1].get_ydata()[-1]) == 0.2


def test_the_table_writes_distances_and_not_rounding(ax):
    distances = np.array([[1e-14, 0.5], [0.4, 1e-13]])
    figures.plot_table(ax, distances, ("p = 1.5", "p = 3"))
    assert texts(ax) == ["$<10^{-10}$", "0.50", "0.40", "$<10^{-10}$"]


def test_the_line_of_the_price_starts_at_the_least_norm(ax):
    norms = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    cloud = Cloud(norms, norms**2, torch.tensor([0.5, 1.5]), torch.tensor([0.9, 2.0]))
    figures.plot_risks(ax, cloud, 1, "risk")
    dots, law, mark = ax.lines
    assert dots.get_xydata().tolist() == [[3.0, 9.0], [4.0, 16.0]]
    assert law.get_xydata()[0].tolist() == mark.get_xydata()[0].tolist() == [1.5, 2.0]
    assert law.get_ydata()[-1] == pytest.approx(2 + 16 - 1.5**2)
    assert ax.get_title(loc="left") + ax.get_title() == "risk"


def test_every_problem_is_a_line_below_the_bound(ax):
    k = np.array([1.0, 10.0])
    shares = {
        "squares": np.array([[0.1, 0.2], [0.3, 0.0]]),
        "logistic": np.ones((1, 2)),
    }
    figures.plot_shares(ax, k, shares, "gap over bound")
    drawn = [list(line.get_ydata()) for line in ax.lines if len(line.get_xdata())]
    assert drawn[1:] == [[0.1, 0.2], [0.3, 1e-12], [1.0, 1.0]]
    colors = [line.get_color() for line in ax.lines]
    assert len(set(colors[1:])) == 2
    assert "bound" in texts(ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["squares", "logistic"]
