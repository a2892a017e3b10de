import pytest
import torch

from ibcore.oracles.bregman_projection import bregman_projection
from ibcore.pages.regression.linear_regression import explorers


@pytest.mark.parametrize(
    ("route", "end"),
    [
        ("gradient descent", "(0.40, 0.80): the closest interpolant"),
        ("mirror descent, p = 6", "interpolant of least divergence"),
        ("Adam", "(0.67, 0.67). That fits as well"),
    ],
)
def test_a_frame_of_the_explorer(route, end):
    fig, sentence = explorers.explore_route(route, "at the origin")
    assert end in sentence
    assert len(fig.axes) == 1


def test_mirror_routes_end_on_the_line_along_the_curve():
    x = torch.tensor([explorers.PLANE_X]).double()
    y = torch.tensor([explorers.PLANE_Y]).double()
    start = torch.tensor(explorers.STARTS["below"]).double()
    for route, psi in explorers.MIRRORS.items():
        best = bregman_projection(x, y, start, psi)
        path = explorers._mirror_route(x, y, start, route, best.dual)
        assert float((path[-1] @ x[0] - y[0]).abs()) < 1e-12
        torch.testing.assert_close(path[-1], best.w, rtol=0, atol=1e-8)
        moved = psi.mirror(path[1:-1]) - psi.mirror(start)
        assert float((moved @ torch.tensor([-2.0, 1.0]).double()).abs().max()) < 1e-10


def test_every_position_says_something_of_its_own():
    said = {
        explorers.explore_route(route, start)[1]
        for route in explorers.ROUTES
        for start in explorers.STARTS
    }
    assert len(said) == len(explorers.ROUTES) * len(explorers.STARTS)
