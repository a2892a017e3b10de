import dataclasses
import math

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics.trajectory import REACHED, STEP_LIMIT, Trajectory
from ibcore.measures.homogeneity import degree
from ibcore.models.activations import LeakyReLU, SquaredReLU
from ibcore.pages.classification.homogeneous_networks.kkt_points import (
    claims as page,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points import (
    networks as nets,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points import runs
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance

CLAIMS = {
    claim.id: claim
    for claim in (
        page.homogeneous_kkt,
        page.normalized_margin_monotone,
        page.homogeneous_rates,
        page.gradient_alignment,
        page.nonhomogeneous_open,
    )
}


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def tensors(value):
    """All tensors in a measurement."""
    if isinstance(value, torch.Tensor):
        return [value]
    if dataclasses.is_dataclass(value):
        return tensors(vars(value))
    parts = value.values() if isinstance(value, dict) else ()
    return [one for part in parts for one in tensors(part)]


@pytest.mark.parametrize("name", CLAIMS)
def test_figures_get_finite_arrays_on_the_cpu(verdicts, name):
    found = tensors(verdicts[name].measured)
    assert len(found) >= 4
    for value in found:
        assert value.device.type == "cpu"
        assert bool(value.isfinite().all())


def drawn(seed, draws=3, activation=None, shape=nets.SMALL):
    setting = Setting("quick", seed)
    return nets.draw_networks(setting, draws, "any", activation or SquaredReLU(), shape)


def test_draws_differ_between_seeds_repeat_and_keep_their_condition():
    first, again, other = (drawn(seed) for seed in (0, 0, 1))
    assert torch.equal(first.theta, again.theta)
    assert not torch.equal(first.theta, other.theta)
    a, _ = first.net.neurons(first.theta)
    useful = (first.net.preactivations(first.theta) > 0) & (
        first.margins.labels[..., None] * a[:, None, :] > 0
    )
    assert bool(useful.any(-1).all())


@pytest.mark.parametrize(
    "networks",
    [drawn(1102110), nets.deep_networks(Setting("quick", 3), 8)],
    ids=["two layers", "three layers"],
)
def test_networks_have_the_degree_that_they_name(networks):
    theta = networks.theta
    torch.testing.assert_close(
        networks.margins.outputs(2 * theta),
        2**networks.degree * networks.margins.outputs(theta),
    )
    torch.testing.assert_close(
        networks.normalized(5 * theta), networks.normalized(theta)
    )


def test_three_layers_come_below_1_over_n_and_reach_their_last_stop():
    deep = nets.deep_networks(Setting("quick", 3), 8)
    run, fitted = runs.followed(deep, log_loss=[-1e2, -1e6])
    assert deep.degree == 7
    assert int(fitted.sum()) >= 4
    assert bool(run.log_loss[-1, fitted].isfinite().all())


def test_gradients_are_those_of_the_exponential_loss():
    networks = drawn(1102111)
    theta = networks.theta.clone().requires_grad_()
    loss = torch.exp(-networks.margins.outputs(theta)).mean(-1).sum()
    (slope,) = torch.autograd.grad(loss, theta)
    apart = runs.misalignment(-slope, networks.gradients(networks.theta))
    assert float(apart.abs().max()) < 1e-15


def test_a_linear_part_adds_nothing_at_its_start():
    networks = drawn(1102112)
    model, start = nets.beside_linear(networks)
    theta = torch.cat([start, networks.theta], 1)
    torch.testing.assert_close(
        model.outputs(theta), networks.net.outputs(networks.theta)
    )
    assert math.isnan(degree(model.outputs, theta + 0.1))


def test_architectures_are_homogeneous_where_their_layers_have_no_later_bias():
    generator = torch.Generator().manual_seed(1102113)
    x = torch.randn(7, 4, generator=generator).double()
    found = {}
    for name, model in nets.architectures(x).items():
        theta = torch.randn(1, model.dimension, generator=generator).double()
        found[name] = degree(model.outputs, theta)
    assert list(found.values())[:5] == pytest.approx([2, 2, 3, 7, 3])
    assert np.isnan(list(found.values())[5:]).all()


def test_own_data_are_scaled_and_shared_by_all_networks():
    rng = np.random.default_rng(1102114)
    X = 50 * rng.normal(size=(7, 3))
    data = nets.own_data(X, np.sign(X[:, 0] * X[:, 1]))
    assert float(data[0].square().sum(1).mean()) == pytest.approx(1)
    networks = nets.draw_networks(
        Setting("quick", 0), 8, "own", LeakyReLU(), nets.SMALL, data
    )
    assert networks.net.inputs.shape == (8, 7, 3)
    assert torch.equal(networks.margins.labels[3], data[1])
    assert len(networks.theta.unique(dim=0)) == 8
    assert nets.deep_networks(Setting("quick", 0), 8, data).theta.shape[0] == 8


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[1.0, 0], [0, 0]], [1, -1], "row 1 of X is zero"),
        ([[1.0, 2], [0, 1], [2, 4]], [1, 1, -1], "rows 0 and 2 of X point"),
        ([[1.0, 2], [0, 1]], [1, 0], "labels -1 and"),
    ],
)
def test_data_that_no_network_without_biases_fits_are_refused(X, y, message):
    with pytest.raises(InvalidInput, match=message):
        nets.own_data(X, y)


