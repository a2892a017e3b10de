"""Flows in log-time of inseparable data, other tails and nonlinear models, and input
that is refused.
"""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.special import expit

from ibcore.dynamics.log_time import flow
from ibcore.losses import Logistic, PolynomialTail
from ibcore.models import Linear
from ibcore.oracles.separability import nonseparable_limit
from ibcore.validation import InvalidInput
from tests.dynamics.rows import LOG_10, ROW, separable, zeros


@dataclass(frozen=True)
class Product:
    """f = u v x with parameters (u, v); outputs are margins of signed scalars x."""

    inputs: torch.Tensor
    linear = False

    def outputs(self, theta):
        return theta.prod(-1, keepdim=True) * self.inputs

    def jacobian(self, theta):
        return theta.flip(-1)[:, None, :] * self.inputs[:, None]


def test_inseparable_data_converge_to_the_minimizer():
    generator = torch.Generator().manual_seed(12)
    X = torch.randn(30, 3, generator=generator, dtype=torch.float64)
    y = torch.randint(2, (30,), generator=generator).double() * 2 - 1
    limit = nonseparable_limit(X, y)
    assert not bool(limit.separable.any())
    run = flow(
        Linear(y[:, None] * X),
        Logistic(),
        zeros(1, 3),
        log_time=[0.0, LOG_10, 4 * LOG_10],
        tolerance=1e-8,
    )
    distances = (run.theta[:, 0] - limit.minimizer).norm(dim=-1)
    assert float(distances[-1]) < 1e-6
    assert bool((distances.diff() < 0).all())


def test_other_tails_agree_with_an_independent_solver():
    signed, loss, stop = separable(13), PolynomialTail(), LOG_10
    run = flow(Linear(signed), loss, zeros(1, 5), log_time=stop, tolerance=1e-8)

    def field(_, w):
        return (
            torch.exp(loss.log_slope(signed @ torch.from_numpy(w)))
            @ signed
            / len(signed)
        ).numpy()

    expected = solve_ivp(
        field, (0, math.exp(stop)), np.zeros(5), method="DOP853", rtol=1e-9, atol=1e-10
    ).y[:, -1]
    torch.testing.assert_close(
        run.theta[0, 0], torch.from_numpy(expected), rtol=1e-7, atol=1e-7
    )


def test_a_nonlinear_model_follows_a_fine_solution_and_conserves_its_invariant():
    x = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    start = torch.tensor([[0.8, 0.1], [0.3, -0.2]], dtype=torch.float64)
    stops = [0.0, math.log(20.0)]
    run = flow(
        Product(x),
        Logistic(),
        start,
        log_time=stops,
        tolerance=1e-9,
        invariants={"u^2 - v^2": lambda p: p[:, 0].square() - p[:, 1].square()},
    )
    for member in range(2):

        def field(_, p):
            return (expit(-p[0] * p[1] * x.numpy()) @ x.numpy() / 3) * p[::-1]

        fine = solve_ivp(
            field,
            (0, 20.0),
            start[member].numpy(),
            method="DOP853",
            rtol=1e-10,
            atol=1e-11,
            t_eval=[1.0, 20.0],
        )
        torch.testing.assert_close(
            run.theta[:, member],
            torch.from_numpy(fine.y.T.copy()),
            rtol=1e-7,
            atol=1e-8,
        )
    assert float(run.drift["u^2 - v^2"].max()) < 1e-8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one"),
        ({"log_loss": -1.0, "log_time": 1.0}, "exactly one"),
        ({"log_loss": [-2.0, -1.0]}, "do not fall"),
        ({"log_time": [1.0, 1.0]}, "do not rise"),
        ({"log_time": [0.0, math.nan]}, "NaN"),
        ({"log_time": []}, "empty"),
        ({"log_time": 1.0, "method": "euler"}, "method is 'euler'"),
        ({"log_time": 1.0, "tolerance": 0.0}, "tolerance"),
        ({"log_time": 1.0, "max_steps": 0}, "max_steps"),
        ({"log_time": 1.0, "max_seconds": -1.0}, "max_seconds"),
        (
            {"log_time": 1.0, "theta": torch.tensor([[math.nan, 0.0]])},
            "theta has 1 entries that are NaN",
        ),
        ({"log_time": 1.0, "theta": torch.zeros(2)}, "expected 2 dimension"),
        (
            {
                "log_time": 1.0,
                "method": "stiff",
                "model": Product(torch.ones(1, dtype=torch.float64)),
            },
            "not linear",
        ),
    ],
)
def test_bad_input_is_refused(options, message):
    model, theta = options.pop("model", Linear(ROW)), options.pop("theta", zeros(1, 2))
    with pytest.raises(InvalidInput, match=message):
        flow(model, Logistic(), theta, **options)
