import math

import pytest
import torch
from torch.nn.functional import softplus

from ibcore.dynamics.directions import Adam, Gradient, Grouped, Steepest
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.matrix_directions import (
    Decoupled,
    NewtonSchulz,
    Schatten,
    Smoothed,
)
from ibcore.dynamics.objective import FunctionObjective, Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Exponential, Logistic
from ibcore.models import Linear
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput

SIGNED = planted_margin(12, 4, 0.2, torch.Generator().manual_seed(0)).signed
START = torch.ones(1, 4, dtype=torch.float64)
SIGN = Steepest(math.inf, normalized=True)
ZERO = torch.zeros(5, dtype=torch.float64)


def matrices(rows, columns, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(5, rows, columns, generator=generator, dtype=torch.float64)


def run(direction, steps=50, start=START, size=0.3):
    return descend(
        Objective(Linear(SIGNED), Logistic()),
        start,
        constant(size),
        steps=[steps],
        direction=direction,
    ).theta[0, 0]


@pytest.mark.parametrize(
    ("p", "own", "dual"), [(math.inf, 2, "nuc"), (2, "fro", "fro"), (1, "nuc", 2)]
)
@pytest.mark.parametrize(("rows", "columns"), [(3, 6), (6, 3), (1, 4)])
def test_the_step_has_length_one_and_attains_the_dual_norm(p, own, dual, rows, columns):
    slope = matrices(rows, columns)
    step, _ = Schatten(p, rows)(slope.flatten(1), ZERO, ZERO, ())
    step = step.unflatten(1, (rows, columns))
    norm = torch.linalg.matrix_norm(step, own)
    torch.testing.assert_close(norm, torch.ones_like(norm))
    gain = (step * slope).sum((-1, -2))
    torch.testing.assert_close(gain, torch.linalg.matrix_norm(slope, dual))


def test_the_length_of_the_step_is_the_step_size_however_small_the_gradient():
    slope = matrices(3, 6).flatten(1)
    tiny, _ = Schatten(math.inf, 3)(slope, ZERO - 1e6, ZERO + math.log(0.25), ())
    norm = torch.linalg.matrix_norm(tiny.unflatten(1, (3, 6)), 2)
    torch.testing.assert_close(norm, torch.full_like(norm, 0.25))


@pytest.mark.parametrize(("rows", "columns"), [(3, 6), (6, 3)])
def test_cubic_steps_make_the_factor_orthogonal(rows, columns):
    slope = matrices(rows, columns)
    exact = Schatten(math.inf, rows)._unit(slope)
    close = NewtonSchulz(rows, cubic=6).polar(slope)
    torch.testing.assert_close(close, exact, rtol=0, atol=1e-5)
    values = torch.linalg.svdvals(NewtonSchulz(rows).polar(slope))
    assert 0.6 < float(values.min()) < 0.95
    assert 1.02 < float(values.max()) < 1.3


def pytorch(optimizer, steps=50, **options):
    w = START[0].clone().requires_grad_()
    method = optimizer([w], lr=0.3, **options)
    for _ in range(steps):
        method.zero_grad()
        softplus(-(SIGNED @ w)).mean().backward()
        method.step()
    return w.detach()


@pytest.mark.parametrize(
    ("direction", "optimizer", "options"),
    [
        (Adam(0.9, 0.99, 1e-8), torch.optim.AdamW, {"betas": (0.9, 0.99)}),
        (Gradient(), torch.optim.SGD, {}),
    ],
)
def test_decoupled_decay_agrees_with_pytorch(direction, optimizer, options):
    """For gradient descent the coupled and the decoupled penalty are the same."""
    torch.testing.assert_close(
        run(Decoupled(direction, 0.2)),
        pytorch(optimizer, weight_decay=0.2, **options),
        rtol=1e-11,
        atol=1e-11,
    )


def lion(steps, size, beta1, beta2, decay):
    """The steps of Lion, written out."""
    w, mean = START[0].clone(), torch.zeros(4, dtype=torch.float64)
    for _ in range(steps):
        margins = SIGNED @ w
        g = -(torch.sigmoid(-margins) @ SIGNED) / len(SIGNED)
        update = (beta1 * mean + (1 - beta1) * g).sign()
        w = w - size * (update + decay * w)
        mean = beta2 * mean + (1 - beta2) * g
    return w


def test_lion_is_the_sign_of_a_blend():
    direction = Decoupled(Smoothed(SIGN, beta=0.99, blend=0.9), 0.1)
    found = run(direction, steps=30, size=0.01)
    expected = lion(30, 0.01, 0.9, 0.99, 0.1)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_signum_is_the_sign_of_the_mean():
    found = run(Smoothed(SIGN, beta=0.9), steps=30, size=0.01)
    expected = lion(30, 0.01, 0.9, 0.9, 0.0)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_a_mean_of_gradients_does_not_underflow():
    objective = Objective(Linear([[3.0, 1.0]]), Exponential())
    start = torch.tensor([[1e4, 1e4]]).double()
    direction = Smoothed(Schatten(2, 1), beta=0.9)
    moved = descend(objective, start, constant(0.5), steps=[8], direction=direction)
    expected = start[0] + 4 * torch.tensor([3.0, 1.0]).double() / math.sqrt(10)
    torch.testing.assert_close(moved.theta[0, 0], expected)


def test_members_that_end_leave_the_others_as_they_are():
    """Two of three members converge early; the third one goes on with its own memory."""
    target = torch.tensor([[0.0], [0.5], [0.0]]).double()

    def values(theta, members):
        away = theta - target[members]
        return away.square().sum(-1), 2 * away

    for inner in (SIGN, Smoothed(SIGN, 0.5), Schatten(2, 1), NewtonSchulz(1)):
        direction = Decoupled(inner, 0.1)
        start = torch.tensor([[0.0], [3.0], [0.0]]).double()
        found = descend(
            FunctionObjective(values),
            start,
            constant(0.01),
            steps=[20],
            direction=Grouped(((direction, 3),)),
            until=lambda point: point.loss < 1e-12,
        )
        alone = descend(
            FunctionObjective(lambda theta, _: values(theta, torch.tensor([1]))),
            start[1:2],
            constant(0.01),
            steps=[20],
            direction=direction,
        )
        torch.testing.assert_close(found.last[1], alone.last[0])


def test_wrong_maps_are_refused():
    with pytest.raises(InvalidInput, match="p is 3"):
        Schatten(3, 2)
    with pytest.raises(InvalidInput, match="rows"):
        run(Schatten(2, 3))
    with pytest.raises(InvalidInput, match="beta"):
        Smoothed(SIGN, 1.0)
    with pytest.raises(InvalidInput, match="blend"):
        Smoothed(SIGN, 0.9, blend=-0.1)
    with pytest.raises(InvalidInput, match="decay"):
        Decoupled(SIGN, -0.1)
    with pytest.raises(InvalidInput, match="cubic"):
        NewtonSchulz(2, -1)
