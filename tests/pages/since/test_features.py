import dataclasses
import math

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.models.diagonal import Diagonal
from ibcore.oracles.modular_addition import largest_network
from ibcore.pages.since.features import claims as page
from ibcore.pages.since.features import grokking, nearly, saddles, tables
from ibcore.problems.latin_squares import addition, new_names, renamed
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance

CLAIMS = {
    claim.id: claim
    for claim in (
        page.saddle_to_saddle,
        page.grokking_two_biases,
        page.modular_addition_margin,
        page.near_homogeneous_kkt,
    )
}


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def replaced(verdicts, name, **changed):
    return (
        CLAIMS[name]
        .judge(dataclasses.replace(verdicts[name].measured, **changed))
        .control
    )


def test_the_controls_survive_where_their_assumption_holds(verdicts):
    """The measurement of the claim itself in place of that of its control."""
    found = {name: verdict.measured for name, verdict in verdicts.items()}
    same = {
        "saddle-to-saddle": {"early": found["saddle-to-saddle"].misses},
        "grokking-two-biases": {"undecayed": found["grokking-two-biases"].final},
        "near-homogeneous-kkt": {"uneven": found["near-homogeneous-kkt"].residual},
    }
    for name, changed in same.items():
        assert not replaced(verdicts, name, **changed).refuted
    ratios = found["modular-addition-margin"].ratios
    other = torch.stack([ratios[0], ratios[1], ratios[1]])
    assert not replaced(verdicts, "modular-addition-margin", ratios=other).refuted


def test_the_flow_through_saddles_is_that_of_u_and_v():
    problem = saddles.drawn([1600140])[0]
    depth, times = 12.0, [0.5, 1.0, 2.0, 4.0]
    beta, _ = saddles.coefficients(problem, depth, times)
    model = Diagonal(problem.X)
    run = stiff_flow(
        model,
        problem.y,
        torch.full((model.dimension,), math.exp(-depth), dtype=torch.float64),
        target_loss=0,
        times=[depth / 2 * time for time in times],
        tolerance=1e-9,
    )
    assert run.complete
    torch.testing.assert_close(model.coefficients(run.path), beta, rtol=0, atol=2e-5)


def test_jumps_of_one_equation_come_when_they_should():
    """x beta = y with one entry: s reaches 1 at T = 1 / (2 x y), and the flow is a
    Riccati equation.
    """
    problem = saddles.own([[2.0], [2.0]], [3.0, 3.0])
    found = saddles.followed(problem, 100.0)
    assert found.complete
    assert float(problem.path.times) == pytest.approx(0.5)
    assert float(found.delays.abs()) < 1
    assert float(found.misses) < 1e-6


def test_data_without_an_interpolant_are_refused():
    rng = np.random.default_rng(1600141)
    X, y = rng.normal(size=(9, 3)), rng.normal(size=9)
    with pytest.raises(InvalidInput, match="fits y"):
        page.saddle_to_saddle.verify(data=(X, y))
    with pytest.raises(InvalidInput, match="zero everywhere"):
        saddles.own(0 * X, y)


def test_weight_decay_in_products_is_descent_in_u_and_v():
    """Many small steps on L + (decay / 2)(|u|^2 + |v|^2), in u and v themselves."""
    data = grokking.task(torch.Generator().manual_seed(1600142))
    depth, decay, step = 0.5, 0.05, 1e-3
    run = grokking.trained(data, depth, (-0.4, 0.0), decay=decay, clock=decay)
    A = data.y[:, None] * data.X
    u = v = torch.full((grokking.FEATURES,), math.exp(depth), dtype=torch.float64)
    found = []
    for k in range(1, round(depth / decay / step) + 1):
        slope = -torch.sigmoid(-A @ (u**2 - v**2)) @ A / len(A)
        u, v = (
            u - step * (2 * u * slope + decay * u),
            v - step * (-2 * v * slope + decay * v),
        )
        if k in (round(0.1 / decay / step), round(depth / decay / step)):
            found.append(u**2 - v**2)
    torch.testing.assert_close(torch.stack(found), run.beta, rtol=0, atol=2e-3)


def test_where_the_cosine_is_halfway():
    x = torch.tensor(grokking.READINGS, dtype=torch.float64)
    angle = (x > 3.1).double()
    beta = torch.stack([torch.cos(angle), torch.sin(angle)], 1)
    run = grokking.Training(beta, x, 0.0, "")
    direction = torch.tensor([1.0, 0.0]).double()
    assert grokking.halfway(run, direction) == pytest.approx(3.125)
    still = dataclasses.replace(run, beta=torch.ones_like(beta))
    assert math.isnan(grokking.halfway(still, direction))


