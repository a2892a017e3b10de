import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.classification.extensions import losses_and_paths as page
from ibcore.dynamics.log_time import flow
from ibcore.losses import ConvexTail, CrossEntropy
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.problems.separable import planted_margin

CLAIMS = {
    claim.id: claim
    for claim in (page.multiclass_svm, page.loss_tail_matters, page.finite_time_path)
}


@pytest.fixture(scope="module")
def verdicts():
    single = {"finite-time-path": {"datasets": 1}}
    return {
        (name, seed): claim.verify(
            Setting("quick", seed), **(single.get(name, {}) if seed else {})
        )
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
    assert ratios.shape == (4, len(page.PATH_TIMES) - 2)
    assert bool(ratios.isfinite().all())
    own = verdicts["loss-tail-matters", 0].data["own"]
    assert own.shape == (2, len(page.POWERS))
