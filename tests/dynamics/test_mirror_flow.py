import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad, solve_ivp

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.mirror_descent import MirrorStep
from ibcore.dynamics.mirror_flow import mirror_flow
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Exponential, Logistic, PolynomialTail
from ibcore.models import Linear
from ibcore.models.deep_linear import DeepLinear, random_start
from ibcore.potentials import PNorm, power_mirror
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput


def rows(seed, n=6, d=4):
    return planted_margin(n, d, 0.2, torch.Generator().manual_seed(seed)).signed


def from_zero(signed, p, log_time, **options):
    start = torch.zeros(1, signed.shape[1], dtype=torch.float64)
    return mirror_flow(
        Linear(signed), Exponential(), start, p, log_time=log_time, **options
    )


@pytest.mark.parametrize("p", [1.5, 2, 3])
def test_one_point_on_the_line(p):
    x = 0.7
    run = from_zero(
        torch.tensor([[x]], dtype=torch.float64), p, [2.0, 5.0, 20.0], growth=0.05
    )
    for w, log_time in zip(
        run.theta[:, 0, 0].tolist(), run.log_time[:, 0].tolist(), strict=True
    ):
        time = (
            quad(lambda v, w=w: (p - 1) * v ** (p - 2) * math.exp(x * (v - w)), 0, w)[0]
            / x
        )
        assert log_time == pytest.approx(math.log(time) + x * w, abs=5e-3)


def test_one_point_from_a_margin_at_which_the_slope_rises():
    """dz/dt = -l'(theta), integrated in z = -|theta|^(1/2) from theta = -6 to 0."""
    loss = PolynomialTail(2.0)

    def slowness(z):
        return math.exp(-float(loss.log_slope(torch.tensor(-z * z).double())))

    arrival = quad(slowness, -math.sqrt(6), 0)[0]
    run = mirror_flow(
        Linear(torch.ones(1, 1).double()),
        loss,
        torch.full((1, 1), -6.0).double(),
        1.5,
        log_time=[math.log(arrival)],
    )
    assert run.reached
    assert abs(float(run.theta)) < 0.01


def test_with_the_euclidean_potential_it_is_gradient_flow():
    signed, stops = rows(0), [5.0, 50.0, 1e4]
    ours = from_zero(signed, 2, stops, growth=0.05)
    theirs = flow(
        Linear(signed),
        Exponential(),
        torch.zeros(1, 4, dtype=torch.float64),
        log_time=ours.log_time[:, 0],
    )
    assert float((ours.theta - theirs.theta).norm(dim=-1).amax()) < 5e-2
    assert (
        float(
            (
                (ours.theta - theirs.theta).norm(dim=-1) / theirs.theta.norm(dim=-1)
            ).amax()
        )
        < 1e-3
    )


def scipy_path(signed, p, log_time, size):
    """LSODA in (z, log t) over s, from w = 0, interpolated to `log_time`; s is of order
    `size`.
    """
    A = signed.numpy()

    def field(x, state):
        z = state[:-1]
        m = A @ (np.sign(z) * np.abs(z) ** (1 / (p - 1)))
        slope = -m.min() + math.log(np.exp(m.min() - m).mean())
        weights = np.exp(m.min() - m) / np.exp(m.min() - m).sum()
        rate = math.exp(x)
        return np.append(
            rate * A.T @ weights, rate * math.exp(min(-slope - state[-1], 700.0))
        )

    start = np.append(1e-8 * A.mean(0), math.log(1e-8))

    def reached(_x, state):
        return state[-1] - log_time

    reached.terminal = True
    path = solve_ivp(
        field,
        (math.log(1e-8), math.log(size)),
        start,
        method="LSODA",
        rtol=1e-8,
        atol=1e-10,
        events=reached,
    )
    z = path.y_events[0][0][:-1]
    return np.sign(z) * np.abs(z) ** (1 / (p - 1))


