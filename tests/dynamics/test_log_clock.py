import math

import numpy as np
import pytest
import torch

from ibcore.dynamics.log_clock import clocked_flow
from ibcore.dynamics.scipy_flow import scipy_flow
from ibcore.losses import Exponential
from ibcore.models import Linear
from ibcore.validation import InvalidInput


def exponential(w):
    """L = e^-w, which has w = log(1 + t) from w = 0."""
    return np.ones(1), -float(w[0])


def test_a_flow_is_followed_to_any_time():
    times = [1.0, 10.0, 1e5]
    run = clocked_flow(exponential, [0.0], times)
    expected = torch.tensor([[math.log1p(math.e)], [10 + math.exp(-10)], [1e5]])
    assert run.reached
    torch.testing.assert_close(run.path, expected.double(), rtol=1e-7, atol=1e-7)


def test_before_anything_moves_it_is_at_the_start():
    """From w = 50 the gradient is e^-50, and w = log(e^50 + t)."""
    run = clocked_flow(exponential, [50.0], [0.0, 20.0, 60.0])
    assert run.path[:2].flatten().tolist() == pytest.approx([50, 50], abs=1e-7)
    assert float(run.path[2, 0]) == pytest.approx(60 + math.log1p(math.exp(-10)))


def test_a_flow_goes_on_from_a_later_time():
    run = clocked_flow(exponential, [5.0], [8.0], since=math.log(math.exp(5) - 1))
    assert float(run.path[0, 0]) == pytest.approx(math.log1p(math.exp(8)), rel=1e-7)


def test_it_agrees_with_the_flow_in_a_bounded_variable():
    rows = np.array([[1.0, 0.3], [0.4, 1.0], [2.0, -0.5]])

    def slope(w):
        margins = rows @ w
        peak = float(-margins.min())
        weights = np.exp(-margins - peak)
        return weights @ rows / 3, peak

    def bend(w):
        margins = rows @ w
        peak = float(-margins.min())
        return -(rows.T * np.exp(-margins - peak)) @ rows / 3, peak

    times = [5.0, 50.0]
    other = scipy_flow(
        Linear(rows), Exponential(), torch.zeros(1, 2).double(), log_time=times
    )
    for options in ({}, {"bend": bend}):
        run = clocked_flow(slope, [0.0, 0.0], times, **options)
        torch.testing.assert_close(run.path, other.theta[:, 0], rtol=1e-6, atol=1e-6)


def test_a_run_that_is_cut_short_says_so():
    run = clocked_flow(exponential, [0.0], [1.0, 1e5], max_steps=3)
    assert not run.reached
    assert "step limit" in run.status[0]
    assert bool(run.path[-1].isnan().all())


@pytest.mark.parametrize(
    ("times", "since"), [([2.0, 9.0], 3.0), ([-50.0], None), ([9.0, 4.0], None)]
)
def test_times_that_cannot_be(times, since):
    with pytest.raises(InvalidInput, match="times"):
        clocked_flow(exponential, [0.0], times, since=since)
