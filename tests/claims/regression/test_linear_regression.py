import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.regression import linear_regression as page
from ibcore.problems.convex import ConvexProblems

CLAIMS = {
    claim.id: claim
    for claim in (
        page.linreg_min_distance,
        page.mirror_descent_bregman,
        page.norm_generalization,
        page.gd_convex_rate,
        page.sgd_convex_rate,
    )
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


def test_another_seed_holds():
    for name in ("mirror-descent-bregman", "gd-convex-rate"):
        assert CLAIMS[name].verify(Setting("quick", 5)).stands


def test_the_ends_of_different_potentials_differ(verdicts):
    ends = verdicts["mirror-descent-bregman"].data["ends"]
    assert (
        float((ends["hypentropy, beta = 1e-4"] - ends["p = 3"]).norm(dim=-1).min())
        > 0.1
    )
    assert float(ends["entropy"].min()) > 0


def test_tables_of_interpolants_are_consistent(verdicts):
    for table in verdicts["norm-generalization"].data["tables"]:
        for r in page.RADII:
            assert float(table.errors[r].mean()) == pytest.approx(
                table.predicted[r], rel=0.02
            )
        assert table.guided < -0.9 < 0.95 < table.rank


def test_a_separable_logistic_problem_would_have_no_minimizer():
    case, rejected = page._convex(Setting("quick", 3), 3, logistic=True)
    assert rejected >= 0
    gradient = case.problems.gradient(case.minimizer)
    assert float(gradient.abs().max()) < 1e-12


def test_a_quadratic_in_one_dimension_meets_the_bound_of_descent_within_a_factor_of_e():
    """f = 2 h^2 w^2 / 2 for inputs h; the share t (1 - t)^(2k) k over t in [0, 1] peaks near 1 / (2 e)."""
    shares = []
    for k in (10, 100):
        h = torch.tensor([1.0, (1 / (2 * k)) ** 0.5], dtype=torch.float64).reshape(
            1, 2, 1
        )
        X = torch.cat(
            [h * torch.tensor([[1.0, 0.0]]), h * torch.tensor([[0.0, 1.0]])], 1
        )[:, [0, 3]]
        problems = ConvexProblems(
            X, torch.zeros(1, 2, dtype=torch.float64), logistic=False
        )
        best = torch.tensor([[0.0, 1e-9]], dtype=torch.float64)
        start = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
        path = page.descent_path(problems.gradient, start, 1 / problems.smoothness, [k])
        gap = problems.loss(path.transpose(0, 1))[0, 0]
        shares.append(
            float(gap * 2 * k / problems.smoothness[0] / (start - best).square().sum())
        )
    assert all(0.15 < share < 0.2 for share in shares)
