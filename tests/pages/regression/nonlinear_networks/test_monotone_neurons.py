import math

import pytest
import torch

from ibcore.claim import Setting
from ibcore.pages.regression.nonlinear_networks.monotone_neurons import claims as page
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.claims.neuron_monotone_min_distance import (
    ACTIVATIONS,
    CONVERGED,
    NearestRuns,
    draw_problems,
    off_span,
    undo,
)
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.runs import relative
from tests.conformance import UnbrokenConformance

CLAIMS = {
    claim.id: claim
    for claim in (page.neuron_monotone_min_distance, page.leaky_one_hidden)
}
NAMES = ("tanh", "softplus", "leaky ReLU")


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_at_another_seed(name):
    assert CLAIMS[name].verify(Setting("quick", 1)).stands


def test_runs_are_judged_by_their_loss_alone_and_counted(verdicts):
    verdict = verdicts["neuron-monotone-min-distance"]
    found, evidence = verdict.measured, verdict.evidence
    assert tuple(ACTIVATIONS) == NAMES
    assert bool(found.error.isfinite().all())
    for row, name in enumerate(NAMES):
        left_out = evidence.notes[f"{name}: not converged"]
        assert left_out == int((found.loss[row] > CONVERGED).sum())
        theorem = next(c for c in evidence.checks if c.name.startswith(f"{name}: dist"))
        assert theorem.members == found.loss.shape[1] - left_out


def nearest_runs(**changes):
    """Made-up runs of the three activations, all perfect but for `changes` of the first
    one of softplus.
    """
    parts = {
        part: torch.full((3, 48), value).double()
        for part, value in (("error", 1e-14), ("loss", 1e-30), ("off_span", 1e-15))
    }
    for part, value in changes.items():
        parts[part][1, 0] = value
    return NearestRuns(**parts, adam=torch.ones(48).double())


def judged(measured):
    evidence = page.neuron_monotone_min_distance.judge(measured)
    return [check.name for check in evidence.checks if not check.holds]


@pytest.mark.parametrize(
    ("changes", "fallen"),
    [
        ({}, ""),
        ({"loss": 1e-20, "error": 1e-3}, ""),
        ({"error": 1e-3}, "softplus: distance"),
        ({"error": math.nan}, "softplus: distance"),
        ({"loss": math.nan, "error": math.nan}, "softplus: distance"),
        ({"off_span": 1e-3}, "part of the way off"),
        ({"off_span": math.nan}, "part of the way off"),
    ],
)
def test_one_wrong_run_is_noticed_and_one_on_its_way_is_not(changes, fallen):
    found = judged(nearest_runs(**changes))
    assert len(found) == bool(fallen)
    assert all(name.startswith(fallen) for name in found)


def test_too_few_converged_runs_are_noticed():
    runs = nearest_runs()
    runs.loss[0, :24] = 1e-20
    runs.loss[2, 0] = 1e-20
    assert judged(runs) == [
        f"{name}: runs that converge, loss at most 1e-28"
        for name in ("tanh", "leaky ReLU")
    ]


def test_runs_of_adam_that_end_near_or_do_not_fit_refute_nothing():
    runs = nearest_runs()
    control = page.neuron_monotone_min_distance.judge(runs).control
    assert control.refuted
    for wrong in (0.01, math.nan):
        runs.adam[:13] = wrong
        control = page.neuron_monotone_min_distance.judge(runs).control
        assert not control.refuted


def test_the_control_survives_where_steps_stay_in_the_span(verdicts):
    """The same measurement with gradient descent in the place of Adam."""
    found = verdicts["neuron-monotone-min-distance"].measured
    descent = NearestRuns(found.error, found.loss, found.off_span, found.error[2])
    assert not page.neuron_monotone_min_distance.judge(descent).control.refuted


def test_the_prediction_fits_the_labels_of_each_activation():
    problems = draw_problems(Setting("quick", 3), problems=4, steps=10)
    neurons = problems.neurons
    for (name, sigma), nearest in zip(
        ACTIVATIONS.items(), problems.nearest, strict=True
    ):
        z = (neurons.X @ nearest[..., None])[..., 0]
        torch.testing.assert_close(sigma.value(z), sigma.value(neurons.z))
        torch.testing.assert_close(undo(name, sigma.value(neurons.z)), neurons.z)
        off = off_span(neurons.X, nearest - neurons.start)
        assert float(off.max()) < 1e-12


def test_lengths_are_euclidean_and_the_part_off_the_inputs_is_the_orthogonal_one():
    X = torch.tensor([[[1.0, 0.0, 0.0]]]).double()
    way = torch.tensor([[12.0, 3.0, 4.0]]).double()
    assert float(relative(way, way / 2)[0]) == pytest.approx(2)
    assert float(off_span(X, way)[0]) == pytest.approx(5 / 13)
