import dataclasses
import math

import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics.objective import FunctionObjective
from ibcore.oracles.stability import product_sharpness
from ibcore.pages.dynamical_stability.stable_minima import claims as page
from ibcore.pages.dynamical_stability.stable_minima import (
    objectives,
    runs,
    threshold,
)
from ibcore.pages.dynamical_stability.stable_minima import orbits as small_orbits
from ibcore.validation import InvalidInput
from tests.conformance import Conformance, falls

CLAIMS = {
    claim.id: claim
    for claim in (
        page.stability_two_over_eta,
        page.two_step_period_2,
        page.sgd_linear_stability,
    )
}


class TestClaims(Conformance):
    """What all claims promise."""


def changed(record, **fields):
    return dataclasses.replace(record, **fields)


def with_entry(values, place, entry):
    new = values.clone()
    new[place] = entry
    return new


def points(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


OBJECTIVES = {
    "quadratic": (objectives.quadratic(points(1, 6, 2, 2) + points(1, 6, 2, 2).mT), 2),
    "product": (FunctionObjective(objectives.product), 2),
    "quartics": (objectives.quartics(points(2, 6), points(3, 6)), 1),
    "two valleys": (
        objectives.Curve(objectives.two_valleys, -1.0, (16.0, 0.0, 0.0)).objective(),
        1,
    ),
} | {name: (curve.objective(), 1) for name, curve in objectives.CURVES.items()}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_gradient_of_every_objective_is_that_of_its_loss(name):
    objective, size = OBJECTIVES[name]
    theta = points(4, 6, size).requires_grad_()
    loss, gradient, *_ = objective.values(theta, torch.arange(6))
    (expected,) = torch.autograd.grad(loss.sum(), theta)
    torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-10)


def derivatives(values, place):
    """f', f'', f''', f'''' at a place, by differentiation."""
    x = torch.tensor(place, dtype=torch.float64, requires_grad=True)
    y, found = values(x)[0], []
    for _ in range(4):
        (y,) = torch.autograd.grad(y, x, create_graph=True)
        found.append(float(y.detach()))
    return found


@pytest.mark.parametrize("name", objectives.CURVES)
def test_the_derivatives_of_a_curve_are_those_at_its_minimum(name):
    curve = objectives.CURVES[name]
    if name == "parabola":
        assert curve.derivatives == (1.0, 0.0, 0.0)
        return
    expected = [0.0, *curve.derivatives]
    assert derivatives(curve.values, curve.minimum) == pytest.approx(
        expected, abs=1e-12
    )


@pytest.mark.parametrize("minimum", [objectives.SHARP, objectives.FLAT])
def test_the_two_valleys_have_the_curvatures_of_their_parabolas(minimum):
    place, curvature = minimum
    value, slope = objectives.two_valleys(torch.tensor([place], dtype=torch.float64))
    assert float(value) == float(slope) == 0
    second = derivatives(objectives.two_valleys, place + 1e-5)[1]
    assert second == pytest.approx(curvature, rel=1e-4)


def test_one_run_that_violates_the_bound_makes_the_claim_fall(verdicts):
    stays = verdicts["stability-two-over-eta"].measured
    judge = page.stability_two_over_eta.judge
    landed = int(stays.ends.isfinite().nonzero()[0, 0])
    assert falls(
        judge(changed(stays, ends=with_entry(stays.ends, landed, 2.01))).checks
    ) == [4]
    sharp = int((stays.ends.isfinite() & (stays.heading > 2.2)).nonzero()[0, 0])
    assert falls(
        judge(changed(stays, ends=with_entry(stays.ends, sharp, 2.01))).checks
    ) == [
        4,
        5,
    ]
    nobody = torch.full_like(stays.ends, math.nan)
    assert falls(judge(changed(stays, ends=nobody)).checks) == [4, 5]


def test_every_member_without_a_number_makes_its_check_fall(verdicts):
    stays = verdicts["stability-two-over-eta"].measured
    judge = page.stability_two_over_eta.judge
    for field, place, which in (
        ("errors", (2, 3), [0]),
        ("tops", (1, 3), [1]),
        ("tops", (2, 3), [2]),
        ("tops", (3, 3), [3]),
        ("kicked", (0, 2), [6]),
        ("kicked", (1, 2), [7]),
        ("missed", (5,), [8]),
    ):
        lost = with_entry(getattr(stays, field), place, math.nan)
        assert falls(judge(changed(stays, **{field: lost})).checks) == which, field


def test_the_same_starts_with_a_finite_step_would_not_be_refuted(verdicts):
    stays = verdicts["stability-two-over-eta"].measured
    finite = changed(stays, flow=stays.ends[stays.chosen])
    assert not page.stability_two_over_eta.judge(finite).control.refuted
    lost = with_entry(stays.flow, slice(0, 7), math.nan)
    evidence = page.stability_two_over_eta.judge(changed(stays, flow=lost))
    assert not evidence.control.refuted


def test_orbits_without_a_number_let_no_claim_stand(verdicts):
    orbits = verdicts["two-step-period-2"].measured
    judge = page.two_step_period_2.judge
    for field, place, entry, which in (
        ("points", (1, 2, 0), math.nan, [0]),
        ("points", (1, 2, 0), 0.9, [0]),
        ("slopes", (1, 2), math.nan, [1]),
        ("below", (2,), math.nan, [2]),
        ("returns", (0, 1), math.nan, [3]),
        ("returns", (3, 1), 0.0, [4]),
        ("ratios", (0, 1), math.nan, [5]),
        ("near", (0, slice(0, 5)), False, [6]),
        ("parabola", (0,), math.nan, [7]),
        ("steepening", (0,), True, [8]),
        ("on", (0, slice(None)), math.nan, [10]),
    ):
        wrong = with_entry(getattr(orbits, field), place, entry)
        assert falls(judge(changed(orbits, **{field: wrong})).checks) == which, field
    apart = with_entry(orbits.apart, orbits.apart.isfinite(), 1e-9)
    assert falls(judge(changed(orbits, apart=apart)).checks) == [9]


