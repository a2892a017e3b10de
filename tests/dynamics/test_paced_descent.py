import pytest
import torch

from ibcore.dynamics.paced_descent import paced_descent
from ibcore.validation import InvalidInput

CURVATURES = torch.tensor([[1.0, 3.0], [10.0, 0.5]]).double()


def _quadratic(theta):
    return (CURVATURES * theta**2).sum(-1) / 2, CURVATURES * theta, CURVATURES.amax(-1)


def test_on_a_quadratic_each_coordinate_shrinks_by_its_factor():
    start = torch.ones(2, 2).double()
    run = paced_descent(_quadratic, start, steps=7, share=0.5, target_loss=1e-30)
    torch.testing.assert_close(
        run.theta, (1 - 0.5 * CURVATURES / CURVATURES.amax(-1, keepdim=True)) ** 7
    )
    assert (run.steps, run.converged.tolist()) == (7, [False, False])


def test_runs_that_have_converged_stay_where_they_are():
    start = torch.tensor([[1.0, 1.0], [1e-3, 1e-3]]).double()
    run = paced_descent(_quadratic, start, steps=400, target_loss=1e-4)
    assert run.converged.tolist() == [True, True]
    assert run.steps < 400
    torch.testing.assert_close(run.theta[1], start[1])


def test_a_diverging_run_is_refused():
    with pytest.raises(InvalidInput, match="smaller share"):
        paced_descent(_quadratic, torch.ones(2, 2).double(), steps=4000, share=3.0)
