import dataclasses
import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

from ibcore.claims import Setting
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.trajectory import UNDERFLOW
from ibcore.losses import Exponential, Logistic
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.pages.classification.logistic_regression import bars, runs
from ibcore.pages.classification.logistic_regression import claims as page
from ibcore.pages.classification.logistic_regression.claims.logistic_log_rates import (
    Rates,
    draw_rates,
    late_slopes,
)
from ibcore.pages.classification.logistic_regression.claims.logistic_max_margin import (
    Limits,
    draw_limits,
    late_sines,
    measure_limits,
)
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput, NotSeparable
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {
    claim.id: claim for claim in (page.logistic_max_margin, page.logistic_log_rates)
}
QUICK = Setting("quick", 0)


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture(scope="module")
def batch():
    """Two problems of twenty points in the plane."""
    return draw_limits(QUICK, each=2).batches[1]


def test_drawn_problems_differ_between_seeds_and_repeat():
    first, again, other = (
        runs.draw_problems(Setting("quick", seed), 1, "any").batches
        for seed in (0, 0, 1)
    )
    assert all(
        torch.equal(a.signed, b.signed) for a, b in zip(first, again, strict=True)
    )
    assert not torch.equal(first[0].signed, other[0].signed)
    assert [tuple(b.signed.shape) for b in first] == [(1, n, d) for n, d in runs.SHAPES]
    assert all(float(b.rates.min()) >= runs.LEAST_RATE for b in first)


def test_a_wrong_direction_would_not_hold(batch):
    run = batch.flow(log_loss=-1e6)
    assert float(sin_angle(run.theta[0], batch.w_hat).max()) < 1e-5
    assert float(sin_angle(run.theta[0], batch.signed.mean(1)).min()) > 1e-3


def test_the_proved_bounds_would_tell_another_direction(batch):
    mean = batch.signed.mean(1)
    elsewhere = 1e6 * mean / mean.norm(dim=-1, keepdim=True)
    assert float(bars.deficits(batch, elsewhere[None]).min()) > 1
    late = torch.tensor([1e3, 1e6], dtype=torch.float64)
    shares = bars.gap_shares(batch, elsewhere.expand(2, -1, -1), late)
    assert float(shares.amax(0).min()) > 1


def test_allowance_of_three_points_is_the_logarithm_of_seven():
    assert bars.allowance(3) == pytest.approx(math.log(7), rel=1e-12)
    assert bars.allowance(2000) == pytest.approx(2000 * math.log(2), rel=1e-12)


@pytest.mark.parametrize("loss", [Logistic(), Exponential()])
@pytest.mark.parametrize("seed", range(1100301, 1100306))
def test_smallest_margin_keeps_up_with_the_norm_at_all_times(loss, seed):
    """min_i m_i >= gamma |w - w(0)| - c with l(-c) the sum of the losses at the start,
    here not zero.
    """
    problem = planted_margin(12, 4, 0.1, torch.Generator().manual_seed(seed))
    best = max_margin(problem.X, problem.y)
    start = torch.randn(1, 4, generator=torch.Generator().manual_seed(seed)).double()
    run = flow(
        Linear(problem.signed),
        loss,
        start,
        log_loss=[-3.0, -30.0, -1e3],
        tolerance=1e-9,
    )
    total = float(loss.log_value(start @ problem.signed.T).exp().sum())
    exponential = isinstance(loss, Exponential)
    c = math.log(total if exponential else math.expm1(total))
    smallest = (run.theta[:, 0] @ problem.signed.T).amin(1)
    moved = (run.theta[:, 0] - start).norm(dim=1)
    assert bool((smallest >= best.margin * moved - c - 1e-6).all())


def ten(value, *shape):
    return torch.full((*shape, 10), float(value)).double()


def made_up_limits():
    """Ten problems on which everything is as predicted."""
    return Limits(
        certified=ten(1e-13),
        deficits=ten(0.5, 4),
        products=ten(1, 2),
        remainders=ten(1e-9),
        shares=ten(1e-10),
        sines=ten(1e-6),
        elsewhere=ten(0.2),
        rejected=0,
        broken=(),
    )


def poisoned(values, bad, members=1):
    lost = values.clone()
    lost[..., -1, :members] = bad
    return lost


@pytest.mark.parametrize(
    ("field", "bad", "which"),
    [
        ("certified", 1e-9, 0),
        ("deficits", 1.1, 1),
        ("sines", 1e-4, 2),
        ("remainders", 1e-5, 3),
        ("shares", 1e-7, 4),
        ("products", 0.98, 6),
    ],
)
def test_one_problem_that_is_off_or_without_a_number_makes_the_claim_fall(
    field, bad, which
):
    judge = page.logistic_max_margin.judge
    found = made_up_limits()
    assert falls(judge(found).checks) == []
    for wrong in (bad, math.nan):
        values = poisoned(getattr(found, field)[None], wrong)[0]
        lost = dataclasses.replace(found, **{field: values})
        assert falls(judge(lost).checks) == [which]


