import dataclasses
import math

import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics.objective import FunctionObjective
from ibcore.measures.sharpness import largest_eigenvalues
from ibcore.pages.dynamical_stability.edge_of_stability import claims as page
from ibcore.pages.dynamical_stability.edge_of_stability import runs, valleys
from ibcore.pages.dynamical_stability.edge_of_stability.claims.edge_of_stability import (
    CONTROL,
    LARGE,
    SMALL,
    _classes,
    _hovering,
    _losses,
    _momentum,
)
from ibcore.pages.dynamical_stability.edge_of_stability.claims.ngd_sqrt_loss_eos import (
    Drifts,
    _bounds,
    _curves,
    _pairs,
)
from ibcore.validation import InvalidInput
from tests.conformance import Conformance, falls

CLAIMS = {claim.id: claim for claim in (page.edge_of_stability, page.ngd_sqrt_loss_eos)}
CPU = torch.device("cpu")


class TestClaims(Conformance):
    """What all claims promise."""


def test_where_the_step_is_the_large_one_the_control_survives(verdicts):
    edge = verdicts["edge-of-stability"].measured
    large = next(c for c in edge.claimed if c.step_size == LARGE)
    assert not page.edge_of_stability.judge(
        dataclasses.replace(edge, small=large)
    ).control.refuted
    drifts = verdicts["ngd-sqrt-loss-eos"].measured
    kept = dataclasses.replace(drifts, plain=drifts.normalized[-1])
    assert not page.ngd_sqrt_loss_eos.judge(kept).control.refuted


def lost(values, members):
    poisoned = values.clone()
    poisoned[:members] = math.nan
    return poisoned


def test_runs_that_break_down_are_not_at_the_edge():
    ones, reached = torch.ones(16).double(), torch.ones(16, dtype=torch.bool)
    assert falls(_hovering(ones, ones, reached)) == []
    assert falls(_hovering(lost(ones, 12), ones, reached)) == [0]
    assert falls(_hovering(ones, lost(ones, 12), reached)) == [1]
    assert falls(_hovering(ones * 1.1, ones * 1.1, reached)) == [0, 1]
    assert falls(_hovering(ones, ones, ~reached)) == [1]


def test_digits_with_a_wide_band_are_not_asked_for_the_narrow_one(verdicts):
    edge = verdicts["edge-of-stability"].measured
    wide = dataclasses.replace(edge.claimed[0], name="digits, elu, step 0.2")
    both = dataclasses.replace(edge, claimed=(*edge.claimed, wide))
    assert both.narrow == edge.narrow == edge.claimed
    _, before, *_ = verdicts["edge-of-stability"].evidence.checks
    first, second, *_ = page.edge_of_stability.judge(both).checks
    assert (first.members, second.members) == (16, before.members + 8)


def test_losses_without_a_number_let_no_claim_stand():
    before, share = torch.zeros(16).double(), torch.full((16,), 0.2).double()
    reached = torch.ones(16, dtype=torch.bool)
    assert falls(_losses(before, share, share, reached)) == []
    assert falls(_losses(lost(before, 1), share, share, reached)) == [0]
    assert falls(_losses(before + 1, share, share, reached)) == [0]
    assert falls(_losses(before, lost(share, 9), share, reached)) == [1]
    assert falls(_losses(before, share, lost(share, 9), reached)) == [2]
    assert falls(_losses(before, share * 0, share + 1, reached)) == [1, 2]
    rare, high = share * 0 + 9e-4, share * 0 + 0.55
    assert falls(_losses(before, rare, high, reached)) == [1, 2]


def test_momentum_and_cross_entropy_without_a_number():
    ones = torch.ones(8).double()
    assert falls(_momentum(ones, ones, ones)) == []
    assert falls(_momentum(lost(ones, 5), ones, ones)) == [0]
    assert falls(_momentum(ones, lost(ones, 5), ones)) == [1]
    assert falls(_momentum(ones, ones, lost(ones, 5))) == [2]
    assert falls(_momentum(ones * 0.9, ones * 0.9, ones * 1.1)) == [0, 1, 2]
    assert falls(_classes(ones, ones / 4)) == []
    assert falls(_classes(lost(ones, 5), ones / 4)) == [0]
    assert falls(_classes(ones, lost(ones / 4, 5))) == [1]
    assert falls(_classes(ones / 2, ones)) == [0, 1]


