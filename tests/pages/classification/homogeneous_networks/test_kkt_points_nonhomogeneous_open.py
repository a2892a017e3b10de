"""What the claim nonhomogeneous-open measures of single sums, and its judgment of
made-up measurements.
"""

import math
from dataclasses import replace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.models.activations import LeakyReLU, SquaredReLU
from ibcore.pages.classification.homogeneous_networks.kkt_points.claims import (
    nonhomogeneous_open,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.claims.nonhomogeneous_open import (
    SUM_LOSSES,
    Parts,
    Shares,
    followed_sums,
    with_linear,
    with_network,
)
from tests.conformance import falls


def rows(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None].expand(5, 8)


DEPTHS = -torch.tensor(SUM_LOSSES, dtype=torch.float64)
LEAST = DEPTHS[:, None].expand(5, 8)
GROWING = 0.5 * LEAST.log() + 3
VANISHING = rows(0.1, 1e-2, 1e-4, 1e-6, 1e-8)
GOOD = Shares(
    stops=-DEPTHS,
    second=Parts(VANISHING, GROWING, LEAST),
    third=Parts(VANISHING, rows(1.0, 1.5, 2.0, 2.01, 2.02), LEAST),
    same=Parts(rows(*[0.4] * 5), GROWING, LEAST),
    broken=(),
)


def judged(kind=None, **changed):
    parts = {kind: replace(getattr(GOOD, kind), **changed)} if kind else {}
    return nonhomogeneous_open.judge(replace(GOOD, **parts))


def poisoned(values, row, count, bad=math.nan):
    lost = values.clone()
    lost[row, :count] = bad
    return lost


def test_what_is_good_is_judged_so():
    assert falls(judged().checks) == []
    assert judged().control.refuted


@pytest.mark.parametrize(("kind", "place"), [("second", 0), ("third", 1)])
@pytest.mark.parametrize("bad", [2e-5, math.nan])
def test_no_share_of_a_linear_part_may_stay(kind, place, bad):
    assert falls(judged(kind, shares=poisoned(VANISHING, 3, 1, bad)).checks) == [place]


@pytest.mark.parametrize("row", [3, 4])
def test_the_linear_part_grows_by_one_half_beside_degree_two(row):
    for bad in (math.nan, float(GROWING[row, 0]) + 0.2):
        norms = poisoned(GROWING, row, 1, bad)
        assert falls(judged("second", norms=norms).checks) == [2]
    assert falls(judged("second", least=poisoned(LEAST, row, 1)).checks) == [2]


def test_the_linear_part_stops_beside_degree_three():
    norms = GOOD.third.norms
    for bad in (math.nan, 2.2):
        assert falls(judged("third", norms=poisoned(norms, 4, 4, bad)).checks) == []
        assert falls(judged("third", norms=poisoned(norms, 4, 5, bad)).checks) == [3]


def test_sums_that_break_down_refute_nothing():
    shares = GOOD.same.shares
    for bad in (math.nan, 1e-3):
        assert judged("same", shares=poisoned(shares, 3, 2, bad)).control.refuted
        assert not judged("same", shares=poisoned(shares, 3, 3, bad)).control.refuted


def test_the_control_survives_where_the_parts_have_different_degrees():
    """The same first part, two linear layers, beside a network of degree 3 in place of
    2.
    """
    setting = Setting("quick", 1102116)
    for activation, refuted in ((LeakyReLU(1.0), True), (SquaredReLU(), False)):
        parts, lost = followed_sums("", with_network(setting, 8, activation))
        assert lost == ()
        judgment = nonhomogeneous_open.judge(replace(GOOD, same=parts))
        assert judgment.control.refuted == refuted


def test_a_sum_that_does_not_come_to_the_last_loss_says_why():
    sums = with_linear(Setting("quick", 1102117), 2, SquaredReLU())
    theta = sums.theta.clone()
    theta[1] = 0
    parts, lost = followed_sums("degrees 1 + 3", replace(sums, theta=theta))
    assert bool(parts.shares[:, 0].isfinite().all())
    assert not bool(parts.shares[:, 0].isnan().any())
    assert all(one.startswith("degrees 1 + 3, sum 1: ") for one in lost)
