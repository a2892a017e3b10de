"""What the claim homogeneous-rates measures of single networks, and its judgment of
made-up measurements.
"""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from scipy.special import expi

from ibcore.claims import Setting
from ibcore.models.activations import LeakyReLU, SquaredReLU
from ibcore.pages.classification.homogeneous_networks.kkt_points.claims import (
    homogeneous_rates,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.claims.homogeneous_rates import (
    LOG_TIMES,
    Rates,
    delays,
    faster_products,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.networks import (
    SMALL,
    draw_networks,
)
from tests.conformance import falls

ONES = torch.ones(7, 8, dtype=torch.float64)
YES = torch.ones(8, dtype=torch.bool)
GOOD = Rates(
    log_times=torch.tensor(LOG_TIMES, dtype=torch.float64),
    products=dict.fromkeys((1, 2, 3), ONES),
    delays=dict.fromkeys((1, 2, 3), 0.9 * ONES[1:]),
    fitted=dict.fromkeys((1, 2, 3), YES),
    faster={k: ONES[0] * k / (k + 3) for k in (2, 3)},
    broken=(),
)


def judged(**changed):
    """GOOD with the entry of one degree changed, name=(k, values)."""
    parts = {name: getattr(GOOD, name) | {k: new} for name, (k, new) in changed.items()}
    return homogeneous_rates.judge(replace(GOOD, **parts))


def poisoned(values, count, bad):
    lost = values.clone()
    lost[..., :count] = bad
    return lost


def test_what_is_good_is_judged_so():
    assert falls(judged().checks) == []
    assert judged().control.refuted


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("bad", [1.001, math.nan])
def test_no_network_may_take_longer_than_its_bound(k, bad):
    late = GOOD.delays[k].clone()
    late[2, 5] = bad
    assert falls(judged(delays=(k, late)).checks) == [0]


@pytest.mark.parametrize(
    ("k", "off", "place"), [(1, 1.001, 1), (2, 1.03, 3), (3, 1.6, 5)]
)
def test_products_are_judged_by_degree_and_a_missing_one_fails(k, off, place):
    for bad in (off, math.nan):
        first, last = ONES.clone(), ONES.clone()
        first[0, :5], last[-1, :5] = bad, bad
        assert falls(judged(products=(k, first)).checks) == [place]
        assert falls(judged(products=(k, last)).checks) == [place, place + 1]


@pytest.mark.parametrize(("k", "place"), [(2, 7), (3, 8)])
def test_products_with_a_faster_layer_have_their_own_limit(k, place):
    for bad in (1.0, math.nan):
        ends = poisoned(GOOD.faster[k], 5, bad)
        assert falls(judged(faster=(k, ends)).checks) == [place]
    assert not judged(faster=(k, poisoned(GOOD.faster[k], 2, math.nan))).control.refuted
    assert not judged(faster=(k, poisoned(GOOD.faster[k], 2, 1.0))).control.refuted


def test_networks_that_do_not_fit_may_be_few():
    assert falls(judged(fitted=(3, ~YES)).checks) == []
    one = YES.clone()
    one[0] = False
    many = replace(GOOD, fitted={1: YES, 2: one, 3: ~YES})
    assert falls(homogeneous_rates.judge(many).checks) == [9]


@pytest.mark.parametrize("activation", [LeakyReLU(1.0), SquaredReLU()])
def test_a_flow_with_a_faster_layer_has_its_own_constant(activation):
    """With equal speeds the control survives, and the constant of a faster layer is
    missed.
    """
    setting = Setting("quick", 1102107)
    networks = draw_networks(setting, 8, "any", activation, SMALL)
    k = networks.degree
    even, faster = (faster_products(networks, speed) for speed in (1.0, 2.0))
    assert not judged(faster=(k, even)).control.refuted
    assert falls(judged(faster=(k, even)).checks) == [5 + k]
    assert judged(faster=(k, faster)).control.refuted
    assert falls(judged(faster=(k, faster)).checks) == []


@pytest.mark.parametrize("k", [1, 2])
def test_the_bound_on_the_time_is_nearly_met_by_one_weight_on_one_example(k):
    """f = w^k on one example: with depth = log(1 / L) the time is exp(depth), and
    Ei(depth) / 4 for k = 2.
    """
    depth = torch.tensor([20.0, 25.0, 40.0, 300.0, 600.0], dtype=torch.float64)
    clock = torch.exp(depth) if k == 1 else torch.from_numpy(expi(depth.numpy())) / 4
    run = SimpleNamespace(
        theta=(depth ** (1 / k))[:, None, None],
        log_loss=-depth[:, None],
        log_time=torch.log(clock - clock[0])[:, None],
    )
    late = delays(SimpleNamespace(degree=k, log_examples=0.0), run)[:, 0]
    assert bool((late < 1 + 1e-12).all())
    assert bool((late > 0.94).all())
