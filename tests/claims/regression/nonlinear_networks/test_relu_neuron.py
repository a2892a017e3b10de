import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.regression.nonlinear_networks import relu_neuron as page
from ibcore.demonstrations.relu_neuron import MAX_ANGLE, rise, shape_for
from ibcore.problems.relu_pairs import Shape

CLAIMS = {
    claim.id: claim
    for claim in (page.relu_neuron_no_regularizer, page.relu_neuron_factor_two)
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


def test_every_link_of_the_chain_was_run(verdicts):
    evidence = verdicts["relu-neuron-no-regularizer"].evidence
    assert len(evidence.data["links"].errors) == evidence.notes["links"] > 0
    start, end = evidence.data["targets"][0]
    assert np.linalg.norm(start) <= np.linalg.norm(end) <= 1.15 * np.linalg.norm(start)


def test_the_height_of_a_link_can_be_chosen():
    for angle in (0.01, MAX_ANGLE):
        assert rise(shape_for(angle)) == pytest.approx(np.tan(angle), rel=1e-10)
    assert rise(Shape(tilt=0.0)) == pytest.approx(0, abs=1e-15)


def test_limits_differ_in_space_and_not_in_the_plane():
    apart, above = page.run_planes(Setting("quick", 11), 2)
    assert apart == 0
    assert above < 1e-8
    error, misfit, gap = page.run_pairs(Setting("quick", 11), 1)
    assert max(error, misfit) < 1e-8
    assert gap > 0.15


def test_no_run_is_farther_from_the_shortest_weights_than_zero_is():
    drawn = page.run_random(Setting("quick", 12), [(3, 6)], 50, 200)
    assert float(drawn.distances.max()) <= 1
    assert drawn.ratios.shape == drawn.fits.shape == torch.Size([50])
