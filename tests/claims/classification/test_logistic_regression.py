import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.special import expit

from ibcore.claims import Setting
from ibcore.claims.classification import logistic_regression as page
from ibcore.dynamics.log_time import flow
from ibcore.losses import Exponential, Logistic
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.problems.separable import planted_margin

CLAIMS = {
    claim.id: claim
    for claim in (
        page.logistic_max_margin,
        page.logistic_log_rates,
        page.margin_generalization,
        page.nonseparable_gd,
    )
}


@pytest.fixture(scope="module")
def verdicts():
    """Every claim of the page at quick sizes, for two seeds."""
    return {
        (name, seed): claim.verify(Setting("quick", seed))
        for name, claim in CLAIMS.items()
        for seed in (0, 1)
    }


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name, seed):
    evidence = verdicts[name, seed].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


@pytest.mark.parametrize("name", CLAIMS)
def test_figures_get_finite_arrays_on_the_cpu(verdicts, name):
    for value in verdicts[name, 0].data.values():
        if isinstance(value, torch.Tensor):
            assert value.device.type == "cpu"
            assert bool(value.isfinite().all())


def test_bars_are_the_same_at_every_seed(verdicts):
    for name in CLAIMS:
        first, second = (
            [
                (check.name, check.relation, check.tolerance)
                for check in verdict.evidence.checks
            ]
            for verdict in (verdicts[name, 0], verdicts[name, 1])
        )
        assert first == second


def test_drawn_problems_differ_between_seeds_and_repeat():
    first, again, other = (
        page.draw_batches(Setting("quick", seed), 1, "any")[0] for seed in (0, 0, 1)
    )
    assert all(
        torch.equal(a.signed, b.signed) for a, b in zip(first, again, strict=True)
    )
    assert not torch.equal(first[0].signed, other[0].signed)
    assert [tuple(batch.signed.shape) for batch in first] == [
        (1, n, d) for n, d in page.SHAPES
    ]
    assert all(
        solution.rate >= page.LEAST_RATE
        for batch in first
        for solution in batch.solutions
    )


def test_a_wrong_direction_would_not_hold(verdicts):
    batch = verdicts["logistic-max-margin", 0].data["batches"][1]
    run = batch.flow(log_loss=-1e6)
    assert float(sin_angle(run.theta[0], batch.w_hat).max()) < 1e-5
    assert float(sin_angle(run.theta[0], batch.signed.mean(1)).min()) > 1e-3


def test_the_proved_bounds_would_tell_another_direction(verdicts):
    batch = verdicts["logistic-max-margin", 0].data["batches"][1]
    mean = batch.signed.mean(1)
    elsewhere = 1e6 * mean / mean.norm(dim=-1, keepdim=True)
    assert float(page._deficits(batch, elsewhere[None]).min()) > 1
    late = torch.tensor([1e3, 1e6], dtype=torch.float64)
    assert float(page._gap_shares(batch, elsewhere.expand(2, -1, -1), late).min()) > 1


def test_bound_of_three_points_is_the_logarithm_of_seven():
    assert page._bound(3) == pytest.approx(math.log(7), rel=1e-12)
    assert page._bound(2000) == pytest.approx(2000 * math.log(2), rel=1e-12)


@pytest.mark.parametrize("loss", [Logistic(), Exponential()])
@pytest.mark.parametrize("seed", range(1100301, 1100306))
def test_smallest_margin_keeps_up_with_the_norm_at_all_times(loss, seed):
    """min_i m_i >= gamma |w - w(0)| - c with l(-c) the sum of the losses at the start, here not zero."""
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
    c = (
        math.log(total)
        if isinstance(loss, Exponential)
        else math.log(math.expm1(total))
    )
    smallest = (run.theta[:, 0] @ problem.signed.T).amin(1)
    moved = (run.theta[:, 0] - start).norm(dim=1)
    assert bool((smallest >= best.margin * moved - c - 1e-6).all())


