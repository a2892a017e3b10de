import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from sklearn.datasets import load_iris

from ibcore.claims import Setting
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.scipy_flow import scipy_flow
from ibcore.dynamics.trajectory import UNDERFLOW
from ibcore.losses import ConvexTail, CrossEntropy
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.pages.classification.extensions.losses_and_paths import claims as page
from ibcore.pages.classification.extensions.losses_and_paths.claims.loss_tail_matters import (
    LARGE_POWERS,
    TailProblem,
    Tails,
    own_tails,
)
from ibcore.pages.classification.extensions.losses_and_paths.claims.multiclass_svm import (
    Directions,
    ManyClasses,
    draw_cases,
    measure_directions,
    own_cases,
)
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput, NotSeparable
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {claim.id: claim for claim in (page.multiclass_svm, page.loss_tail_matters)}
QUICK = Setting("quick", 0)


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture(scope="module")
def cases():
    """One problem of three classes and one of four."""
    return draw_cases(QUICK, each=1)


def test_another_integrator_finds_the_same_multiclass_direction(cases):
    case = cases.drawn[0]
    model, loss = Linear(case.problem.pairs), CrossEntropy(2)
    run = flow(model, loss, case.start, log_loss=[-20.0], tolerance=1e-8)
    again = scipy_flow(model, loss, case.start, log_loss=[-20.0])
    torch.testing.assert_close(run.theta, again.theta, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(run.log_time, again.log_time, rtol=1e-5, atol=1e-5)


def test_a_wrong_multiclass_direction_would_not_hold(cases):
    case = cases.drawn[0]
    late = case.flow().theta[1, 0]
    assert float(sin_angle(late, case.problem.teacher.flatten())) > 1e-2
    assert float(sin_angle(late, case.problem.pairs.mean(0))) > 1e-2


def test_another_integrator_finds_the_same_power_direction():
    signed = planted_margin(8, 3, 0.1, torch.Generator().manual_seed(3)).signed
    start = torch.zeros(1, 3, dtype=torch.float64)
    both = [
        method(Linear(signed), ConvexTail(2.0), start, log_time=[40.0]).theta[0, 0]
        for method in (flow, scipy_flow)
    ]
    assert float(sin_angle(both[0], both[1])) < 1e-5


def eight(value, *shape):
    return torch.full((8, *shape), float(value)).double()


def made_up_classes(**changed):
    """Eight problems on which everything is as predicted."""
    good = Directions(
        certified=eight(1e-13, 2),
        sines=torch.tensor([1e-4, 1e-5, 1e-6]).double()[:, None].repeat(1, 8),
        shares=eight(1e-10),
        products=eight(1),
        drifts=eight(1e-14),
        elsewhere=eight(0.2),
        rejected=0,
        broken=(),
    )
    return page.multiclass_svm.judge(dataclasses.replace(good, **changed))


@pytest.mark.parametrize(
    ("field", "bad", "which"),
    [
        ("certified", 1e-9, 2),
        ("shares", 1e-7, 3),
        ("products", 0.99, 4),
        ("drifts", 1e-11, 5),
    ],
)
def test_one_class_problem_that_is_off_or_without_a_number_makes_the_claim_fall(
    field, bad, which
):
    assert falls(made_up_classes().checks) == []
    for wrong in (bad, math.nan):
        values = eight(1) if field == "products" else eight(1e-15)
        values[3] = wrong
        assert falls(made_up_classes(**{field: values}).checks) == [which]


def test_one_direction_of_several_classes_that_is_off_makes_the_claim_fall():
    for bad in (1e-3, math.nan):
        sines = torch.tensor([1e-4, 1e-5, 1e-6]).double()[:, None].repeat(1, 8)
        sines[1:, 3] = bad
        assert falls(made_up_classes(sines=sines).checks) == [0, 1]


def test_the_control_of_several_classes_may_be_without_few_numbers_only():
    assert made_up_classes().control.refuted
    lost = eight(0.2)
    lost[:3] = math.nan
    assert not made_up_classes(elsewhere=lost).control.refuted


def test_the_control_of_several_classes_survives_with_the_cross_entropy():
    cases = draw_cases(QUICK, each=4)
    sines = [
        sin_angle(
            scipy_flow(
                Linear(case.problem.pairs),
                CrossEntropy(case.count - 1),
                case.start,
                log_time=180.0,
            ).theta[0, 0],
            case.solution.primal,
        )
        for case in cases.drawn
    ]
    assert not made_up_classes(elsewhere=torch.stack(sines)).control.refuted


class Lost(ManyClasses):
    """A problem whose flow ends before its first stop."""

    def flow(self):
        run = super().flow()
        nothing = {"theta": run.theta * math.nan, "log_loss": run.log_loss * math.nan}
        return dataclasses.replace(run, **nothing, status=(UNDERFLOW,))


def test_a_class_problem_that_breaks_down_takes_nobody_with_it(cases):
    first, second = cases.drawn
    lost = Lost(first.problem, first.solution, first.start)
    found = measure_directions(dataclasses.replace(cases, drawn=(lost, second)), QUICK)
    assert found.broken == (f"flow on the cross entropy: {UNDERFLOW}",)
    for values in (found.shares, found.products, found.drifts, *found.sines):
        assert values.isnan().tolist() == [True, False]
    assert bool(found.elsewhere.isfinite().all())


def made_up_tails(**changed):
    """Eight problems on which everything is as predicted."""
    powers = torch.tensor(LARGE_POWERS, dtype=torch.float64)
    good = Tails(
        errors=eight(1e-12, 6),
        own=eight(1e-11, 3),
        svm=eight(0.1, 3),
        nearing=(1 / powers).repeat(8, 1),
        settled=eight(1e-6),
        away=eight(0.3),
        rejected=0,
        broken=(),
    )
    return page.loss_tail_matters.judge(dataclasses.replace(good, **changed))


@pytest.mark.parametrize(
    ("field", "shape", "members", "which"),
    [
        ("errors", (6,), 1, 0),
        ("own", (3,), 1, 1),
        ("svm", (3,), 7, 2),
        ("nearing", (3,), 7, 3),
        ("settled", (), 1, 4),
    ],
)
def test_limits_without_a_number_let_no_claim_stand(field, shape, members, which):
    assert falls(made_up_tails().checks) == []
    good = {"errors": 1e-12, "own": 1e-11, "svm": 0.1, "settled": 1e-6}
    values = eight(good.get(field, 1), *shape)
    if field == "nearing":
        values = (1 / torch.tensor(LARGE_POWERS, dtype=torch.float64)).repeat(8, 1)
    values[:members] = math.nan
    assert falls(made_up_tails(**{field: values}).checks) == [which]


def test_directions_that_are_off_let_no_claim_stand():
    assert falls(made_up_tails(own=eight(1e-6, 3)).checks) == [1]
    assert falls(made_up_tails(svm=eight(1e-3, 3)).checks) == [2]
    assert falls(made_up_tails(nearing=eight(1e-3, 3)).checks) == [3]
    assert falls(made_up_tails(settled=eight(1e-4)).checks) == [4]


def test_the_control_of_the_tails_survives_with_the_power_tail(verdicts):
    found = verdicts["loss-tail-matters"].measured
    assert made_up_tails(away=found.away).control.refuted
    assert not made_up_tails(away=found.own[:, 0]).control.refuted
    lost = found.away.clone()
    lost[:3] = math.nan
    assert not made_up_tails(away=lost).control.refuted


def test_a_limit_that_breaks_down_is_a_missing_member():
    problem = planted_margin(8, 3, 0.1, torch.Generator().manual_seed(3))
    best = max_margin(problem.X, problem.y)
    wrong = dataclasses.replace(best, primal=-problem.signed[0])
    lost = TailProblem.of(problem, wrong)
    assert len(lost.broken) == 6
    assert bool(lost.errors.isnan().all())
    assert lost.limits.shape == (3, 3)
    assert bool(sin_angle(problem.signed[0], lost.limits).isnan().all())


def test_a_loss_that_levels_off_leaves_an_example_behind():
    """1/(1 + log(1 + e^m)) is not convex: nine examples (1, 0) run away from (-1, 0.1)
    before it is right.
    """
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


def test_own_classes_take_the_place_of_drawn_ones():
    X, y = load_iris(return_X_y=True)
    X = np.column_stack([X - X.mean(0), np.ones(len(X))])
    with pytest.raises(NotSeparable):
        own_cases(QUICK, X, y, each=2)
    with pytest.raises(InvalidInput, match="at least two"):
        own_cases(QUICK, X, y * 0, each=2)
    easy = np.r_[0:50, 100:150]
    found = own_cases(QUICK, X[easy] * 100, y[easy] // 2, each=2)
    assert [case.count for case in found.drawn] == [2, 2]
    assert float(found.drawn[0].problem.X.square().mean()) == pytest.approx(1)
    assert not torch.equal(found.drawn[0].start, found.drawn[1].start)
    evidence = page.multiclass_svm.verify(data=(X[easy], y[easy] // 2), each=2).evidence
    assert evidence.notes["problems"] == 2
    assert evidence.checks[-1].holds


def test_own_separable_data_take_the_place_of_drawn_ones():
    X, y = load_iris(return_X_y=True)
    X, y = np.column_stack([X[:100] - X[:100].mean(0), np.ones(100)]), y[:100] * 2 - 1
    evidence = page.loss_tail_matters.verify(data=(X * 100, y)).evidence
    assert evidence.checks[1].holds
    assert evidence.notes["problems"] == 1
    with pytest.raises(NotSeparable):
        own_tails(QUICK, X[:, :1] * 0 + 1, y, each=1)
    with pytest.raises(InvalidInput, match="labels"):
        own_tails(QUICK, X, y + 1, each=1)
