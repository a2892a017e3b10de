import dataclasses
import importlib
import math
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.models.matrix_factorization import factorization
from ibcore.models.observations import Entries
from ibcore.oracles.greedy_low_rank import greedy_low_rank
from ibcore.pages.regression.matrix_factorization.greedy_low_rank import claims as page
from ibcore.pages.regression.matrix_factorization.greedy_low_rank import runs
from ibcore.problems.planted_low_rank import revealed_entries
from tests.conformance import UnbrokenConformance, falls

dynamics, glrl, completion = (
    importlib.import_module(f"{page.__name__}.{name}")
    for name in ("deep_mf_singular_dynamics", "mf_glrl", "mf_completion_rank")
)
CLAIMS = {
    claim.id: claim
    for claim in (page.deep_mf_singular_dynamics, page.mf_glrl, page.mf_completion_rank)
}


class TestClaims(UnbrokenConformance):
    pass


def test_the_deepest_case_and_sensing_run(monkeypatch):
    monkeypatch.setattr(completion, "SENSING_STEPS", 50)
    assert page.deep_mf_singular_dynamics.verify(
        Setting("quick", 2), depths=(4,)
    ).stands
    other = page.mf_completion_rank.verify(
        Setting("quick", 2), steps=100, depths=(2,), sensing=32
    )
    assert other.measured.sensing.shape == (32,)
    assert len(other.evidence.checks) == 3


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_starts_are_balanced_unless_tilted(depth):
    def gap(layers):
        return max(
            float((up.mT @ up - low @ low.mT).abs().max())
            for low, up in pairwise(layers)
        )

    layers = dynamics.balanced_layers(depth, torch.Generator().manual_seed(0))
    moved = dynamics.tilted(layers, 3.0)
    assert gap(layers) < 1e-14
    assert gap(moved) > 1e-3
    for one, other in ((layers[0] * 3, moved[0]), (layers[-1] / 3, moved[-1])):
        torch.testing.assert_close(one, other)


def test_rates_along_the_layers_are_differences_of_singular_values():
    model = factorization(
        Entries(*revealed_entries(4, 0.5, torch.Generator().manual_seed(0)), (4, 4)), 3
    )
    theta, velocity = (
        torch.randn(
            2, model.dimension, generator=torch.Generator().manual_seed(seed)
        ).double()
        for seed in (1, 2)
    )
    ahead, back = (
        torch.linalg.svdvals(model.product(theta + sign * 1e-6 * velocity))
        for sign in (1, -1)
    )
    torch.testing.assert_close(
        dynamics._rates(model, theta, velocity),
        (ahead - back) / 2e-6,
        rtol=1e-5,
        atol=1e-7,
    )


def test_the_slope_is_the_gradient_of_the_mean_square_loss():
    draw = torch.Generator().manual_seed(1281)
    seen = Entries(*revealed_entries(4, 0.5, draw), (4, 4))
    y = torch.randn(8, generator=draw).double()
    W = torch.randn(1, 4, 4, generator=draw).double().requires_grad_()
    (seen.read(W) - y).square().mean().backward()
    torch.testing.assert_close(runs.slope(seen, y, W.detach()), W.grad)


def test_instances_of_completion_are_those_where_the_nuclear_norm_fails():
    hidden = completion.hidden_entries(Setting("quick", 3), 3, 10, 1, 0.5)
    assert float(hidden.nuclear.min()) > completion.FAILS
    assert hidden.exact >= 0
    torch.testing.assert_close(
        hidden.errors(hidden.truth[None]), torch.zeros(1, 3, dtype=torch.float64)
    )
    torch.testing.assert_close(
        hidden.errors(2 * hidden.truth), torch.ones(3, dtype=torch.float64)
    )


def test_the_first_stage_ends_where_the_flow_is_closest_to_the_first_corner():
    corner = torch.diag(torch.tensor([1.0, 0.0])).double()
    sizes = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.99, 0.01], [1.0, 0.5]]).double()
    path = SimpleNamespace(corners=torch.stack([0 * corner, corner]))
    assert len(glrl.first_stage(torch.diag_embed(sizes), path)) == 3


