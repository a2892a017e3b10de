"""Gradients in inputs and in the first layer: the claim sgd-sobolev on made-up and on
trained networks.
"""

import math

import pytest
import torch

from ibcore.dynamics.objective import Objective
from ibcore.losses import Square
from ibcore.measures.sharpness import exact_trace
from ibcore.models.network import Network
from ibcore.pages.dynamical_stability.function_space import claims as page
from ibcore.pages.dynamical_stability.function_space import slopes
from ibcore.pages.dynamical_stability.function_space.claims.sgd_sobolev import (
    SlopeRuns,
    worst,
)
from tests.conformance import outcome

CPU = torch.device("cpu")
CLAIMS = {page.sgd_sobolev.id: page.sgd_sobolev}


def few_labels():
    return slopes.labeled([1, 2, 3], CPU)


def test_gradients_in_inputs_and_weights_are_those_of_differences():
    data = few_labels()
    network = Network(data.X, (6,), "tanh")
    theta = network.initial(3, torch.Generator().manual_seed(0))
    model, whole = slopes._with_skip(data, network, theta)
    for one, at in ((network, theta), (model, whole)):
        found = slopes.input_gradients(one, at)
        for k in range(slopes.INPUTS):
            unit = torch.zeros(slopes.INPUTS).double()
            unit[k] = 1e-5
            up, down = (
                Network(data.X + sign * unit, (6,), "tanh").outputs(theta)
                + (
                    ((data.X + sign * unit) @ whole[:, -5:, None])[..., 0]
                    if one is model
                    else 0
                )
                for sign in (1, -1)
            )
            torch.testing.assert_close(
                found[..., k], (up - down) / 2e-5, rtol=1e-6, atol=1e-8
            )
    jacobian = network.jacobian(theta)
    result = slopes.slopes(
        Objective(network, Square(), data.y, shared=False), network, theta
    )
    torch.testing.assert_close(
        result.by_first, jacobian[..., : 6 * slopes.INPUTS].norm(dim=-1)
    )


def test_the_trace_is_that_of_the_dense_hessian():
    data = few_labels()
    network = Network(data.X, (4,), "tanh")
    theta = network.initial(3, torch.Generator().manual_seed(0))
    objective = Objective(network, Square(), data.y, shared=False)
    rest = network.outputs(theta) - data.y
    jacobian = network.jacobian(theta)
    expected = (2 / slopes.SAMPLES) * (
        jacobian.square().sum((-1, -2))
        + network.hessian(theta, rest).diagonal(dim1=-2, dim2=-1).sum(-1)
    )
    torch.testing.assert_close(exact_trace(objective, theta), expected)


def made_up_slopes(ratio, *, trace=1e6, count=16):
    first = torch.eye(3, slopes.INPUTS).double().expand(count, -1, -1).clone()
    lengths = torch.full((count, slopes.SAMPLES), math.sqrt(5)).double()
    by_first = torch.full((count, slopes.SAMPLES), 2.0).double()
    by_input = ratio * by_first / lengths
    full = torch.ones(count).double()
    return slopes.Slopes(1e-9 * full, first, by_input, by_first, lengths, trace * full)


def slope_runs(run=None, skip=None):
    good = made_up_slopes(0.9)
    data = slopes.labeled(range(16), CPU)
    return SlopeRuns(
        data, (run or good, good), (skip or made_up_slopes(3.0), made_up_slopes(2.0))
    )


judge_slopes = page.sgd_sobolev.judge


def test_a_made_up_gradient_above_its_bound_makes_the_inequality_fall():
    assert outcome(judge_slopes(slope_runs())) == ([], True)
    steep = made_up_slopes(0.9)
    steep.by_input[3, 4] = 1.1 * 2 / math.sqrt(5)
    assert outcome(judge_slopes(slope_runs(steep)))[0] == [0]
    assert outcome(judge_slopes(slope_runs(made_up_slopes(0.9, trace=0.1))))[0] == [1]
    lost = made_up_slopes(0.9)
    lost.by_input[3, 4] = math.nan
    assert outcome(judge_slopes(slope_runs(lost)))[0] == [0, 1]
    assert outcome(judge_slopes(slope_runs(made_up_slopes(0.2))))[0] == [3]


def test_networks_that_do_not_fit_count_and_slopes_without_a_number_refute_nothing():
    lost = made_up_slopes(0.9)
    lost.loss[:] = math.nan
    assert outcome(judge_slopes(slope_runs(lost)))[0] == [2]
    skip = made_up_slopes(3.0)
    skip.by_input[:9, 0] = math.nan
    assert outcome(judge_slopes(slope_runs(skip=skip))) == ([], False)


def test_a_dead_example_is_no_violation():
    run = made_up_slopes(0.9)
    run.by_first[0, 0] = run.by_input[0, 0] = 0.0
    assert float(worst(run)[0]) == pytest.approx(0.9)
    assert outcome(judge_slopes(slope_runs(run))) == ([], True)
    run.by_input[0, 0] = 1.0
    assert math.isinf(float(worst(run)[0]))
    assert 0 in outcome(judge_slopes(slope_runs(run)))[0]
    run.by_first[0, 0] = math.nan
    assert 0 in outcome(judge_slopes(slope_runs(run)))[0]


def test_without_the_linear_map_the_same_networks_meet_the_bound(verdicts):
    found = verdicts["sgd-sobolev"].measured
    whole = torch.cat([worst(run) for run in found.runs[::3]])
    assert bool((whole <= 1 + 1e-9).all())
    assert len(torch.cat([run.loss for run in found.runs])) >= 50
