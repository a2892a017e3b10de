import dataclasses
import math

import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics.trajectory import UNDERFLOW
from ibcore.evidence import Breakdown
from ibcore.pages.classification.linear_networks.diagonal import runs
from ibcore.pages.classification.linear_networks.diagonal.claims import (
    diag_classification_quasinorm,
)
from ibcore.pages.classification.linear_networks.diagonal.claims.diag_classification_quasinorm import (
    _deeper,
    _depth_one,
    _depth_two,
    draw_problems,
)
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {diag_classification_quasinorm.id: diag_classification_quasinorm}
QUICK = diag_classification_quasinorm.sizes["quick"]


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture
def found(verdicts):
    return verdicts["diag-classification-quasinorm"].measured


def judged(found, **changes):
    return diag_classification_quasinorm.judge(dataclasses.replace(found, **changes))


def test_limits_of_deep_networks_are_fixed_by_their_constraints(found):
    (ends,) = found.deep
    listed = ends.problem.listed.vertices[ends.ranks]
    close = ends.distances[-1] <= 1e-5
    sizes = ends.limits.abs()
    zero = sizes < 1e-4 * sizes.amax()
    assert bool(((listed.abs() < 1e-12) == zero)[close].all())


def test_problems_are_what_they_say(found):
    problems = draw_problems(Setting("quick", 0), **QUICK)
    assert problems.planted.signed.shape == (8, 12, 7)
    assert problems.planted.slacks.tolist() == pytest.approx(
        [slack for slack in (0.22, 0.3, 0.4, 0.5) for _ in range(2)]
    )
    torch.testing.assert_close(
        problems.planted.margins, torch.full((8,), 0.05).double()
    )
    (deep,) = problems.deep
    assert (deep.depth, deep.starts.shape) == (4, (32, 12))
    assert float(deep.starts.min()) > 0
    torch.testing.assert_close(found.planted.signed, problems.planted.signed)
    torch.testing.assert_close(found.deep[0].problem.starts, deep.starts)


@pytest.mark.parametrize(
    ("name", "place", "bad", "fallen"),
    [
        ("gaps", (1, slice(0, 4)), 1e-3, [2, 3]),
        ("gaps", (1, slice(0, 4)), math.nan, [1, 2, 3]),
        ("gaps", (0, slice(0, 4)), math.nan, [3]),
        ("gaps", (1, 7), math.nan, [1]),
        ("log_loss", (0, slice(0, 4)), math.nan, [3]),
        ("guaranteed", 7, 1.0, [1]),
        ("guaranteed", 0, math.nan, [1]),
    ],
)
def test_bad_members_make_their_check_fall(found, name, place, bad, fallen):
    poisoned = getattr(found, name).clone()
    poisoned[place] = bad
    assert falls(judged(found).checks) == []
    assert falls(judged(found, **{name: poisoned}).checks) == fallen


@pytest.mark.parametrize("bad", [math.nan, 0.0501])
def test_one_program_off_the_planted_margin_makes_its_check_fall(found, bad):
    solved = found.planted.solved.clone()
    solved[3] = bad
    planted = dataclasses.replace(found.planted, solved=solved)
    assert falls(judged(found, planted=planted).checks) == [0]


def test_a_program_that_breaks_down_is_told_and_takes_nobody_with_it(monkeypatch):
    module = draw_problems.__globals__
    attempt = module["attempt"]

    def loses_the_first(solve, problems):
        programs, broken = attempt(solve, problems)
        return [Breakdown("made up"), *programs[1:]], (*broken, "made up")

    monkeypatch.setitem(module, "attempt", loses_the_first)
    problems = draw_problems(Setting("quick", 0), **QUICK)
    assert problems.broken == ("made up",)
    assert problems.planted.solved.isnan().tolist() == [True] + [False] * 7


def test_broken_members_are_no_evidence_at_depth_two():
    gaps = torch.full((12,), 1e-6, dtype=torch.float64)
    ones = torch.ones(12, dtype=torch.float64)
    proved = torch.full((12,), 0.7, dtype=torch.float64)
    assert falls(_depth_two(ones, gaps, ones, proved)) == []
    broken = torch.where(torch.arange(12) < 6, gaps, math.nan)
    assert falls(_depth_two(ones, broken, ones, proved)) == [1, 2]
    assert falls(_depth_two(ones, gaps, broken, proved)) == [3]
    assert falls(_depth_two(ones, gaps, ones, broken)) == [1]
    assert falls(_depth_two(ones, gaps + 1, ones, proved)) == [1, 2]
    assert falls(_depth_two(ones * math.nan, gaps, ones, proved)) == [0]
    assert _depth_one(gaps + 0.1).refuted
    assert not _depth_one(broken).refuted


def test_a_network_that_breaks_down_does_not_count_as_having_arrived(found):
    (ends,) = found.deep
    lost = ends.distances.clone()
    lost[:, ::2] = math.nan
    checks = _deeper([dataclasses.replace(ends, distances=lost)])
    assert checks[1].measured <= 0.5
    assert checks[1].broken == lost.shape[1] // 2
    listed = dataclasses.replace(ends.problem.listed, residual=math.nan)
    problem = dataclasses.replace(ends.problem, listed=listed)
    assert falls(_deeper([dataclasses.replace(ends, problem=problem)])) == [0]


def test_the_control_survives_at_depth_two(found):
    assert judged(found).control.refuted
    assert not judged(found, linear=found.gaps[-1]).control.refuted


def test_linear_models_that_break_down_refute_nothing(found):
    lost = found.linear.clone()
    lost[:3] = math.nan
    assert not judged(found, linear=lost).control.refuted


def test_flows_that_break_down_are_told_and_take_nobody_with_them(monkeypatch):
    """The first member of each of the three flows, from its first stop on."""
    flow = runs.flow

    def flow_with_one_loss(*arguments, **options):
        run = flow(*arguments, **options)
        theta, log_loss = run.theta.clone(), run.log_loss.clone()
        theta[:, 0], log_loss[:, 0] = math.nan, math.nan
        status = (UNDERFLOW, *run.status[1:])
        return dataclasses.replace(run, theta=theta, log_loss=log_loss, status=status)

    monkeypatch.setattr(runs, "flow", flow_with_one_loss)
    verdict = diag_classification_quasinorm.verify(Setting("quick", 0))
    evidence, found = verdict.evidence, verdict.measured
    assert evidence.broken == tuple(f"depth {k}: {UNDERFLOW}" for k in (2, 1, 4))
    assert [check.broken for check in evidence.checks] == [0, 1, 1, 1, 0, 1]
    assert falls(evidence.checks) == [1]
    assert evidence.control.refuted
    assert evidence.control.failure.broken == 1
    (ends,) = found.deep
    assert int(ends.ranks[0]) == -1
    assert int(ends.counts.sum()) == 31
    assert found.at_global == int(ends.counts[0]) / 32
