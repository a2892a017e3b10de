import math
from dataclasses import replace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.models.base import Model
from ibcore.oracles.path_norm import least_path_norm, middle_range
from ibcore.pages.further.parameter_norms import claims as page
from ibcore.pages.further.parameter_norms import layers, runs
from ibcore.problems.curves import Points
from ibcore.validation import InvalidInput
from tests.conformance import Conformance, falls

CLAIMS = {
    claim.id: claim for claim in (page.function_space_1d, page.function_space_multid)
}


class TestClaims(Conformance):
    """What all claims promise."""


def test_sets_are_of_their_kinds():
    sets = runs.draw_sets(Setting("quick", 77), 3, 3, 2)
    least = least_path_norm(sets.points.x, sets.points.y)
    torch.testing.assert_close(least.value, torch.full((8,), runs.UNIT).double())
    assert (least.pattern[:, -1] != 0).tolist() == [False] * 6 + [True] * 2
    alike = runs.alike_gaps(sets.plain).any(-1)
    assert alike.tolist() == [False] * 3 + [True] * 3
    assert not bool(runs.alike_gaps(sets.points)[:, [0, -1]].any())


def test_the_norm_of_a_function_is_what_its_bends_say():
    """relu(x) - relu(-x - 1), and twice a bend at 0.5 that cancels."""
    w = torch.tensor([1.0, -1.0, 2.0, 2.0]).double()
    b = torch.tensor([0.0, -1.0, -1.0, -1.0]).double()
    a = torch.tensor([1.0, -1.0, 3.0, -3.0]).double()
    sizes = runs.norms(torch.cat([w, b, a, torch.zeros(1).double()]))
    assert float(sizes.function) == 2.0
    assert float(sizes.path) == 14.0
    assert float(sizes.cost) == 15.0


def test_weight_decay_has_the_gradient_of_its_loss():
    data = Points(*(torch.randn(3, 5).double().sort(-1).values for _ in "xy"))
    theta = torch.randn(3, 31).double()
    strength = torch.tensor([0.0, 0.1, 0.3]).double()
    for biases in (False, True):
        objective = runs.decayed_objective(
            runs.network(data, 10), data.y, strength, biases=biases
        )
        members = torch.tensor([0, 2])
        point = theta[members].requires_grad_()
        loss, gradient, _ = objective.values(point, members)
        (automatic,) = torch.autograd.grad(loss.sum(), point)
        torch.testing.assert_close(gradient.detach(), automatic)


def test_built_networks_are_different_interpolants_of_least_cost():
    x = torch.tensor([-1.0, -0.5, 0.5, 1.0]).double()
    y = torch.tensor([1.0, 0.0, 0.0, 1.0]).double()
    polygon, cut = runs.two_interpolants(x, y)
    for theta in (polygon, cut):
        sizes = runs.norms(theta)
        for size in (sizes.cost, sizes.path, sizes.function):
            assert float(size) == pytest.approx(4.0)
        torch.testing.assert_close(runs.values_at(theta[None], x[None])[0], y)
    zero = torch.zeros(1, 1).double()
    assert float(runs.values_at(polygon[None], zero)) == pytest.approx(0.0)
    assert float(runs.values_at(cut[None], zero)) == pytest.approx(-1.0)
    assert float(middle_range(x, y)[0, 1]) == pytest.approx(-1.0)


def test_departures_of_a_polygon_are_none_and_the_bound_is_tight_enough():
    x = torch.tensor([[-1.0, -0.5, 0.5, 1.0]]).double()
    y = torch.tensor([[0.0, 1.0, -1.0, 0.0]]).double()
    data = Points(x, y)
    least = least_path_norm(x[0], y[0])
    theta = runs.built(x[0], y[0], x[0, 1:-1], least.slopes.diff(), least.tilt)
    far, bound = runs.departures(theta[None], data)
    assert float(far.max()) < 1e-12
    assert float(bound.max()) < 1e-12
    wiggly = runs.spread_start(data, 30, [5])
    far, bound = runs.departures(wiggly, data)
    assert bool((far <= bound).all())
    assert float(far.max()) > 0.01


def test_with_the_penalty_the_control_is_not_refuted(verdicts):
    found = verdicts["function-space-1d"].measured
    decayed = replace(found, free=found.extrapolated[: len(found.free)])
    assert not page.function_space_1d.judge(decayed).control.refuted


def test_with_all_layers_trained_the_control_is_not_refuted(verdicts):
    found = verdicts["function-space-multid"].measured
    whole = replace(found, frozen=torch.stack([found.connected[1], found.diagonal[1]]))
    assert not page.function_space_multid.judge(whole).control.refuted


ROWS = {  # field -> how many of its first entries are lost, and the rows that fall
    "programs": (1, [0]),
    "ranges": (1, [1]),
    "objective": (1, [2]),
    "path": (1, [3]),
    "function": (10, [3, 6]),
    "cost": (6, [3, 4, 7]),
    "built": (1, [8]),
    "departures": (2, [10]),
    "allowed": (1, [10]),
    "rough": (5, [11]),
}


