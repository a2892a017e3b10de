import math
from dataclasses import dataclass

import pytest
import torch

from ibcore.dynamics.log_time import flow
from ibcore.dynamics.scipy_flow import _LANDING, scipy_flow
from ibcore.dynamics.trajectory import (
    LOSS_ROSE,
    NOT_FINITE,
    PASSED,
    REACHED,
    stationary,
    step_limit,
    wall_limit,
)
from ibcore.losses import Exponential, Logistic, PolynomialTail
from ibcore.models import Linear
from ibcore.models.activations import SquaredReLU
from ibcore.models.margins import Margins
from ibcore.models.network import Network
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput


def zeros(*shape):
    return torch.zeros(*shape, dtype=torch.float64)


def signed(seed, n=12, d=4):
    return planted_margin(n, d, 0.1, torch.Generator().manual_seed(seed)).signed


def network():
    """A small network of degree 3 with its start, on data that one of its neurons
    separates.
    """
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(8, 3, generator=generator, dtype=torch.float64)
    model = Margins(
        Network(inputs, (4,), SquaredReLU(), biases=False), torch.sign(inputs[:, 0])
    )
    start = torch.randn(1, 16, generator=generator, dtype=torch.float64)
    start[:, :4] = torch.tensor([1.0, -1.0, 1.0, -1.0])
    return model, start


@dataclass(frozen=True)
class Squares:
    """f(x) = sum_j (u_j^2 - v_j^2) x_j, of degree 2."""

    inputs: torch.Tensor
    linear = False

    def outputs(self, theta):
        u, v = theta.chunk(2, -1)
        return (u.square() - v.square()) @ self.inputs.T

    def jacobian(self, theta):
        u, v = theta.chunk(2, -1)
        return torch.cat(
            [2 * u[:, None] * self.inputs, -2 * v[:, None] * self.inputs], -1
        )


@pytest.mark.parametrize("method", ["LSODA", "BDF", "Radau"])
def test_one_example_by_every_method(method):
    x, stops = torch.tensor([[3.0, 4.0]]).double(), [0.0, 10.0, 1000.0]
    run = scipy_flow(
        Linear(x), Exponential(), zeros(1, 2), log_time=stops, method=method
    )
    expected = torch.tensor(
        [
            math.log(1 + 25 * math.exp(min(u, 600))) if u < 600 else u + math.log(25)
            for u in stops
        ]
    )
    torch.testing.assert_close(
        run.theta[:, 0], expected.double()[:, None] * x / 25, rtol=1e-6, atol=1e-7
    )
    torch.testing.assert_close(
        run.log_loss[:, 0], -expected.double(), rtol=1e-6, atol=1e-7
    )
    assert run.reached


@pytest.mark.parametrize("loss", [Logistic(), Exponential(), PolynomialTail(2.0)])
@pytest.mark.parametrize("by", ["log_loss", "log_time"])
def test_both_integrators_agree(loss, by):
    far = (
        [-1.5, -10.0, -25.0]
        if isinstance(loss, PolynomialTail)
        else [-1.5, -100.0, -1e5]
    )
    stops = {by: far if by == "log_loss" else [-value for value in far]}
    rows = torch.stack([signed(1), signed(2)])
    first = flow(Linear(rows), loss, zeros(2, 4), tolerance=1e-8, **stops)
    second = scipy_flow(Linear(rows), loss, zeros(2, 4), **stops)
    assert first.reached
    assert second.reached
    torch.testing.assert_close(second.theta, first.theta, rtol=2e-6, atol=2e-6)
    torch.testing.assert_close(second.log_loss, first.log_loss, rtol=2e-6, atol=2e-6)
    torch.testing.assert_close(second.log_time, first.log_time, rtol=2e-6, atol=2e-6)


def test_tighter_tolerances_converge():
    model, stops = Linear(signed(3)), [-10.0, -1e3]
    fine, *rest = (
        scipy_flow(
            model, Logistic(), zeros(1, 4), log_loss=stops, tolerance=tolerance
        ).theta
        for tolerance in (1e-12, 1e-9, 1e-6)
    )
    errors = [
        float(((theta - fine).norm(dim=-1) / fine.norm(dim=-1)).max()) for theta in rest
    ]
    assert errors[0] < 1e-7
    assert errors[0] < errors[1] < 1e-4