def test_the_control_of_rates_survives_from_a_balanced_start():
    problems = [dynamics.drawn(seed, 2) for seed in (1295060, 1295061)]
    for tilt, refuted in ((1.0, False), (3.0, True)):
        rates = [
            dynamics.followed(one, dynamics.tilted(one.layers, tilt)).rates
            for one in problems
        ]
        assert dynamics.off_balance(2, torch.stack(rates)).refuted == refuted
    lost = torch.tensor([0.5, math.nan])
    assert not dynamics.off_balance(2, lost).refuted


def test_a_flow_on_layers_that_ends_early_is_told_and_fails(monkeypatch):
    problems = page.deep_mf_singular_dynamics.problems(
        Setting("quick", 4), depths=(2,), instances=2
    )
    whole = dynamics.stiff_flow

    def cut(*given, **settings):
        return dataclasses.replace(whole(*given, **settings), status="out of steps")

    monkeypatch.setattr(dynamics, "stiff_flow", cut)
    found = dynamics.measure_dynamics(problems, Setting("quick", 4))
    assert found.broken[0] == "depth 2: out of steps"
    assert len(found.broken) == 4
    evidence = page.deep_mf_singular_dynamics.judge(found)
    assert falls(evidence.checks) == [0, 1, 2]
    assert not evidence.control.refuted


def flows(**changes):
    """Made-up flows of eight problems that move as predicted, with the first changed."""
    alone = torch.tensor([[0.1, 0.05], [1.0, 0.2]]).double().repeat(8, 1, 1)
    parts = {
        "rates": torch.full((8,), 1e-7).double(),
        "values": alone * (1 + 1e-8),
        "start": torch.full((8,), 0.1).double(),
    }
    for name, value in changes.items():
        parts[name][0] = value
    return dynamics.Flows(alone=alone, **parts)


@pytest.mark.parametrize(
    ("changes", "fallen"),
    [
        ({}, []),
        ({"rates": 1e-3}, [0]),
        ({"rates": math.nan}, [0]),
        ({"values": math.nan}, [1, 2]),
        ({"values": 0.2}, [1, 2]),
        ({"start": 0.5}, [2]),
    ],
)
def test_singular_values_are_judged_flow_by_flow(changes, fallen):
    assert falls(dynamics.moves_as_predicted(2, flows(**changes))) == fallen


def test_the_control_of_the_path_survives_from_a_tiny_start():
    """The flow stops at the loss 1e-4 in both cases."""
    problem = runs.sensed(1295062, 8, 33, (1.0, 0.25))
    path = greedy_low_rank(problem.A, problem.y, rank=2)
    for scale, refuted in ((1e-16, False), (0.02, True)):
        flow = runs.tracked(problem, path.basis, scale, fitted=glrl.LOOSE)
        apart = glrl.distance_from(flow, path).expand(8)
        assert glrl.start_of_size(apart).refuted == refuted
    lost = torch.tensor([0.1] * 7 + [math.nan])
    assert not glrl.start_of_size(lost).refuted


def test_a_flow_that_did_not_fit_has_no_distance():
    path = SimpleNamespace(path=torch.zeros(2, 2, 2).double())
    flow = SimpleNamespace(
        products=torch.ones(3, 2, 2).double(), run=SimpleNamespace(complete=False)
    )
    assert math.isnan(float(glrl.distance_from(flow, path)))
    flow.run.complete = True
    assert float(glrl.distance_from(flow, path)) == pytest.approx(2)


