import pytest
import torch

from ibcore.claims.regression.linear_networks import diagonal_networks as page
from ibcore.oracles.basis_pursuit import basis_pursuit
from ibcore.oracles.q_alpha import q_alpha_minimizer
from ibcore.problems.sparse_regression import sparse_regression

CLAIMS = {
    claim.id: claim
    for claim in (
        page.diag_q_alpha,
        page.diag_l1_l2_transition,
        page.diag_depth,
        page.diag_init_shape,
    )
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


def test_networks_leave_the_predictions_for_other_scales_and_depths(verdicts):
    (data,) = verdicts["diag-q-alpha"].data["problems"]
    for one in verdicts["diag-q-alpha"].data["runs"]:
        for depth, alpha in (
            (one.depth, one.alpha * 1.1),
            (2 if one.depth > 2 else 3, one.alpha + 0.1),
        ):
            other = q_alpha_minimizer(data.X, data.y, alpha, depth).primal
            assert page.relative_distance(one.predictor, other) > page.EXACT


def test_excesses_rise_with_the_scale(verdicts):
    for curve in verdicts["diag-l1-l2-transition"].data["curves"]:
        shown = curve.excess[curve.excess > 1e-10]
        assert bool((shown.diff() < 0).all())
        assert abs(float(curve.l2[0])) < 1e-9


def test_samples_lie_between_the_sparsity_and_the_dimension(verdicts):
    needed = verdicts["diag-l1-l2-transition"].data["needed"][40]
    assert needed.shape == (2, 5)
    assert bool((needed[0] >= page.nonzeros(40)).all())
    assert bool((needed[0] < needed[1]).all())


def test_bisection_finds_the_first_sufficient_sample():
    data = sparse_regression(20, 20, 2, torch.Generator().manual_seed(0))
    count = page._least_count(data, 1e-3)
    for n, found in ((count, True), (count - 1, False)):
        part = data.first(n)
        beta = q_alpha_minimizer(part.X, part.y, 1e-3).primal
        error = float((beta - data.truth).square().sum() / data.truth.square().sum())
        assert (error <= page.RECOVERED) is found


def test_the_two_answers_are_apart(verdicts):
    data = verdicts["diag-depth"].data
    for problem, pursuit in data["kept"]:
        assert basis_pursuit(problem.X, problem.y).norm == pytest.approx(pursuit.norm)
        assert int(pursuit.support.sum()) == 3
    assert min(data["far"]) > 10 * max(data["near"])


def test_excess_is_a_function_of_c(verdicts):
    data = verdicts["diag-init-shape"].data
    for c, excess in data["points"]:
        below = data["curve"][data["curve"][:, 0] <= c, 1].max()
        above = data["curve"][data["curve"][:, 0] >= c, 1].min()
        assert float(below) * (1 - 1e-6) <= excess <= float(above) * (1 + 1e-6)
