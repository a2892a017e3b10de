import pytest
import torch

from ibcore.claims import Setting
from ibcore.oracles.margin_trap import TRAP, trapped
from ibcore.pages.classification.homogeneous_networks.two_layer_margins import (
    claims as page,
)
from ibcore.pages.classification.homogeneous_networks.two_layer_margins import (
    networks as nets,
)
from ibcore.problems.plane import shallow_pair
from tests.conformance import UnbrokenConformance

CLAIMS = {claim.id: claim for claim in (page.kkt_not_optimal, page.wide_2nn_f1_margin)}


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("kkt-not-optimal", {"at_random": 8}),
        ("wide-2nn-f1-margin", {"widths": [12, 40], "narrow": 3}),
    ],
)
def test_claims_hold_at_another_seed_and_other_sizes(name, sizes):
    evidence = CLAIMS[name].verify(Setting("quick", 1), **sizes).evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


def test_a_point_is_seen_by_a_neuron_of_its_sign_only():
    X = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]]).double()
    w = torch.tensor([[[1.0, 1.0], [-1.0, 1.0]]]).double()
    a = torch.tensor([[1.0, -1.0]]).double()
    for labels, seen in (
        ((1.0, -1.0), True),
        ((1.0, 1.0), False),
        ((-1.0, -1.0), False),
    ):
        y = torch.tensor([labels]).double()
        assert nets.covered(X, y, a, w).tolist() == [seen]


def test_padded_neurons_do_not_count():
    generator = torch.Generator().manual_seed(0)
    theta = nets.wide_start(5, 2, generator, padded=8)
    model = nets.network(shallow_pair(), 8)
    assert theta.shape == (2, 24)
    assert float(theta.square().sum(-1).mean()) == pytest.approx(2)
    assert not bool(model.jacobian(theta)[..., 21:].any())


def test_the_normalized_margin_ignores_the_scale():
    model = nets.network(shallow_pair(), 2)
    theta = torch.stack([trapped(), 7 * trapped()])
    margins = nets.normalized_margin(model, theta)
    assert margins.tolist() == pytest.approx([TRAP, TRAP])
    scaled = nets.at_margin_one(model, theta)
    assert model.outputs(scaled).amin(-1).tolist() == pytest.approx([1, 1])
