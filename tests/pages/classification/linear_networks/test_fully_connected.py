import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from ibcore.claims import Setting
from ibcore.dynamics.log_time import flow
from ibcore.losses import Exponential
from ibcore.measures.layers import singular_pairs
from ibcore.models.deep_linear import DeepLinear, balanced_start
from ibcore.oracles.separability import NotSeparable
from ibcore.oracles.support_vectors import distinctness, spans
from ibcore.pages.classification.linear_networks.fully_connected import claims as page
from ibcore.pages.classification.linear_networks.fully_connected import runs
from ibcore.pages.classification.linear_networks.fully_connected.claims.deep_linear_alignment import (
    Layers,
    aligned,
    from_the_start,
    large_run,
    layer_ratios,
    not_to_zero,
    of_rank_one,
)
from ibcore.pages.classification.linear_networks.fully_connected.claims.deep_linear_max_margin import (
    exponent_one,
    from_balance,
    not_spanned,
    other_tail,
    turned,
)
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {
    claim.id: claim
    for claim in (page.deep_linear_max_margin, page.deep_linear_alignment)
}


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.mark.parametrize(
    ("name", "depth"), [("deep-linear-max-margin", 2), ("deep-linear-alignment", 4)]
)
def test_claims_hold_at_another_depth_and_seed(name, depth):
    verdict = CLAIMS[name].verify(Setting("quick", 1), depths=(depth,))
    assert [check for check in verdict.evidence.checks if not check.holds] == []
    assert verdict.evidence.control.refuted


def directions(verdicts):
    return verdicts["deep-linear-max-margin"].measured


def judged(measured, **changed):
    """Places of the checks of the direction that fail where the path of depth 3 is
    changed.
    """
    path = replace(measured.paths[3], **changed)
    evidence = page.deep_linear_max_margin.judge(replace(measured, paths={3: path}))
    return falls(evidence.checks)


def test_one_run_that_broke_down_makes_the_direction_fall(verdicts):
    measured = directions(verdicts)
    assert judged(measured) == []
    for member, places in ((0, [2, 3, 4]), (4, [2, 5])):
        sines = measured.paths[3].sines.clone()
        sines[-1, member] = math.nan
        assert judged(measured, sines=sines) == places


def test_another_rate_and_another_constant_are_told(verdicts):
    measured = directions(verdicts)
    path = measured.paths[3]
    slower = path.sines * (-path.log_loss) ** 0.0006
    assert judged(measured, sines=slower) == [3, 4, 5]
    assert judged(measured, sines=1.02 * path.sines) == [4]
    assert judged(measured, sines=50 * path.sines) == [2, 4]


def test_every_judgment_of_the_direction_counts_a_member_without_a_number(verdicts):
    measured = directions(verdicts)
    batch, path = measured.batch, measured.paths[3]
    for member in range(8):
        sines = path.sines.clone()
        sines[2, member] = math.nan
        lost = {3: replace(path, sines=sines)}
        checks = (exponent_one(batch, lost), not_spanned(batch, lost))
        assert falls(checks) == [0 if member < 4 else 1]
        single = exponent_one(batch, {1: lost[3]})
        assert single.members == 8
        assert single.broken == 1
    assert not turned(3, replace(path, sines=path.sines * math.nan)).holds
    assert not from_balance(3, torch.tensor([0.5, math.nan])).holds
    assert not from_balance(3, torch.tensor([0.5, 1.01])).holds


def test_the_bound_from_a_balanced_start_is_told_from_a_larger_angle(verdicts):
    measured = directions(verdicts)
    far = measured.balanced.sines.clone()
    far[1:] *= 4
    balanced = replace(measured.balanced, sines=far)
    evidence = page.deep_linear_max_margin.judge(replace(measured, balanced=balanced))
    assert falls(evidence.checks) == [1]


