import pytest
import torch

from ibcore.claims.classification.extensions import mirror_descent as page

CLAIMS = {
    claim.id: claim
    for claim in (page.mirror_descent_margin, page.mirror_descent_linear_network)
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


def test_the_table_has_a_run_in_every_row_and_a_norm_in_every_column(verdicts):
    table = verdicts["mirror-descent-margin"].data["table"]
    assert table.shape == (2, 6, 4, 6)
    assert bool(torch.isfinite(table).all())
    assert float(table.min()) > -1e-8


def test_norms_do_not_overflow():
    vectors = torch.tensor([[3e200, -4e200]], dtype=torch.float64)
    orders = torch.tensor([1.0, 2.0, 50.0], dtype=torch.float64)
    expected = torch.tensor([[7e200, 5e200, 4e200]], dtype=torch.float64)
    torch.testing.assert_close(page.norms(vectors, orders), expected, rtol=1e-5, atol=0)


def test_the_gap_of_the_optimum_is_zero_in_its_own_column():
    like = torch.zeros(0, dtype=torch.float64)
    sets = page.Sets.draw([1, 2], 10, 10, (1.5, 3.0), like)
    best = torch.stack([row[0].primal for row in sets.solutions])
    gaps = page.margin_gaps(sets.signed, sets.best, best, sets.orders)
    assert float(gaps[:, 0].abs().max()) < 1e-8
    assert float(gaps[:, 1].min()) > 1e-4


def test_every_kkt_point_of_a_network_is_the_linear_solution():
    """Build W_1 = phi(a) phi(g)^T and W_2 = phi(phi(a))^T by hand: stationary for p = 3 only if |a| is constant."""
    like = torch.zeros(0, dtype=torch.float64)
    sets = page.Sets.draw([3], 5, 8, (3.0,), like)
    solution = sets.solutions[0][0]
    w, dual, signed = solution.primal, solution.dual, sets.signed[0]
    signs = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    first, last = signs[:, None] * w, signs[None] * w.abs().pow(3).sum() ** (1 / 3)
    push = signed.T @ dual
    ratios = []
    for layer, gradient in ((first, last.T @ push[None]), (last, (first @ push)[None])):
        potential = layer.sign() * layer.abs().pow(2)
        ratio = potential / gradient
        assert float((ratio - ratio.mean()).abs().max() / ratio.mean()) < 1e-3
        ratios.append(float(ratio.mean()))
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-3)
