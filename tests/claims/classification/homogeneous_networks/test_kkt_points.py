import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.classification.homogeneous_networks import kkt_points as page
from ibcore.models.homogeneous import LeakyReLU, SquaredReLU, joined

CLAIMS = {
    claim.id: claim
    for claim in (
        page.homogeneous_kkt,
        page.normalized_margin_monotone,
        page.homogeneous_rates,
        page.gradient_alignment,
        page.nonhomogeneous_open,
    )
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


@pytest.mark.parametrize("name", CLAIMS)
def test_figures_get_finite_arrays_on_the_cpu(verdicts, name):
    for value in verdicts[name].data.values():
        if isinstance(value, torch.Tensor):
            assert value.device.type == "cpu"
            assert bool(value.isfinite().all())


def test_draws_differ_between_seeds_repeat_and_keep_their_condition():
    first, again, other = (
        page.draw_networks(Setting("quick", seed), 3, "any", SquaredReLU(), page.SMALL)
        for seed in (0, 0, 1)
    )
    assert torch.equal(first.theta, again.theta)
    assert not torch.equal(first.theta, other.theta)
    a, _ = first.net.layers(first.theta)
    useful = (first.net.preactivations(first.theta) > 0) & (
        first.margins.labels[..., None] * a[:, None, :] > 0
    )
    assert bool(useful.any(-1).all())


def test_an_unfinished_network_would_not_hold():
    networks = page.draw_networks(
        Setting("quick", 3), 2, "any", LeakyReLU(), page.LARGE
    )
    early = networks.limit(steps=60, finest=1e-3)
    found = [page._clarke_kkt(networks, early.direction, b) for b in range(2)]
    assert all(point is None or point.residual > page.CLARKE for point in found)


def test_the_tangent_kernel_machine_sees_a_rescaled_network():
    networks = page.draw_networks(
        Setting("quick", 3), 1, "any", SquaredReLU(), page.LARGE
    )
    direction = networks.limit(steps=1500, finest=1e-4).direction
    a, w = networks.net.layers(direction)
    rescaled = joined(4 * a, w / 2)
    torch.testing.assert_close(
        networks.net.outputs(rescaled), networks.net.outputs(direction)
    )
    assert page._tangent_gap(networks, direction, 0) < 1e-2
    assert page._tangent_gap(networks, rescaled / rescaled.norm(), 0) > 0.2
