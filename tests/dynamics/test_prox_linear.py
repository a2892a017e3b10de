import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from ibcore.dynamics.log_time import flow
from ibcore.dynamics.prox_linear import prox_linear_step, softmax_fixed_point
from ibcore.dynamics.runge_kutta import explicit_step
from ibcore.dynamics.scaled_field import evaluate
from ibcore.dynamics.trajectory import REACHED
from ibcore.losses import Exponential, Logistic, PolynomialTail
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.models.activations import LeakyReLU, SquaredReLU
from ibcore.models.margins import Margins
from ibcore.models.network import Network
from ibcore.problems.separable import planted_margin


@dataclass(frozen=True)
class Power:
    """m = u_1 u_2 ... u_k for parameters u."""

    linear = False

    def outputs(self, theta):
        return theta.prod(-1, keepdim=True)

    def jacobian(self, theta):
        return (theta.prod(-1, keepdim=True) / theta)[:, None, :]


@dataclass(frozen=True)
class Hidden:
    """A linear predictor that does not say so."""

    inner: Linear
    linear = False

    def outputs(self, theta):
        return self.inner.outputs(theta)

    def jacobian(self, theta):
        return self.inner.jacobian(theta)


def squared_network(seed=1, batch=2):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(8, 4, generator=generator, dtype=torch.float64)
    y = torch.randint(2, (8,), generator=generator).double() * 2 - 1
    model = Network(X, (24,), SquaredReLU(), biases=False)
    theta = 0.5 * torch.randn(
        batch, model.dimension, generator=generator, dtype=torch.float64
    )
    return Margins(model, y), theta


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6, 1e10])
def test_the_fixed_point_is_one(scale):
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(4, 6, 5, generator=generator, dtype=torch.float64)
    gram, cost = (
        scale * rows @ rows.mT,
        scale * torch.randn(4, 6, generator=generator, dtype=torch.float64),
    )
    accuracy = torch.full((4,), max(1e-9, 1e-14 * scale), dtype=torch.float64)
    log_p = softmax_fixed_point(
        cost, gram, torch.full((4, 6), -math.log(6), dtype=torch.float64), accuracy
    )
    p = torch.exp(log_p)
    residual = torch.softmax(-cost - (gram @ p[..., None])[..., 0], -1) - p
    assert float(residual.abs().max()) <= 2 * float(accuracy[0])


@pytest.mark.parametrize("degree", [2, 3])
def test_the_step_has_order_two(degree):
    theta = torch.linspace(1.0, 1.4, degree, dtype=torch.float64)[None]
    model, loss, length = Power(), Exponential(), 0.25

    def end(step, count):
        now = theta
        for _ in range(count):
            now = step(
                model,
                loss,
                evaluate(model, loss, now),
                now.new_full((1,), length / count),
                1.0,
            )[0]
        return now

    exact, counts = end(explicit_step, 20), [1, 2, 4, 8]
    errors = [float((end(prox_linear_step, count) - exact).norm()) for count in counts]
    assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(
        2, rel=0.15
    )


@pytest.mark.parametrize("degree", [2, 3, 4])
def test_one_margin_keeps_its_closed_form_of_time(degree):
    """For equal factors m' = k m^(2 - 2/k) in s, so t = int e^m m^(2/k - 2) dm / k."""
    m = 1e6
    run = flow(
        Power(),
        Exponential(),
        torch.ones(1, degree, dtype=torch.float64),
        log_loss=[-m],
    )
    m = -float(run.log_loss[0, 0])
    power = 2 / degree - 2
    series = 1 - power / m + power * (power - 1) / m**2
    expected = m + power * math.log(m) + math.log(series / degree)
    assert run.reached
    assert float(run.log_time[0, 0]) == pytest.approx(expected, abs=1e-4)
    torch.testing.assert_close(
        run.theta[0, 0], torch.full((degree,), m ** (1 / degree), dtype=torch.float64)
    )


