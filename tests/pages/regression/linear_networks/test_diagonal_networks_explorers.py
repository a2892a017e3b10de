import pytest
import torch

from ibcore.oracles.basis_pursuit import basis_pursuit
from ibcore.oracles.q_alpha import q_alpha_minimizer
from ibcore.pages.regression.linear_networks.diagonal_networks.explorers import (
    ALPHAS,
    DEPTHS,
    EQUATION,
    PLANE_ALPHAS,
    PLANE_DEPTHS,
    explore_level_sets,
    explore_recovery,
    plane_path,
    two_of_thirty,
)
from ibcore.pages.regression.linear_networks.diagonal_networks.networks import train


def test_recovery_draws_and_says_what_it_shows():
    fig, sentence = explore_recovery(0.1, 4)
    assert len(fig.axes) == 2
    assert "2 of 30 coefficients" in sentence
    _, dense = explore_recovery(1.0, 2)
    assert "2 of 30" not in dense


@pytest.mark.parametrize("depth", DEPTHS)
def test_every_scale_says_something_else(depth):
    sentences = {explore_recovery(alpha, depth)[1] for alpha in ALPHAS}
    assert len(sentences) == len(ALPHAS)


def test_the_explored_truth_is_the_sparsest():
    data = two_of_thirty()
    torch.testing.assert_close(
        basis_pursuit(data.X, data.y).primal, data.truth, rtol=1e-9, atol=1e-12
    )
    found = train(data, 0.1, tolerance=1e-6, target_loss=1e-12)
    best = q_alpha_minimizer(data.X, data.y, 0.1).primal
    assert float((found - best).norm()) < 1e-4


def test_the_path_runs_smoothly_to_the_point_of_contact():
    path = plane_path(0.01, 3)
    assert float((path[1:] - path[:-1]).norm(dim=1).max()) < 0.06
    end = q_alpha_minimizer(EQUATION.X, EQUATION.y, 0.01, 3).primal
    torch.testing.assert_close(path[-1], end, rtol=0, atol=1e-6)
    fig, sentence = explore_level_sets(0.01, 3)
    assert "(0.000, 1.000)" in sentence
    assert fig.axes


@pytest.mark.parametrize("depth", PLANE_DEPTHS)
def test_the_point_of_contact_moves_with_the_scale(depth):
    ends = torch.stack([plane_path(alpha, depth)[-1] for alpha in PLANE_ALPHAS])
    assert bool((ends[:, 0].diff() > 1e-6).all())
