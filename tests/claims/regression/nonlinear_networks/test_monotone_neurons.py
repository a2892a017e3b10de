import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.regression.nonlinear_networks import monotone_neurons as page
from ibcore.models.neuron import HiddenNeuron, leaky_relu

CLAIMS = {
    claim.id: claim
    for claim in (page.neuron_monotone_min_distance, page.leaky_one_hidden)
}


@pytest.fixture(scope="module")
def verdicts():
    return {
        (name, seed): claim.verify(Setting("quick", seed))
        for name, claim in CLAIMS.items()
        for seed in (0, 1)
    }


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name, seed):
    evidence = verdicts[name, seed].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


def test_runs_are_judged_by_their_loss_alone(verdicts):
    for run in verdicts["neuron-monotone-min-distance", 0].data["runs"].values():
        assert bool((run["converged"] == (run["loss"] <= page.CONVERGED)).all())
        assert bool(run["error"].isfinite().all())


def test_starts_take_both_signs_of_the_outer_weight():
    data = page.draw_neurons(Setting("quick", 2), 4, "any")
    start = page._starts(data, torch.tensor([-1.0, 0.0, 1.0, 2.0]).double())
    assert start[:, 0].sign().tolist() == [1, -1, 1, -1]
    torch.testing.assert_close(
        start[:, 1:].norm(dim=-1), torch.full((4,), page.START).double()
    )


def test_a_negative_outer_weight_is_the_mirror_image_of_a_positive_one():
    """For a -> -a, w -> -w: the outputs a sigma(w.x) of the data -y, sigma mirrored; for the identity the same u."""
    data = page.draw_neurons(Setting("quick", 4), 3, "any")
    start = page._starts(data, torch.ones(3).double())
    model, done = HiddenNeuron(data.X, leaky_relu(1.0)), torch.ones(3, dtype=torch.bool)
    one = page.compare(model, data.z, 1.0, start, start, done, model.imbalance(start))
    other = page.compare(
        model, data.z, 1.0, -start, -start, done, model.imbalance(start)
    )
    torch.testing.assert_close(one.best, other.best)