def test_an_offset_is_an_offset():
    rows, offset = signed(4), torch.linspace(-1, 1, 12).double()
    model = Linear(rows, offset)
    both = [
        method(model, Logistic(), zeros(1, 4), log_time=[2.0, 50.0])
        for method in (flow, scipy_flow)
    ]
    torch.testing.assert_close(both[0].theta, both[1].theta, rtol=1e-5, atol=1e-5)


def test_a_network_in_polar_coordinates_agrees_with_the_explicit_method():
    model, start = network()
    stops = [-1.0, -3.0, -20.0]
    first = flow(
        model, Logistic(), start, log_loss=stops, method="explicit", tolerance=1e-9
    )
    second = scipy_flow(model, Logistic(), start, log_loss=stops, degree=3)
    third = scipy_flow(model, Logistic(), start, log_loss=stops)
    for other in (second, third):
        assert other.reached
        torch.testing.assert_close(other.theta, first.theta, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(other.log_time, first.log_time, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", ["LSODA", "BDF"])
def test_a_homogeneous_model_is_followed_far(method):
    model = Squares(signed(1))
    run = scipy_flow(
        model,
        Exponential(),
        torch.ones(1, 8).double(),
        log_loss=[-1e2, -1e5],
        degree=2,
        method=method,
    )
    assert run.reached
    normalized = (
        model.outputs(run.theta[:, 0]) / run.theta[:, 0].square().sum(-1, keepdim=True)
    ).amin(-1)
    assert float(normalized[1]) >= float(normalized[0]) > 0
    assert float(run.log_loss[1, 0]) == pytest.approx(-1e5, rel=1e-6)
    assert float(run.log_time[1, 0]) == pytest.approx(1e5, rel=1e-2)


def test_invariants_are_watched():
    model, start = network()

    def balance(theta):
        a, w = model.predictor.neurons(theta)
        return 2 * a.square() - w.square().sum(-1)

    run = scipy_flow(
        model,
        Logistic(),
        start,
        log_loss=-50.0,
        degree=3,
        invariants={"balance": balance},
    )
    assert float(run.drift["balance"][0]) < 1e-5


def test_stops_before_the_start_are_the_start():
    run = scipy_flow(Linear(signed(5)), Logistic(), zeros(1, 4), log_loss=[-0.1, -1.0])
    assert float(run.theta[0].norm()) < 1e-6
    assert float(run.log_loss[1, 0]) == pytest.approx(-1.0)


def test_limits_end_a_run_and_say_so():
    model = Linear(signed(6))
    few = scipy_flow(
        model, Logistic(), zeros(1, 4), log_loss=[-1.0, -1e6], max_steps=30
    )
    assert few.status == (step_limit(30),)
    assert bool(few.theta[1].isnan().all())
    short = scipy_flow(model, Logistic(), zeros(1, 4), log_loss=-1e6, max_seconds=1e-9)
    assert short.status == (wall_limit(1e-9),)
    assert not short.reached


@dataclass(frozen=True)
class Broken:
    """A model whose outputs or rows lie."""

    rows: float
    far: float
    linear = False

    def outputs(self, theta):
        return torch.where(theta.abs() > 1, self.far * theta, theta)

    def jacobian(self, theta):
        return self.rows * torch.ones_like(theta)[:, None]


def test_wrong_results_are_not_returned_as_reached():
    rising = scipy_flow(Broken(-1.0, 1.0), Exponential(), zeros(1, 1), log_loss=-5.0)
    assert rising.status == (LOSS_ROSE,)
    lost = scipy_flow(Broken(math.nan, 1.0), Exponential(), zeros(1, 1), log_loss=-5.0)
    assert lost.status == (NOT_FINITE,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "both or neither"),
        ({"log_loss": -1.0, "log_time": 1.0}, "both or neither"),
        ({"log_loss": [-1.0, -1.0]}, "do not fall"),
        ({"log_time": [2.0, 1.0]}, "do not rise"),
        ({"log_time": 1.0, "method": "RK45"}, "expected one of LSODA"),
        ({"log_time": 1.0, "degree": 0}, "degree is 0"),
    ],
)
def test_bad_input_is_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        scipy_flow(Linear(signed(1)), Logistic(), zeros(1, 4), **options)


