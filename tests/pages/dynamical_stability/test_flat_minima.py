import dataclasses
import math

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics.objective import Objective
from ibcore.losses import Square
from ibcore.measures.layers import imbalance_norm
from ibcore.measures.sharpness import sharpness
from ibcore.models.network import Network, joined
from ibcore.pages.dynamical_stability.flat_minima import claims as page
from ibcore.pages.dynamical_stability.flat_minima import runs
from ibcore.pages.dynamical_stability.flat_minima.claims.batch_size_sharpness import (
    _correlations,
    _fall,
    _matched,
)
from ibcore.pages.dynamical_stability.flat_minima.claims.flat_minima_linear_nets import (
    _flattest,
    _steps,
    draw_linear,
)
from ibcore.pages.dynamical_stability.flat_minima.claims.reparam_sharpness import (
    _ends,
    _same_function,
    _within,
)
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {
    claim.id: claim
    for claim in (
        page.reparam_sharpness,
        page.flat_minima_linear_nets,
        page.batch_size_sharpness,
    )
}
QUICK = Setting("quick", 0)


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def poisoned(values, *place, by=math.nan):
    lost = values.clone()
    lost[place] = by
    return lost


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


# Rescaled layers


def test_rescaling_multiplies_one_layer_and_divides_the_other():
    model = Network(normal(5, 3), (4,), "relu", biases=False)
    theta = model.normal(2, torch.Generator().manual_seed(1))
    c = torch.tensor([2.0, 3.0]).double()
    moved = runs.rescaled(model, theta, c)
    before, after = model.matrices(theta), model.matrices(moved)
    torch.testing.assert_close(after[0], before[0] * c[:, None, None])
    torch.testing.assert_close(after[1], before[1] / c[:, None, None])


def test_sharpness_without_parameters_is_not_a_number():
    model = Network(normal(5, 3), (4,), "relu", biases=False)
    objective = Objective(model, Square(), normal(5))
    theta = model.normal(3, torch.Generator().manual_seed(1))
    values = sharpness(objective, poisoned(theta, 1, 0), tolerance=runs.RESOLVED)
    torch.testing.assert_close(
        values[[0, 2]], runs.dense_sharpness(objective, theta)[[0, 2]]
    )
    assert bool(values[1].isnan())
    assert bool(runs.dense_sharpness(objective, poisoned(theta, 1, 0))[1].isnan())


def test_any_network_that_changes_makes_the_claim_fall(verdicts):
    good = verdicts["reparam-sharpness"].measured
    assert falls(_same_function(good.changes, good.product)) == []
    for bad in (1e-9, math.nan):
        changes = poisoned(good.changes, 3, 5, by=bad)
        assert falls(_same_function(changes, good.product)) == [0]
    product = poisoned(good.product, 2)
    assert falls(_same_function(good.changes, product)) == [1]
    assert falls(_same_function(good.changes, good.product / 2)) == [1]


def test_bounds_that_are_not_met_make_the_claim_fall(verdicts):
    good = verdicts["reparam-sharpness"].measured
    assert falls(_within(good)) == []
    for by, which in ((math.nan, [0, 1, 2]), (1e9, [1]), (1e-9, [0, 2])):
        values = poisoned(good.values, 0, 0, by=by)
        bad = dataclasses.replace(good, values=values)
        assert falls(_within(bad)) == which
    bad = dataclasses.replace(good, flattest=poisoned(good.flattest, 7))
    assert falls(_within(bad)) == [3]


@pytest.mark.parametrize(
    ("shift", "fallen"),
    [(0, []), (-0.9e-8, []), (0.9e-8, []), (-1.1e-8, [0, 2]), (1.1e-8, [1, 3])],
)
def test_bounds_are_met_up_to_the_tolerance_of_the_iteration(verdicts, shift, fallen):
    good = verdicts["reparam-sharpness"].measured
    ones = dict.fromkeys(("lower", "upper", "invariant"), torch.ones(13, 8).double())
    reach, values = torch.ones(8).double(), poisoned(ones["lower"], 4, 2, by=1 + shift)
    flattest = poisoned(reach, 2, by=1 + shift)
    made_up = dataclasses.replace(
        good, values=values, flattest=flattest, reach=reach, **ones
    )
    assert falls(_within(made_up)) == fallen


