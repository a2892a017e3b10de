import dataclasses
import math

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.oracles.twin_data import twin_inputs
from ibcore.pages.further.privacy import claims as page
from ibcore.pages.further.privacy import runs
from ibcore.pages.further.privacy.relu import relu_attempt
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {page.data_reconstruction.id: page.data_reconstruction}
CPU = torch.device("cpu")


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture(scope="module")
def found(verdicts):
    return verdicts["data-reconstruction"].measured


@pytest.fixture(scope="module")
def pair():
    """Two networks with ten outputs, and their parameters."""
    problem = runs.drawn([41, 42], CPU).few
    return problem, runs.train(problem)


def test_the_control_survives_where_its_assumption_holds(found):
    kept = dataclasses.replace(found, undecayed=found.few)
    assert not page.data_reconstruction.judge(kept).control.refuted


def test_the_control_fits_its_labels():
    problem = dataclasses.replace(runs.drawn([41], CPU).few, decay=page.UNDECAYED)
    theta = runs.train(problem, steps=page.FITTED_STEPS)
    assert float(problem.objective.at(theta).loss) < 1e-2


def test_the_identity_holds_at_the_end_and_not_on_the_way(pair):
    problem, theta = pair
    assert float(runs.identity_gap(problem, theta).max()) < 1e-8
    assert float(runs.identity_gap(problem, problem.start).min()) > 1e-3


def test_the_loss_has_the_gradient_that_is_claimed(pair):
    problem, theta = pair
    theta = (theta + 0.1).requires_grad_()
    outputs = problem.model.outputs(theta)
    logistic = torch.nn.functional.softplus(-problem.signs * outputs).sum((1, 2)) / 6
    loss = logistic + problem.decay / 2 * theta.square().sum(-1)
    (slope,) = torch.autograd.grad(loss.sum(), theta)
    point = problem.objective.at(theta.detach())
    torch.testing.assert_close(point.loss, loss.detach())
    torch.testing.assert_close(point.gradient, slope)


def test_every_neuron_is_a_critical_point_of_one_function(pair):
    problem, theta = pair
    layers = problem.layers(theta)[0]
    signs, outputs = problem.signs[0], problem.model.outputs(theta)[0]
    factors = signs * torch.sigmoid(-signs * outputs) / (6 * problem.decay)
    neurons = layers.below.clone().requires_grad_()
    hidden = torch.tanh(neurons[:, :-1] @ problem.inputs[0].T + neurons[:, -1:])
    height = (neurons.square().sum() - (hidden @ factors).square().sum()) / 2
    (slope,) = torch.autograd.grad(height, neurons)
    assert float(slope.abs().max()) < 1e-5


def test_a_twin_has_other_inputs_and_the_same_gradient_and_outputs():
    problem = runs.drawn([43, 44], CPU).single
    theta = runs.train(problem)
    other = runs.twin(problem, theta)
    assert float((other.inputs - problem.inputs).norm(dim=-1).min()) > 0.1
    assert float(other.objective.at(theta).gradient.norm(dim=-1).max()) < 1e-7
    torch.testing.assert_close(other.model.outputs(theta), problem.model.outputs(theta))
    some = problem.on(problem.held[:, :6])
    assert float(some.objective.at(theta).gradient.norm(dim=-1).min()) > 1e-4


def test_full_rank_leaves_no_twin(pair):
    problem, theta = pair
    below = problem.layers(theta)[0].below
    same = twin_inputs(problem.inputs[0], problem.held[0, :6], below, 6)
    torch.testing.assert_close(same, problem.inputs[0], rtol=0, atol=1e-5)


def test_the_attack_reads_nothing_but_the_parameters(pair):
    """Other data, held-out points and labels in the hands of the judge change no
    candidate.
    """
    problem, theta = pair
    blind = dataclasses.replace(
        problem, inputs=problem.inputs * 0, held=problem.held * 0, signs=-problem.signs
    )
    for seen, unseen in zip(
        runs.attack(problem, theta), runs.attack(blind, theta), strict=True
    ):
        torch.testing.assert_close(seen.points, unseen.points, rtol=0, atol=0)


def poisoned(values, members):
    lost = values.clone()
    lost[:members] = math.nan
    return lost


def outcome(**changed):
    eight = torch.ones(8).double()
    parts = {
        "identity": eight * 1e-9,
        "rank": eight * 6,
        "outer_rank": eight * 6,
        "neurons": eight * 20,
        "spans": torch.stack([eight, eight]) * 0.1,
        "found": eight[:, None].expand(-1, 6) * 1e-6,
        "held": eight[:, None].expand(-1, 6) * 0.7,
        "drawn": eight[:, None].expand(-1, 6) * 0.6,
    }
    return runs.Outcome(**(parts | changed))


