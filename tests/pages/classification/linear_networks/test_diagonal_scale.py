import dataclasses
import math

import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics.trajectory import UNDERFLOW
from ibcore.pages.classification.linear_networks.diagonal import maps, runs
from ibcore.pages.classification.linear_networks.diagonal.claims import (
    diag_init_scale_vs_accuracy,
)
from ibcore.pages.classification.linear_networks.diagonal.claims.diag_init_scale_vs_accuracy import (
    _as_proved,
    draw_problems,
)
from ibcore.pages.classification.linear_networks.diagonal.maps import (
    TIMES,
    contrasting,
    deep_residuals,
    rising_duals,
)
from ibcore.problems.sparse_margin import planted_l1
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {diag_init_scale_vs_accuracy.id: diag_init_scale_vs_accuracy}


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture
def found(verdicts):
    return verdicts["diag-init-scale-vs-accuracy"].measured


def judged(found, **changes):
    """The evidence of two maps, the second of them with other fields."""
    first = found.maps[0]
    both = (first, dataclasses.replace(first, **changes))
    return diag_init_scale_vs_accuracy.judge(dataclasses.replace(found, maps=both))


def test_the_map_has_both_ends(found):
    (one,) = found.maps
    assert one.ratios.shape == (len(TIMES), 3)
    assert float(one.ratios.max()) <= 1 + 1e-9
    assert float(one.ratios[4, -1]) < 0.95
    assert float(one.ratios[-1, 0]) > 0.99
    assert found.scales.tolist() == [1, 10, 100]
    assert found.accuracies.tolist() == [-time for time in TIMES]


def test_what_is_proved_of_the_l1_margin_holds_and_says_something(found):
    rich, guaranteed = found.rich, found.stacked("guaranteed")
    assert rich.shape == guaranteed.shape == (1, 1)
    assert 0.6 < float(guaranteed) < float(rich)
    lost = rich * math.nan
    assert _as_proved(rich, guaranteed).holds
    assert not _as_proved(guaranteed - 0.01, guaranteed).holds
    assert not _as_proved(lost, guaranteed).holds
    assert not _as_proved(rich, lost).holds


def test_duals_that_fall_are_rejected():
    slacks = (0.3, 0.5, 0.7, 1.0, 1.0, 1.0, 1.0)
    drawn = [
        planted_l1(6, 3, slacks, 0.3, torch.Generator().manual_seed(seed))
        for seed in range(6)
    ]
    assert {rising_duals(data) for data in drawn} == {True, False}


def test_the_control_at_depth_three_starts_from_every_scale_up_to_one():
    problem, _ = contrasting(Setting("quick", 1), 0)
    alphas = torch.tensor([0.1, 1.0], dtype=torch.float64)
    both, broken = deep_residuals(problem.data, alphas)
    alone, _ = deep_residuals(problem.data, alphas[:1])
    assert both.shape == (2, 2)
    assert broken == ()
    torch.testing.assert_close(both[:, :1], alone, rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("name", "place", "bad", "fallen"),
    [
        ("missing", 2, 1e-7, [0]),
        ("missing", 0, math.nan, [0]),
        ("residuals", (2, 0), 1e-5, [1]),
        ("residuals", (0, 2), math.nan, [1]),
        ("residuals", (6, 2), 2e-3, [2]),
        ("residuals", (3, 0), math.nan, [2]),
        ("to_l2", (4, 2), 0.03, [3]),
        ("to_l2", (4, 2), math.nan, [3]),
        ("ratios", (6, 0), 0.98, [4]),
        ("ratios", (6, 0), math.nan, [4, 5]),
        ("guaranteed", 0, 1.0, [5]),
        ("guaranteed", 0, math.nan, [5]),
        ("to_woodworth", 2, 0.02, [6]),
        ("to_woodworth", 0, 1e-6, [7]),
        ("to_woodworth", 1, math.nan, [6, 7]),
        ("loose", (6, 1), 1.0, [8]),
        ("loose", (2, 0), math.nan, [8]),
    ],
)
def test_one_bad_member_makes_its_check_fall(found, name, place, bad, fallen):
    poisoned = getattr(found.maps[0], name).clone()
    poisoned[place] = bad
    assert falls(judged(found).checks) == []
    assert falls(judged(found, **{name: poisoned}).checks) == fallen


