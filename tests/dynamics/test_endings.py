"""Why runs end, for all methods: with a status of their own, and without a word from
the linear algebra below.
"""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.factor_descent import descend_factors
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.mirror_descent import (
    mirror_descent,
    natural_descent,
)
from ibcore.dynamics.mirror_flow import mirror_flow
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import Rollback, constant, decaying
from ibcore.dynamics.scipy_flow import scipy_flow
from ibcore.dynamics.sphere_flow import sphere_flow
from ibcore.dynamics.square_flow import square_flow
from ibcore.dynamics.stiff_flow import integrate
from ibcore.dynamics.trajectory import (
    BROKE_DOWN,
    NOT_FINITE,
    PASSED,
    REACHED,
    STATIONARY,
    STEP_LIMIT,
    step_limit,
)
from ibcore.losses import Exponential, Logistic
from ibcore.models import Linear
from ibcore.models.activations import LeakyReLU
from ibcore.models.diagonal import Diagonal
from ibcore.models.network import Network
from ibcore.oracles.separability import nonseparable_limit
from ibcore.potentials import Hypentropy, PNorm
from ibcore.validation import InvalidInput

FLOWS = [flow, scipy_flow]
GOOD = np.array([[2.0, 1.0], [1.0, 3.0], [1.0, 2.0], [3.0, -0.5]])
XOR = np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
TRIANGLE = np.array([[1.0, 0.0], [-1.0, 0.5], [0.0, -1.0]])


def zeros(*shape):
    return torch.zeros(*shape, dtype=torch.float64)


# --- how data and starts arrive


@pytest.mark.parametrize("run", FLOWS)
@pytest.mark.parametrize(
    ("data", "start"),
    [
        (torch.tensor(GOOD), torch.zeros(1, 2)),
        (GOOD, [[0, 0]]),
        (pd.DataFrame(GOOD), np.zeros((1, 2), dtype=np.float16)),
        (GOOD.astype(">f8")[::-1], zeros(1, 2)),
    ],
)
def test_data_and_starts_of_any_kind_give_the_same_run(run, data, start):
    best = run(Linear(GOOD), Logistic(), zeros(1, 2), log_loss=[-10])
    same = run(Linear(data), Logistic(), start, log_loss=[-10], max_steps=np.int64(999))
    assert same.reached
    assert same.theta.dtype == torch.float64
    torch.testing.assert_close(same.theta, best.theta, rtol=1e-6, atol=0)


@pytest.mark.parametrize("run", FLOWS)
def test_integers_flow_and_single_precision_stays(run):
    counts = run(Linear(GOOD.round().astype(int)), Logistic(), zeros(1, 2), log_loss=-3)
    assert counts.reached
    single = run(Linear(GOOD.astype(np.float32)), Logistic(), zeros(1, 2), log_loss=-3)
    assert single.reached
    assert single.theta.dtype == torch.float32


ENGINES = {
    "flow": lambda m, start: flow(m, Logistic(), start, log_loss=-3),
    "scipy_flow": lambda m, start: scipy_flow(m, Logistic(), start, log_loss=-3),
    "mirror_flow": lambda m, start: mirror_flow(m, Logistic(), start, 2, log_time=3),
    "descend": lambda m, start: descend(
        Objective(m, Logistic()), start, constant(np.float32(0.1)), steps=[5]
    ),
    "rollback": lambda m, start: descend(
        Objective(m, Logistic()), start, Rollback(), log_loss=[-3]
    ),
    "square_flow": lambda m, start: square_flow(m, start, np.ones(4)),
    "sphere_flow": lambda m, start: sphere_flow(m, start, degree=1, steps=500),
}


@pytest.mark.parametrize("name", ENGINES)
def test_starts_that_do_not_fit_are_refused_with_their_shapes(name):
    for start, words in (
        (zeros(1, 3), r"\(1, 3\), expected \(B, 2\)"),
        (zeros(2), "expected 2 dimension"),
        (torch.tensor([[math.nan, 0.0]]), "NaN"),
    ):
        with pytest.raises(InvalidInput, match=words):
            ENGINES[name](Linear(GOOD), start)
    with pytest.raises(InvalidInput, match="does not take"):
        ENGINES[name](Linear(np.stack([GOOD, GOOD])), zeros(3, 2))


class Unchecked:
    """A model of somebody else, which lets everything in."""

    linear = True

    def __init__(self, rows):
        self.rows = torch.tensor(rows)

    def outputs(self, theta):
        return (self.rows @ theta[..., None])[..., 0]

    def jacobian(self, theta):
        return self.rows.expand(len(theta), *self.rows.shape[-2:])

    def select(self, _members):
        return self


@pytest.mark.parametrize("name", ENGINES)
def test_data_of_other_models_are_looked_at_before_work_starts(name):
    with pytest.raises(InvalidInput, match="not finite"):
        ENGINES[name](Unchecked(np.where(GOOD == 3, np.nan, GOOD)), zeros(1, 2) + 0.1)


