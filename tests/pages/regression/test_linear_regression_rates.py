import dataclasses
import math
from importlib import import_module

import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics import paces
from ibcore.dynamics.explicit import descend
from ibcore.pages.regression.linear_regression import claims as page
from ibcore.pages.regression.linear_regression import convex
from ibcore.problems.convex import ConvexProblems
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {claim.id: claim for claim in (page.gd_convex_rate, page.sgd_convex_rate)}
descent = import_module(f"{page.__name__}.gd_convex_rate")
stochastic = import_module(f"{page.__name__}.sgd_convex_rate")


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def test_another_seed_holds():
    assert page.gd_convex_rate.verify(Setting("quick", 5)).stands


def test_the_gaps_of_least_squares_are_those_of_a_quadratic(verdicts):
    """With H = 2 X^T X / n and eta = 1 / Lambda the iterate is w* - (1 - eta H)^k w*."""
    problems = page.gd_convex_rate.problems(Setting("quick", 0)).cases["squares"]
    found = verdicts["gd-convex-rate"].measured
    X, best = problems.problems.X, problems.minimizer
    values, vectors = torch.linalg.eigh(2 * X.mT @ X / X.shape[1])
    parts = (vectors.mT @ best[..., None])[..., 0].square()
    left = 1 - values / values[:, -1:]
    k = found.k[:, None, None]
    gaps = (values * parts * left ** (2 * k)).sum(-1) / 2
    shares = gaps * 2 * found.k[:, None] / values[:, -1] / best.square().sum(-1)
    known = shares > 1e-9
    torch.testing.assert_close(
        found.shares["squares"].T[known], shares[known], rtol=1e-4, atol=0
    )
    assert int(known.sum()) > 50


def poisoned(values):
    """The same values, with NaN in place of the last."""
    lost = values.clone()
    lost.view(-1)[-1] = math.nan
    return lost


def test_gaps_are_judged_by_the_largest_of_every_problem():
    shares = torch.full((10,), 0.2).double()
    assert convex.below_bound("", shares).holds
    assert convex.informative("", shares).holds
    assert not convex.informative("", shares / 20).holds
    assert not convex.below_bound("", poisoned(shares)).holds
    assert not convex.below_bound("", shares + (shares.cumsum(0) > 1.99)).holds
    assert convex.within_bound(10 * shares).holds
    assert not convex.within_bound(shares).holds
    assert not convex.within_bound(math.nan * shares).holds


def test_one_problem_above_its_bound_makes_the_claim_on_descent_fall(verdicts):
    found = verdicts["gd-convex-rate"].measured
    for place, (name, share) in enumerate(found.shares.items()):
        above = share.clone()
        above[-1, 0] = 1.01
        for values in (poisoned(share), above):
            lost = dataclasses.replace(found, shares=found.shares | {name: values})
            assert falls(page.gd_convex_rate.judge(lost).checks) == [place]


def test_descent_without_a_number_refutes_nothing(verdicts):
    found = verdicts["gd-convex-rate"].measured
    for values in (math.nan * found.control, 0 * found.control + 0.5):
        lost = dataclasses.replace(found, control=values)
        assert not page.gd_convex_rate.judge(lost).control.refuted


def test_the_control_of_descent_survives_with_steps_that_the_theorem_allows():
    case = convex.drawn(Setting("quick", 3), 8, logistic=False)
    far, near = (
        descent._shares(case, scale, [descent.DIVERGED])[:, 0] for scale in (2.1, 1.0)
    )
    assert convex.within_bound(far).holds
    assert not convex.within_bound(near).holds


def test_one_problem_above_its_bound_makes_the_claim_on_sgd_fall(verdicts):
    found = verdicts["sgd-convex-rate"].measured
    for place, (name, share) in enumerate(found.far.items()):
        for field in ("mean", "error"):
            values = poisoned(getattr(share, field))
            lost = found.far | {name: dataclasses.replace(share, **{field: values})}
            checks = page.sgd_convex_rate.judge(
                dataclasses.replace(found, far=lost)
            ).checks
            assert falls(checks) == [place]
    share = found.near["logistic"]
    lost = found.near | {
        "logistic": dataclasses.replace(share, mean=poisoned(share.mean))
    }
    checks = page.sgd_convex_rate.judge(dataclasses.replace(found, near=lost)).checks
    assert falls(checks) == [5]


def test_the_control_of_sgd_survives_far_from_the_minimizer(verdicts):
    """There the first term of the bound is the larger one for long, and nearly all of
    it at first.
    """
    found = verdicts["sgd-convex-rate"].measured
    shares = [
        share.over_bias[:, found.k <= 10].amax(-1) for share in found.far.values()
    ]
    assert not convex.within_bound(torch.cat(shares)).holds
    near = torch.cat([share.over_bias.amax(-1) for share in found.near.values()])
    assert convex.within_bound(near).holds


def test_notes_count_what_was_measured(verdicts):
    for name, each in (("gd-convex-rate", 1), ("sgd-convex-rate", 2)):
        verdict = verdicts[name]
        shares = verdict.measured.shares.values()
        problems = sum(len(share) for share in shares) // each
        assert verdict.evidence.notes["problems"] == problems == 16
        assert verdict.evidence.notes["rejected (separable)"] >= 0


def test_a_separable_logistic_problem_would_have_no_minimizer():
    case = convex.drawn(Setting("quick", 3), 3, logistic=True)
    assert case.rejected >= 0
    slope, log_unit = convex.training(case.problems).at(case.minimizer).slope
    assert float((log_unit.exp()[:, None] * slope).abs().max()) < 1e-12


@pytest.mark.parametrize("logistic", [False, True])
def test_runs_descend_the_loss_whose_gap_is_judged(logistic):
    case = convex.drawn(Setting("quick", 1115010), 2, logistic=logistic)
    w = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(1115011)).double()
    point = convex.training(case.problems, runs=3).at(w.flatten(0, 1))
    torch.testing.assert_close(
        point.log_loss.exp(), case.problems.loss(w).flatten(), rtol=1e-12, atol=0
    )


def test_a_quadratic_in_one_dimension_meets_the_bound_of_descent_within_a_factor_of_e():
    """f = 2 h^2 w^2 / 2 for inputs h; the share t (1 - t)^(2k) k over t in [0, 1] peaks
    near 1 / (2 e).
    """
    shares = []
    for k in (10, 100):
        X = torch.diag(torch.tensor([1.0, (1 / (2 * k)) ** 0.5]).double())[None]
        problems = ConvexProblems(X, torch.zeros(1, 2).double(), logistic=False)
        best = torch.tensor([[0.0, 1e-9]]).double()
        start = torch.tensor([[0.0, 1.0]]).double()
        path = descend(
            convex.training(problems),
            start,
            paces.constant(1 / problems.smoothness),
            steps=[k],
        ).theta
        gap = problems.loss(path.transpose(0, 1))[0, 0]
        shares.append(
            float(gap * 2 * k / problems.smoothness[0] / (start - best).square().sum())
        )
    assert all(0.15 < share < 0.2 for share in shares)


def test_runs_from_zero_are_labeled_with_formulas(verdicts):
    names = list(verdicts["sgd-convex-rate"].measured.shares)
    assert names[0] == r"squares, $\eta = 0.25 / \Lambda$"
    assert names[-1] == r"logistic, $\eta = 0.05 / \Lambda$"
