import math
from itertools import pairwise

import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.special import expit

from ibcore.dynamics.log_time import flow
from ibcore.dynamics.trajectory import (
    REACHED,
    step_limit,
    wall_limit,
)
from ibcore.losses import Exponential, Logistic
from ibcore.models import Linear
from tests.dynamics.rows import LOG_10, ROW, separable, zeros


def lsoda(signed, log_time):
    """theta at `log_time` from 0: SciPy's LSODA on dw/du = t mean_i sigmoid(-m_i) x_i,
    u = log t, from u = -40.
    """
    rows = signed.numpy()

    def field(u, w):
        return math.exp(u) * expit(-rows @ w) @ rows / len(rows)

    def jacobian(u, w):
        q = expit(-rows @ w)
        return -math.exp(u) * (rows.T * (q * (1 - q))) @ rows / len(rows)

    first = math.exp(-40) * rows.mean(0) / 2
    out = solve_ivp(
        field,
        (-40, log_time),
        first,
        method="LSODA",
        jac=jacobian,
        rtol=1e-10,
        atol=1e-13,
    )
    assert out.success
    return torch.from_numpy(out.y[:, -1])


@pytest.mark.parametrize("method", ["auto", "explicit", "stiff"])
def test_one_point_follows_its_closed_form_in_time(method):
    stops = torch.tensor(
        [1.0, 10.0, 100.0] if method == "explicit" else [1.0, 10.0, 1e3, 1e6],
        dtype=torch.float64,
    )
    run = flow(
        Linear(ROW),
        Exponential(),
        zeros(1, 2),
        log_time=stops,
        method=method,
        tolerance=1e-9,
    )
    margins = torch.logaddexp(torch.zeros_like(stops), stops + math.log(6.25))
    assert run.reached
    torch.testing.assert_close(run.log_time[:, 0], stops, rtol=1e-9, atol=0)
    torch.testing.assert_close(
        run.theta[:, 0], margins[:, None] * ROW / 6.25, rtol=1e-7, atol=0
    )
    torch.testing.assert_close(run.log_loss[:, 0], -margins, rtol=1e-7, atol=0)