@pytest.mark.parametrize(("still", "refuted"), [(0, True), (2, True), (3, False)])
def test_a_quarter_of_the_networks_of_the_control_may_stay(verdicts, still, refuted):
    good = verdicts["reparam-sharpness"].measured
    smooth = poisoned(torch.full((8,), 0.11).double(), slice(0, still), by=0.09)
    kept = dataclasses.replace(good, smooth=smooth)
    assert page.reparam_sharpness.judge(kept).control.refuted is refuted


def test_ends_that_do_not_grow_make_the_claim_fall(verdicts):
    values = verdicts["reparam-sharpness"].measured.values
    assert falls(_ends(values)) == []
    assert falls(_ends(poisoned(values, -1, 2))) == [0]
    assert falls(_ends(poisoned(values, 0, 2))) == [1]
    assert falls(_ends(values.sqrt())) == [0, 1]


def test_a_homogeneous_network_in_place_of_the_control_survives(verdicts):
    good = verdicts["reparam-sharpness"].measured
    kept = dataclasses.replace(good, smooth=good.changes[8])
    assert not page.reparam_sharpness.judge(kept).control.refuted
    lost = dataclasses.replace(good, smooth=good.smooth * math.nan)
    assert not page.reparam_sharpness.judge(lost).control.refuted


def test_a_reader_s_data_take_the_place_of_drawn_ones():
    X, y = normal(15, 6).numpy(), normal(15, seed=1).numpy()
    verdict = page.reparam_sharpness.verify(QUICK, data=(X, y), networks=2, width=40)
    assert verdict.evidence.holds
    assert verdict.measured.values.shape == (13, 2)
    with pytest.raises(InvalidInput, match="15"):
        page.reparam_sharpness.verify(QUICK, data=(X, y[:4]))
    with pytest.raises(InvalidInput):
        page.reparam_sharpness.verify(QUICK, data=(X * np.nan, y))


def test_of_a_network_at_a_kink_only_the_function_is_claimed(verdicts):
    good = verdicts["reparam-sharpness"].measured
    lost = poisoned(good.values, slice(None), 2)
    kinks = torch.tensor([False, False, True] + [False] * 5)
    bad = dataclasses.replace(good, values=lost, at_kink=kinks)
    evidence = page.reparam_sharpness.judge(bad)
    assert evidence.holds
    assert evidence.notes == {"networks left out, at a kink": 1}
    assert [check.members for check in evidence.checks[:3]] == [104, 13, 91]
    none = dataclasses.replace(good, at_kink=~torch.zeros(8, dtype=torch.bool))
    checks = page.reparam_sharpness.judge(none).checks
    assert falls(checks) == [2, 3, 4, 5, 6, 7]


def test_a_kink_is_a_zero_up_to_rounding():
    inputs = torch.tensor([[[1.0, 1.0], [2.0, 1.0]]]).double().expand(2, 2, 2)
    hidden = torch.tensor([[[1.0, -1.0]], [[1.0, -1.001]]]).double()
    assert runs.on_a_kink(inputs, hidden).tolist() == [True, False]


def test_what_is_beside_a_network_is_seen_across_a_kink_and_only_there():
    """Of one neuron that is active on both examples, and on one of them only by 1e-9."""
    inputs = torch.tensor([[1.0, 0.0], [0.0, 2.0]]).double()
    model = Network(inputs, (1,), "relu", biases=False)
    objective = Objective(model, Square(), inputs.new_tensor([1.0, 0.0]))
    theta = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1e-9, 1.0]]).double()
    hidden = model.matrices(theta)[0]
    nearest = runs.nearest_kink(inputs, hidden).tolist()
    assert nearest == pytest.approx([0.5, 2e-9])
    generator = torch.Generator().manual_seed(0)
    off = runs.sharpness_beside(objective, theta, generator).tolist()
    assert off[0] < 1e-3
    assert off[1] > 0.1