def whole(**changed):
    lost = {"found": outcome().held, "rank": torch.ones(8).double()}
    parts = {
        "few": outcome(),
        "many": outcome(),
        "onehot": outcome(),
        "single": outcome(**lost),
        "undecayed": outcome(**lost),
        "twin_gap": torch.full((8,), 1e-9).double(),
        "twin_distance": torch.ones(8, 6).double(),
        "noise": torch.tensor([1e-5, 1e-3, 0.5]).double()[:, None, None]
        * torch.ones(8, 6).double(),
    }
    return page.Reconstructions(**(parts | changed))


def judged(**changed):
    return falls(page.data_reconstruction.judge(whole(**changed)).checks)


def test_a_good_measurement_stands():
    evidence = page.data_reconstruction.judge(whole())
    assert judged() == []
    assert evidence.control.refuted


def test_what_is_not_known_does_not_refute_the_control():
    lost = outcome(found=poisoned(outcome().held, 3))
    evidence = page.data_reconstruction.judge(whole(undecayed=lost))
    assert not evidence.control.refuted


@pytest.mark.parametrize("group", ["few", "many", "onehot"])
def test_one_gradient_that_has_not_vanished(group):
    lost = poisoned(outcome().identity, 1)
    assert judged(**{group: outcome(identity=lost)}) == [0]
    assert judged(**{group: outcome(identity=outcome().identity + 1e-5)}) == [0]


def test_points_outside_their_row_space():
    for bad in (poisoned(outcome().spans.T, 1).T, outcome().spans + 1):
        assert judged(few=outcome(spans=bad)) == [1]
        assert judged(many=outcome(spans=bad)) == [1]


def test_a_rank_that_does_not_tell_the_number_of_points():
    for bad in (poisoned(outcome().rank, 5), outcome().rank + 1):
        assert 2 in judged(few=outcome(rank=bad), many=outcome(rank=bad))


def test_points_that_are_not_found():
    lost = outcome(found=poisoned(outcome().found, 5))
    assert judged(many=lost) == [4]
    assert judged(few=lost, onehot=lost) == [3, 7]
    assert judged(many=outcome(found=outcome().found + 0.02)) == [4]


def test_baselines_that_come_too_near():
    for name, place in (("held", 5), ("drawn", 6)):
        for bad in (poisoned(getattr(outcome(), name), 8), outcome().found):
            assert place in judged(
                few=outcome(**{name: bad}), many=outcome(**{name: bad})
            )


def test_a_count_that_does_not_say_where_the_attack_succeeds():
    few = outcome(neurons=torch.full((8,), 10.0).double())
    assert judged(few=few, onehot=few) == [7]
    lost = outcome(neurons=poisoned(outcome().neurons, 8))
    assert judged(few=lost, onehot=lost) == [7]


def test_one_output_that_can_be_attacked():
    assert judged(twin_gap=poisoned(whole().twin_gap, 1)) == [8]
    assert judged(twin_distance=poisoned(whole().twin_distance, 5)) == [9]
    assert judged(twin_distance=whole().twin_distance * 0.1) == [9]
    ranks = whole().single.rank
    same = {"found": outcome().held}
    assert judged(single=outcome(rank=ranks + 5, **same)) == [10]
    assert judged(single=outcome(rank=poisoned(ranks, 5), **same)) == [10]
    assert judged(single=outcome(rank=ranks)) == [11]
    lost = {"rank": ranks, "found": poisoned(outcome().held, 1)}
    assert judged(single=outcome(**lost)) == [11]


def test_noise_that_acts_in_another_way():
    noise = whole().noise
    assert judged(noise=noise * torch.tensor([1, 3, 1])[:, None, None]) == [12]
    assert judged(noise=poisoned(noise.transpose(0, 1), 5).transpose(0, 1)) == [12, 13]
    lost = noise.clone()
    lost[2, 0] = math.nan
    assert judged(noise=lost) == [13]
    assert judged(noise=noise * torch.tensor([1, 1, 1e-3])[:, None, None]) == [13]


def test_own_data_take_the_place_of_drawn_ones():
    rng = np.random.default_rng(7301)
    X, y = rng.normal(size=(60, 12)) * 9 + 4, rng.integers(0, 3, 60)
    problems = page.own_sets(Setting("quick", 0), X, y, networks=8)
    assert problems.many.inputs.shape == (8, 10, 12)
    assert problems.few.held.shape == (8, 50, 12)
    assert float(problems.onehot.signs.amax()) == 1
    with pytest.raises(InvalidInput, match="columns"):
        page.own_sets(Setting("quick", 0), X[:, :5], y, networks=8)
    with pytest.raises(InvalidInput, match="labels"):
        page.own_sets(Setting("quick", 0), X, y[:-1], networks=8)


def test_the_attack_on_relu_networks_reports_what_it_finds():
    tried = relu_attempt([1, 2], trained=300, attacked=30)
    assert tried.found.shape == tried.held.shape == (2, 6)
    assert bool(tried.found.isfinite().all())
    assert bool((tried.objective > 0).all())
