import math
from dataclasses import replace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.classification.homogeneous_networks import kkt_points as page
from ibcore.dynamics.trajectory import REACHED, STEP_LIMIT, Trajectory
from ibcore.models.homogeneous import LeakyReLU, SquaredReLU, joined

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


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


@pytest.mark.parametrize("name", CLAIMS)
def test_figures_get_finite_arrays_on_the_cpu(verdicts, name):
    for value in verdicts[name].data.values():
        if isinstance(value, torch.Tensor):
            assert value.device.type == "cpu"
            assert bool(value.isfinite().all())


GOOD = page.Residuals(
    residuals=[1e-3] * 16,
    complementarity=[1e-5] * 16,
    tangent=[1e-5] * 16,
    clarke=[5e-3] * 16,
    clarke_complementarity=[1e-5] * 16,
    gaps=[1e-7] * 16,
    naive=[0.2] * 16,
    kinks=[50.0] * 16,
    averaged=[0.01] * 16,
    sign=[0.7] * 16,
)
BAD = dict.fromkeys(vars(GOOD), 1.0) | {"naive": 1e-3, "kinks": 0.0}


def failures(found):
    return sum(not check.holds for check in page.judge(found)[0])


@pytest.mark.parametrize("name", [name for name in BAD if name != "sign"])
@pytest.mark.parametrize("missing", [False, True])
def test_each_residual_is_judged_and_one_that_is_missing_fails(name, missing):
    one = math.nan if missing else BAD[name]
    assert failures(GOOD) == 0
    assert failures(replace(GOOD, **{name: getattr(GOOD, name)[:10] + [one] * 6})) == 0
    assert failures(replace(GOOD, **{name: getattr(GOOD, name)[:9] + [one] * 7})) == 1


def test_sign_descent_refutes_only_where_it_fits():
    assert page.judge(GOOD)[1].refuted
    for others in ([0.1] * 2, [math.nan] * 2):
        assert not page.judge(replace(GOOD, sign=[0.7] * 14 + others))[1].refuted


def test_falls_are_those_below_1_over_n_and_keep_what_is_missing():
    smoothed = torch.tensor(
        [[-1.0, 1.0, -3.0], [-2.0, 0.5, 1.0], [1.0, 2.0, math.nan]]
    ).double()
    falls = page._falls(smoothed)
    assert falls[:2].tolist() == [-math.inf, 0.25]
    assert bool(falls[2].isnan())


def test_products_are_judged_by_degree_and_a_missing_one_fails():
    ones = torch.ones(7, 8, dtype=torch.float64)
    for k, off in ((1, 1.001), (2, 1.03), (3, 1.6)):
        assert all(check.holds for check in page._rate(k, ones))
        first, last = ones.clone(), ones.clone()
        first[0, :5], last[-1, :5] = off, off
        assert [check.holds for check in page._rate(k, first)] == [False, True]
        assert [check.holds for check in page._rate(k, last)] == [False, False]
        last[-1, :5] = math.nan
        assert [check.holds for check in page._rate(k, last)] == [False, False]


def test_a_network_above_1_over_n_is_left_out_of_what_the_theorem_says():
    networks = page.draw_networks(
        Setting("quick", 3), 2, "any", SquaredReLU(), page.SMALL
    )
    last = math.log(page.SMALL.examples)
    assert networks.flow(log_loss=[-last - 0.1])[1].tolist() == [True, True]
    assert networks.flow(log_loss=[-last + 0.1])[1].tolist() == [False, False]


def test_draws_differ_between_seeds_repeat_and_keep_their_condition():
    first, again, other = (
        page.draw_networks(Setting("quick", seed), 3, "any", SquaredReLU(), page.SMALL)
        for seed in (0, 0, 1)
    )
    assert torch.equal(first.theta, again.theta)
    assert not torch.equal(first.theta, other.theta)
    a, _ = first.net.layers(first.theta)
    useful = (first.net.preactivations(first.theta) > 0) & (
        first.margins.labels[..., None] * a[:, None, :] > 0
    )
    assert bool(useful.any(-1).all())


def test_an_unfinished_network_would_not_hold():
    networks = page.draw_networks(
        Setting("quick", 3), 2, "any", LeakyReLU(), page.LARGE
    )
    early = networks.limit(steps=60, finest=1e-3)
    found = [page._clarke_kkt(networks, early.direction, b) for b in range(2)]
    assert all(point is None or point.residual > page.CLARKE for point in found)


def test_the_tangent_kernel_machine_sees_a_rescaled_network():
    networks = page.draw_networks(
        Setting("quick", 3), 1, "any", SquaredReLU(), page.LARGE
    )
    direction = networks.limit(steps=1500, finest=1e-4).direction
    a, w = networks.net.layers(direction)
    rescaled = joined(4 * a, w / 2)
    torch.testing.assert_close(
        networks.net.outputs(rescaled), networks.net.outputs(direction)
    )
    assert page._tangent_gap(networks, direction, 0) < 1e-2
    assert page._tangent_gap(networks, rescaled / rescaled.norm(), 0) > 0.2


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
    assert page._stopped("k = 3", run, fitted) == ("k = 3, network 1: step limit",)