def test_the_network_that_attains_the_margin_is_pure_in_its_own_order():
    p = 7
    neurons = largest_network(p)[None]
    found = tables.Spectra.of(neurons)
    assert float(found.impurity) < 1e-12
    assert float(found.common.amin()) == pytest.approx(1)
    torch.testing.assert_close(
        found.usage, torch.full((1, 3), 1 / 3, dtype=torch.float64)
    )
    names = new_names(p, torch.Generator().manual_seed(1600143))
    moved = torch.empty_like(neurons)
    for role in range(3):
        moved[:, :, role, names[role]] = neurons[:, :, role]
    net = tables.TableNetwork(p, neurons.shape[1])
    table = renamed(addition(p), names)
    margins = tables.normalized(net, moved.flatten(1), table[None])
    assert float(margins.amax() - margins.amin()) < 1e-12
    torch.testing.assert_close(tables.in_order(moved, names[None]), neurons)
    assert float(tables.Spectra.of(moved).impurity) > 0.01


def test_the_field_of_nearly_homogeneous_networks_is_the_models():
    problem = nearly.drawn([1600144])[0]
    flow, x = nearly._Flow(problem, problem.rates), problem.theta.numpy()
    point = problem.theta[None]
    shares = torch.softmax(-problem.margins.outputs(point), -1)
    pull = shares[0] @ problem.margins.jacobian(point)[0]
    np.testing.assert_allclose(flow.pull(x)[0], pull, atol=1e-14)
    move = 1e-6 * np.random.default_rng(0).normal(size=len(x))
    change = (flow.velocity(x + move) - flow.velocity(x - move)) / 2
    np.testing.assert_allclose(flow.jacobian(x) @ move, change, atol=1e-14)


def test_uneven_rates_lead_to_kkt_points_of_their_own_norm():
    problem = nearly.drawn([1600145])[0]
    run = nearly.grown(problem, problem.rates, [2.0, 4.0])
    own = [
        nearly.conditions(problem, theta, problem.rates).residual for theta in run.path
    ]
    euclidean = nearly.conditions(problem, run.path[-1]).residual
    assert own[1] < 0.7 * own[0]
    assert own[1] < 0.5 * euclidean


def test_the_allowance_of_the_proof_holds_at_random_points():
    """|theta.grad f - 3 f| and the difference of the gradients, at points of any size."""
    problem = nearly.drawn([1600146])[0]
    generator = torch.Generator().manual_seed(1600147)
    draw = torch.randn(200, problem.net.dimension, generator=generator).double()
    theta = draw * torch.logspace(-2, 2, 200).double()[:, None]
    rows = problem.margins.jacobian(theta)
    rho = theta.norm(dim=-1)[:, None]
    off = (rows @ theta[..., None])[..., 0] - 3 * problem.margins.outputs(theta)
    r = float(problem.net.inputs.norm(dim=-1).amax())
    side = math.sqrt(r**2 + 1)
    assert bool((off.abs() <= r * rho**2 / 2 + 2 * side * rho).all())
    apart = (rows - problem.leading.jacobian(theta)).norm(dim=-1)
    assert bool((apart <= r * rho + side).all())


def test_own_data_for_the_nearly_homogeneous_network():
    rng = np.random.default_rng(1600148)
    X = 50 * rng.normal(size=(5, 3))
    problems = page.near_homogeneous_kkt.problems(
        Setting("quick", 0), (X, np.array([1, -1, 1, 1, -1])), networks=8
    )
    assert len(problems) == 8
    longest = problems[0].net.inputs.norm(dim=1).amax()
    assert float(longest) == pytest.approx(1)
    with pytest.raises(InvalidInput, match="zero everywhere"):
        nearly.own(0 * X, [1, -1, 1, 1, -1], [1])


def test_residual_curves_have_nan_where_nothing_is_known():
    problems = nearly.drawn([1600149, 1600150])
    plain, uneven, allowed = nearly.residual_curves(problems, [0.2, 4.0])
    assert plain.shape == uneven.shape == allowed.shape == (2, 2)
    assert bool(plain[1].isfinite().all())
    assert bool(allowed[0].isnan().all())
    assert bool((plain[1] < allowed[1]).all())
