import math
from dataclasses import replace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.oracles.basis_pursuit import basis_pursuit
from ibcore.oracles.least_squares import minimum_norm
from ibcore.oracles.q_alpha import q_alpha_minimizer
from ibcore.pages.regression.linear_networks.diagonal_networks import (
    curves,
    networks,
    samples,
)
from ibcore.pages.regression.linear_networks.diagonal_networks.claims.diag_l1_l2_transition import (
    _missing,
    _sample_checks,
    diag_l1_l2_transition,
    draw_problems,
)
from ibcore.problems.sparse_regression import sparse_regression
from tests.conformance import Conformance, falls

CLAIMS = {diag_l1_l2_transition.id: diag_l1_l2_transition}
QUICK = diag_l1_l2_transition.sizes["quick"]


class TestClaims(Conformance):
    """What all claims promise."""


@pytest.fixture
def found(verdicts):
    return verdicts["diag-l1-l2-transition"].measured


def judged(found, **changes):
    return falls(diag_l1_l2_transition.judge(replace(found, **changes)).checks)


def spoiled(values, bad, members=1):
    other = values.clone()
    other[:members] = bad
    return other


@pytest.mark.parametrize(
    ("part", "name", "bad", "fallen"),
    [
        ("trained", "distances", 1e-8, 0),
        ("trained", "distances", math.nan, 0),
        ("falls", "bounded", 1.1, 1),
        ("falls", "bounded", math.nan, 1),
        ("curves", "residual", 1e-9, 4),
        ("curves", "residual", math.nan, 4),
        ("curves", "excess", 100.0, 5),
        ("curves", "excess", math.nan, 5),
        ("curves", "bound", math.nan, 5),
        ("curves", "exponents", 1.2, 7),
        ("curves", "exponents", 0.8, 7),
        ("curves", "exponents", math.nan, 7),
        ("curves", "far", -3.9, 8),
        ("curves", "far", -4.1, 8),
        ("curves", "far", math.nan, 8),
    ],
)
def test_one_bad_member_makes_its_check_fall(found, part, name, bad, fallen):
    whole = getattr(found, part)
    changed = replace(whole, **{name: spoiled(getattr(whole, name), bad)})
    assert judged(found) == []
    assert judged(found, **{part: changed}) == [fallen]


@pytest.mark.parametrize(
    ("name", "bad", "fallen"),
    [
        ("program", 1e-6, 3),
        ("program", math.nan, 3),
        ("attained", 0.1, 6),
        ("attained", math.nan, 6),
    ],
)
def test_programs_and_the_data_that_attain_the_bound(found, name, bad, fallen):
    assert judged(found, **{name: spoiled(getattr(found, name), bad)}) == [fallen]


@pytest.mark.parametrize("bad", [1.3, 0.7, math.nan])
def test_five_exponents_of_trained_networks_that_are_off(found, bad):
    five = replace(found.falls, exponents=spoiled(found.falls.exponents, bad, 5))
    assert judged(found, falls=five) == [2]


@pytest.mark.parametrize("name", ["gap", "residual"])
def test_a_program_without_certificate_is_noticed(name):
    data = sparse_regression(4, 9, 2, torch.Generator().manual_seed(1))
    pursuit = basis_pursuit(data.X, data.y)
    assert _missing(pursuit) < 1e-9
    assert _missing(replace(pursuit, **{name: 1e-6})) == 1e-6
    assert math.isnan(_missing(replace(pursuit, **{name: math.nan})))


def test_samples_are_judged_by_their_shares():
    d = 100
    enough = torch.full((12,), samples.predicted_samples(d), dtype=torch.float64)
    most = torch.full((12,), 0.9 * d, dtype=torch.float64)
    assert falls(_sample_checks(d, torch.stack([0.8 * enough, most]))) == []
    assert falls(_sample_checks(d, torch.stack([1.1 * enough, 0.8 * most]))) == [
        0,
        1,
        2,
    ]
    assert falls(_sample_checks(d, torch.stack([0 * enough + 1, most]))) == [0]
    lost = torch.stack([0.8 * enough, most])
    lost[:, :6] = math.nan
    assert set(falls(_sample_checks(d, lost))) >= {1, 2}