def test_a_nonlinear_model_with_several_data_sets_is_refused():
    inputs = torch.ones(2, 5, 3, dtype=torch.float64)
    with pytest.raises(InvalidInput, match="another data set"):
        scipy_flow(
            Network(inputs, (2,), SquaredReLU(), biases=False),
            Logistic(),
            zeros(2, 8),
            log_loss=-1.0,
        )


def test_status_names():
    assert scipy_flow(
        Linear(signed(1)), Logistic(), zeros(1, 4), log_loss=-1.0
    ).status == (REACHED,)


@pytest.mark.parametrize("method", ["LSODA", "BDF", "Radau"])
@pytest.mark.parametrize("seed", [0, 1, 5])
def test_norms_grow_to_the_end_of_doubles(seed, method):
    stops = [1500.0, 1600.0]
    run = scipy_flow(
        Linear(signed(seed)),
        PolynomialTail(1.0),
        zeros(1, 4) + 0.1,
        log_time=stops,
        degree=1,
        method=method,
    )
    assert run.reached
    sizes = run.theta.abs().amax(-1).log().flatten()
    assert float(sizes.diff()) == pytest.approx(100 / 3, abs=1e-4)


def test_what_is_no_double_is_refused_in_words():
    run = scipy_flow(
        Linear(signed(0)),
        PolynomialTail(0.5),
        zeros(1, 4) + 0.1,
        log_time=[1000.0, 2000.0],
        degree=1,
    )
    assert run.status[0].startswith(NOT_FINITE)
    assert "e^690" in run.status[0]
    assert run.theta[0].isfinite().all()
    assert run.theta[1].isnan().all()


SPLIT = Linear(torch.tensor([[1.0], [1.0], [-1.0]]).double())


def test_inseparable_data_bring_it_to_rest_at_the_least_loss():
    """Margins w, w, -w: the logistic loss is least where the sigmoid of w is 2/3."""
    start = torch.zeros(1, 1).double()
    run = scipy_flow(SPLIT, Logistic(), start, log_loss=[-0.44, -5.0])
    least = math.log((2 * math.log(1.5) + math.log(3)) / 3)
    assert run.status[0].startswith(stationary(least).split(":")[0])
    assert bool(run.theta[0].isfinite().all())
    assert bool(run.theta[1].isnan().all())
    later = scipy_flow(SPLIT, Logistic(), start, log_time=[2.0, 30.0, 1e5])
    assert later.reached
    assert later.theta[1:, 0, 0].tolist() == pytest.approx([math.log(2)] * 2, abs=1e-6)
    assert later.log_time[:, 0].tolist() == pytest.approx([2.0, 30.0, 1e5])


def test_separable_data_do_not_rest_however_small_the_gradient():
    rows = Linear(torch.tensor([[1.0, 1e-3], [-1.0, 1e-3]]).double())
    run = scipy_flow(rows, Logistic(), torch.zeros(1, 2).double(), log_loss=[-20.0])
    assert run.reached
    assert float(run.log_loss[0, 0]) == pytest.approx(-20)


@pytest.mark.parametrize("last", [0.5, 10.0, 1000.0])
def test_a_start_on_its_last_stop_to_the_landing_has_reached_it(last):
    """log L = -theta for one margin; the landing is relative to stops above one."""
    one, near = Linear(torch.ones(1, 1).double()), _LANDING * max(1.0, last)
    for start, status in ((last + 0.75 * near, REACHED), (last + 1.5 * near, PASSED)):
        theta = torch.tensor([[start], [last - 0.1]], dtype=torch.float64)
        run = scipy_flow(one, Exponential(), theta, log_loss=[-last])
        assert run.status == (status, REACHED)
        assert float(run.theta[0, 0, 0]) == pytest.approx(start, abs=1e-6)