@pytest.mark.parametrize(
    ("p", "positive"),
    [(1.1, False), (1.3, False), (2, False), (3, True), (5, True), (10, True)],
)
def test_lsoda_agrees(p, positive):
    """For p > 2 on positive inputs, whose coordinates cross no zero: LSODA cannot
    follow the others.
    """
    signed = (
        torch.tensor([[1.0, 0.2], [0.3, 0.8], [0.9, 1.5]], dtype=torch.float64)
        if positive
        else rows(1)
    )
    run = from_zero(signed, p, 200.0, growth=0.1)
    expected = scipy_path(signed, p, float(run.log_time[0, 0]), 1e40)
    distance = np.linalg.norm(run.theta[0, 0].numpy() - expected) / np.linalg.norm(
        expected
    )
    assert distance < 5e-3


@pytest.mark.parametrize("p", [1.6, 3.0])
def test_second_order(p):
    signed = rows(3)
    thetas = []
    for growth in (0.4, 0.2, 0.05):
        run = from_zero(signed, p, 30.0, growth=growth)
        thetas.append(run.theta[0, 0] / run.theta[0, 0].norm())
    coarse, fine = ((theta - thetas[-1]).norm() for theta in thetas[:2])
    assert 2.5 < float(coarse / fine) < 8


@pytest.mark.parametrize("p", [1.2, 4.0])
def test_the_push_is_the_dual_state(p):
    signed = rows(4)
    run = from_zero(signed, p, [10.0, 1e5])
    z = power_mirror(run.theta, p)
    assert run.reached
    assert float((z - run.push @ signed).norm(dim=-1).div(z.norm(dim=-1)).max()) < 1e-6


def test_members_do_not_touch_each_other():
    signed = torch.stack([rows(5), rows(6)])
    start = torch.zeros(2, 4, dtype=torch.float64)
    both = mirror_flow(
        Linear(signed),
        Logistic(),
        start,
        torch.tensor([1.2, 1.6]),
        log_time=[20.0, 1e4],
    )
    alone = mirror_flow(
        Linear(signed[1:]), Logistic(), start[1:], 1.6, log_time=[20.0, 1e4]
    )
    torch.testing.assert_close(
        both.theta[:, 1], alone.theta[:, 0], rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("p", [1.5, 3.0])
def test_on_a_network_the_layers_keep_equal_growth(p):
    """(p - 1)/p d|W_j|_p^p = <W_j, dz_j> is the same in every layer, as the output is
    linear in each.
    """
    model = DeepLinear(rows(7), (3,))
    start = random_start(model, 2, 1.0, torch.Generator().manual_seed(0))
    run = mirror_flow(model, Exponential(), start, p, log_time=[2.0, 20.0], growth=0.05)
    powers = [
        torch.stack(
            [layer.abs().pow(p).sum((-1, -2)) for layer in model.matrices(theta)]
        )
        for theta in (start, *run.theta)
    ]
    rise = torch.stack([later - powers[0] for later in powers[1:]])
    torch.testing.assert_close(rise[:, 0], rise[:, 1], rtol=2e-2, atol=1e-2)


def test_small_steps_of_mirror_descent_follow_the_flow():
    signed = rows(8)
    run = from_zero(signed, 1.5, math.log(20.0), growth=0.05)
    steps = round(math.exp(float(run.log_time[0, 0])) / 0.01)
    start = torch.zeros(1, 4, dtype=torch.float64)
    discrete = descend(
        Objective(Linear(signed), Exponential()),
        start,
        constant(0.01),
        steps=[steps],
        direction=MirrorStep(PNorm(1.5)),
    ).theta[0]
    assert float((discrete - run.theta[0]).norm() / discrete.norm()) < 1e-2


@pytest.mark.parametrize(
    ("p", "log_time", "message"),
    [
        (1.0, 1.0, "above 1"),
        (torch.tensor([1.5, 3.0]), 1.0, "both|others from 2 on"),
        (1.5, [2.0, 1.0], "rise"),
    ],
)
def test_bad_input_is_refused(p, log_time, message):
    with pytest.raises(InvalidInput, match=message):
        mirror_flow(
            Linear(rows(0)),
            Exponential(),
            torch.zeros(2, 4).double(),
            p,
            log_time=log_time,
        )