@pytest.mark.parametrize(
    "name", ["homogeneous-kkt", "normalized-margin-monotone", "gradient-alignment"]
)
def test_own_data_are_what_a_claim_measures(name):
    X = torch.tensor([[1.0, 0.2], [-0.4, 1.0], [0.3, -1.0]]).double()
    problems = CLAIMS[name].problems(
        Setting("quick", 0), (X, torch.tensor([1.0, -1.0, 1.0]))
    )
    inputs = problems.smooth.net.inputs
    ratio = inputs / X
    torch.testing.assert_close(ratio, ratio[:1, :1, :1].expand_as(ratio))


def test_a_network_above_1_over_n_is_left_out_of_what_the_theorem_says():
    networks = drawn(3, 2)
    last = math.log(nets.SMALL.examples)
    for beyond, below in ((0.1, True), (-0.1, False)):
        _, fitted = runs.followed(networks, log_loss=[-last - beyond])
        assert fitted.tolist() == [below, below]


def test_a_network_that_stops_below_1_over_n_says_why():
    log_loss = torch.tensor([[-3.0, -3.0, -1.0], [-9.0, math.nan, math.nan]])
    run = Trajectory(
        log_loss[..., None],
        log_loss,
        log_loss,
        (REACHED, STEP_LIMIT, STEP_LIMIT),
        *[torch.zeros(3)] * 3,
        *[log_loss] * 2,
    )
    fitted = torch.tensor([True, True, False])
    assert runs.stopped("k = 3", run, fitted) == ("k = 3, network 1: step limit",)


def test_angles_of_vectors_of_any_length():
    theta = torch.tensor([[2.0, 0.0], [1.0, 0.0]]).double()
    other = torch.tensor([[0.0, 3.0], [1.0, 1e-9]]).double()
    assert runs.degrees_apart(theta, other).tolist() == pytest.approx(
        [90, math.degrees(1e-9)]
    )
    assert runs.misalignment(theta, other).tolist() == pytest.approx([1, 5e-19])


def test_the_rise_of_the_smoothed_margin_is_that_of_the_angle_and_of_the_spread():
    """d log gamma~ = k tan^2 d log rho + H / (Lambda + H) d log Lambda, H the entropy
    of the softmax.
    """
    networks = drawn(1102101)
    run, fitted = runs.followed(networks, log_loss=list(runs.DEPTHS))
    assert bool(fitted.all())
    rise, log_norms = runs.log_smoothed(networks, run)
    gaps = torch.stack(
        [runs.misalignment(theta, networks.gradients(theta)) for theta in run.theta]
    )
    turned = torch.trapezoid(1 / (1 - gaps) ** 2 - 1, log_norms, dim=0)
    bound, growth = runs.alignment_bound(rise, log_norms, 3)
    weights = torch.stack(
        [torch.softmax(-networks.margins.outputs(theta), -1) for theta in run.theta]
    )
    entropy = torch.special.entr(weights).sum(-1)
    depth = torch.exp(rise + 3 * log_norms)
    spread = torch.trapezoid(entropy / (depth + entropy), depth.log(), dim=0) / 3
    torch.testing.assert_close(turned + spread, bound, rtol=5e-3, atol=0.0)
    assert bool((turned < bound).all())
    assert bool((growth > 5).all())
