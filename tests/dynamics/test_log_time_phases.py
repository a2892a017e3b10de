"""Phases keep what they promise: the order of their step, and how finely a stop is met."""

import numpy as np
import pytest
import torch

from ibcore.dynamics.log_time import flow
from ibcore.dynamics.log_time_phases import EXPLICIT, PROX_LINEAR, ROSENBROCK
from ibcore.dynamics.scaled_field import evaluate
from ibcore.losses import Exponential, Logistic
from ibcore.models.diagonal import Diagonal
from ibcore.models.linear import Linear
from tests.dynamics.rows import separable, zeros

MODEL = Linear(torch.tensor([[1.0, 0.5], [0.4, -0.3], [-0.2, 0.9]]).double())


@pytest.mark.parametrize(("phase", "h"), [(EXPLICIT, 0.8), (ROSENBROCK, 0.1)])
def test_halving_a_step_lowers_its_error_by_the_order(phase, h):
    start = evaluate(MODEL, Logistic(), zeros(1, 2))
    errors = [
        float(
            phase.step(
                MODEL, Logistic(), start, torch.tensor([size], dtype=torch.float64), 1.0
            )[1]
        )
        for size in (h, h / 2)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(phase.order, abs=0.5)


def test_a_coarse_phase_is_more_careful_with_its_steps_and_less_with_its_stops():
    assert not EXPLICIT.coarse
    assert not ROSENBROCK.coarse
    assert PROX_LINEAR.coarse
    assert 1 < PROX_LINEAR.growth < EXPLICIT.growth == ROSENBROCK.growth
    assert PROX_LINEAR.landing > EXPLICIT.landing == ROSENBROCK.landing


@pytest.mark.parametrize("phase", [EXPLICIT, ROSENBROCK])
def test_fine_phases_meet_a_stop_to_their_landing(phase):
    method = "explicit" if phase is EXPLICIT else "stiff"
    run = flow(
        Linear(separable(1)),
        Logistic(),
        zeros(1, 5),
        log_loss=[-3.0, -7.0],
        method=method,
    )
    off = (run.log_loss[:, 0] / torch.tensor([-3.0, -7.0]) - 1).abs()
    assert float(off.max()) <= phase.landing
    assert phase.landing <= 1e-9


def test_a_coarse_phase_meets_a_stop_to_a_thousandth():
    model = Diagonal(separable(2), 2)
    start = torch.full((1, 10), 0.5, dtype=torch.float64)
    levels = torch.tensor([-200.0, -1e4]).double()
    run = flow(model, Exponential(), start, log_loss=levels)
    off = (run.log_loss[:, 0] / levels - 1).abs()
    assert run.reached
    assert float(off.max()) <= PROX_LINEAR.landing == pytest.approx(1e-3)