def lsoda(signed, log_time):
    """theta at `log_time` from 0 by SciPy's LSODA on dw/du = t mean_i sigmoid(-m_i) x_i, u = log t, from u = -40."""
    rows = signed.numpy()

    def field(u, w):
        return math.exp(u) * expit(-rows @ w) @ rows / len(rows)

    def jacobian(u, w):
        q = expit(-rows @ w)
        return -math.exp(u) * (rows.T * (q * (1 - q))) @ rows / len(rows)

    out = solve_ivp(
        field,
        (-40, log_time),
        math.exp(-40) * rows.mean(0) / 2,
        method="LSODA",
        jac=jacobian,
        rtol=1e-9,
        atol=1e-11,
    )
    assert out.success
    return torch.from_numpy(out.y[:, -1])


@pytest.mark.parametrize(
    ("degrees", "surrounded"),
    [
        ([0, 120, 240], True),
        ([0, 90, 179], False),
        ([10, 170, 300], True),
        ([0, 179, 181], True),
        ([350, 5, 20], False),
    ],
)
def test_points_surround_the_origin_if_no_half_plane_is_free(degrees, surrounded):
    angles = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    assert (
        page._surrounds(torch.stack([torch.cos(angles), torch.sin(angles)], 1))
        == surrounded
    )


def test_freezing_the_projection_changes_nothing_off_the_span():
    splits, _, disagreed = page._splits(Setting("quick", 7), 1)
    assert disagreed == 0
    n = splits.signed.shape[1]
    early, late = math.log(n) + 8 * page.LOG_10, math.log(n) + 10 * page.LOG_10
    start = torch.zeros(1, 6, dtype=torch.float64)
    whole = flow(
        Linear(splits.signed), Logistic(), start, log_time=early, tolerance=1e-8
    ).theta[0]
    frozen = page._frozen_flow(
        splits, whole, early, torch.tensor([late], dtype=torch.float64)
    )[0]
    expected = lsoda(splits.signed[0], late)
    off = expected - splits.projectors[0] @ expected
    assert float(sin_angle(frozen[0], off)) < 1e-6
    assert float(frozen[0].norm()) == pytest.approx(float(off.norm()), rel=1e-6)


def test_random_labels_leave_nothing_to_learn():
    errors = page._random_label_errors(Setting("quick", 3), 24)
    assert np.mean(errors) == pytest.approx(0.5, abs=4 * 0.07 / 24**0.5)


def test_data_behind_the_split_are_consistent(verdicts):
    splits = verdicts["nonseparable-gd", 0].data["splits"]
    torch.testing.assert_close(
        splits.inside(splits.minimizers), splits.minimizers, rtol=0, atol=1e-12
    )
    torch.testing.assert_close(
        splits.inside(splits.directions),
        torch.zeros_like(splits.directions),
        rtol=0,
        atol=1e-9,
    )
    assert np.all([limit.gradient_norm < 1e-12 for limit in splits.limits])


def test_excess_loss_stays_large_where_one_part_does_not_converge(verdicts):
    data = verdicts["nonseparable-gd", 0].data
    splits, times = data["splits"], data["times"]
    early = splits.minimizers + 5 * splits.directions
    assert (
        float(page._excess_shares(splits, early.expand(3, -1, -1), times)[-1].min()) > 1
    )
    inside = splits.inside(torch.ones_like(early))
    beside = splits.minimizers + inside / 10 + 50 * splits.directions
    assert (
        float(page._excess_shares(splits, beside.expand(3, -1, -1), times)[-1].min())
        > 1
    )
    assert bool((page._excess_shares(splits, data["whole"], times) < 1).all())


def test_a_run_that_ended_early_stays_without_numbers_off_the_span(verdicts):
    splits = verdicts["nonseparable-gd", 0].data["splits"]
    theta = splits.minimizers.clone()
    log_times = torch.tensor([1e3], dtype=torch.float64)
    whole = page._frozen_flow(splits, theta, 20.0, log_times)
    theta[1] = math.nan
    found = page._frozen_flow(splits, theta, 20.0, log_times)
    assert bool(found[:, 1].isnan().all())
    others = torch.arange(len(theta)) != 1
    torch.testing.assert_close(found[:, others], whole[:, others], rtol=1e-6, atol=0)