def test_a_short_step_needs_few_linearizations():
    """The guess of a stage is a step of Euler's method, wrong by its square."""
    model, theta = squared_network()
    start = evaluate(model, Exponential(), theta)
    found = prox_linear_step(model, Exponential(), start, torch.full((2,), 1e-3), 1.0)
    assert found[2] <= 4


def test_on_a_linear_predictor_it_agrees_with_the_rosenbrock_method():
    problem = planted_margin(12, 4, 0.1, torch.Generator().manual_seed(2))
    model, start = Linear(problem.signed), torch.zeros(1, 4, dtype=torch.float64)
    one, two = (
        flow(each, Logistic(), start, log_loss=[-1e2, -1e4], tolerance=1e-8)
        for each in (model, Hidden(model))
    )
    assert float(sin_angle(one.theta[:, 0], two.theta[:, 0]).max()) < 1e-5
    torch.testing.assert_close(
        one.log_time + one.log_loss, two.log_time + two.log_loss, rtol=0, atol=1e-5
    )


def test_halving_the_tolerance_moves_the_path_by_less():
    model, theta = squared_network()
    level = [-1e4]
    fine, middle, coarse = (
        flow(
            model, Exponential(), theta, log_loss=level, implicit_tolerance=tolerance
        ).theta[0]
        for tolerance in (2e-4, 2e-3, 2e-2)
    )
    distances = [sin_angle(other, fine) for other in (middle, coarse)]
    assert float((distances[0] / distances[1]).max()) < 0.5
    assert float(distances[1].max()) < 0.04


def test_networks_reach_the_floor_of_double_precision_in_a_few_hundred_steps():
    model, theta = squared_network()
    run = flow(model, Exponential(), theta, log_loss=[-1e2, -1e6, -1e11])
    assert run.status == (REACHED,) * 2
    assert int((run.steps + run.rejected).max()) < 400
    torch.testing.assert_close(
        run.log_loss,
        torch.tensor([[-1e2], [-1e6], [-1e11]]).double().expand(3, 2),
        rtol=1.1e-3,
        atol=0,
    )


def test_the_smoothed_margin_rises():
    model, theta = squared_network(seed=4)
    run = flow(
        model, Exponential(), theta, log_loss=[-(10.0 ** (k / 2)) for k in range(2, 20)]
    )
    smoothed = (-run.log_loss - math.log(8)) / run.theta.norm(dim=-1) ** 3
    assert float((smoothed.diff(dim=0) / smoothed[1:]).min()) > -1e-6


def test_a_batch_does_what_its_members_do_alone():
    model, theta = squared_network(seed=6)
    together = flow(model, Exponential(), theta, log_loss=[-1e5]).theta[0]
    alone = torch.cat(
        [
            flow(model, Exponential(), one[None], log_loss=[-1e5]).theta[0]
            for one in theta
        ]
    )
    assert float(sin_angle(together, alone).max()) < 5e-3


def test_without_an_exponential_tail_the_explicit_method_stays():
    run = flow(
        Power(),
        PolynomialTail(),
        torch.ones(1, 3, dtype=torch.float64),
        log_loss=[-9.0],
    )
    assert run.reached
    assert float(run.theta.prod(-1)) > 1000
    assert bool((run.evaluations == 12 * (run.steps + run.rejected)).all())


def test_a_kinked_network_is_followed_too():
    generator = torch.Generator().manual_seed(8)
    angles = torch.linspace(0, 2 * math.pi, 9, dtype=torch.float64)[:-1]
    X = torch.stack([torch.cos(angles), torch.sin(angles)], 1)
    y = torch.tensor([1, 1, -1, -1, 1, 1, -1, -1], dtype=torch.float64)
    model = Network(X, (50,), LeakyReLU(), biases=False)
    theta = torch.randn(1, model.dimension, generator=generator, dtype=torch.float64)
    run = flow(Margins(model, y), Logistic(), theta, log_loss=[-1e8], tolerance=1e-2)
    assert run.reached