def test_the_control_on_the_tail_survives_with_the_exponential_one(verdicts):
    """At the same margins of 1e10."""
    measured = directions(verdicts)
    assert other_tail(measured.elsewhere).refuted
    assert not other_tail(measured.paths[3].sines[-1]).refuted
    assert not other_tail(measured.elsewhere * math.nan).refuted


def test_the_control_on_the_loss_survives_where_it_goes_to_zero():
    """The same large starts, followed on: that the layers are not of rank one is a
    matter of the loss.
    """
    setting = Setting("quick", 3)
    batch = page.deep_linear_alignment.problems(setting)
    run = large_run(batch, setting, [math.log(0.01), -1e4])
    early, late = (
        layer_ratios(batch.network(2).matrices(theta)) for theta in run.theta
    )
    assert not_to_zero(early).refuted
    assert not not_to_zero(late).refuted
    assert not not_to_zero(early * math.nan).refuted


def made_up(depth, members=8):
    """Layers that follow both laws exactly, with constants of one half."""
    log_loss = torch.tensor(runs.LEVELS, dtype=torch.float64)[:, None]
    log_loss = log_loss.repeat(1, members)
    exact = torch.ones(members, dtype=torch.float64)
    ratios, sines = (-log_loss) ** (-1 / depth) / 2, (-log_loss) ** (-2 / depth) / 2
    return Layers(0 * exact, exact, log_loss, ratios, sines)


def alignment(layers):
    """Places of the checks that fail."""
    checks = (*from_the_start(layers), *of_rank_one(layers, 10), *aligned(layers))
    return falls(checks)


def test_every_number_of_the_alignment_counts():
    layers = {depth: made_up(depth) for depth in (2, 4)}
    assert alignment(layers) == []
    places = {
        "drift": [0],
        "bounded": [1],
        "log_loss": [3, 4, 5, 6],
        "ratios": [3, 4],
        "sines": [5, 6],
    }
    for field in fields(Layers):
        values = getattr(layers[4], field.name).clone()
        values[..., 5] = math.nan
        broken = replace(layers[4], **{field.name: values})
        assert alignment(layers | {4: broken}) == places[field.name]


def test_another_law_of_the_layers_is_told():
    exact = made_up(2)
    grown = (-exact.log_loss) ** 0.1
    assert alignment({2: replace(exact, sines=exact.sines * grown)}) == [4, 5]
    barely = (-exact.log_loss) ** 1e-6
    assert alignment({2: replace(exact, ratios=exact.ratios * barely)}) == [3]
    assert alignment({2: replace(exact, ratios=3 * exact.ratios)}) == [2]
    assert alignment({2: replace(exact, bounded=exact.bounded + 1e-3)}) == [1]


def test_both_kinds_of_data_are_what_they_are_called():
    batch = runs.Batch.draw(Setting("quick", 3), 2, "any", (2,))
    pairs = list(zip(batch.signed, batch.duals, strict=True))
    kinds = [spans(*pair) for pair in pairs]
    assert kinds == batch.spanned.tolist() == [True, True, False, False]
    for pair in pairs:
        assert float(distinctness(*pair).min()) >= runs.DISTINCT
    assert batch.notes["problems"] == len(batch) == 4


def test_where_the_support_vectors_do_not_span_the_spanned_rate_would_not_hold(
    verdicts,
):
    path = directions(verdicts).paths[3]
    late = -path.log_loss[:, 4], path.sines[:, 4]
    fallen = math.log(late[1][-1] / late[1][1]) / math.log(late[0][-1] / late[0][1])
    assert fallen > -0.5