def test_a_model_of_somebody_else_with_a_jacobian_trains():
    theirs, ours = (
        descend(
            Objective(model, Logistic()), zeros(2, 2), constant(0.1), log_loss=[-2.0]
        )
        for model in (Unchecked(GOOD), Linear(GOOD))
    )
    torch.testing.assert_close(theirs.last, ours.last)


@pytest.mark.parametrize("run", FLOWS)
def test_a_member_whose_data_are_not_finite_ends_alone(run):
    both = Unchecked(np.stack([GOOD, np.where(GOOD == 3, np.nan, GOOD)]))
    found = run(both, Logistic(), zeros(2, 2), log_loss=-10)
    alone = run(Linear(GOOD), Logistic(), zeros(1, 2), log_loss=-10)
    assert found.status == (REACHED, NOT_FINITE)
    assert torch.equal(found.theta[:, 0], alone.theta[:, 0])
    assert bool(found.theta[:, 1].isnan().all())


# --- rest at a positive loss


@pytest.mark.parametrize("run", FLOWS)
@pytest.mark.parametrize("rows", [XOR, TRIANGLE])
def test_data_that_no_direction_separates_bring_the_flow_to_rest(run, rows):
    found = run(Linear(rows), Logistic(), zeros(1, 2), log_loss=[-0.3, -10])
    assert found.status[0].startswith(STATIONARY)
    assert bool(found.theta[-1].isnan().all())
    later = run(Linear(rows), Logistic(), zeros(1, 2), log_time=[1.0, 50.0, 1e4])
    assert later.reached
    least = nonseparable_limit(rows, np.ones(len(rows))).minimizer
    torch.testing.assert_close(later.theta[1, 0], least, rtol=0, atol=1e-5)
    assert torch.equal(later.theta[2], later.theta[1])
    assert later.log_time[:, 0].tolist() == pytest.approx([1.0, 50.0, 1e4])


@pytest.mark.parametrize("run", FLOWS)
@pytest.mark.parametrize("margin", [1.0, 1e-3])
def test_rest_is_not_mistaken_for_a_small_margin(run, margin):
    rows = np.array([[1.0, margin], [-1.0, margin]])
    found = run(Linear(rows), Logistic(), zeros(1, 2), log_loss=-10)
    assert found.reached
    assert float(found.log_loss[0, 0]) == pytest.approx(-10)


@pytest.mark.parametrize("run", FLOWS)
def test_a_saddle_at_zero_is_a_place_of_rest(run):
    found = run(Diagonal(GOOD), Logistic(), zeros(1, 4), log_loss=-10)
    assert found.status[0].startswith(STATIONARY)


@pytest.mark.parametrize("run", FLOWS)
def test_a_network_at_rest_says_so_at_its_limit(run):
    start = torch.full((1, 4), 0.3, dtype=torch.float64)
    found = run(Diagonal(TRIANGLE), Logistic(), start, log_loss=-10, max_steps=400)
    assert found.status[0].startswith(STATIONARY)
    assert found.status[0].endswith(step_limit(400))


# --- stops


@pytest.mark.parametrize("run", FLOWS)
def test_a_loss_instead_of_its_logarithm_is_refused(run):
    with pytest.raises(InvalidInput, match=r"last stop at 0\.0001.*log_loss=-9\.21"):
        run(Linear(GOOD), Logistic(), zeros(1, 2), log_loss=[1e-4])


@pytest.mark.parametrize("run", FLOWS)
def test_a_member_that_starts_beyond_its_last_stop_says_so(run):
    start = torch.tensor([[0.0, 0.0], [5.0, 5.0]], dtype=torch.float64)
    found = run(Linear(GOOD), Logistic(), start, log_loss=[-1.0, -2.0])
    assert found.status == (REACHED, PASSED)
    torch.testing.assert_close(found.theta[1, 1], start[1], rtol=0, atol=1e-6)


def test_a_member_of_a_rollback_that_starts_beyond_its_stops_says_so():
    start = torch.tensor([[0.0, 0.0], [5.0, 5.0]], dtype=torch.float64)
    found = descend(
        Objective(Linear(GOOD), Logistic()), start, Rollback(), log_loss=[-1.0, -2.0]
    )
    assert found.status == (REACHED, PASSED)
    assert int(found.steps[1]) == 0


@pytest.mark.parametrize(("offset", "reaches"), [(200.0, True), (2e4, False)])
def test_a_common_offset_is_followed_or_the_other_integrator_is_named(offset, reaches):
    inputs = np.c_[offset + np.arange(10.0), np.ones(10)]
    y = np.where(np.arange(10) > 4, 1.0, -1.0)
    model = Linear(y[:, None] * inputs)
    found = flow(model, Logistic(), zeros(1, 2), log_loss=[-10, -100], max_steps=1500)
    if reaches:
        other = scipy_flow(model, Logistic(), zeros(1, 2), log_loss=[-10, -100])
        torch.testing.assert_close(found.log_time, other.log_time, rtol=1e-4, atol=0)
    else:
        assert "scipy_flow" in found.status[0]


# --- members that break down


