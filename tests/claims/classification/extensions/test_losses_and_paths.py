import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from ibcore.claims import Setting
from ibcore.claims.classification.extensions import losses_and_paths as page
from ibcore.dynamics.log_time import flow
from ibcore.losses import ConvexTail, CrossEntropy, Logistic
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput

CLAIMS = {
    claim.id: claim
    for claim in (page.multiclass_svm, page.loss_tail_matters, page.finite_time_path)
}


@pytest.fixture(scope="module")
def verdicts():
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


def test_another_integrator_finds_the_same_multiclass_direction(verdicts):
    case = verdicts["multiclass-svm", 0].data["cases"][0]
    run = flow(
        Linear(case.problem.pairs),
        CrossEntropy(2),
        case.start,
        log_loss=[-20.0],
        tolerance=1e-8,
    )
    again = page.scipy_flow(
        Linear(case.problem.pairs), CrossEntropy(2), case.start, log_loss=[-20.0]
    )
    torch.testing.assert_close(run.theta, again.theta, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(run.log_time, again.log_time, rtol=1e-5, atol=1e-5)


def test_a_wrong_multiclass_direction_would_not_hold(verdicts):
    case = verdicts["multiclass-svm", 0].data["cases"][0]
    assert float(sin_angle(case.run.theta[1, 0], case.problem.teacher.flatten())) > 1e-2
    assert float(sin_angle(case.run.theta[1, 0], case.problem.pairs.mean(0))) > 1e-2


def test_another_integrator_finds_the_same_power_direction():
    signed = planted_margin(8, 3, 0.1, torch.Generator().manual_seed(3)).signed
    start = torch.zeros(1, 3, dtype=torch.float64)
    both = [
        method(Linear(signed), ConvexTail(2.0), start, log_time=[40.0]).theta[0, 0]
        for method in (flow, page.scipy_flow)
    ]
    assert float(sin_angle(both[0], both[1])) < 1e-5


def test_data_for_figures_are_complete(verdicts):
    ratios = verdicts["finite-time-path", 0].data["ratios"]
    assert ratios.shape == (8, len(page.PATH_TIMES) - 2)
    assert bool(ratios.isfinite().all())
    own = verdicts["loss-tail-matters", 0].data["own"]
    assert own.shape == (8, len(page.POWERS))


def made_up_paths():
    """Residuals, ratios and slopes of eight data sets as the claim predicts them."""
    return [
        torch.full((88,), 1e-11).double(),
        torch.full((8, 6), 0.1).double(),
        torch.full((8,), -2.0).double(),
        torch.full((8,), -1.0).double(),
    ]


@pytest.mark.parametrize("bad", [1e-8, math.nan])
def test_one_bad_point_of_a_path_makes_the_claim_fall(bad):
    measured = made_up_paths()
    assert all(check.holds for check in page._path_checks(*measured))
    measured[0][17] = bad
    assert not page._path_checks(*measured)[0].holds


@pytest.mark.parametrize("which", [1, 2, 3])
def test_data_sets_without_a_measurement_count_as_failing(which):
    measured = made_up_paths()
    measured[which][:5] = math.nan
    assert not page._path_checks(*measured)[which].holds


def test_the_flow_does_not_approach_the_path_where_support_vectors_do_not_span():
    """With 20 examples in 40 dimensions the ratio of the angles does not fall; at n = 30, d = 3 it does."""
    wide = page.wide_ratios(Setting("quick", 1103020), 8).median(0).values
    assert float(wide[-1]) >= float(wide[0])
    pairs, _ = page._path_problems(
        Setting("quick", 1103020), page.SPANNING, 8, spans=True
    )
    followed = [page._follow(p, s, Logistic(), page.PATH_TIMES) for p, s in pairs]
    ratios = torch.stack([f.to_path / f.to_limit for f in followed]).median(0).values
    assert float(ratios[-1]) < float(ratios[0]) / 5


@pytest.mark.parametrize("seed", [1103021, 1103022])
def test_what_is_left_of_the_ratio_is_what_lies_off_the_support_vectors(seed):
    """The path has no part off their span, so the angles' ratio is |part of w off it| / |part of w off w_hat|."""
    (pair,), _ = page.draw_solved(
        Setting("quick", seed), 1, "off the span", page.WIDE, lambda s: s.rate > 0.02
    )
    problem, solution = pair
    run = page._follow(problem, solution, Logistic(), (1e4,))
    basis = torch.linalg.qr(problem.signed[solution.support].T).Q
    unit = solution.primal / solution.primal.norm()
    w = run.theta[0]
    off_span, off_limit = w - basis @ (basis.T @ w), w - unit * (unit @ w)
    expected = float(off_span.norm() / off_limit.norm())
    assert float(run.to_path / run.to_limit) == pytest.approx(expected, rel=0.01)
    assert expected > 0.05


def test_the_flow_is_never_far_from_its_path(verdicts):
    case = verdicts["finite-time-path", 0].data["missing"][0]
    assert float(torch.rad2deg(case.angle).max()) < 60
    turned = dataclasses.replace(case, theta=-case.theta)
    torch.testing.assert_close(turned.angle, torch.pi - case.angle)
    assert not page._never_far(torch.rad2deg(turned.angle)).holds
    assert not page._never_far(torch.tensor([1.0, math.nan])).holds


def test_a_loss_that_levels_off_leaves_an_example_behind():
    """1/(1 + log(1 + e^m)) is not convex: nine examples (1, 0) run away from (-1, 0.1) before it is right."""
    rows = np.array([[1.0, 0.0]] * 9 + [[-1.0, 0.1]])
    assert float((rows @ [1.0, 11.0]).min()) > 0

    def field(log_time, w):
        margins = rows @ w
        slope = (1 + np.logaddexp(0, margins)) ** -2 * np.exp(
            -np.logaddexp(0, -margins)
        )
        return math.exp(log_time) * (slope @ rows) / len(rows)

    late = [
        solve_ivp(
            field, (-5, end), np.zeros(2), method="LSODA", rtol=1e-9, atol=1e-12
        ).y[:, -1]
        for end in (30, 60)
    ]
    assert late[1][0] > 1e3 * late[0][0] > 0
    assert late[1][1] == pytest.approx(late[0][1], rel=1e-3)
    assert float((rows @ late[1])[-1]) < -1e6


def test_a_path_that_cannot_be_computed_ends_with_its_reason(monkeypatch):
    def refuse(_signed, _radii):
        raise InvalidInput("no path here.")

    monkeypatch.setattr(page, "regularization_path", refuse)
    problem = planted_margin(8, 3, 0.1, torch.Generator().manual_seed(3))
    solution = max_margin(problem.X, problem.y)
    lost = page._follow(problem, solution, Logistic(), (1.0, 2.0))
    assert lost.broken == ("InvalidInput: no path here.",)
    assert bool(lost.to_path.isnan().all())
    assert bool(lost.to_limit.isfinite().all())


def made_up_tails():
    """Errors and sines of eight problems as the claim predicts them."""
    powers = torch.tensor(page.LARGE_POWERS, dtype=torch.float64)
    return [
        [1e-12] * 48,
        torch.full((8, 3), 1e-11).double(),
        torch.full((8, 3), 0.1).double(),
        (1 / powers).repeat(8, 1),
        torch.full((8,), 1e-6).double(),
    ]


@pytest.mark.parametrize("which", range(5))
def test_limits_without_a_number_let_no_claim_stand(which):
    measured = made_up_tails()
    assert all(check.holds for check in page._tail_checks(*measured))
    if which == 0:
        measured[0][1:] = [math.nan] * 47
    else:
        measured[which][1:] = math.nan
    assert not page._tail_checks(*measured)[which].holds


def test_a_limit_that_breaks_down_is_a_missing_member():
    problem = planted_margin(8, 3, 0.1, torch.Generator().manual_seed(3))
    wrong = dataclasses.replace(
        max_margin(problem.X, problem.y), primal=-problem.signed[0]
    )
    limits, broken = page._limits([(problem, wrong)], (1.0, 2.0))
    assert len(broken) == 2
    sines = page._sines([[problem.signed[0]] * 2], limits)
    assert sines.shape == (1, 2)
    assert bool(sines.isnan().all())


def test_one_class_problem_without_a_number_makes_the_claim_fall(verdicts):
    cases = verdicts["multiclass-svm", 0].data["cases"]
    sines = verdicts["multiclass-svm", 0].data["sines"].clone()
    sines[:, 3] = math.nan
    assert not any(check.holds for check in page._class_directions(sines))
    first = cases[0]
    lost = dataclasses.replace(
        first,
        run=dataclasses.replace(first.run, theta=first.run.theta * math.nan),
        solution=dataclasses.replace(first.solution, gap=math.nan),
    )
    checks = page._class_precisions([lost, *cases[1:]])
    assert [check.holds for check in checks] == [False, False, True, False]