# Linear networks


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_all_ways_to_make_minima_make_minima(depth):
    problems = draw_linear(
        QUICK, targets=3, depths=(depth,), stepped=(), minima=1, steps=1
    ).problems
    generator = torch.Generator().manual_seed(depth)
    layers = runs.balanced_layers(problems.target, depth, generator)
    assert float(imbalance_norm(layers).max()) < 1e-12
    moved = runs.moved_layers(layers, torch.full((3,), 0.3).double(), generator)
    assert float(imbalance_norm(moved).min()) > 0.1
    solved = runs.solved_layers(problems.target, depth, generator)
    objective = problems.objective(depth)
    for found in (layers, moved, solved):
        assert float(objective.mean(joined(found)).max()) < 1e-20


def test_inputs_are_whitened_and_are_not():
    draw = draw_linear(QUICK, targets=2, depths=(2,), stepped=(), minima=1, steps=1)
    for problems, spread in ((draw.problems, 1.0), (draw.colored, 8.0)):
        square = problems.inputs.mT @ problems.inputs / problems.inputs.shape[1]
        values = torch.linalg.eigvalsh(square)
        assert float((values[:, -1] / values[:, 0]).max()) == pytest.approx(spread)
        torch.testing.assert_close(values.sum(-1), torch.full((2,), 4.0).double())


def test_imbalance_along_a_signal():
    """Of layers that pass three signals on by themselves: each has an imbalance of its
    own.
    """
    first = torch.diag(torch.tensor([1.0, 2.0, 3.0]).double())[None]
    second = torch.diag(torch.tensor([3.0, 2.0, 1.0]).double())[None]
    layers = [first, 2 * second, second]
    signal = torch.eye(3).double()
    found = [
        float(runs.imbalance_along(layers, runs.passed_on(layers, unit[None])))
        for unit in signal
    ]
    expected = [math.hypot(35, 27), math.hypot(12, 12), math.hypot(5, 3)]
    assert found == pytest.approx(expected)
    assert math.hypot(*found) == pytest.approx(float(imbalance_norm(layers)))


def test_large_steps_balance_the_strongest_signal_and_not_the_weakest(verdicts):
    good = verdicts["flat-minima-linear-nets"].measured
    weak = torch.cat(list(good.weak.values()))
    left = torch.cat(list(good.left.values()))
    assert float(weak.median()) == pytest.approx(1, abs=0.01)
    assert float(left.median()) < 0.7
    checks = _steps(dataclasses.replace(good, weak=good.left))
    assert falls(checks) == [3]


def parts(measured, name, by):
    """The measurement with the first number of one depth replaced."""
    found = {depth: values.clone() for depth, values in getattr(measured, name).items()}
    next(iter(found.values())).view(-1)[0] = by
    return dataclasses.replace(measured, **{name: found})


@pytest.mark.parametrize(
    ("name", "which"),
    [
        ("balanced", [0]),
        ("moved", [1]),
        ("solved", [1]),
        ("aligned", [2]),
        ("chains", [3]),
        ("chains_least", [4]),
    ],
)
def test_one_minimum_that_is_flatter_makes_the_claim_fall(verdicts, name, which):
    good = verdicts["flat-minima-linear-nets"].measured
    assert falls(_flattest(good)) == []
    for by in (1 - 1e-6, math.nan):
        assert falls(_flattest(parts(good, name, by))) == which