@pytest.mark.parametrize("field", ROWS)
def test_a_number_lost_in_training_lets_no_row_stand(verdicts, field):
    found = verdicts["function-space-1d"].measured
    members, rows = ROWS[field]
    lost = getattr(found, field).clone()
    lost.view(-1)[:members] = math.nan
    evidence = page.function_space_1d.judge(replace(found, **{field: lost}))
    assert falls(evidence.checks) == rows


def test_lost_curves_depart_from_nothing(verdicts):
    found = verdicts["function-space-1d"].measured
    lost = found.departures.clone()
    lost[:, 4:] = math.nan
    evidence = page.function_space_1d.judge(replace(found, departures=lost))
    assert falls(evidence.checks) == [10, 12]
    built = found.built.clone()
    built[0, 0, 2] = math.nan
    evidence = page.function_space_1d.judge(replace(found, built=built))
    assert falls(evidence.checks) == [9]


def test_networks_without_penalty_that_are_lost_refute_nothing(verdicts):
    found = verdicts["function-space-1d"].measured
    lost = found.free.clone()
    lost[:3] = math.nan
    evidence = page.function_space_1d.judge(replace(found, free=lost))
    assert not evidence.control.refuted


def test_lost_predictors_let_no_row_stand(verdicts):
    found = verdicts["function-space-multid"].measured
    for field, rows in (("connected", [0]), ("diagonal", [1]), ("missed", [2])):
        lost = getattr(found, field).clone()
        lost[-1, 0] = math.nan
        evidence = page.function_space_multid.judge(replace(found, **{field: lost}))
        assert falls(evidence.checks) == rows
    for scale, members, rows in ((0, 5, [3, 5]), (1, 5, [3, 4, 5]), (2, 1, [3, 6])):
        lost = found.orthogonal.clone()
        lost[scale, :members] = math.nan
        evidence = page.function_space_multid.judge(replace(found, orthogonal=lost))
        assert falls(evidence.checks) == rows
    lost = found.frozen.clone()
    lost.view(-1)[:5] = math.nan
    evidence = page.function_space_multid.judge(replace(found, frozen=lost))
    assert not evidence.control.refuted


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_diagonal_layers_have_the_derivative_of_their_outputs(depth):
    model = layers.DiagonalLayers(3, depth)
    theta, weights = torch.randn(2, 3 * depth).double(), torch.randn(2, 3).double()
    closed = model.pullback(theta, weights)
    torch.testing.assert_close(closed, Model.pullback(model, theta, weights))
    torch.testing.assert_close(model.jacobian(theta), Model.jacobian(model, theta))


def test_connected_starts_are_unbalanced_and_of_full_rank():
    model = layers.connected(5, 3)
    start = layers.connected_start(model, 8, 1)
    first, second, _ = model.matrices(start)
    assert float(torch.linalg.matrix_rank(first).double().mean()) == 4
    imbalance = first @ first.mT - second.mT @ second
    assert float(imbalance.abs().amax((-2, -1)).min()) > 0.05


def test_a_network_that_diverges_takes_nobody_with_it(monkeypatch):
    beta = torch.tensor([[1.0, 0.5], [0.7, -0.9]]).double()
    model = layers.DiagonalLayers(2, 2)
    start = layers.diagonal_start(beta, 2, 3)
    torch.testing.assert_close(model.outputs(start), beta)
    steps = torch.tensor([1e3, 1e-3]).double()
    monkeypatch.setattr(layers, "_step", lambda *_: steps)
    start[0] *= 2
    end = layers.shorten(model, start, beta)
    assert math.isnan(float(end.squares[0]))
    assert float(end.missed[1]) < 1e-6


def test_orthogonal_problems_meet_their_condition():
    problem = layers.draw_orthogonal(torch.Generator().manual_seed(3), 40)
    assert problem is not None
    gram = problem.inputs[0] @ problem.inputs[0].T
    assert float((gram - gram.diag().diag()).abs().max()) < 1e-12
    few = [
        layers.draw_orthogonal(torch.Generator().manual_seed(seed), 1)
        for seed in range(9)
    ]
    assert few == [None] * 9


def test_the_power_of_the_scale_by_hand():
    """Labels 3, 4 and -1: neurons that see the first two, the second alone, and (of the
    other sign) the third.
    """
    problem = layers.Orthogonal(
        torch.eye(3).double()[None],
        torch.tensor([[3.0, 4.0, -1.0]]).double(),
        torch.tensor([[[1, 1, 1], [-1, 1, -1], [-1, -1, 1]]]).double(),
        torch.tensor([[1.0, 1.0, -1.0]]).double(),
    )
    torch.testing.assert_close(
        layers.excess_power(problem), torch.tensor([0.4]).double()
    )
    whole = replace(
        problem, directions=problem.directions[:, ::2], signs=problem.signs[:, ::2]
    )
    assert layers.excess_power(whole).tolist() == [math.inf]


def test_points_of_your_own():
    fit = runs.fit_own([3.0, 0.0, 1.0, 2.0, 4.0], [2.0, 0.0, 1.0, -1.0, 0.0], seeds=[1])
    assert float(fit.norms.cost / fit.program.cost) == pytest.approx(1, abs=5e-3)
    assert bool(fit.program.exact)
    with pytest.raises(InvalidInput, match="equal"):
        runs.fit_own([0.0, 1.0, 2.0], [1.0, 1.0, 1.0])
