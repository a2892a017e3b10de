"""Rest by hand, for the loss cosh(w), whose logarithm is log cosh(w)."""

from __future__ import annotations

import math

import pytest
import torch

from ibcore.dynamics.rest import faint, newton, vanished
from ibcore.dynamics.scaled_field import evaluate
from ibcore.losses import Exponential, Logistic
from ibcore.models import Linear


def at(rows, theta, loss=None):
    model = Linear(torch.tensor(rows).double())
    return evaluate(model, loss or Exponential(), torch.tensor(theta).double())


PAIR = [[1.0], [-1.0]]
PLANE = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]


def test_a_gradient_vanishes_if_all_of_its_entries_do():
    assert vanished(at(PAIR, [[0.0], [1e-9], [1.0]])).tolist() == [True, False, False]
    points = at(PLANE, [[0.0, 0.0], [0.0, 0.1], [0.1, 0.0], [0.1, 0.1]])
    assert vanished(points).tolist() == [True, False, False, False]


def test_a_gradient_is_faint_beside_the_longest_of_a_margin():
    """The field is -tanh(w), and the rows have length 1 or 100."""
    points = at(PAIR, [[0.9e-3], [1.1e-3]])
    assert faint(points, 1e-3).tolist() == [True, False]
    longer = at([[100.0], [-100.0]], [[0.9e-5], [1.1e-5]])
    assert faint(longer, 1e-3).tolist() == [True, False]


def test_newton_says_how_far_the_loss_is_above_its_least_value():
    """The step is -tanh(w), the decrement tanh(w)^2, and the excess w^2 / 2."""
    w = torch.tensor([[1e-3], [-5e-3], [0.009], [0.011], [1.0]]).double()
    excess, step = newton(Exponential(), at(PAIR, w.tolist()))
    torch.testing.assert_close(step, -torch.tanh(w))
    torch.testing.assert_close(excess[:3], torch.tanh(w[:3, 0]) ** 2)
    assert excess[3:].tolist() == [math.inf, math.inf]
    assert bool((excess[:3] >= torch.log(torch.cosh(w[:3, 0]))).all())


def test_newton_of_the_logistic_loss_finds_its_minimizer():
    """Rows 1, 1 and -1: the loss is least where the sigmoid of w is 2/3, at log 2."""
    near = math.log(2) + 1e-3
    point = at([[1.0], [1.0], [-1.0]], [[near]], Logistic())
    excess, step = newton(Logistic(), point)
    assert near + float(step) == pytest.approx(math.log(2), abs=1e-6)
    least = math.log((2 * math.log(1.5) + math.log(3)) / 3)
    assert float(point.log_loss) - least == pytest.approx(float(excess) / 2, rel=1e-2)


def test_where_data_are_separable_the_distance_is_not_finite():
    points = at([[1.0], [2.0]], [[1.0], [100.0]])
    excess, _ = newton(Exponential(), points)
    assert excess.tolist() == [math.inf, math.inf]
