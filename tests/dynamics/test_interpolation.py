"""Least steps to an interpolant: linear models in one step, others squared by each."""

import pytest
import torch

from ibcore.dynamics.interpolation import interpolating
from ibcore.models.linear import Linear
from ibcore.validation import InvalidInput
from tests.cases import normal


class Curve:
    """f(theta) = shape(theta), one output a parameter."""

    def __init__(self, shape, slope):
        self.shape, self.slope = shape, slope

    def outputs(self, theta):
        return self.shape(theta)

    def jacobian(self, theta):
        return torch.diag_embed(self.slope(theta))


ZERO = torch.zeros(1, 1).double()
SQUARE = Curve(torch.square, lambda t: 2 * t)
ARCTAN = Curve(torch.atan, lambda t: 1 / (1 + t.square()))


def test_a_linear_model_is_interpolated_at_once_and_nearest_to_its_start():
    X, y, start = normal(3, 5, seed=1), normal(2, 3, seed=2), normal(2, 5, seed=3)
    found = interpolating(Linear(X), start, y, steps=1)
    torch.testing.assert_close(found @ X.T, y)
    moved = found - start
    along = moved @ torch.linalg.pinv(X) @ X
    torch.testing.assert_close(along, moved)
    again = interpolating(Linear(X), start, y, steps=4)
    torch.testing.assert_close(again, found)


def test_more_equations_than_unknowns_end_at_least_squares():
    X, y = normal(6, 2, seed=4), normal(1, 6, seed=5)
    found = interpolating(Linear(X), torch.zeros(1, 2).double(), y, steps=3)
    torch.testing.assert_close(found[0], torch.linalg.lstsq(X, y[0]).solution)


def test_a_root_is_found_by_the_steps_of_heron():
    """x <- (x + a/x) / 2, whose relative error is squared and halved at each step."""
    a, x = 2.0, 1.0
    for steps in range(1, 5):
        x = (x + a / x) / 2
        found = interpolating(
            SQUARE, torch.ones(1, 1).double(), torch.full((1, 1), a), steps=steps
        )
        assert float(found) == pytest.approx(x, rel=1e-14)
    assert x == pytest.approx(2**0.5, rel=1e-11)


def test_a_step_that_would_raise_the_loss_is_halved_until_it_does_not():
    """Newton's method for atan(x) = 0 diverges from 2; from 0.5 beside it, it does
    not.
    """
    start = torch.tensor([[2.0], [0.5]]).double()
    zero = torch.zeros(2, 1).double()
    states = [interpolating(ARCTAN, start, zero, steps=k) for k in range(1, 12)]
    losses = [torch.atan(theta).square()[:, 0] for theta in states]
    assert bool((torch.stack(losses).diff(dim=0) <= 0).all())
    assert states[0][0, 0] == start[0, 0]
    torch.testing.assert_close(states[-1], zero, atol=1e-12, rtol=0)
    plain = 2 - torch.atan(start[0, 0]) * (1 + start[0, 0] ** 2) / 2
    torch.testing.assert_close(states[1][0, 0], plain)


def test_members_do_not_wait_for_each_other():
    start, goal = torch.tensor([[1.5], [0.3], [2.5]]).double(), torch.zeros(3, 1)
    both = interpolating(ARCTAN, start, goal.double(), steps=4)
    for b in range(3):
        alone = interpolating(ARCTAN, start[b : b + 1], goal[:1].double(), steps=4)
        torch.testing.assert_close(both[b : b + 1], alone, rtol=0, atol=0)


def test_where_no_step_helps_the_start_stays():
    """theta^2 = -1 from zero, where the slope is zero."""
    start = torch.zeros(1, 1).double()
    found = interpolating(SQUARE, start, -torch.ones(1, 1).double(), steps=5)
    assert found.equal(start)


def test_no_step_is_refused():
    with pytest.raises(InvalidInput, match="steps"):
        interpolating(SQUARE, torch.ones(1, 1), torch.ones(1, 1), steps=0)


class Detour:
    """f(t) = t, with a slope that says a sixth of it until t is below 3."""

    def outputs(self, theta):
        return theta

    def jacobian(self, theta):
        return (1 - 5 / 6 * (theta > 3).to(theta))[..., None]


def test_a_step_that_was_halved_doubles_again_up_to_the_whole():
    """From 4 to -20, -8 and -2, which alone is nearer to 0; then by half and by the
    whole of the way.
    """
    states = [
        float(interpolating(Detour(), torch.full((1, 1), 4.0).double(), ZERO, steps=k))
        for k in range(1, 7)
    ]
    assert states == pytest.approx([4, 4, -2, -1, 0, 0], abs=1e-12)


def test_equal_equations_are_one_equation():
    """Twice the sum of squares is compared with twice the sum of squares."""
    one = interpolating(ARCTAN, torch.full((1, 1), 1.5).double(), ZERO, steps=3)
    two = interpolating(ARCTAN, torch.full((1, 2), 1.5).double(), ZERO, steps=3)
    torch.testing.assert_close(two, one.expand(1, 2), rtol=0, atol=0)
