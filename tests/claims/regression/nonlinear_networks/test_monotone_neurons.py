import dataclasses
import math

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


def test_runs_are_judged_by_their_loss_alone_and_counted(verdicts):
    evidence = verdicts["neuron-monotone-min-distance", 0].evidence
    for name, run in evidence.data["runs"].items():
        assert bool((run["converged"] == (run["loss"] <= page.CONVERGED)).all())
        assert bool(run["error"].isfinite().all())
        left_out = evidence.notes[f"{name}: not converged"]
        assert left_out == int((run["loss"] > page.CONVERGED).sum())
        theorem = next(c for c in evidence.checks if c.name.startswith(f"{name}: dist"))
        assert theorem.members == len(run["loss"]) - left_out


def nearest_runs(**changes):
    """Made-up runs of the three activations, all perfect but for `changes` of the first one of softplus."""
    runs = {}
    for name in page.ACTIVATIONS:
        parts = {
            part: torch.full((48,), value).double()
            for part, value in (("error", 1e-14), ("loss", 1e-30), ("off_span", 1e-15))
        }
        if name == "softplus":
            for part, value in changes.items():
                parts[part][0] = value
        runs[name] = page.NearestRuns(**parts)
    return runs


def fallen(checks):
    return [check.name for check in checks if not check.holds]


@pytest.mark.parametrize(
    ("changes", "falls"),
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
def test_one_wrong_run_is_noticed_and_one_on_its_way_is_not(changes, falls):
    found = fallen(page.judge_nearest(nearest_runs(**changes)))
    assert len(found) == bool(falls)
    assert all(name.startswith(falls) for name in found)


def test_too_few_converged_runs_are_noticed():
    runs = nearest_runs()
    runs["tanh"].loss[:24] = 1e-20
    runs["leaky ReLU"].loss[0] = 1e-20
    assert fallen(page.judge_nearest(runs)) == [
        f"{name}: runs that converge, loss at most 1e-28"
        for name in ("tanh", "leaky ReLU")
    ]


def test_lengths_are_euclidean_and_the_part_off_the_inputs_is_the_orthogonal_one():
    X = torch.tensor([[[1.0, 0.0, 0.0]]]).double()
    way = torch.tensor([[12.0, 3.0, 4.0]]).double()
    assert float(page._relative(way, way / 2)[0]) == pytest.approx(2)
    assert float(page._off_span(X, way)[0]) == pytest.approx(5 / 13)


def hidden_runs(**changes):
    """Made-up runs of the hidden neuron, all perfect but for `changes` of the first one."""
    count = 24
    parts = {
        field.name: torch.zeros(count).double()
        for field in dataclasses.fields(page.HiddenRun)
    } | {
        "distance": torch.ones(count).double(),
        "converged": torch.ones(count, dtype=torch.bool),
    }
    for name, value in changes.items():
        parts[name][0] = value
    return page.HiddenRun(**parts)


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
    run, wrong = hidden_runs(), hidden_runs(**changes)
    assert fallen(page.judge_linear(run, run.imbalance)) == []
    assert fallen(page.judge_leaky(run)) == []
    assert fallen(page.judge_linear(wrong, wrong.imbalance)) != []
    assert len(fallen(page.judge_leaky(wrong))) == 1


@pytest.mark.parametrize("wrong", [1e-3, math.nan])
def test_a_change_of_the_imbalance_is_noticed(wrong):
    drift = torch.zeros(24).double()
    drift[3] = wrong
    assert len(fallen(page.judge_linear(hidden_runs(), drift))) == 1


def halving(**changes):
    """Made-up steps, halved: perfect but for `changes` of the sixth run."""
    parts = {"drift": 0.48, "error": 0.48, "flow": 2e-4}
    values = {name: torch.full((24,), value).double() for name, value in parts.items()}
    for name, value in changes.items():
        values[name][5] = value
    return page.Halving(**values)


@pytest.mark.parametrize(
    ("part", "wrongs"),
    [
        ("drift", (1.0, 0.25, math.nan)),
        ("error", (1.0, 0.25, math.nan)),
        ("flow", (0.01, math.nan)),
    ],
)
def test_a_drift_or_an_error_that_does_not_halve_is_noticed(part, wrongs):
    assert fallen(page.judge_halving(halving())) == []
    for wrong in wrongs:
        assert len(fallen(page.judge_halving(halving(**{part: wrong})))) == 1


def test_the_control_survives_where_the_layers_move_at_one_speed():
    setting = Setting("quick", 1295002)
    flow = page._halve(setting, 3, 40000)
    assert not page.other_speed(flow).refuted
    uneven = page._halve(setting, 3, 80000, speed=page.FASTER)
    assert page.other_speed(uneven).refuted


def test_runs_at_another_speed_that_did_not_converge_refute_nothing():
    far = halving()
    far.flow[:] = 0.1
    assert page.other_speed(far).refuted
    far.flow[:7] = math.nan
    assert not page.other_speed(far).refuted


def test_another_speed_of_the_outer_weight_conserves_another_imbalance():
    """With a moving c times as fast a^2/c - |w|^2 is constant along the flow: at small steps it hardly moves."""
    data = page.draw_neurons(Setting("quick", 1295003), 4, "any")
    start = page._starts(data, torch.ones(4).double())
    _, _, run = page._descend(data, page.LEAK, start, 10**5, 0.02, 1e-16, 4.0)
    end = page._paced(run.last, 4.0)
    before, after = (
        theta[:, 0] ** 2 / 4 - theta[:, 1:].square().sum(1) for theta in (start, end)
    )
    assert float((after - before).abs().max()) < 0.02
    assert float((end[:, 0] ** 2 - start[:, 0] ** 2).abs().min()) > 0.1


@pytest.mark.parametrize("wrong", [0.9, math.nan])
def test_an_exponent_of_small_starts_other_than_one_is_noticed(wrong):
    exponent = torch.ones(8).double()
    assert page.judge_shrinking(page.Shrinking(exponent[None], exponent)).holds
    exponent[2] = wrong
    assert not page.judge_shrinking(page.Shrinking(exponent[None], exponent)).holds


def test_a_run_from_a_small_start_that_has_not_converged_has_no_exponent():
    scales = page._cycle(page.SCALES, 2).reshape(3, 2)
    run = hidden_runs()
    toward = torch.eye(6, dtype=torch.float64)
    ends = dataclasses.replace(
        run,
        u=toward + scales.reshape(6, 1) * toward.roll(1, 1),
        shortest=toward,
        converged=torch.tensor([True, True, True, False, True, True]),
    )
    small = page._shrinking(ends, scales)
    torch.testing.assert_close(small.distance, scales)
    assert float(small.exponent[0]) == pytest.approx(1)
    assert math.isnan(float(small.exponent[1]))


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
