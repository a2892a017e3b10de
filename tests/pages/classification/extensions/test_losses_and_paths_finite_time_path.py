import dataclasses
import math

import pytest
import torch

from ibcore.claims import Setting
from ibcore.oracles.max_margin import max_margin
from ibcore.pages.classification.extensions.losses_and_paths import claims as page
from ibcore.pages.classification.extensions.losses_and_paths import paths
from ibcore.pages.classification.extensions.losses_and_paths.claims.finite_time_path import (
    late_slopes,
)
from ibcore.pages.classification.logistic_regression.runs import draw_solved
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {page.finite_time_path.id: page.finite_time_path}


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture(scope="module")
def found(verdicts):
    return verdicts["finite-time-path"].measured


def test_angles_at_all_times_of_all_data_sets_are_kept(found):
    early, late = len(paths.EARLY_TIMES), len(paths.LATE_TIMES)
    assert found.to_path.shape == found.to_limit.shape == (8, early + late)
    assert found.ratios.shape == (8, early - 2)
    assert found.degrees.shape == found.residuals.shape == (8 * (early + 2 * late),)


def made_up(found, **changed):
    """Angles as the claim predicts them."""
    log_times = found.log_times
    good = dataclasses.replace(
        found,
        to_path=(0.1 / log_times**2).repeat(8, 1),
        to_limit=(1 / log_times).repeat(8, 1),
        deficient=(0.1 / log_times[-3:]).repeat(8, 1),
        degrees=torch.full((112,), 10.0).double(),
        residuals=torch.full((112,), 1e-11).double(),
    )
    return page.finite_time_path.judge(dataclasses.replace(good, **changed))


@pytest.mark.parametrize(
    ("field", "bad", "which"), [("degrees", 61.0, 0), ("residuals", 1e-8, 1)]
)
def test_one_bad_point_of_a_path_makes_the_claim_fall(found, field, bad, which):
    assert falls(made_up(found).checks) == []
    for wrong in (bad, math.nan):
        values = torch.full((112,), 1e-11).double()
        values[17] = wrong
        assert falls(made_up(found, **{field: values}).checks) == [which]


def test_data_sets_without_a_measurement_count_as_failing(found):
    log_times = found.log_times
    lost = (0.1 / log_times**2).repeat(8, 1)
    lost[:5] = math.nan
    assert falls(made_up(found, to_path=lost).checks) == [2, 3]
    lost = (1 / log_times).repeat(8, 1)
    lost[:1, -1] = math.nan
    assert falls(made_up(found, to_limit=lost).checks) == [4]


def test_angles_that_do_not_fall_as_derived_make_the_claim_fall(found):
    log_times = found.log_times
    slow = (0.1 / log_times).repeat(8, 1)
    assert falls(made_up(found, to_path=slow).checks) == [3]
    assert falls(made_up(found, to_path=10 * slow).checks) == [2, 3]
    fast = (1 / log_times**1.1).repeat(8, 1)
    assert falls(made_up(found, to_limit=fast).checks) == [4]


def test_the_control_survives_where_the_support_vectors_span(found):
    assert made_up(found, deficient=found.deficient).control.refuted
    spanning = found.to_path[:, -3:]
    assert not made_up(found, deficient=spanning).control.refuted
    lost = found.deficient.clone()
    lost[:3] = math.nan
    assert not made_up(found, deficient=lost).control.refuted


def test_slopes_are_those_of_the_last_three_times(found):
    angles = (3 / found.log_times**2).repeat(4, 1)
    angles[:, :-3] = 1.0
    assert late_slopes(angles).tolist() == pytest.approx([-2] * 4)


def test_the_flow_does_not_approach_the_path_where_support_vectors_do_not_span():
    """With 20 examples in 40 dimensions the ratio of the angles does not fall; at n =
    30, d = 3 it does.
    """
    setting = Setting("quick", 1103020)
    wide = paths.wide_ratios(setting, 8).median(0).values
    assert float(wide[-1]) >= float(wide[0])
    problems, _ = paths.draw_kind(setting, paths.SPANNING, 8, spans=True)
    followed = [paths.follow(problem, paths.EARLY_TIMES) for problem in problems]
    ratios = torch.stack([f.to_path / f.to_limit for f in followed]).median(0).values
    assert float(ratios[-1]) < float(ratios[0]) / 5


@pytest.mark.parametrize("seed", [1103021, 1103022])
def test_what_is_left_of_the_ratio_is_what_lies_off_the_support_vectors(seed):
    """The path has no part off their span, so the angles' ratio is |part of w off it| /
    |part of w off w_hat|.
    """
    (pair,), _ = draw_solved(
        Setting("quick", seed), 1, "off the span", paths.WIDE, lambda s: s.rate > 0.02
    )
    problem, solution = pair
    run = paths.follow(paths.Solved(problem.signed, solution.primal), (1e4,))
    basis = torch.linalg.qr(problem.signed[solution.support].T).Q
    unit = solution.primal / solution.primal.norm()
    w = run.theta[0]
    off_span, off_limit = w - basis @ (basis.T @ w), w - unit * (unit @ w)
    expected = float(off_span.norm() / off_limit.norm())
    assert float(run.to_path / run.to_limit) == pytest.approx(expected, rel=0.01)
    assert expected > 0.05


def test_the_flow_is_never_far_from_its_path(found):
    problems, _ = paths.draw_kind(Setting("quick", 0), paths.DEFICIENT, 1, spans=False)
    case = paths.follow(problems[0], paths.LATE_TIMES)
    assert float(torch.rad2deg(case.angle).max()) < 60
    turned = dataclasses.replace(case, theta=-case.theta)
    torch.testing.assert_close(turned.angle, torch.pi - case.angle)
    opposite = torch.rad2deg(turned.angle)
    assert falls(made_up(found, degrees=opposite).checks) == [0]


def test_a_path_that_cannot_be_computed_ends_with_its_reason(monkeypatch):
    def refuse(_signed, _radii):
        raise InvalidInput("no path here.")

    monkeypatch.setattr(paths, "regularization_path", refuse)
    problem = planted_margin(8, 3, 0.1, torch.Generator().manual_seed(3))
    best = max_margin(problem.X, problem.y)
    lost = paths.follow(paths.Solved(problem.signed, best.primal), (1.0, 2.0))
    assert lost.broken == ("InvalidInput: no path here.",)
    assert bool(lost.to_path.isnan().all())
    assert bool(lost.residuals.isnan().all())
    assert bool(lost.to_limit.isfinite().all())
