import math
from dataclasses import replace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.oracles.basis_pursuit import basis_pursuit
from ibcore.pages.regression.linear_networks.diagonal_networks import networks
from ibcore.pages.regression.linear_networks.diagonal_networks.claims.diag_depth import (
    APART,
    diag_depth,
    draw_problems,
    over_law,
)
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {diag_depth.id: diag_depth}


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture
def found(verdicts):
    return verdicts["diag-depth"].measured


def judged(found, **changes):
    return diag_depth.judge(replace(found, **changes))


@pytest.mark.parametrize(
    ("name", "place", "bad", "fallen"),
    [
        ("distances", 0, 1e-8, 0),
        ("distances", 3, math.nan, 0),
        ("gaps", (slice(0, 5), 2), 1.0, 1),
        ("gaps", (slice(0, 5), 1), math.nan, 1),
        ("laws", (0, 0), 1.2, 2),
        ("laws", (0, 7), math.nan, 2),
        ("laws", (1, 3), 0.8, 3),
        ("laws", (1, 0), math.nan, 3),
        ("near", 2, 0.1, 4),
        ("near", 1, math.nan, 4),
    ],
)
def test_bad_members_make_their_check_fall(found, name, place, bad, fallen):
    poisoned = getattr(found, name).clone()
    poisoned[place] = bad
    assert falls(judged(found).checks) == []
    assert falls(judged(found, **{name: poisoned}).checks) == [fallen]


@pytest.mark.parametrize("bad", [math.nan, 0.19])
def test_one_network_near_the_quasi_norm_refutes_nothing(found, bad):
    far = found.far.clone()
    far[1] = bad
    assert judged(found).control.refuted
    assert not judged(found, far=far).control.refuted


def test_the_control_survives_where_the_prediction_is_least_l1(found):
    assert not judged(found, far=found.near).control.refuted


def test_one_network_that_breaks_down_takes_nobody_with_it(monkeypatch):
    train = networks.train

    def breaks_once(data, alpha, depth=2):
        if depth == 3:
            raise ArithmeticError("made up")
        return train(data, alpha, depth)

    monkeypatch.setattr(networks, "train", breaks_once)
    evidence = diag_depth.verify(Setting("quick", 4)).evidence
    assert falls(evidence.checks) == [0, 4]
    assert evidence.broken == ("ArithmeticError: made up",) * 2
    assert not evidence.control.refuted


def test_a_run_that_did_not_fit_refutes_nothing(monkeypatch):
    flow = networks.stiff_flow
    monkeypatch.setattr(
        networks,
        "stiff_flow",
        lambda *arguments, **options: flow(*arguments, **{**options, "max_steps": 3}),
    )
    evidence = diag_depth.verify(Setting("quick", 4)).evidence
    assert not evidence.control.refuted
    assert all("step limit" in reason for reason in evidence.broken)


def test_the_two_answers_are_apart(found):
    problems = draw_problems(Setting("quick", 0), datasets=8, trained=2)
    for case in problems.cases:
        again = basis_pursuit(case.data.X, case.data.y)
        assert again.norm == pytest.approx(case.pursuit.norm)
        assert int(case.pursuit.support.sum()) == 3
        for depth in (3, 4):
            gap = (case.quasi[depth] - case.pursuit.primal).norm()
            assert float(gap / case.pursuit.primal.norm()) >= APART - 1e-9
    assert float(found.far.min()) > 10 * float(found.near.max())


def test_the_law_belongs_to_its_depth():
    (case,) = draw_problems(Setting("quick", 5), datasets=1, trained=1).cases
    assert float(over_law(case, 3)) == pytest.approx(1, abs=0.05)
    scaled = replace(case, pursuit=replace(case.pursuit, dual=0.9 * case.pursuit.dual))
    assert abs(float(over_law(scaled, 3)) - 1) > 0.05


def test_notes_count_data_sets(verdicts):
    notes = verdicts["diag-depth"].evidence.notes
    assert notes["data sets"] == 8
    assert torch.tensor(list(notes.values())).min() >= 0