def test_the_loss_at_the_earlier_time_has_a_bar_of_its_own():
    products = made_up_limits().products
    products[0, 0] = 1.08
    lost = dataclasses.replace(made_up_limits(), products=products)
    assert falls(page.logistic_max_margin.judge(lost).checks) == [5]


def test_a_control_without_numbers_refutes_nothing():
    found = made_up_limits()
    judge = page.logistic_max_margin.judge
    assert judge(found).control.refuted
    lost = dataclasses.replace(
        found, elsewhere=poisoned(found.elsewhere[None], math.nan, 3)[0]
    )
    assert not judge(lost).control.refuted


def test_the_control_survives_with_the_exponential_tail(verdicts):
    problems = draw_limits(QUICK, each=2)
    sines, broken = late_sines(problems, Logistic())
    assert broken == ()
    found = verdicts["logistic-max-margin"].measured
    survives = dataclasses.replace(found, elsewhere=sines)
    assert not page.logistic_max_margin.judge(survives).control.refuted


def test_a_run_that_ends_early_is_told_and_takes_nobody_with_it(monkeypatch):
    flow_to_the_end = runs.scipy_flow

    def flow_with_one_loss(*arguments, **options):
        run = flow_to_the_end(*arguments, **options)
        theta = run.theta.clone()
        theta[-1, 0] = math.nan
        status = (UNDERFLOW, *run.status[1:])
        return dataclasses.replace(run, theta=theta, status=status)

    problems = runs.Problems(draw_limits(QUICK, each=2).batches[:1], 0)
    monkeypatch.setattr(runs, "scipy_flow", flow_with_one_loss)
    found = measure_limits(problems, QUICK)
    assert found.broken == (f"flow: {UNDERFLOW}",) * 2
    assert found.sines.isnan().tolist() == [True, False]
    assert found.remainders.isnan().tolist() == [False, False]


def made_up_rates():
    """Ten problems whose angle is 2 / log t, at five times."""
    log_times = torch.logspace(3, 6, 5, dtype=torch.float64)
    return Rates(
        log_times=log_times,
        sines=(2 / log_times)[:, None].repeat(1, 10),
        gap_shares=ten(0.1, 5),
        growth=ten(1),
        turns=ten(0),
        rejected=0,
        broken=(),
    )


def test_rates_that_are_off_or_without_a_number_make_the_claim_fall():
    judge = page.logistic_log_rates.judge
    found = made_up_rates()
    assert falls(judge(found).checks) == []
    assert found.slopes.tolist() == pytest.approx([-1] * 10)

    def judged(**fields):
        return falls(judge(dataclasses.replace(found, **fields)).checks)

    for bad in (1.01, math.nan):
        assert judged(growth=poisoned(found.growth[None], bad)[0]) == [2]
    for bad in (1.1, math.nan):
        assert judged(gap_shares=poisoned(found.gap_shares, bad)) == [3]
    assert judged(sines=poisoned(found.sines, math.nan, 6)) == [0, 1]
    assert judged(sines=found.sines.sqrt()) == [0, 1]


def test_rates_of_a_tail_that_may_not_have_been_measured_refute_nothing():
    found = made_up_rates()
    lost = dataclasses.replace(found, turns=poisoned(found.turns[None], math.nan, 3)[0])
    judge = page.logistic_log_rates.judge
    assert judge(found).control.refuted
    assert not judge(lost).control.refuted


def test_the_control_of_the_rates_survives_with_the_exponential_tail(verdicts):
    turns, broken = late_slopes(draw_rates(QUICK, each=3), Logistic())
    assert broken == ()
    found = verdicts["logistic-log-rates"].measured
    survives = dataclasses.replace(found, turns=turns)
    assert not page.logistic_log_rates.judge(survives).control.refuted


@pytest.mark.parametrize("name", CLAIMS)
def test_own_data_take_the_place_of_drawn_ones(name):
    X, y = load_iris(return_X_y=True)
    X = np.column_stack([X[:100] - X[:100].mean(0), np.ones(100)])
    y = y[:100] * 2 - 1
    evidence = CLAIMS[name].verify(data=(X * 1e5, y)).evidence
    assert evidence.notes["problems"] == 1
    assert falls(evidence.checks) == []
    assert evidence.broken == ()
    with pytest.raises(NotSeparable):
        CLAIMS[name].verify(data=(X[:, :1] * 0 + 1, y))
    with pytest.raises(InvalidInput, match="labels"):
        CLAIMS[name].verify(data=(X, y + 1))
    almost = [[1.0, 0.0], [1.001, 5.0]]
    with pytest.raises(InvalidInput, match=r"t\^-0.001"):
        CLAIMS[name].verify(data=(almost, [1.0, 1.0]))