def test_the_control_survives_where_the_target_is_sparse(found):
    sparse = found.needed[found.dimension][:1]
    held = diag_l1_l2_transition.judge(replace(found, dense=sparse))
    assert not held.control.refuted
    lost = spoiled(found.dense[0], math.nan, 4)[None]
    unknown = diag_l1_l2_transition.judge(replace(found, dense=lost))
    assert not unknown.control.refuted


def test_a_data_set_that_breaks_down_takes_nobody_with_it(monkeypatch):
    cases, _ = Setting("quick", 3).draw(
        2, "any", lambda g: networks.with_slack(6, 16, g)
    )
    twin = cases[0].data.X.clone()
    twin[1] = twin[0]
    broken = replace(cases[0], data=replace(cases[0].data, X=twin))
    found, reasons = curves.curves([broken, cases[1]])
    assert len(reasons) == 1
    for rows in (found.excess, found.bound, found.exponents, found.far, found.residual):
        assert bool(rows[0].isnan().all())
        assert bool(rows[1].isfinite().any())
    flow = networks.stiff_flow
    monkeypatch.setattr(
        networks,
        "stiff_flow",
        lambda *arguments, **options: flow(*arguments, **{**options, "max_steps": 3}),
    )
    unfit, reasons = curves.falls(cases)
    assert bool(unfit.exponents.isnan().all())
    assert all("step limit" in reason for reason in reasons)


def test_a_fall_is_read_from_two_trained_networks():
    """On the data that the claim draws the power has set in, up to the bend of data
    that nearly tie.
    """
    (case,), _ = Setting("quick", 1295050).draw(
        1, "any", lambda g: networks.with_slack(6, 16, g)
    )
    fallen = curves.fall(case)
    assert float(fallen.exponents) == pytest.approx(1, abs=0.4)
    assert 0 < float(fallen.bounded) < 1


def test_excesses_rise_with_the_scale_up_to_least_l2(found):
    for excess in found.curves.excess:
        shown = excess[excess > 1e-10]
        assert bool((shown.diff() < 0).all())
    for case in draw_problems(Setting("quick", 0), **QUICK).cases:
        X, y = case.data.X, case.data.y
        dense = q_alpha_minimizer(X, y, curves.PATH[0]).primal
        assert abs(float(dense.norm() / minimum_norm(X, y).weights.norm()) - 1) < 1e-9


def test_trained_networks_lie_on_the_first_curve(found):
    assert found.trained.alphas.tolist() == [1e-2]
    place = [round(math.log10(alpha), 6) for alpha in curves.PATH].index(-2)
    on_curve = float(found.curves.excess[0, place])
    assert float(found.trained.excess[0]) == pytest.approx(on_curve, rel=1e-6)


def test_samples_lie_between_the_sparsity_and_the_dimension(found):
    needed = found.needed[60]
    assert needed.shape == (2, 12)
    assert bool((needed[0] >= samples.nonzeros(60)).all())
    assert bool((needed[0] < needed[1]).all())
    assert found.dimension == 60
    assert found.dense.shape == (1, 12)


def test_only_the_ends_are_counted_above_the_first_dimension():
    problems = draw_problems(Setting("quick", 0), **QUICK | {"dimensions": (60, 40)})
    assert list(problems.sparse) == [60, 40]
    assert int((problems.dense[0].truth != 0).sum()) == 60


def test_bisection_finds_the_first_sufficient_sample():
    data = sparse_regression(20, 20, 2, torch.Generator().manual_seed(0))
    count = samples.least_count(data, 1e-3)
    for n, enough in ((count, True), (count - 1, False)):
        error = samples.recovery_error(data.first(n), 1e-3)
        assert (error <= samples.RECOVERED) is enough


def test_notes_count_data_sets(verdicts):
    notes = verdicts["diag-l1-l2-transition"].evidence.notes
    assert notes["data sets"] == QUICK["datasets"] + QUICK["falling"]
    assert notes[networks.REJECTED] >= 0
