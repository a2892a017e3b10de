"""The claim on one hidden neuron, and what its measurement is made of."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from ibcore.claim import Setting
from ibcore.models.activations import LeakyReLU
from ibcore.models.neuron import HiddenNeuron
from ibcore.pages.regression.nonlinear_networks.monotone_neurons import hidden
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.claims.leaky_one_hidden import (
    halving_checks,
    leaky_checks,
    linear_checks,
    other_speed,
    shrinking_check,
)
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.runs import (
    LEAK,
    draw_neurons,
)
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.starts import (
    FASTER,
    IMBALANCES,
    SCALES,
    Fit,
    Shrinking,
    own_starts,
    shrinking,
    small_starts,
)
from ibcore.validation import InvalidInput
from tests.conformance import falls

SIZES = {"problems": 8, "flows": 2, "imbalances": (-1.0, 1.0), "steps": 4000}


def fit(**changes):
    """Made-up runs of the hidden neuron, all perfect but for `changes` of the first
    one.
    """
    parts = {part.name: torch.zeros(24).double() for part in dataclasses.fields(Fit)}
    parts["distance"] = torch.ones(24).double()
    parts["converged"] = torch.ones(24, dtype=torch.bool)
    for name, value in changes.items():
        parts[name][0] = value
    return Fit(**parts)


@pytest.mark.parametrize(
    "changes",
    [
        {"error": 1e-3},
        {"error": math.nan},
        {"converged": False},
        {"certificate": 1e-3},
        {"certificate": math.nan},
    ],
)
def test_one_wrong_run_of_the_hidden_neuron_is_noticed(changes):
    wrong = fit(**changes)
    assert falls(linear_checks(fit())) == []
    assert falls(leaky_checks(fit())) == []
    assert falls(linear_checks(wrong)) != []
    assert len(falls(leaky_checks(wrong))) == 1


@pytest.mark.parametrize("wrong", [1e-3, math.nan])
def test_a_change_of_the_imbalance_is_noticed(wrong):
    assert falls(linear_checks(fit(drift=wrong))) == [2]
    assert falls(leaky_checks(fit(drift=wrong))) == []


def test_minimizers_that_are_the_shortest_solutions_are_noticed():
    runs = fit()
    runs.distance[:10] = 0.1
    assert falls(leaky_checks(runs)) == [2]
    runs.distance[:10] = math.nan
    assert falls(leaky_checks(runs)) == [2]


def halving(**changes):
    """Made-up steps, halved: perfect but for `changes` of the sixth run."""
    parts = {"drift": 0.48, "error": 0.48, "flow": 2e-4}
    values = {name: torch.full((24,), value).double() for name, value in parts.items()}
    for name, value in changes.items():
        values[name][5] = value
    return hidden.Halving(**values)


@pytest.mark.parametrize(
    ("part", "wrongs"),
    [
        ("drift", (1.0, 0.25, math.nan)),
        ("error", (1.0, 0.25, math.nan)),
        ("flow", (0.01, math.nan)),
    ],
)
def test_a_drift_or_an_error_that_does_not_halve_is_noticed(part, wrongs):
    assert falls(halving_checks(halving())) == []
    for wrong in wrongs:
        assert len(falls(halving_checks(halving(**{part: wrong})))) == 1


def started(seed, count, purpose):
    """`count` problems at each of the imbalances."""
    neurons = draw_neurons(Setting("quick", seed), count, purpose)
    return hidden.Starts.each(neurons, IMBALANCES)


def test_the_control_survives_where_the_layers_move_at_one_speed():
    starts = started(1295002, 3, "steps of a hidden neuron")
    assert not other_speed(hidden.halve(starts, 40000)).refuted
    assert other_speed(hidden.halve(starts, 80000, speed=FASTER)).refuted


def test_runs_at_another_speed_that_did_not_converge_refute_nothing():
    far = halving()
    far.flow[:] = 0.1
    assert other_speed(far).refuted
    far.flow[:7] = math.nan
    assert not other_speed(far).refuted


def test_another_speed_of_the_outer_weight_conserves_another_imbalance():
    """With a moving c times as fast a^2/c - |w|^2 is constant along the flow: at small
    steps it hardly moves.
    """
    neurons = draw_neurons(Setting("quick", 1295003), 4, "any")
    starts = hidden.Starts.of(neurons, torch.ones(4).double(), hidden.START)
    _, _, run = hidden.descent(starts, 10**5, 0.02, 1e-16, 4.0)
    end = hidden.paced(run.last, 4.0)
    before, after = (
        theta[:, -1] ** 2 / 4 - theta[:, :-1].square().sum(1)
        for theta in (starts.theta, end)
    )
    assert float((after - before).abs().max()) < 0.02
    assert float((end[:, -1] ** 2 - starts.theta[:, -1] ** 2).abs().min()) > 0.1


@pytest.mark.parametrize("wrong", [0.9, math.nan])
def test_an_exponent_of_small_starts_other_than_one_is_noticed(wrong):
    exponent = torch.ones(8).double()
    assert shrinking_check(Shrinking(exponent[None], exponent)).holds
    exponent[2] = wrong
    assert not shrinking_check(Shrinking(exponent[None], exponent)).holds


def test_a_run_from_a_small_start_that_has_not_converged_has_no_exponent():
    scales = hidden.cycle(SCALES, 2).reshape(3, 2)
    toward = torch.eye(6, dtype=torch.float64)
    ends = hidden.Ends(
        u=toward + scales.reshape(6, 1) * toward.roll(1, 1),
        best=toward,
        certificate=torch.zeros(6),
        shortest=toward,
        converged=torch.tensor([True, True, True, False, True, True]),
        imbalance=torch.zeros(6),
    )
    small = shrinking(ends, scales)
    torch.testing.assert_close(small.distance, scales)
    assert float(small.exponent[0]) == pytest.approx(1)
    assert math.isnan(float(small.exponent[1]))


def test_starts_take_both_signs_of_the_outer_weight():
    neurons = draw_neurons(Setting("quick", 2), 4, "any")
    imbalance = torch.tensor([-1.0, 0.0, 1.0, 2.0]).double()
    theta = hidden.Starts.of(neurons, imbalance, hidden.START).theta
    assert theta[:, -1].sign().tolist() == [1, -1, 1, -1]
    lengths = torch.full((4,), hidden.START).double()
    torch.testing.assert_close(theta[:, :-1].norm(dim=-1), lengths)
    before = HiddenNeuron(neurons.X, LeakyReLU(LEAK)).imbalance(theta)
    torch.testing.assert_close(before, imbalance)


def test_small_starts_are_balanced_and_of_three_lengths():
    neurons = draw_neurons(Setting("quick", 2), 2, "any")
    starts = small_starts(neurons)
    lengths = hidden.cycle(SCALES, 2)
    torch.testing.assert_close(starts.theta[:, -1].abs(), lengths)
    torch.testing.assert_close(starts.theta[:, :-1].norm(dim=-1), lengths)


def test_a_negative_outer_weight_is_the_mirror_image_of_a_positive_one():
    """For a -> -a, w -> -w: the outputs a sigma(w.x) of the data -y, sigma mirrored;
    for the identity the same u.
    """
    neurons = draw_neurons(Setting("quick", 4), 3, "any")
    start = hidden.Starts.of(neurons, torch.ones(3).double(), hidden.START).theta
    model = HiddenNeuron(neurons.X, LeakyReLU(1.0))
    done, delta = torch.ones(3, dtype=torch.bool), model.imbalance(start)
    one, other = (
        hidden.compare(model, neurons.z, 1.0, theta, theta, done, delta)
        for theta in (start, -start)
    )
    torch.testing.assert_close(one.best, other.best)


def test_own_data_take_the_place_of_drawn_ones():
    rng = np.random.default_rng(1295004)
    X = rng.normal(size=(3, 9)) * 100
    y = [1.0, -2.0, 0.5]
    problems = own_starts(Setting("quick", 0), X, y, **SIZES)
    assert problems.linear.neurons.X.shape == (4, 3, 9)
    assert problems.leaky.neurons.X.shape == (24, 3, 9)
    z = problems.linear.neurons.z[0]
    torch.testing.assert_close(z, torch.tensor(y).double() / math.sqrt(5.25 / 3))
    negative = problems.leaky.neurons.z[0, 1] / z[1]
    assert float(negative) == pytest.approx(1 / LEAK)
    lengths = problems.small.neurons.X[0].square().sum(1)
    assert float(lengths.mean()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("X", "y", "word"),
    [
        (np.ones((2, 5)), [1.0, 2.0], "dependent"),
        (np.eye(3)[:, :2], [1.0, 2.0, 3.0], "dependent"),
        (np.eye(3), [0.0, 0.0, 0.0], "zero"),
        (np.eye(3), [1.0, 2.0], "one number"),
    ],
)
def test_own_data_that_no_theorem_covers_are_refused(X, y, word):
    with pytest.raises(InvalidInput, match=word):
        own_starts(Setting("quick", 0), X, y, **SIZES)
