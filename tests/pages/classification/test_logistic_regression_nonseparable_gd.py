import dataclasses
import math

import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.special import expit

from ibcore.claims import Setting
from ibcore.measures import sin_angle
from ibcore.pages.classification.logistic_regression import claims as page
from ibcore.pages.classification.logistic_regression import splits as parts
from ibcore.pages.classification.logistic_regression.runs import LOG_10
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {page.nonseparable_gd.id: page.nonseparable_gd}


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture(scope="module")
def found(verdicts):
    return verdicts["nonseparable-gd"].measured


def lsoda(signed, log_time):
    """theta at `log_time` from 0 by SciPy's LSODA on dw/du = t mean_i sigmoid(-m_i)
    x_i, u = log t, from u = -40.
    """
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
    rows = torch.stack([torch.cos(angles), torch.sin(angles)], 1)
    assert parts.surrounds(rows) == surrounded


def test_freezing_the_projection_changes_nothing_off_the_span():
    splits = parts.Splits.draw(Setting("quick", 7), 1)
    assert splits.disagreed == 0
    n = splits.signed.shape[1]
    early, late = math.log(n) + 8 * LOG_10, math.log(n) + 10 * LOG_10
    whole = splits.flow(early, tolerance=1e-8).theta[0]
    last = torch.tensor([late], dtype=torch.float64)
    frozen = parts.frozen_flow(splits, whole, early, last)[0]
    expected = lsoda(splits.signed[0], late)
    off = expected - splits.projectors[0] @ expected
    assert float(sin_angle(frozen[0], off)) < 1e-6
    assert float(frozen[0].norm()) == pytest.approx(float(off.norm()), rel=1e-6)


def test_data_behind_the_split_are_consistent(found):
    splits = found.splits
    same = splits.inside(splits.minimizers)
    torch.testing.assert_close(same, splits.minimizers, rtol=0, atol=1e-12)
    none = splits.inside(splits.directions)
    torch.testing.assert_close(none, torch.zeros_like(none), rtol=0, atol=1e-9)
    assert bool((splits.gradients < 1e-12).all())
    assert splits.rest.shape[1] + splits.separable.shape[1] == splits.signed.shape[1]


def test_a_split_that_the_program_does_not_find_is_a_disagreement(monkeypatch):
    solve, calls = parts.nonseparable_limit, []

    def solve_wrongly_at_first(X, y):
        limit = solve(X, y)
        calls.append(limit)
        wrong = limit.separable | True
        return limit if len(calls) > 1 else dataclasses.replace(limit, separable=wrong)

    monkeypatch.setattr(parts, "nonseparable_limit", solve_wrongly_at_first)
    splits = parts.Splits.draw(Setting("quick", 7), 1)
    assert splits.disagreed == 1
    assert splits.signed.shape[0] == 1


def test_excess_loss_stays_large_where_one_part_does_not_converge(found):
    splits = found.splits
    times = [found.last + power * LOG_10 for power in (-4, -2, 0)]

    def last_share(w):
        shares = parts.excess_shares(splits, w.expand(3, -1, -1), times)
        return float(shares[-1].min())

    early = splits.minimizers + 5 * splits.directions
    assert last_share(early) > 1
    inside = splits.inside(torch.ones_like(early))
    assert last_share(splits.minimizers + inside / 10 + 50 * splits.directions) > 1
    assert bool((found.excess < 1).all())


def test_a_run_that_ended_early_stays_without_numbers_off_the_span(found):
    splits = found.splits
    theta = splits.minimizers.clone()
    log_times = torch.tensor([1e3], dtype=torch.float64)
    whole = parts.frozen_flow(splits, theta, 20.0, log_times)
    theta[1] = math.nan
    lost = parts.frozen_flow(splits, theta, 20.0, log_times)
    assert bool(lost[:, 1].isnan().all())
    others = torch.arange(len(theta)) != 1
    torch.testing.assert_close(lost[:, others], whole[:, others], rtol=1e-6, atol=0)


def made_up(found):
    """Measurements as theory predicts them, on the splits that were drawn."""
    splits = found.splits
    count = len(splits.signed)
    times = torch.tensor([found.last + power * LOG_10 for power in (-4, -2, 0)])
    drifts = torch.full((count,), 3.0).double()
    return dataclasses.replace(
        found,
        splits=dataclasses.replace(splits, drifts=drifts, disagreed=0),
        excess=torch.full((3, count), 0.1).double(),
        distances=drifts * torch.exp(-times.double())[:, None],
        sines=(2 / found.log_times)[:, None].repeat(1, count),
        without=torch.full((count,), 3.0).double(),
    )


def judged(found, **fields):
    return page.nonseparable_gd.judge(dataclasses.replace(found, **fields))


def poisoned(values, bad, members):
    lost = values.clone()
    lost[..., -1, :members] = bad
    return lost


def test_parts_that_are_off_or_without_a_number_make_the_claim_fall(found):
    good = made_up(found)
    assert falls(judged(good).checks) == []
    for bad in (1.1, math.nan):
        assert falls(judged(good, excess=poisoned(good.excess, bad, 1)).checks) == [2]
    late = poisoned(good.distances, math.nan, 8)
    assert falls(judged(good, distances=late).checks) == [4, 5]
    early = good.distances.clone()
    early[1, :8] = math.nan
    assert falls(judged(good, distances=early).checks) == [3, 5]
    assert falls(judged(good, distances=good.distances * 2).checks) == [4]
    assert falls(judged(good, distances=good.distances * 1e4).checks) == [3, 4]
    lost = poisoned(good.sines, math.nan, 8)
    assert falls(judged(good, sines=lost).checks) == [6, 7]
    assert falls(judged(good, sines=good.sines * 10).checks) == [6]


def test_predictions_that_are_wrong_make_the_claim_fall(found):
    good = made_up(found)
    other = dataclasses.replace(good.splits, disagreed=1)
    assert falls(judged(good, splits=other).checks) == [0]
    for bad in (1e-11, math.nan):
        gradients = good.splits.gradients.clone()
        gradients[4] = bad
        rough = dataclasses.replace(good.splits, gradients=gradients)
        assert falls(judged(good, splits=rough).checks) == [1]


def test_the_control_survives_with_the_inseparable_points(found):
    assert not judged(found, without=found.distances[2]).control.refuted
    lost = found.without.clone()
    lost[:6] = math.nan
    assert not judged(found, without=lost).control.refuted
    assert judged(found).control.refuted