def test_the_bar_of_small_orbits_is_twice_what_the_corner_of_the_draws_needs():
    third = torch.tensor([-1.0, 1.0, -1.0, 1.0], dtype=torch.float64)
    size = torch.tensor([1.0, 1.0, 3.0, 3.0], dtype=torch.float64)
    ratios, _ = small_orbits._quartics(
        third, 3 * third.square() + torch.stack([-size, size])
    )
    missed = (2 * ratios[0] - ratios[1] - 1).abs()
    assert float(missed.max()) == pytest.approx(5e-4, rel=0.1)


def test_quartics_that_meet_the_condition_would_not_be_refuted(verdicts):
    orbits = verdicts["two-step-period-2"].measured
    near = torch.stack([orbits.near[0], orbits.near[0]])
    assert not page.two_step_period_2.judge(changed(orbits, near=near)).control.refuted


def test_moments_without_a_number_let_no_claim_stand(verdicts):
    squares = verdicts["sgd-linear-stability"].measured
    judge = page.sgd_linear_stability.judge
    for field, place, entry, which in (
        ("radii", (0, 1), math.nan, [0]),
        ("sharpness", (1,), math.nan, [1]),
        ("critical", (0, 1), 10.0, [2]),
        ("sufficient", (0, 1), 10.0, [3]),
        ("mean", (0, 1), math.nan, [4]),
        ("mean", (0, 1), 100.0, [4]),
        ("growing", (2, 0), 0.5, [5]),
        ("median", (slice(None), slice(0, 5)), math.nan, [6]),
    ):
        wrong = with_entry(getattr(squares, field), place, entry)
        assert falls(judge(changed(squares, **{field: wrong})).checks) == which, field


def test_examples_that_are_fitted_would_not_be_refuted(verdicts):
    squares = verdicts["sgd-linear-stability"].measured
    fitted = changed(squares, unfitted=squares.mean)
    assert not page.sgd_linear_stability.judge(fitted).control.refuted


def test_the_minimum_stays_where_it_is_when_labels_get_noise():
    data = runs.Regressions.draw([1, 2], 8, 4)
    for noise in (0.0, 3.0):
        targets = data.targets(noise)
        rest = (data.inputs @ data.minimum[..., None])[..., 0] - targets
        gradient = (data.inputs.mT @ rest[..., None])[..., 0]
        torch.testing.assert_close(
            gradient, torch.zeros(2, 4).double(), atol=1e-12, rtol=0
        )
        assert (float(rest.abs().max()) > 0.1) == (noise > 0)


def test_with_the_full_batch_stochastic_descent_is_gradient_descent():
    data = runs.Regressions.draw([3], 8, 4)
    step = torch.tensor([0.1], dtype=torch.float64)
    found = runs.stochastic_descent(data, 8, step, [5], chains=3, seed=0)[0, 0]
    theta = (data.start - data.minimum)[0]
    for _ in range(5):
        theta = theta - 0.1 * data.hessians[0].mean(0) @ theta
    torch.testing.assert_close(
        found, theta.square().sum().expand(3), rtol=1e-12, atol=0
    )


def test_a_kick_moves_the_residual_by_its_size():
    places = threshold.draw_places(Setting("quick", 5), quadratics=8, starts=8, flows=8)
    rest = (places.kicked.prod(-1) - 1).abs()
    assert threshold.KICK < float(rest.min()) < float(rest.max()) < 5 * threshold.KICK


def test_sharp_minima_have_the_sharpness_that_is_asked_for():
    sharpness = torch.tensor([2.0, 5.0, 100.0], dtype=torch.float64)
    minima = runs.sharp_minima(sharpness)
    torch.testing.assert_close(product_sharpness(minima), sharpness)
    torch.testing.assert_close(minima.prod(-1), torch.ones(3).double())


def test_the_flow_says_why_a_run_did_not_end(monkeypatch):
    whole = runs.integrate
    monkeypatch.setattr(
        runs, "integrate", lambda *a, **k: whole(*a, **(k | {"max_steps": 3}))
    )
    ends, broken = runs.product_flow(torch.tensor([[2.0, 1.0]], dtype=torch.float64))
    assert bool(ends.isnan().all())
    assert broken == ("gradient flow: step limit of 3",)


def test_critical_steps_of_own_inputs_rise_to_the_full_batch():
    X = points(5, 30, 4)
    shares = runs.critical_steps(X.numpy(), [1, 5, 30])
    assert float(shares[2]) == pytest.approx(1, abs=1e-10)
    assert 0 < float(shares[0]) < float(shares[1]) < 1
    with pytest.raises(InvalidInput, match="singular"):
        runs.critical_steps(X[:3], [1])
    with pytest.raises(InvalidInput, match="batch"):
        runs.critical_steps(X, [31])


def test_every_start_of_the_product_converges_or_diverges():
    places = threshold.draw_places(
        Setting("quick", 3), quadratics=8, starts=500, flows=8
    )
    run = runs.product_descent(places.starts, threshold.STEP)
    known = run.converged | ~run.last.isfinite().all(-1)
    assert float(known.double().mean()) > 0.99