def test_drifts_without_a_number_let_no_claim_stand(verdicts):
    drifts = verdicts["ngd-sqrt-loss-eos"].measured
    for kind in ("normalized", "root"):
        states = getattr(drifts, kind).clone()
        states[:, :, :, 3] = math.nan
        bad = dataclasses.replace(drifts, **{kind: states})
        bounds = [0] if kind == "normalized" else [1]
        assert falls(_bounds(bad)) == bounds
        assert falls(_pairs(bad)) == [0]
        assert falls(_curves(bad)) == [0]
    states = drifts.root.clone()
    states[..., 1] *= 1.001
    moved = dataclasses.replace(drifts, root=states)
    assert falls(_bounds(moved)) == [1]
    assert falls(_curves(moved)) == [0, 1]
    plain = dataclasses.replace(drifts, plain=drifts.plain * math.nan)
    assert not page.ngd_sqrt_loss_eos.judge(plain).control.refuted


@pytest.mark.parametrize(("factor", "fallen"), [(3.9, []), (-3.9, []), (4.1, [0])])
def test_neighbors_are_at_the_edge_on_average_up_to_four_squared_steps(factor, fallen):
    """On the axis y = 0 both methods have 1/S = |x| / eta."""
    step = 0.1
    states = torch.zeros(1, 3, 2, 8, 2).double()
    states[..., 0] = step / 2
    states[0, 1, 1, 5, 0] += factor * step**3
    nothing = torch.zeros(8).double()
    made_up = Drifts((step,), nothing[:3], nothing, nothing, states, states, states)
    assert falls(_pairs(made_up)) == fallen


@pytest.mark.parametrize("values", [valleys.valley, valleys.root_valley])
def test_gradients_in_the_valley_are_those_of_the_loss(values):
    theta = torch.tensor([[0.3, 1.2], [-0.1, 0.4]]).double().requires_grad_()
    members = torch.arange(2)
    loss, gradient = values(theta, members)
    (expected,) = torch.autograd.grad(loss.sum(), theta)
    torch.testing.assert_close(gradient, expected)
    height, (x, y) = 1 + theta[:, 1] ** 2, theta.unbind(-1)
    whole = height * x**2
    torch.testing.assert_close(
        loss, whole if values is valleys.valley else torch.sqrt(whole)
    )
    point = FunctionObjective(values).at(theta.detach())
    torch.testing.assert_close(point.slope[0], -expected)
    assert y.shape == (2,)


BATCHES = {
    "chebyshev": lambda: runs.chebyshev("elu", [1, 2], (0.1,), 20, CPU),
    "signs": lambda: runs.signs([1, 2], 0.5, 20, CPU),
    "digits": lambda: runs.digits(
        "tanh", [1, 2], (0.2,), 20, CPU, examples=20, widths=(5,)
    ),
    "own": lambda: runs.own_points(
        torch.randn(12, 3).double(), torch.randn(12).double(), "tanh", [1], (0.1,), 20
    ),
}


@pytest.mark.parametrize("name", BATCHES)
def test_gradients_of_the_networks_are_those_of_their_loss(name):
    batch = BATCHES[name]()
    theta = batch.starts.clone().requires_grad_()
    (expected,) = torch.autograd.grad(batch.objective.mean(theta).sum(), theta)
    vector, log_unit = batch.objective.at(batch.starts).slope
    torch.testing.assert_close(-log_unit.exp().unsqueeze(-1) * vector, expected)


def test_the_square_loss_is_twice_that_of_the_papers():
    batch = BATCHES["digits"]()
    outputs = batch.network.outputs(batch.starts)
    theirs = (outputs - batch.targets).square().sum((1, 2)) / (2 * outputs.shape[1])
    torch.testing.assert_close(batch.objective.mean(batch.starts), 2 * theirs)


def test_a_course_holds_what_training_did():
    batch = dataclasses.replace(BATCHES["chebyshev"](), steps=60, every=20)
    (course,) = runs.follow(batch)
    theta, losses = batch.starts, []
    for _ in range(60):
        point = batch.objective.at(theta)
        losses.append(point.log_loss)
        vector, log_unit = point.slope
        theta = theta + 0.1 * log_unit.exp().unsqueeze(-1) * vector
    torch.testing.assert_close(course.log_loss, torch.stack(losses))
    torch.testing.assert_close(course.last, theta)
    last = largest_eigenvalues(batch.objective.curvature(theta), theta, tolerance=1e-6)
    torch.testing.assert_close(
        course.sharpness[-1], last.values[:, 0], rtol=1e-4, atol=0
    )
    assert course.bound == pytest.approx(20)
    assert course.at.tolist() == [0, 21, 40, 60]


