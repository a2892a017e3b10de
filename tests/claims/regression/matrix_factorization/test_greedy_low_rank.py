import math
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.regression.matrix_factorization import greedy_low_rank as page
from ibcore.models.matrix_factorization import factorization
from ibcore.models.observations import Entries
from ibcore.problems.planted_low_rank import revealed_entries

CLAIMS = {
    claim.id: claim
    for claim in (page.deep_mf_singular_dynamics, page.mf_glrl, page.mf_completion_rank)
}


@pytest.fixture(scope="module")
def verdicts():
    return {name: claim.verify(Setting("quick", 1)) for name, claim in CLAIMS.items()}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


def test_the_deepest_case_and_sensing_run(monkeypatch):
    monkeypatch.setattr(page, "SENSING_STEPS", 50)
    assert page.deep_mf_singular_dynamics.verify(
        Setting("quick", 2), depths=(4,)
    ).stands
    other = page.mf_completion_rank.verify(
        Setting("quick", 2), steps=100, depths=(2,), sensing=32
    )
    assert "sensing" in other.data
    assert len(other.evidence.checks) == 3


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_starts_are_balanced_unless_tilted(depth):
    def gap(tilt):
        layers = page.balanced_layers(
            depth, torch.Generator().manual_seed(0), tilt=tilt
        )
        return max(
            float((up.mT @ up - low @ low.mT).abs().max())
            for low, up in pairwise(layers)
        )

    assert gap(1.0) < 1e-14
    assert gap(3.0) > 1e-3


def test_rates_along_the_layers_are_differences_of_singular_values():
    model = factorization(
        Entries(*revealed_entries(4, 0.5, torch.Generator().manual_seed(0)), (4, 4)), 3
    )
    theta, velocity = (
        torch.randn(
            2, model.dimension, generator=torch.Generator().manual_seed(seed)
        ).double()
        for seed in (1, 2)
    )
    ahead, back = (
        torch.linalg.svdvals(model.product(theta + sign * 1e-6 * velocity))
        for sign in (1, -1)
    )
    torch.testing.assert_close(
        page._rates(model, theta, velocity), (ahead - back) / 2e-6, rtol=1e-5, atol=1e-7
    )


def test_instances_of_completion_are_those_where_the_nuclear_norm_fails():
    hidden, left_out = page.draw_hidden(Setting("quick", 3), 3, 10, 1, 0.5)
    assert float(hidden.nuclear.min()) > page.FAILS
    assert left_out >= 0
    torch.testing.assert_close(
        hidden.errors(hidden.truth[None]), torch.zeros(1, 3, dtype=torch.float64)
    )
    torch.testing.assert_close(
        hidden.errors(2 * hidden.truth), torch.ones(3, dtype=torch.float64)
    )


def test_the_first_stage_ends_where_the_flow_is_closest_to_the_first_corner():
    corner = torch.diag(torch.tensor([1.0, 0.0])).double()
    sizes = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.99, 0.01], [1.0, 0.5]]).double()
    path = SimpleNamespace(corners=torch.stack([0 * corner, corner]))
    assert len(page._first_stage(torch.diag_embed(sizes), path)) == 3


def test_the_control_of_rates_survives_from_a_balanced_start():
    for tilt, refuted in ((1.0, False), (3.0, True)):
        rates = [page.followed(seed, 2, tilt=tilt).rates for seed in (1295060, 1295061)]
        assert page.off_balance(2, rates).refuted == refuted
    assert not page.off_balance(2, [0.5, math.nan]).refuted


def test_the_control_of_the_path_survives_from_a_tiny_start():
    """The flow stops at the loss 1e-4 in both cases."""
    problem = page.sensed(1295062, 8, 33, (1.0, 0.25))
    path = page.greedy_low_rank(problem.A, problem.y, rank=2)
    for scale, refuted in ((1e-16, False), (0.02, True)):
        flow = page.tracked(problem, path.basis, scale, fitted=1e-4)
        apart = [page.distance_from(flow, path)]
        assert page.start_of_size(apart * 8).refuted == refuted
    assert not page.start_of_size([0.1] * 7 + [math.nan]).refuted
