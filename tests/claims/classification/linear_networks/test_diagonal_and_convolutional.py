import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.classification.linear_networks import (
    diagonal_and_convolutional as page,
)
from ibcore.dynamics.log_time import flow
from ibcore.losses import Exponential
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.problems.sparse_margin import planted_l1

CLAIMS = {
    claim.id: claim
    for claim in (
        page.diag_classification_quasinorm,
        page.diag_init_scale_vs_accuracy,
        page.conv_linear_fourier,
    )
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


def test_limits_of_deep_networks_are_fixed_by_their_constraints(verdicts):
    (run,) = verdicts["diag-classification-quasinorm"].data["runs"]
    listed = run.listed.vertices[run.ranks]
    close = run.distances[-1] <= 1e-5
    assert bool(
        ((listed.abs() < 1e-12) == (run.limits.abs() < 1e-4 * run.limits.abs().amax()))[
            close
        ].all()
    )


def test_the_map_has_both_ends(verdicts):
    (one,) = verdicts["diag-init-scale-vs-accuracy"].data["maps"]
    assert one["ratios"].shape == (len(page.TIMES), 3)
    assert float(one["ratios"].max()) <= 1 + 1e-9
    assert float(one["ratios"][4, -1]) < 0.95
    assert float(one["ratios"][-1, 0]) > 0.99


def test_duals_that_fall_are_rejected():
    drawn = [
        planted_l1(
            6,
            3,
            (0.3, 0.5, 0.7, 1.0, 1.0, 1.0, 1.0),
            0.3,
            torch.Generator().manual_seed(seed),
        )
        for seed in range(6)
    ]
    assert {page.rising_duals(data) for data in drawn} == {True, False}


def test_depth_two_conserves_the_product_of_its_layers():
    data = page.planted_problems(Setting("quick", 1), 1)[0]
    start = even_start(7, torch.tensor([0.3]).double())
    run = flow(
        Diagonal(data.signed), Exponential(), start, log_loss=-5.0, tolerance=1e-8
    )
    u, v = run.theta[0].chunk(2, -1)
    torch.testing.assert_close(u * v, torch.full_like(u, 0.09), rtol=1e-6, atol=0)


def test_depth_three_conserves_the_sum_of_inverses_of_its_copies():
    data = page.planted_problems(Setting("quick", 1), 1)[0]
    start = even_start(7, torch.tensor([0.3]).double())
    run = flow(
        Diagonal(data.signed, 3), Exponential(), start, log_loss=-5.0, tolerance=1e-8
    )
    u, v = run.theta[0].chunk(2, -1)
    torch.testing.assert_close(
        1 / u + 1 / v, torch.full_like(u, 2 / 0.3), rtol=1e-6, atol=0
    )


def test_fourier_baselines_are_apart(verdicts):
    (run,) = verdicts["conv-linear-fourier"].data["runs"]
    assert min(run["baselines"]) >= 0.05
    assert bool((run["gaps"] > -1e-7).all())