@pytest.mark.parametrize("p", [1.5, 2.0, 3.0])
def test_a_singular_member_of_a_mirror_flow_ends_alone(p):
    rows = np.stack([GOOD, 1e200 * GOOD])
    both = mirror_flow(Linear(rows), Exponential(), zeros(2, 2), p, log_time=[5.0, 9.0])
    one = mirror_flow(Linear(GOOD), Exponential(), zeros(1, 2), p, log_time=[5.0, 9.0])
    assert both.status[0] == REACHED
    assert both.status[1].startswith(BROKE_DOWN)
    torch.testing.assert_close(both.theta[:, 0], one.theta[:, 0])
    assert bool(both.theta[:, 1].isnan().all())


def test_members_of_a_flow_end_for_themselves():
    rows = np.stack([GOOD, XOR, 1e200 * GOOD])
    both = flow(Linear(rows), Exponential(), zeros(3, 2), log_loss=[-5, -1e3])
    one = flow(Linear(GOOD), Exponential(), zeros(1, 2), log_loss=[-5, -1e3])
    assert both.status[0] == REACHED
    assert both.status[1].startswith(STATIONARY)
    assert both.status[2].startswith(BROKE_DOWN)
    torch.testing.assert_close(both.theta[:, 0], one.theta[:, 0])


def test_a_member_of_a_factorization_that_diverges_ends_alone():
    goal = torch.eye(2, dtype=torch.float64).expand(2, 2, 2).clone()
    goal[1, 0, 0] = math.nan
    start = 0.1 * torch.eye(2, dtype=torch.float64).expand(2, 2, 2, 2)
    run = descend_factors(lambda W: W - goal, start, [20])
    assert run.status == (REACHED, NOT_FINITE)


def test_a_natural_descent_that_overflows_is_not_called_converged():
    run = natural_descent(
        torch.tensor(GOOD[None, :1]),
        torch.ones(1, 1, dtype=torch.float64),
        zeros(1, 2) + 0.1,
        PNorm(3.0),
        step_size=1e200,
        max_steps=99,
    )
    assert run.status == (NOT_FINITE,)


def test_a_sphere_run_whose_gradient_vanished_says_so():
    net = Network(np.array([[1.0, 0.0]]), (1,), LeakyReLU(0.0), biases=False)
    start = torch.tensor([[1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]], dtype=torch.float64)
    run = sphere_flow(net, start, degree=2, steps=500)
    assert run.status[0] == REACHED
    assert run.status[1].startswith(BROKE_DOWN)


def test_a_descent_whose_steps_are_too_long_says_so():
    run = descend(
        Objective(Diagonal(GOOD, depth=3), Exponential()),
        torch.tensor([[0.1] * 4, [-1e3, -1e3, 0.1, 0.1]], dtype=torch.float64),
        constant(1e-3),
        steps=[3],
    )
    assert run.status == (REACHED, NOT_FINITE)


# --- settings


@pytest.mark.parametrize(
    "call",
    [
        lambda: PNorm(-1),
        lambda: PNorm(1),
        lambda: PNorm(math.nan),
        lambda: Hypentropy("a"),
        lambda: Hypentropy(0),
        lambda: constant(math.nan),
        lambda: decaying(0.1, math.nan),
        lambda: integrate(lambda x: -x, None, [1.0], horizon=math.nan),
        lambda: integrate(lambda x: -x, None, [1.0], times=[math.nan]),
        lambda: integrate(lambda x: -x, None, [math.nan], horizon=1.0),
        lambda: flow(Linear(GOOD), Logistic(), zeros(1, 2), log_loss=[math.nan]),
        lambda: flow(
            Linear(GOOD), Logistic(), zeros(1, 2), log_loss=-1, max_steps=True
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused(call):
    with pytest.raises(InvalidInput):
        call()


@pytest.mark.parametrize("method", ["LSODA", "BDF", "Radau"])
def test_a_field_that_overflows_ends_with_a_word(method):
    run = integrate(
        lambda x: x**3, lambda x: np.diag(3 * x**2), [1.0], horizon=1.0, method=method
    )
    assert not run.complete
    assert run.status


def test_statuses_of_limits_begin_with_their_names():
    assert step_limit(7) == f"{STEP_LIMIT} of 7"
    assert set(
        mirror_descent(
            torch.tensor(GOOD[None, :1]),
            torch.ones(1, 1, dtype=torch.float64),
            zeros(1, 2),
            PNorm(2.0),
            max_steps=1,
        ).status
    ) == {step_limit(1)}


@pytest.mark.parametrize("run", FLOWS)
@pytest.mark.parametrize(
    ("model", "loss", "words"),
    [
        (Linear(GOOD), Logistic, "loss is the class Logistic"),
        (Linear(GOOD), "logistic", "loss is a str"),
        (Linear, Logistic(), "model is the class Linear"),
        (torch.tensor(GOOD), Logistic(), "model is a Tensor"),
    ],
)
def test_what_is_no_model_and_no_loss_is_refused(run, model, loss, words):
    with pytest.raises(InvalidInput, match=words):
        run(model, loss, zeros(1, 2), log_loss=-3)
