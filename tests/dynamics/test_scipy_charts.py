"""Charts of one member, against finite differences, each other and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ibcore.dynamics.scipy_charts import Plain, Polar, Single
from ibcore.losses import CrossEntropy, Exponential, Logistic, PolynomialTail
from ibcore.models import Linear
from ibcore.models.activations import SquaredReLU
from ibcore.models.margins import Margins
from ibcore.models.network import Network


def network():
    """A network of degree 3 with parameters (16,)."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(8, 3, generator=generator, dtype=torch.float64)
    model = Margins(
        Network(inputs, (4,), SquaredReLU(), biases=False), torch.sign(inputs[:, 0])
    )
    start = torch.randn(16, generator=generator, dtype=torch.float64)
    start[:4] = torch.tensor([1.0, -1.0, 1.0, -1.0])
    return Single(model, Logistic(), None), start.numpy()


def linear(rows, loss):
    return Single(Linear(torch.from_numpy(rows)), loss, (rows, np.zeros(len(rows))))


@pytest.mark.parametrize("log_time", [-2.0, 0.3])
@pytest.mark.parametrize("polar", [False, True])
def test_jacobians_are_derivatives(polar, log_time):
    single, start = network()
    chart = Polar(single, 3) if polar else Plain(single)
    state = chart.start(start)
    state[-1] = log_time
    step = 1e-6
    columns = [
        (chart.field(0, state + step * e) - chart.field(0, state - step * e))
        / (2 * step)
        for e in np.eye(len(state))
    ]
    np.testing.assert_allclose(
        chart.jacobian(0, state), np.stack(columns, 1), atol=2e-8
    )


def test_both_charts_start_at_one_point():
    single, start = network()
    plain, polar = Plain(single), Polar(single, 3)
    first, second = plain.start(start), polar.start(start)
    assert np.linalg.norm(second[:-2]) == pytest.approx(1)
    assert first[-1] == second[-1]
    np.testing.assert_allclose(polar.theta(second), plain.theta(first), rtol=1e-12)
    np.testing.assert_allclose(plain.theta(first), start, rtol=1e-5)


def test_the_field_in_the_chart_is_gradient_flow_in_time():
    """d theta / d log t = t times the negative gradient of the mean loss."""
    single, start = network()
    chart = Plain(single)
    state = np.append(start, 0.3)
    theta = torch.from_numpy(start).requires_grad_()
    loss = torch.log1p(torch.exp(-single.model.outputs(theta[None])[0])).mean()
    (gradient,) = torch.autograd.grad(loss, theta)
    field = chart.field(0, state)
    expected = -math.exp(0.3) * gradient.numpy()
    np.testing.assert_allclose(field[:-1] / field[-1], expected, rtol=1e-9, atol=1e-12)
    polar = Polar(single, 3)
    rho = np.linalg.norm(start)
    field = polar.field(0, np.concatenate([start / rho, [math.log(rho), 0.3]]))
    moved = rho * (field[:-2] + start / rho * field[-2])
    np.testing.assert_allclose(moved / field[-1], expected, rtol=1e-9, atol=1e-12)


def test_weights_and_losses_by_hand():
    """Margins 0 and log 3 of the exponential loss: slopes 1 and 1/3."""
    single = linear(np.eye(2), Exponential())
    margins = np.array([0.0, math.log(3)])
    p, mean_slope = single.weights(margins)
    np.testing.assert_allclose(p, [0.75, 0.25])
    assert mean_slope == pytest.approx(math.log(2 / 3))
    assert single.log_loss(margins) == pytest.approx(math.log(2 / 3))
    np.testing.assert_allclose(single.margins(margins), margins)


@pytest.mark.parametrize("loss", [Logistic(), CrossEntropy(2)])
def test_sensitivities_are_derivatives(loss):
    single = linear(np.eye(4), loss)
    margins = np.array([0.3, -0.5, 1.0, 2.0])
    p, _ = single.weights(margins)
    spread, pull = single.sensitivity(margins, p)
    for k, e in enumerate(1e-6 * np.eye(4)):
        above, below = single.weights(margins + e), single.weights(margins - e)
        np.testing.assert_allclose(
            spread[:, k], (above[0] - below[0]) / 2e-6, atol=1e-8
        )
        assert pull[k] == pytest.approx((above[1] - below[1]) / 2e-6, abs=1e-8)


def test_where_the_gradient_vanishes_by_symmetry():
    single = linear(np.array([[1.0, 2.0], [-1.0, -2.0]]), Exponential())
    assert single.vanished(np.zeros(2))
    assert single.faint(np.zeros(2))
    beside = np.array([0.0, 1e-9])
    assert not single.vanished(beside)
    assert single.faint(beside)
    assert not single.faint(np.array([0.0, 1e-3]))


def test_a_step_of_newton_near_a_minimum_by_hand():
    """cosh(w) at w = 1e-3: the step is -tanh(w), the excess of log cosh w^2 / 2 to
    leading order and the decrement twice that.
    """
    single = linear(np.array([[1.0], [-1.0]]), Exponential())
    excess, step = single.newton(np.array([1e-3]))
    assert step[0] == pytest.approx(-math.tanh(1e-3))
    assert excess == pytest.approx(math.tanh(1e-3) ** 2)
    far, step = single.newton(np.array([1.0]))
    assert far == math.inf
    assert step[0] == pytest.approx(-math.tanh(1.0))


def test_a_linear_model_does_not_bend_and_a_network_as_its_hessian_says():
    single, start = network()
    weights = np.linspace(-1, 1, 8)
    push = torch.from_numpy(weights)
    found = single.bend(start, weights)
    exact = torch.autograd.functional.hessian(
        lambda one: single.model.outputs(one[None])[0] @ push, torch.from_numpy(start)
    )
    np.testing.assert_allclose(found, exact.numpy(), atol=1e-6)
    assert linear(np.eye(2), Logistic()).bend(np.zeros(2), np.ones(2)) == 0


@pytest.mark.parametrize("loss", [Logistic(), Exponential(), PolynomialTail(1.0)])
@pytest.mark.parametrize("log_rho", [600.0, 800.0, 1e6])
def test_field_and_jacobian_are_finite_far_off_the_flow(loss, log_rho):
    rows = np.array([[3.0, 4.0], [-1.0, 2.0]])
    chart = Polar(linear(rows, loss), 1)
    state = np.array([0.6, -0.8, log_rho, 300.0])
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(chart.field(0, state)).all()
        assert np.isfinite(chart.jacobian(0, state)).all()
    assert chart.representable(state) == (log_rho < 690)