def test_one_point_follows_its_closed_form_in_loss():
    levels = -torch.tensor([0.1, 1.0, 30.0, 1e3, 1e6], dtype=torch.float64)
    run = flow(Linear(ROW), Exponential(), zeros(1, 2), log_loss=levels, tolerance=1e-9)
    expected = -levels + torch.log(-torch.expm1(levels)) - math.log(6.25)
    torch.testing.assert_close(run.log_time[:, 0], expected, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(
        run.theta[:, 0], -levels[:, None] * ROW / 6.25, rtol=1e-9, atol=0
    )


@pytest.mark.parametrize(("seed", "n", "d"), [(0, 20, 5), (1, 8, 3), (2, 12, 30)])
def test_agrees_with_an_independent_solver(seed, n, d):
    signed = separable(seed, n, d)
    stops = [0.0, 3 * LOG_10, 10 * LOG_10]
    run = flow(Linear(signed), Logistic(), zeros(1, d), log_time=stops)
    for k, stop in enumerate(stops):
        expected = lsoda(signed, stop)
        assert float((run.theta[k, 0] - expected).norm() / expected.norm()) < 1e-6


@pytest.mark.parametrize("method", ["explicit", "stiff"])
def test_errors_fall_with_the_tolerance(method):
    signed, stop = separable(3, 12, 5), 2 * LOG_10
    expected = lsoda(signed, stop)
    errors = [
        float(
            (
                flow(
                    Linear(signed),
                    Logistic(),
                    zeros(1, 5),
                    log_time=stop,
                    method=method,
                    tolerance=tolerance,
                ).theta[0, 0]
                - expected
            ).norm()
            / expected.norm()
        )
        for tolerance in (1e-2, 1e-4, 1e-6, 1e-8)
    ]
    assert all(late < early / 2 for early, late in pairwise(errors))
    assert errors[-1] < 1e-7


def test_explicit_and_stiff_methods_agree():
    signed = separable(4)
    ends = [
        flow(
            Linear(signed),
            Logistic(),
            zeros(1, 5),
            log_loss=-5.0,
            method=method,
            tolerance=1e-7,
        )
        for method in ("explicit", "stiff", "auto")
    ]
    for other in ends[1:]:
        torch.testing.assert_close(other.theta, ends[0].theta, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(other.log_time, ends[0].log_time, rtol=1e-6, atol=0)


BATCH = torch.stack([separable(seed, 10, 4) for seed in range(5, 9)])


@pytest.fixture(scope="module")
def far():
    """Four problems at once, to log L = -1e10."""
    stops = [-1.0, -5.0, -40.0, -1e3, -1e6, -1e10]
    across = torch.linalg.svd(BATCH[:, :3], full_matrices=True).Vh[:, 3:]
    return flow(Linear(BATCH), Logistic(), zeros(4, 4), log_loss=stops), across


def test_stops_are_met(far):
    run, _ = far
    targets = torch.tensor([-1.0, -5.0, -40.0, -1e3, -1e6, -1e10], dtype=torch.float64)[
        :, None
    ].expand(6, 4)
    torch.testing.assert_close(run.log_loss, targets, rtol=1e-10, atol=0)
    times = torch.tensor([-3.0, 0.5, 7.0, 1e2, 1e5], dtype=torch.float64)
    timed = flow(Linear(BATCH), Logistic(), zeros(4, 4), log_time=times)
    assert timed.reached
    torch.testing.assert_close(
        timed.log_time, times[:, None].expand(5, 4), rtol=1e-10, atol=1e-10
    )


def test_a_loss_of_exp_minus_1e10_takes_few_steps(far):
    run, _ = far
    assert run.status == (REACHED,) * 4
    assert int((run.steps + run.rejected).max()) < 200


def test_work_seconds_and_time_rise_from_stop_to_stop(far):
    run, _ = far
    assert bool((run.work.diff(dim=0) >= 0).all())
    assert bool((run.seconds.diff(dim=0) >= 0).all())
    assert bool((run.log_time.diff(dim=0) > 0).all())
    assert torch.equal(run.work[-1].long(), run.evaluations)


def test_a_batch_is_its_members_one_by_one(far):
    run, _ = far
    for k in (0, 3):
        alone = flow(
            Linear(BATCH[k]),
            Logistic(),
            zeros(1, 4),
            log_loss=[-1.0, -5.0, -40.0, -1e3, -1e6, -1e10],
        )
        torch.testing.assert_close(
            alone.theta[:, 0], run.theta[:, k], rtol=1e-9, atol=0
        )
        assert int(alone.steps[0]) == int(run.steps[k])


def test_loss_never_increases_along_time():
    run = flow(
        Linear(BATCH), Logistic(), zeros(4, 4), log_time=torch.linspace(-5, 60, 25)
    )
    assert bool((run.log_loss.diff(dim=0) < 0).all())


def test_the_component_off_the_rows_stays():
    signed = separable(9, 3, 6)
    off = torch.linalg.svd(signed, full_matrices=True).Vh[3:]
    start = torch.randn(
        2, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    run = flow(
        Linear(signed),
        Logistic(),
        start,
        log_loss=[-10, -1e2],
        invariants={"off the rows": lambda w: w @ off.T},
    )
    assert float(run.drift["off the rows"].max()) < 1e-12
    torch.testing.assert_close(
        run.theta @ off.T, (start @ off.T).expand(2, 2, 3), rtol=0, atol=1e-12
    )


def test_what_ended_a_run_is_told_and_missed_stops_are_nan():
    model = Linear(separable(10))
    few = flow(model, Logistic(), zeros(1, 5), log_loss=[-1.0, -1e8], max_steps=30)
    late = flow(model, Logistic(), zeros(1, 5), log_loss=[-1e8], max_seconds=1e-9)
    assert few.status == (step_limit(30),)
    assert late.status == (wall_limit(1e-9),)
    assert not few.reached
    assert bool(few.theta[0].isfinite().all())
    for kept in (
        few.theta[1],
        few.log_loss[1],
        few.log_time[1],
        few.work[1],
        few.seconds[1],
        late.theta[0],
    ):
        assert bool(kept.isnan().all())
    assert int(few.steps + few.rejected) == 30


def test_single_precision():
    signed = separable(12)
    run = flow(
        Linear(signed.float()),
        Logistic(),
        zeros(1, 5, dtype=torch.float32),
        log_loss=-1e3,
        max_steps=2000,
    )
    fine = flow(Linear(signed), Logistic(), zeros(1, 5), log_loss=-1e3)
    assert run.reached
    assert run.theta.dtype == torch.float32
    assert float((run.theta.double() - fine.theta).norm() / fine.theta.norm()) < 1e-4


def test_stops_in_a_list_are_not_rounded_to_single_precision():
    run = flow(Linear(ROW), Exponential(), zeros(1, 2), log_time=[0.1])
    assert float(run.log_time[0, 0]) == pytest.approx(0.1, rel=1e-10)
