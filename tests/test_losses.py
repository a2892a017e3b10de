import math

import pytest
import torch

from ibcore.losses import (
    ConvexTail,
    CrossEntropy,
    Exponential,
    LogCosh,
    Logistic,
    PolynomialTail,
    log_mean,
    mean_square,
)

LOSSES = [
    Exponential(),
    Logistic(),
    PolynomialTail(),
    PolynomialTail(2.5),
    ConvexTail(),
    ConvexTail(3.0),
]
GRID = torch.linspace(-50, 50, 401, dtype=torch.float64)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_slope_is_the_derivative_of_the_value(loss):
    margins = GRID.clone().requires_grad_()
    (slope,) = torch.autograd.grad(torch.exp(loss.log_value(margins)).sum(), margins)
    torch.testing.assert_close(
        -slope, torch.exp(loss.log_slope(GRID)), rtol=1e-9, atol=0
    )


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_slope_rate_is_the_derivative_of_the_log_slope(loss):
    h = 1e-5
    difference = (loss.log_slope(GRID + h) - loss.log_slope(GRID - h)) / (2 * h)
    torch.testing.assert_close(
        loss.log_slope_rate(GRID), difference, rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_nothing_underflows_up_to_a_margin_of_a_million(loss):
    margins = torch.tensor([30.0, 31.0, 700.0, 800.0, 1e6], dtype=torch.float64)
    for values in (
        loss.log_value(margins),
        loss.log_slope(margins),
        loss.log_slope_rate(margins),
    ):
        assert bool(values.isfinite().all())
    assert bool((loss.log_value(margins).diff() < 0).all())


def test_logistic_equals_its_definition():
    for m in (-50.0, -20.0, -1.0, 0.0, 1.0, 20.0, 29.9, 30.1, 36.0):
        value = math.log1p(math.exp(-m)) if m >= 0 else -m + math.log1p(math.exp(m))
        at = torch.tensor(m, dtype=torch.float64)
        assert float(Logistic().log_value(at)) == pytest.approx(
            math.log(value), rel=1e-13
        )
        assert float(Logistic().log_slope(at)) == pytest.approx(
            -math.log1p(math.exp(m)), rel=1e-13
        )
        assert float(Logistic().log_slope_rate(at)) == pytest.approx(
            -1 / (1 + math.exp(-m)), rel=1e-13
        )
    assert float(Logistic().log_value(torch.tensor(1e6, dtype=torch.float64))) == -1e6


def test_tails():
    far = torch.tensor(1e6, dtype=torch.float64)
    assert float(Exponential().log_value(far)) == -1e6
    assert float(PolynomialTail(2.0).log_value(far)) == pytest.approx(
        -2 * math.log(1e6 + 1), rel=1e-12
    )


@pytest.mark.parametrize("power", [1.0, 2.0, 7.5])
def test_the_convex_tail_is_convex_and_a_power(power):
    loss = ConvexTail(power)
    assert bool((torch.exp(loss.log_slope(GRID)).diff() <= 0).all())
    far = torch.tensor(1e9, dtype=torch.float64)
    assert float(loss.log_value(far)) == pytest.approx(
        -power * math.log(1e9), rel=1e-12
    )


def test_cross_entropy_is_that_of_the_scores():
    generator = torch.Generator().manual_seed(0)
    scores = 3 * torch.randn(7, 4, generator=generator, dtype=torch.float64)
    margins = (scores[:, :1] - scores[:, 1:]).flatten().requires_grad_()
    loss = CrossEntropy(3)
    expected = torch.nn.functional.cross_entropy(
        scores, torch.zeros(7, dtype=torch.long), reduction="none"
    )
    torch.testing.assert_close(torch.exp(loss.log_value(margins)), expected)
    mean = torch.exp(loss.log_value(margins)).mean()
    (slope,) = torch.autograd.grad(mean, margins)
    torch.testing.assert_close(-slope, torch.exp(loss.log_slope(margins)) / 21)
    jacobian = torch.autograd.functional.jacobian(loss.log_slope, margins.detach())
    torch.testing.assert_close(loss.log_slope_jacobian(margins.detach()), jacobian)
    torch.testing.assert_close(
        loss.log_slope_rate(margins.detach()), jacobian.diagonal()
    )


def test_cross_entropy_of_two_classes_is_the_logistic_loss():
    for name in ("log_value", "log_slope", "log_slope_rate"):
        torch.testing.assert_close(
            getattr(CrossEntropy(1), name)(GRID), getattr(Logistic(), name)(GRID)
        )


def test_cross_entropy_far_out_does_not_underflow():
    margins = torch.tensor([800.0, 1e6, 1e6, 1e6], dtype=torch.float64)
    assert CrossEntropy(2).log_value(margins).tolist() == pytest.approx(
        [-800.0, -1e6 + math.log(2)]
    )
    assert bool(CrossEntropy(2).log_slope(margins).isfinite().all())


def test_means():
    values = torch.tensor([[-1e6, -1e6], [0.0, math.log(3.0)]], dtype=torch.float64)
    assert log_mean(values).tolist() == pytest.approx([-1e6, math.log(2.0)])
    assert float(mean_square(torch.tensor([1.0, -3.0]))) == 5.0


@pytest.mark.parametrize("rest", [-1e4, -400.0, -3.0, 0.0, 0.5, 400.0, 1e4])
def test_log_cosh_has_its_derivatives_at_every_size(rest):
    outputs = torch.tensor([[rest]], dtype=torch.float64, requires_grad=True)
    value = LogCosh().mean(outputs, torch.zeros(1, 1).double()).sum()
    (slope,) = torch.autograd.grad(value, outputs, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), outputs)
    size = abs(rest)
    expected = size + math.log1p(math.exp(-2 * size)) - math.log(2)
    assert value.item() == pytest.approx(expected, rel=1e-14, abs=1e-15)
    assert slope.item() == pytest.approx(math.tanh(rest), rel=1e-14)
    assert bend.item() == pytest.approx(1 - math.tanh(rest) ** 2, abs=1e-14)