@pytest.mark.parametrize("bad", [math.nan, 9e-4])
def test_one_deep_network_that_passes_the_test_refutes_nothing(found, bad):
    deep = found.maps[0].deep.clone()
    deep[1, 0] = bad
    assert judged(found).control.refuted
    assert not judged(found, deep=deep).control.refuted


def test_the_control_survives_at_depth_two(found):
    same = found.maps[0].residuals[1:3, :1]
    assert not judged(found, deep=same).control.refuted


def test_scales_that_the_checks_name_are_asked_for():
    with pytest.raises(InvalidInput, match="expected 1, 10 and 100"):
        draw_problems(Setting("quick", 0), datasets=1, scales=(1.0, 100.0))


def test_draws_that_break_a_condition_are_counted(verdicts, found):
    problems = draw_problems(Setting("quick", 0), datasets=2, scales=(1, 10, 100))
    _, first = contrasting(Setting("quick", 0), 0)
    _, second = contrasting(Setting("quick", 0), 1)
    assert problems.rejected == first + second
    assert found.rejected == first
    notes = verdicts["diag-init-scale-vs-accuracy"].evidence.notes
    assert list(notes.values()) == [1, first]


def test_a_flow_that_breaks_down_is_told_and_takes_nobody_with_it(monkeypatch):
    """At the scale 100 from log L = -1e4 on, where a program has no margin then."""
    flow = runs.flow

    def flow_with_one_loss(model, *arguments, **options):
        run = flow(model, *arguments, **options)
        if model.depth > 2:
            return run
        theta = run.theta.clone()
        theta[5:, 2] = math.nan
        status = (*run.status[:2], UNDERFLOW)
        return dataclasses.replace(run, theta=theta, status=status)

    monkeypatch.setattr(runs, "flow", flow_with_one_loss)
    verdict = diag_init_scale_vs_accuracy.verify(Setting("quick", 0))
    first, *programs = verdict.evidence.broken
    assert first == f"depth 2: {UNDERFLOW}"
    assert len(programs) == 2
    assert all("ratio" in reason for reason in programs)
    checks = verdict.evidence.checks
    assert [check.broken for check in checks] == [2, 0, 2, 0, 0, 0, 2, 1, 1]
    assert falls(checks) == [0, 2, 6, 7, 8]
    assert verdict.evidence.control.refuted
    (one,) = verdict.measured.maps
    assert bool(one.residuals[:, :2].isfinite().all())


def test_a_program_that_breaks_down_takes_nobody_with_it(monkeypatch):
    solve = maps.woodworth_max_margin

    def fails_at_large_ratios(X, y, ratio):
        if ratio > 50:
            raise ArithmeticError("made up")
        return solve(X, y, ratio)

    problem, _ = contrasting(Setting("quick", 0), 0)
    monkeypatch.setattr(maps, "woodworth_max_margin", fails_at_large_ratios)
    cpu = torch.device("cpu")
    one, broken = maps.scale_map(problem, (1.0, 10.0, 100.0), cpu)
    assert broken == ("ArithmeticError: made up",)
    assert one.to_woodworth.isnan().tolist() == [False, False, True]
    assert one.missing.isnan().tolist() == [False, False, True]


def test_a_deep_flow_that_breaks_down_refutes_nothing(monkeypatch):
    flow = runs.flow

    def flow_with_one_loss(model, *arguments, **options):
        run = flow(model, *arguments, **options)
        if model.depth == 2:
            return run
        theta = run.theta.clone()
        theta[1, 0] = math.nan
        return dataclasses.replace(run, theta=theta, status=(UNDERFLOW,))

    monkeypatch.setattr(runs, "flow", flow_with_one_loss)
    evidence = diag_init_scale_vs_accuracy.verify(Setting("quick", 0)).evidence
    assert evidence.broken == (f"depth 3: {UNDERFLOW}",)
    assert evidence.holds
    assert not evidence.control.refuted
