import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.classification.homogeneous_networks import two_layer_margins as page
from ibcore.oracles.margin_trap import BEST, TRAP, trapped
from ibcore.problems.plane import shallow_pair

CLAIMS = {claim.id: claim for claim in (page.kkt_not_optimal, page.wide_2nn_f1_margin)}


@pytest.fixture(scope="module")
def verdicts():
    first = {
        (name, 0): claim.verify(Setting("quick", 0)) for name, claim in CLAIMS.items()
    }
    second = {
        ("kkt-not-optimal", 1): page.kkt_not_optimal.verify(
            Setting("quick", 1), starts=3, at_random=8
        ),
        ("wide-2nn-f1-margin", 1): page.wide_2nn_f1_margin.verify(
            Setting("quick", 1), widths=[12, 40], starts=1
        ),
    }
    return first | second


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name, seed):
    evidence = verdicts[name, seed].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


def test_trapped_runs_approach_the_trap_from_below_and_the_others_the_optimum(verdicts):
    data = verdicts["kkt-not-optimal", 0].data
    for margins, end in ((data["caught"], TRAP), (data["escaped"], BEST)):
        gaps = 1 - margins / end
        assert bool((gaps[:-1] > 0).all())
        assert bool((gaps.diff(dim=0) < 0).all())


def test_gaussian_starts_end_in_one_of_three_ways(verdicts):
    notes = verdicts["kkt-not-optimal", 1].evidence.notes
    shares = [
        value
        for name, value in notes.items()
        if name.startswith("Gaussian starts that")
    ]
    assert len(shares) == 3
    assert all(0 <= share <= 1 for share in shares)
    assert sum(shares) <= 1 + 1e-12


def test_wider_networks_are_no_worse_than_the_bar_and_narrow_ones_are_only_counted(
    verdicts,
):
    verdict = verdicts["wide-2nn-f1-margin", 1]
    assert verdict.data["gaps"].shape == (len(page.STOPS), 2, 1)
    assert "share of networks narrower than 30 within 1e-6" in verdict.evidence.notes


def test_padded_neurons_do_not_count():
    generator = torch.Generator().manual_seed(0)
    theta = page.wide_start(5, 2, generator, padded=8)
    model = page.network(shallow_pair(), 8)
    assert theta.shape == (2, 24)
    assert float(theta.square().sum(-1).mean()) == pytest.approx(2)
    assert not bool(model.jacobian(theta)[..., 5:8].any())


def test_the_normalized_margin_ignores_the_scale():
    model = page.network(shallow_pair(), 2)
    margins = page.normalized_margin(model, torch.stack([trapped(), 7 * trapped()]))
    assert margins.tolist() == pytest.approx([TRAP, TRAP])


def test_problems_keep_off_the_kinks_and_rejected_ones_do_not():
    problems, rejected = page.clusters(Setting("quick", 3), 2)
    assert len(problems) == 2
    assert rejected >= 0
    assert all(p.best.distance_to_kinks(p.data.X) >= page.OFF_KINKS for p in problems)