@pytest.mark.parametrize(
    ("name", "which"),
    [
        ("large", [0]),
        ("small", [1]),
        ("left", [2]),
        ("kept", [2]),
        ("weak", [3]),
    ],
)
def test_runs_that_are_lost_make_shares_fall(verdicts, name, which):
    good = verdicts["flat-minima-linear-nets"].measured
    assert falls(_steps(good)) == []
    lost = {
        depth: poisoned(values, slice(0, 4))
        for depth, values in getattr(good, name).items()
    }
    bad = dataclasses.replace(good, **{name: lost})
    assert falls(_steps(bad)) == which


def test_whitened_inputs_in_place_of_the_control_survive(verdicts):
    good = verdicts["flat-minima-linear-nets"].measured
    kept = dataclasses.replace(good, colored=good.balanced)
    assert not page.flat_minima_linear_nets.judge(kept).control.refuted


# Batch sizes


@pytest.fixture(scope="module")
def digits():
    return runs.Digits.draw([1, 2], 20, 6, torch.device("cpu"))


def test_the_trace_in_closed_form_is_that_of_the_hessian(digits):
    objective = digits.objective(2)
    theta = digits.starts.repeat(2, 1) * torch.tensor([1.0, 1, 3, 3])[:, None]
    product = objective.curvature(theta)
    units = torch.eye(theta.shape[-1]).double()
    expected = sum(product(unit.expand_as(theta)) @ unit for unit in units)
    found = runs.tanh_trace(objective, theta)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=0)


def test_training_ends_at_the_level_or_after_the_steps(digits):
    level = 0.5
    ends = runs.trained(digits, (0.05, 0.1), 5, level)
    assert ends.broken == ()
    assert bool((ends.log_loss <= math.log(level)).all())
    assert bool((ends.steps[0] > ends.steps[1]).all())
    same = runs.trained(digits, (0.05, 0.1), 5, level, steps=40)
    assert same.steps.tolist() == [[40, 40], [40, 40]]
    assert bool(same.trace.isfinite().all())


def test_a_run_that_diverges_is_told_and_takes_nobody_with_it(digits):
    ends = runs.trained(digits, (0.05, 10.0), 5, 0.5)
    assert bool(ends.trace[0].isfinite().all())
    assert bool(ends.trace[1].isnan().all())
    assert bool(ends.top[1].isnan().all())
    assert len(ends.broken) == 2
    assert ends.broken[0].startswith("batch size 5: ")


def test_rank_correlations():
    noise = torch.tensor([1.0, 2.0, 3.0, 4.0]).double()
    columns = torch.stack([noise**3, -noise, poisoned(noise, 2)], -1)
    found = runs.rank_correlations(noise, columns)
    assert found[:2].tolist() == pytest.approx([1, -1])
    assert bool(found[2].isnan())


def test_a_start_without_the_trend_makes_the_claim_fall(verdicts):
    good = verdicts["batch-size-sharpness"].measured
    trace, top = good.trace_ranks, good.top_ranks
    assert falls(_correlations(trace, top)) == []
    for by in (-0.6, math.nan):
        assert falls(_correlations(poisoned(trace, 1, by=by), top)) == [0]
        assert falls(_correlations(trace, poisoned(top, 1, by=by))) == [1]
    assert _fall(good.trace[0]).holds
    assert not _fall(poisoned(good.trace[0], 0, 3)).holds
    assert not _fall(good.full.trace).holds
    assert not _matched(poisoned(good.log_loss, 0, 0, 0), good.level).holds
    assert not _matched(good.log_loss - 1, good.level).holds


def test_noise_in_place_of_the_control_survives(verdicts):
    good = verdicts["batch-size-sharpness"].measured
    noisy = dataclasses.replace(good.full, trace=good.trace[0])
    kept = dataclasses.replace(good, full=noisy)
    assert not page.batch_size_sharpness.judge(kept).control.refuted
    lost = dataclasses.replace(good.full, trace=good.full.trace * math.nan)
    bad = dataclasses.replace(good, full=lost)
    assert not page.batch_size_sharpness.judge(bad).control.refuted
