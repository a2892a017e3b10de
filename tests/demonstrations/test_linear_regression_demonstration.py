import numpy as np
import pytest
import torch

from ibcore.demonstrations import linear_regression as demo
from ibcore.figures import linear_regression as pictures
from ibcore.figures.style import figure
from ibcore.pages.regression.linear_regression.runs import random_interpolants
from ibcore.problems.interpolation import isotropic_interpolation


@pytest.mark.parametrize(
    ("route", "end"),
    [
        ("gradient descent", "(0.40, 0.80): the closest interpolant"),
        ("mirror descent, p = 6", "interpolant of least divergence"),
        ("Adam", "(0.67, 0.67). That fits as well"),
    ],
)
def test_a_frame_of_the_explorer(route, end):
    fig, sentence = demo.draw_route(route, "at the origin")
    assert end in sentence
    assert len(fig.axes) == 1


def test_mirror_routes_end_on_the_line_along_the_curve():
    x, y = torch.tensor([demo.PLANE_X]).double(), torch.tensor([demo.PLANE_Y]).double()
    start = torch.tensor(demo.STARTS["below"]).double()
    for route, (mirror, psi) in demo.MIRRORS.items():
        best = demo.bregman_projection(x, y, start, psi)
        path = demo._mirror_route(x, y, start, route, best.dual)
        assert float((path[-1] @ x[0] - y[0]).abs()) < 1e-12
        torch.testing.assert_close(path[-1], best.w, rtol=0, atol=1e-8)
        moved = mirror.mirror(path[1:-1]) - mirror.mirror(start)
        assert float((moved @ torch.tensor([-2.0, 1.0]).double()).abs().max()) < 1e-10


def test_every_method_fits_and_adam_ends_elsewhere():
    paths = demo.distance_paths(3)
    assert list(paths) == list(demo.METHODS)
    for name, (steps, distance) in paths.items():
        assert bool((np.diff(steps) > 0).all())
        assert (distance[-1] < 1e-12) == (name != "Adam")


def test_following_own_data():
    data = isotropic_interpolation(3, 8, torch.Generator().manual_seed(1))
    path = demo.follow(data.X, data.y, data.start, "heavy ball")
    torch.testing.assert_close(path[0], data.start)
    assert float((data.X @ path[-1] - data.y).norm() / data.y.norm()) < 1e-13


def test_random_interpolants_without_a_lean_obey_the_identity():
    table = random_interpolants(3, 500, torch.device("cpu"), fresh=40)
    assert table.residual < 1e-12
    assert float(table.risks[1.0].mean() / table.predicted[1.0]) == pytest.approx(
        1, abs=0.1
    )
    assert table.guided < -0.9


def test_every_figure_draws():
    fig, axes = figure(2, rows=2, height=6)
    pictures.draw_distances(
        axes[0][0], {"a": (np.array([1.0, 5]), np.array([0.5, 1e-20]))}
    )
    pictures.draw_table(
        axes[0][1], np.array([[1e-14, 0.5], [0.4, 1e-13]]), ("p = 1.5", "p = 3")
    )
    pictures.draw_risks(
        axes[1][0], np.array([1.0, 2.0]), np.array([1.0, 4.0]), 0.5, 0.9, "risk"
    )
    pictures.draw_shares(
        axes[1][1],
        np.array([1.0, 10.0]),
        {"squares": np.array([[0.1, 0.2]])},
        "gap over bound",
    )
    fig.draw_without_rendering()
    assert [text.get_text() for text in axes[0][1].texts] == [
        "$<10^{-10}$",
        "0.50",
        "0.40",
        "$<10^{-10}$",
    ]
