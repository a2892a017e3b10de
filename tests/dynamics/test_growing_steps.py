import math

import pytest
import torch

from ibcore.dynamics.growing_steps import Growth, grow, kicked, settle
from ibcore.dynamics.interpolation import interpolating
from ibcore.dynamics.objective import Objective
from ibcore.losses import Square
from ibcore.models.diagonal import Diagonal
from ibcore.models.network import Network
from ibcore.validation import InvalidInput


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def product():
    """u^2 - v^2 = 1 on one input, twice: every (u, v) with u^2 - v^2 = 1 is a minimum
    of sharpness 8 (u^2 + v^2).
    """
    model = Diagonal(torch.ones(1, 1, dtype=torch.float64))
    return Objective(model, Square(), torch.ones(1, dtype=torch.float64))


def minimum(v):
    return torch.tensor([[math.sqrt(1 + v * v), v]] * 2, dtype=torch.float64)


def sharpness(theta):
    return 8 * theta.square().sum(-1)


def test_a_settled_minimum_is_stable_and_a_stable_one_is_kept():
    start = minimum(1.0)
    for relative, moves in ((1.8, False), (2.4, True)):
        step = relative / sharpness(start)
        end, log_loss = settle(
            product(),
            start,
            step,
            steps=5000,
            rest=1e-20,
            kick=1e-7,
            generator=generator(),
        )
        assert float(log_loss.max()) < math.log(1e-20)
        assert bool((step * sharpness(end) < 2).all())
        assert bool(((end - start).abs().amax(-1) > 1e-2).all()) == moves


def test_without_a_kick_an_unstable_minimum_is_kept():
    start = minimum(0.0)
    end, _ = settle(
        product(),
        start,
        2.4 / sharpness(start),
        steps=2000,
        rest=1e-20,
        kick=1e-300,
        generator=generator(),
    )
    torch.testing.assert_close(end, start, rtol=0, atol=1e-12)


def test_growing_steps_lead_to_the_flattest_minimum_and_then_the_loss_stays_up():
    start = minimum(2.0)
    first = 1.8 / sharpness(start)
    plan = Growth(1.1, 200, cap=1e-2, patience=5)
    stages = grow(product(), start, first, plan, generator())
    theta, step = stages.last_fitted
    assert bool((sharpness(theta) < 1.2 * 8).all())
    assert bool((step > 3 * first).all())
    ended = stages.step.isfinite().sum(0)
    beyond = (
        ended - 1 - (stages.fitted * torch.arange(len(stages.step))[:, None]).amax(0)
    )
    assert bool(
        ((beyond == 5) | ~stages.theta[ended - 1, [0, 1]].isfinite().all(-1)).all()
    )
    fixed = grow(product(), start, first, Growth(1, 200, 1e-2, 5, most=10), generator())
    torch.testing.assert_close(fixed.last_fitted[0], start, rtol=1e-5, atol=0)
    assert fixed.theta.shape == (11, 2, 2)


def test_a_member_that_ends_takes_nobody_with_it():
    theta = minimum(2.0)
    step = torch.tensor([1.8, 40.0]).double() / sharpness(theta)
    plan = Growth(1.1, 100, cap=1e-2, patience=3, most=8)
    stages = grow(product(), theta, step, plan, generator())
    assert bool(stages.step[-1].isfinite()[0])
    assert not bool(stages.step[-1].isfinite()[1])
    torch.testing.assert_close(stages.last_fitted[0][1], theta[1])


def test_a_kick_is_relative_and_small():
    theta = torch.tensor([[0.0, 1.0, 1e6]], dtype=torch.float64)
    moved = (kicked(theta, 1e-7, generator()) - theta).abs()
    assert float(moved[0, 0]) == 0
    assert bool((moved <= 1e-6 * theta.abs()).all())
    assert bool((moved[0, 1:] > 0).all())


def test_bad_plans_are_refused():
    with pytest.raises(InvalidInput, match="factor"):
        Growth(0.9, 10, 1e-3, 3)
    with pytest.raises(InvalidInput, match="patience"):
        Growth(1.1, 10, 1e-3, 0)


def test_least_steps_lead_to_an_interpolating_network_nearby():
    x = torch.linspace(-1, 1, 6, dtype=torch.float64)[:, None]
    y = torch.randn(4, 6, generator=generator(), dtype=torch.float64)
    model = Network(x, (40,), "tanh")
    start = model.initial(4, generator(1))
    y = model.outputs(start) + 0.1 * y
    theta = interpolating(model, start, y, steps=30)
    assert float((model.outputs(theta) - y).abs().max()) < 1e-10
    y = model.outputs(start) + 1e-6 * y
    rest = model.outputs(start) - y
    once = interpolating(model, start, y, steps=1) - start
    jacobian = model.jacobian(start)
    torch.testing.assert_close((jacobian @ once[..., None])[..., 0], -rest)
    off = once - (torch.linalg.pinv(jacobian) @ (jacobian @ once[..., None]))[..., 0]
    assert float(off.abs().max()) < 1e-10 + 1e-6 * float(once.abs().max())