@pytest.mark.parametrize("depth", [2, 3])
def test_from_a_balanced_start_the_predictor_follows_its_own_equation(depth):
    """dw/dt = |w|^(2 - 2/k) (g + (k - 1) (g.u) u), u = w/|w|, integrated by SciPy
    without any layers.
    """
    data = planted_margin(8, 3, 0.1, torch.Generator().manual_seed(4))
    rows = data.signed.numpy()
    model = DeepLinear(data.signed, (4,) * (depth - 1))
    start = balanced_start(model, 1, 0.6, torch.Generator().manual_seed(5))

    def field(_, w):
        g, norm = np.exp(-rows @ w) @ rows / len(rows), np.linalg.norm(w)
        return norm ** (2 - 2 / depth) * (g + (depth - 1) * (g @ w) / norm**2 * w)

    alone = solve_ivp(
        field,
        (0, 40),
        model.end_to_end(start)[0].numpy(),
        method="DOP853",
        rtol=1e-10,
        atol=1e-12,
    )
    run = flow(model, Exponential(), start, log_time=math.log(40), tolerance=1e-9)
    np.testing.assert_allclose(
        model.end_to_end(run.theta[0])[0].numpy(), alone.y[:, -1], rtol=1e-7
    )
    second = singular_pairs(model.matrices(run.theta[0]))[1]
    assert float(second.max()) < 1e-7


@pytest.mark.parametrize(
    ("name", "phase", "lost", "lost_in_control"),
    [
        ("deep-linear-max-margin", 0, 1, 1),
        ("deep-linear-max-margin", 1, 0, 1),
        ("deep-linear-max-margin", 2, 1, 0),
        ("deep-linear-alignment", 0, 1, 0),
        ("deep-linear-alignment", 1, 1, 0),
        ("deep-linear-alignment", 2, 0, 1),
    ],
)
def test_a_run_that_ends_early_takes_nobody_with_it(
    monkeypatch, name, phase, lost, lost_in_control
):
    """One call of `flow`, the number `phase`, gives no numbers for its first member."""
    phases = iter(range(3))

    def ends_early(*arguments, **options):
        run = flow(*arguments, **options)
        if next(phases) != phase:
            return run
        for values in (run.theta, run.log_loss):
            values[:, 0] = math.nan
        for values in run.drift.values():
            values[0] = math.nan
        return replace(run, status=("step limit of 3", *run.status[1:]))

    monkeypatch.setattr(runs, "flow", ends_early)
    evidence = CLAIMS[name].verify(Setting("quick", 0)).evidence
    assert max(check.broken for check in evidence.checks) == lost
    assert evidence.holds is (lost == 0)
    assert evidence.control.failure.broken == lost_in_control
    assert evidence.control.refuted
    assert evidence.broken != ()


@pytest.mark.parametrize("name", CLAIMS)
def test_own_data_take_the_place_of_drawn_ones(name):
    data = planted_margin(9, 4, 0.5, torch.Generator().manual_seed(1103020))
    verdict = CLAIMS[name].verify(data=(1000 * data.X, data.y))
    proved = [check for check in verdict.evidence.checks if check.tag == "proved"]
    assert proved
    assert all(check.holds for check in proved)
    with pytest.raises(NotSeparable):
        CLAIMS[name].verify(data=(data.X[:1].repeat(2, 1), torch.tensor([1.0, -1.0])))
    with pytest.raises(InvalidInput):
        CLAIMS[name].verify(data=(data.X, data.y + 3))


def test_own_data_are_judged_by_the_law_of_their_kind():
    data = planted_margin(9, 4, 0.5, torch.Generator().manual_seed(1103020))
    batch = runs.Batch.own(Setting(), data.X, data.y, 8, (2,))
    larger = runs.Batch.own(Setting(), data.X * 1e6, data.y, 8, (2,))
    torch.testing.assert_close(batch.signed, larger.signed)
    verdict = page.deep_linear_max_margin.verify(data=(data.X, data.y), depths=(2,))
    names = [check.name.split(":")[0] for check in verdict.evidence.checks]
    kind = "spanned" if bool(batch.spanned[0]) else "not spanned"
    assert {"spanned", "not spanned"} & set(names) == {kind}


def test_networks_need_layers():
    for depths in ((1,), (0, 2)):
        with pytest.raises(InvalidInput, match="depths"):
            page.deep_linear_max_margin.verify(Setting(), depths=depths)
