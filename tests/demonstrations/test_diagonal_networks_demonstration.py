import torch

from ibcore.demonstrations.diagonal_networks import (
    EQUATION,
    draw_level_sets,
    draw_recovery,
    fitted,
    plane_path,
    two_of_thirty,
)
from ibcore.oracles.basis_pursuit import basis_pursuit
from ibcore.oracles.q_alpha import q_alpha_minimizer


def test_recovery_draws_and_says_what_it_shows():
    fig, sentence = draw_recovery(0.1, 4)
    assert len(fig.axes) == 2
    assert "2 of 30 coefficients" in sentence
    _, dense = draw_recovery(1.0, 2)
    assert "2 of 30" not in dense


def test_the_explored_truth_is_the_sparsest():
    data = two_of_thirty()
    torch.testing.assert_close(
        basis_pursuit(data.X, data.y).primal, data.truth, rtol=1e-9, atol=1e-12
    )
    assert (
        float(
            (fitted(data, 0.1) - q_alpha_minimizer(data.X, data.y, 0.1).primal).norm()
        )
        < 1e-4
    )


def test_the_path_runs_smoothly_to_the_point_of_contact():
    path = plane_path(0.01, 3)
    assert float((path[1:] - path[:-1]).norm(dim=1).max()) < 0.06
    end = q_alpha_minimizer(EQUATION.X, EQUATION.y, 0.01, 3).primal
    torch.testing.assert_close(path[-1], end, rtol=0, atol=1e-6)
    fig, sentence = draw_level_sets(0.01, 3)
    assert "(0.000, 1.000)" in sentence
    assert fig.axes