def test_the_sharpness_is_looked_at_after_even_and_odd_steps():
    batch = BATCHES["digits"]()
    for steps, every, looks in (
        (80, 20, (0, 21, 40, 61, 80)),
        (60, 20, (0, 21, 40, 60)),
        (3, 1, (0, 1, 2, 3)),
    ):
        assert dataclasses.replace(batch, steps=steps, every=every).looks == looks


def made_up(ratios, losses):
    count = len(losses) // (len(ratios) - 1)
    return runs.Course(
        "made up",
        0.1,
        20.0,
        torch.arange(len(ratios)) * count,
        20 * torch.tensor(ratios).double()[:, None],
        torch.tensor(losses).double()[:, None],
        torch.zeros(1, 1),
    )


def test_what_is_read_from_a_course():
    losses = [0.0, -1, -2, -1, -2, -3, -2, -3, -4, -3, -4, -5, -4, -5, -6, -7]
    course = made_up([0.2, 0.5, 0.7, 0.9, 1.1, 0.9, 1.0, 1.0, 1.0], losses)
    assert course.settled.tolist() == [1.0]
    assert course.reached.tolist() == [True]
    assert course.arrival.tolist() == [8]
    assert course.rises_before().tolist() == [1.0]
    assert float(course.rises_after()) == pytest.approx(2 / 7)
    expected = (math.exp(-4) + math.exp(-5) + math.exp(-6) + math.exp(-7)) / 4
    assert float(course.fall()) == pytest.approx(expected / math.exp(-4))
    assert float(course.peak) == pytest.approx(1.1)


def test_a_course_that_never_arrives_or_begins_at_the_edge():
    losses = [-float(k) for k in range(16)]
    never = made_up([0.2, 0.3, 0.4, 0.5, 0.6, 0.6, 0.6, 0.6, 0.7], losses)
    assert never.reached.tolist() == [False]
    assert never.rises_before().tolist() == [0.0]
    assert bool(never.fall().isnan())
    assert bool(never.rises_after().isnan())
    begins = made_up([1.2, 0.3, 0.4, 0.5, 0.6, 0.6, 0.6, 0.6, 0.7], losses)
    assert bool(begins.rises_before().isnan())


def test_a_run_that_diverges_takes_nobody_with_it():
    batch = runs.chebyshev("tanh", [1, 2], (0.1,), 200, CPU, every=50)
    starts = batch.starts.clone()
    starts[1] *= 1e4
    (course,) = runs.follow(dataclasses.replace(batch, starts=starts))
    assert bool(course.settled[0].isfinite())
    assert bool(course.log_loss[:, 0].isfinite().all())
    alone = runs.follow(dataclasses.replace(batch, starts=starts[:1]))[0]
    torch.testing.assert_close(course.log_loss[:, :1], alone.log_loss)


def test_sizes_can_be_changed_and_own_data_are_checked():
    drawn = page.edge_of_stability.problems(
        Setting("quick", 3), starts=9, activations=("tanh", "relu"), steps=100
    )
    assert [len(batch.starts) for batch in drawn.main] == [9, 9]
    assert drawn.main[0].step_sizes == (LARGE, SMALL, CONTROL)
    with pytest.raises(InvalidInput):
        runs.own_points([[1.0, 2.0]], [1.0, 2.0], "tanh", [1], (0.1,), 10)


def test_steps_of_an_unknown_loss_are_not_steps_that_do_not_raise_it(verdicts):
    course = verdicts["edge-of-stability"].measured.claimed[0]
    log_loss = course.log_loss.clone()
    log_loss[3, 2] = math.nan
    lost = dataclasses.replace(course, log_loss=log_loss)
    assert lost.rises_before().isnan().tolist() == [k == 2 for k in range(8)]
    log_loss[-3, 5] = math.nan
    assert lost.rises_after().isnan().tolist() == [k == 5 for k in range(8)]