def approach(verdicts, **changes):
    """A measurement that follows the path on eight problems, with the first changed at
    the smallest scale.
    """
    parts = {
        "scales": torch.tensor([1e-16, 1e-64], dtype=torch.float64),
        "stationarity": torch.full((16,), 1e-8).double(),
        "complete": torch.ones(8, 2).bool(),
        "far": torch.tensor([1e-2, 2e-4]).double().repeat(8, 1),
        "first": torch.full((8,), 1e-5).double(),
        "missed": torch.full((8,), 1e-5).double(),
        "control": torch.full((8,), 0.1).double(),
    }
    for name, value in changes.items():
        parts[name][(0, -1) if parts[name].ndim == 2 else 0] = value
    return dataclasses.replace(verdicts["mf-glrl"].measured, **parts)


@pytest.mark.parametrize(
    ("changes", "fallen"),
    [
        ({}, []),
        ({"stationarity": 1e-5}, [0]),
        ({"stationarity": math.nan}, [0]),
        ({"complete": False}, [1]),
        ({"first": 0.01}, [2]),
        ({"first": math.nan}, [2]),
        ({"far": 2e-3}, [4]),
        ({"far": 0.1}, [3, 4]),
        ({"far": math.nan}, [3, 4]),
        ({"missed": 0.01}, [5]),
        ({"missed": math.nan}, [5]),
    ],
)
def test_the_path_is_judged_problem_by_problem(verdicts, changes, fallen):
    evidence = page.mf_glrl.judge(approach(verdicts, **changes))
    assert falls(evidence.checks) == fallen
    assert evidence.control.refuted


def test_distances_below_the_resolution_are_not_told_apart(verdicts):
    found = approach(verdicts)
    for distances, fallen in (([4e-5, 5e-5], []), ([4e-5, 2e-4], [3])):
        far = torch.tensor(distances).double().repeat(8, 1)
        changed = dataclasses.replace(found, far=far)
        assert falls(page.mf_glrl.judge(changed).checks) == fallen


def errors(changed=0, **changes):
    """Made-up errors of 32 completions and Gaussian observations; those of the first
    `changed` are replaced.
    """
    wide = {
        "nuclear": torch.full((32,), 0.2).double(),
        "gap": torch.full((32,), 1e-7).double(),
        "large": torch.full((32,), 0.9).double(),
        "sensing": torch.full((32,), 1e-4).double(),
        "sensing_nuclear": torch.full((32,), 0.2).double(),
        "two": torch.full((1, 32), 0.1).double(),
        "three": torch.full((1, 32), 1e-3).double(),
    }
    for name, value in changes.items():
        wide[name][..., :changed] = value
    depths = {2: wide.pop("two"), 3: wide.pop("three")}
    return completion.Errors(depths=depths, steps=(9,), exact=1, **wide)


@pytest.mark.parametrize(
    ("changed", "changes", "fallen"),
    [
        (0, {}, []),
        (1, {"gap": 1e-3}, [0]),
        (1, {"gap": math.nan}, [0]),
        (10, {"two": 0.3}, [1]),
        (10, {"two": math.nan}, [1]),
        (9, {"two": math.nan}, []),
        (17, {"three": 0.1}, [3]),
        (17, {"three": math.nan}, [2, 3]),
        (16, {"three": 0.1}, []),
        (17, {"sensing": 0.1}, [4]),
        (17, {"sensing": math.nan}, [4]),
        (17, {"nuclear": math.nan}, [1, 2, 3]),
    ],
)
def test_errors_are_judged_by_shares_of_the_matrices(changed, changes, fallen):
    evidence = page.mf_completion_rank.judge(errors(changed, **changes))
    assert falls(evidence.checks) == fallen


def test_the_control_of_completion_survives_what_chance_or_a_small_start_does():
    def refuted(changed, value):
        found = errors(changed, large=value)
        return page.mf_completion_rank.judge(found).control.refuted

    assert refuted(8, 0.1)
    assert not refuted(9, 0.1)
    assert not refuted(9, math.nan)


def test_the_control_of_completion_survives_from_a_small_start(verdicts):
    ratios = verdicts["mf-completion-rank"].measured
    small = ratios.depths[3][-1] / ratios.nuclear
    assert not completion.not_from_a_large_start(small).refuted
