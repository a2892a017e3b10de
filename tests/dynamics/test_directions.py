import math

import pytest
import torch
from torch.nn.functional import softplus

from ibcore.dynamics.directions import (
    AdaGrad,
    Adam,
    Gradient,
    Grouped,
    Momentum,
    Steepest,
)
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Exponential, Logistic
from ibcore.models import Linear
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput

SIGNED = planted_margin(12, 4, 0.2, torch.Generator().manual_seed(0)).signed
START = torch.ones(1, 4, dtype=torch.float64)


def run(direction, steps=50, start=START):
    return descend(
        Objective(Linear(SIGNED), Logistic()),
        start,
        constant(0.3),
        steps=[steps],
        direction=direction,
    )


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
        (Gradient(), torch.optim.SGD, {}),
        (Momentum(0.9), torch.optim.SGD, {"momentum": 0.9}),
        (
            Momentum(0.9, nesterov=True),
            torch.optim.SGD,
            {"momentum": 0.9, "nesterov": True},
        ),
        (AdaGrad(1e-10), torch.optim.Adagrad, {"eps": 1e-10}),
        (Adam(), torch.optim.Adam, {}),
        (Adam(0.5, 0.7, 1e-3), torch.optim.Adam, {"betas": (0.5, 0.7), "eps": 1e-3}),
        (Adam(eps=0.0), torch.optim.Adam, {"eps": 0.0}),
    ],
)
def test_agrees_with_pytorch(direction, optimizer, options):
    torch.testing.assert_close(
        run(direction).theta[0, 0],
        pytorch(optimizer, **options),
        rtol=1e-11,
        atol=1e-11,
    )


@pytest.mark.parametrize("p", [1, 1.5, 2, 4, math.inf])
def test_the_steepest_step_attains_the_dual_norm(p):
    slope = torch.randn(
        5, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    zero = torch.zeros(5, dtype=torch.float64)
    unit, _ = Steepest(p, normalized=True)(slope, zero, zero, ())
    step, _ = Steepest(p)(slope, zero, zero, ())
    q = math.inf if p == 1 else 1.0 if p == math.inf else p / (p - 1)
    dual = torch.linalg.vector_norm(slope, q, dim=-1)
    torch.testing.assert_close(
        torch.linalg.vector_norm(unit, p, dim=-1), torch.ones_like(zero)
    )
    torch.testing.assert_close((unit * slope).sum(-1), dual)
    torch.testing.assert_close(step, unit * dual[:, None])


def test_steepest_descent_in_l2_is_gradient_descent():
    torch.testing.assert_close(run(Steepest(2)).theta, run(Gradient()).theta)


@pytest.mark.parametrize(
    "direction", [Momentum(0.9), Adam(0.9, 0.99, 0.0), AdaGrad(), Steepest(1)]
)
def test_a_shift_of_all_margins_only_rescales_the_gradient(direction):
    """Far below underflow: with the exponential loss, an offset c of the margins
    multiplies gradients by e^-c.
    """
    adaptive = isinstance(direction, (Adam, AdaGrad))
    near, far = (
        descend(
            Objective(Linear(SIGNED, offset), Exponential()),
            START,
            constant(0.05, over_loss=not adaptive),
            steps=[80],
            direction=direction,
        ).theta
        for offset in (0.0, 5000.0)
    )
    torch.testing.assert_close(near, far, rtol=1e-8, atol=1e-9)


def test_epsilon_may_differ_between_runs():
    both = run(
        Adam(eps=torch.tensor([0.0, 1e-2]).double()), start=START.repeat(2, 1)
    ).theta[0]
    torch.testing.assert_close(
        both, torch.cat([run(Adam(eps=eps)).theta[0] for eps in (0.0, 1e-2)])
    )


def test_the_preconditioner_is_the_root_of_the_sum_of_squares():
    w, total = START[0].clone(), torch.zeros(4, dtype=torch.float64)
    for _ in range(5):
        gradient = -(torch.sigmoid(-(SIGNED @ w)) @ SIGNED) / len(SIGNED)
        total += gradient.square()
        w = w - 0.3 * gradient / total.sqrt()
    out = run(AdaGrad(), steps=5)
    found = AdaGrad.preconditioner(out.memory)[0]
    torch.testing.assert_close(found / found.norm(), total.sqrt() / total.sqrt().norm())


@pytest.mark.parametrize("members", [[0, 1, 2, 3, 4], [1, 3, 4], [0, 1], [4]])
def test_groups_do_what_their_members_do_alone(members):
    """Also where some of them have ended."""
    slopes = torch.linspace(-1, 1, 40, dtype=torch.float64).reshape(2, 5, 4)
    scale, step = torch.zeros(5).double(), torch.full((5,), -1.0).double()
    parts = ((Momentum(0.9), slice(0, 2)), (Adam(), slice(2, 5)))
    expected = []
    for one, rows in parts:
        memory = one.begin(slopes[0, rows])
        _, memory = one(slopes[0, rows], scale[rows], step[rows], memory)
        expected.append(one(slopes[1, rows], scale[rows], step[rows], memory)[0])
    together = Grouped(((Momentum(0.9), 2), (Adam(), 3)))
    _, memory = together(slopes[0], scale, step, together.begin(slopes[0]))
    kept = torch.tensor(members)
    fewer, memory = together.select(memory, kept)
    assert sum(count for _, count in fewer.groups) == len(members)
    update, _ = fewer(slopes[1, kept], scale[kept], step[kept], memory)
    torch.testing.assert_close(update, torch.cat(expected)[kept])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Steepest(0.5), "p is"),
        (lambda: Momentum(1.0), "beta"),
        (lambda: Adam(beta2=-0.1), "beta2"),
        (lambda: Adam(eps=-1.0), "eps"),
        (lambda: AdaGrad(math.nan), "eps"),
        (lambda: run(Grouped(((Gradient(), 3),))), "groups"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
