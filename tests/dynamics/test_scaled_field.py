"""The scaled field and its rates by automatic differentiation, times by quadrature."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad, solve_ivp
from scipy.interpolate import CubicHermiteSpline
from torch.func import jacrev

from ibcore.dynamics.runge_kutta import explicit_step
from ibcore.dynamics.scaled_field import (
    evaluate,
    log_duration,
    scaled_field,
    stepped_doubt,
    stiffness,
    weight_sensitivity,
)
from ibcore.losses import Exponential, Logistic, PolynomialTail
from ibcore.models.diagonal import Diagonal
from ibcore.models.linear import Linear
from tests.cases import normal

X, THETA = normal(5, 3, seed=1), normal(2, 3, seed=2)
MODELS = {
    "linear": (Linear(X), THETA),
    "diagonal": (Diagonal(X, 3), normal(2, 6, seed=3)),
}
LOSSES = [Logistic(), Exponential(), PolynomialTail(2.0)]


def mean_loss(loss, model, theta):
    return loss.log_value(model.outputs(theta)).exp().mean(-1)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", MODELS)
def test_the_field_is_the_negative_gradient_over_the_mean_slope(name, loss):
    """d theta/dt = -grad mean l and ds = mean(-l') dt."""
    model, theta = MODELS[name]
    point = evaluate(model, loss, theta)
    gradient = torch.stack(
        [jacrev(lambda one: mean_loss(loss, model, one[None])[0])(one) for one in theta]
    )
    torch.testing.assert_close(point.field, -gradient / point.log_slope.exp()[:, None])
    torch.testing.assert_close(scaled_field(model, loss, theta), point.field)
    torch.testing.assert_close(point.log_loss.exp(), mean_loss(loss, model, theta))
    torch.testing.assert_close(point.weights.sum(-1), torch.ones(2).double())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", MODELS)
def test_the_rate_of_the_slope_is_its_derivative_along_the_field(name, loss):
    model, theta = MODELS[name]
    point = evaluate(model, loss, theta)
    for b in range(2):
        gradient = jacrev(lambda one: evaluate(model, loss, one[None]).log_slope[0])(
            theta[b]
        )
        torch.testing.assert_close(point.slope_rate[b], gradient @ point.field[b])


@pytest.mark.parametrize("loss", LOSSES)
def test_sensitivity_and_stiffness_are_those_of_the_jacobian(loss):
    model, theta = MODELS["linear"]
    point = evaluate(model, loss, theta)
    sensitivity, bound = weight_sensitivity(loss, point), stiffness(loss, point)
    for b in range(2):
        expected = jacrev(lambda m: torch.softmax(loss.log_slope(m), -1))(
            point.margins[b]
        )
        torch.testing.assert_close(sensitivity[b], expected)
        field = jacrev(lambda one: scaled_field(model, loss, one[None])[0])(theta[b])
        values = torch.linalg.eigvals(field)
        fourth = (values**4).sum().real
        assert float(bound[b]) == pytest.approx(float(fourth) ** 0.25)
        assert float(bound[b]) >= float(values.abs().max()) * (1 - 1e-12)


def test_far_out_nothing_overflows():
    """log L = -1e6: weights, field and rate are those of margins near zero."""
    theta = torch.tensor([[1e6, 0.0]]).double()
    rows = torch.tensor([[1.0, 0.0], [1.0, 2.0]]).double()
    far = evaluate(Linear(rows), Exponential(), theta)
    near = evaluate(Linear(rows), Exponential(), 0 * theta)
    torch.testing.assert_close(far.field, near.field)
    torch.testing.assert_close(far.slope_rate, near.slope_rate)
    assert float(far.log_loss) == -1e6


def between(model, loss, first, second, h):
    ends = (evaluate(model, loss, torch.as_tensor(t).double()) for t in (first, second))
    return *ends, torch.tensor([h], dtype=torch.float64)


@pytest.mark.parametrize("h", [1e-3, 1.0, 30.0, 200.0, 1e6])
def test_the_time_on_one_row_in_closed_form(h):
    """The margin grows by r = |x|^2 a unit of s: t = (exp(r h) - 1) exp(m) / r."""
    row, w = torch.tensor([[0.6, 0.9]]).double(), torch.tensor([[1.0, -2.0]]).double()
    r, m = float(row.square().sum()), float(row @ w[0])
    start, end, step = between(Linear(row), Exponential(), w, w + h * row, h)
    duration, doubt = log_duration(Linear(row), Exponential(), start, end, step)
    exact = m + r * h + math.log(-math.expm1(-r * h)) - math.log(r)
    assert float(duration) == pytest.approx(exact, rel=1e-12, abs=1e-12)
    assert float(doubt) <= 1e-14 * (1 + r * h)


ROWS = torch.tensor([[1.0, 0.5], [0.4, -0.3], [-0.2, 0.9]]).double()
TWO = Linear(ROWS)


def solved(h, loss):
    """The flow in s by SciPy, from zero."""

    def field(_, w):
        return scaled_field(TWO, loss, torch.from_numpy(w)[None])[0].numpy()

    run = solve_ivp(
        field,
        (0, h),
        np.zeros(2),
        method="DOP853",
        rtol=1e-12,
        atol=1e-12,
        dense_output=True,
    )
    return run.sol


def log_slope(loss, w):
    return float(evaluate(TWO, loss, torch.from_numpy(w)[None]).log_slope)


def timed(h, loss):
    path = solved(h, loss)
    start, end, step = between(TWO, loss, path(0)[None], path(h)[None], h)
    duration, doubt = log_duration(TWO, loss, start, end, step)
    exact = quad(lambda s: math.exp(-log_slope(loss, path(s))), 0, h, epsrel=1e-12)[0]
    return float(duration) - math.log(exact), float(doubt), (start, end, step, path)


@pytest.mark.parametrize("loss", [Logistic(), PolynomialTail(2.0)])
def test_the_error_of_the_time_is_told_and_falls_with_the_step(loss):
    """Over long steps the doubt is the larger; both fall by 2^4 or more when a step is
    halved.
    """
    errors, doubts = zip(*(timed(h, loss)[:2] for h in (4.0, 2.0, 1.0)), strict=True)
    for error, doubt in zip(errors, doubts, strict=True):
        assert 0.4 * doubt < abs(error) < doubt
    for values in (errors, doubts):
        for coarse, fine in pairwise(values):
            assert abs(coarse / fine) > 8
    assert abs(timed(0.25, loss)[0]) < 2e-8


@pytest.mark.parametrize("h", [0.5, 2.0, 12.0, 60.0])
def test_the_doubt_of_a_step_is_looked_at_where_its_time_is_spent(h):
    """In the middle, or one e-fold of the slope before the end where that is later:
    there the cubic of log_slope is compared with the flow.
    """
    loss = Logistic()
    start, end, step, path = timed(h, loss)[2]
    fold = 1 / abs(float(end.slope_rate))
    place = max(h / 2, h - fold)
    values = [log_slope(loss, path(s)) for s in (0, h)]
    rates = [float(p.slope_rate) for p in (start, end)]
    cubic = CubicHermiteSpline([0, h], values, rates)
    exact = abs(log_slope(loss, path(place)) - float(cubic(place)))
    fine = explicit_fine(place)
    found = stepped_doubt(fine, TWO, loss, (start, end), step)
    assert float(found) == pytest.approx(exact, rel=1e-5, abs=1e-9)


def explicit_fine(place):
    """A step over `place` in forty of Dormand and Prince."""

    def step(model, loss, start, h, tolerance):
        assert float(h) == pytest.approx(place)
        for _ in range(40):
            theta, error, count = explicit_step(model, loss, start, h / 40, tolerance)
            start = evaluate(model, loss, theta)
        return theta, error, count

    return step
