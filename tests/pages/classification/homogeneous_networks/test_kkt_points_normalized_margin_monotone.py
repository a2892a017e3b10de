"""What the claim normalized-margin-monotone measures of single networks, and its
judgment of made-up measurements.
"""

import math
from dataclasses import replace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics.sphere_flow import SphereRun
from ibcore.models.activations import SquaredReLU
from ibcore.pages.classification.homogeneous_networks.kkt_points.claims import (
    normalized_margin_monotone,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.claims.normalized_margin_monotone import (
    EULER,
    FINE,
    SmoothedMargins,
    beside_skip,
    largest_falls,
    small_start,
    smoothed_margins,
    step_falls,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.networks import (
    SMALL,
    draw_networks,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.runs import followed
from tests.conformance import falls

YES = torch.ones(8, dtype=torch.bool)
RISING = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)[:, None].expand(3, 8)
FALLING = torch.tensor([1.0, 0.5, 3.0], dtype=torch.float64)[:, None].expand(3, 8)
GOOD = SmoothedMargins(
    stops=-torch.tensor([2.0, 10.0, 1e6], dtype=torch.float64),
    fitted=YES,
    begun=YES,
    steady=YES,
    large=RISING,
    small=RISING,
    skip=FALLING,
    falls=torch.tensor([[1e-3], [1e-4]], dtype=torch.float64).expand(2, 8),
    broken=(),
)


def judged(**changed):
    return normalized_margin_monotone.judge(replace(GOOD, **changed))


def poisoned(values, count, bad=math.nan):
    lost = values.clone()
    lost[..., -1, :count] = bad
    return lost


def test_what_is_good_is_judged_so():
    assert falls(judged().checks) == []
    assert judged().control.refuted


@pytest.mark.parametrize(
    ("name", "place"), [("fitted", 0), ("begun", 1), ("steady", 4)]
)
def test_networks_that_do_not_fit_may_be_few(name, place):
    few, many = YES.clone(), YES.clone()
    few[:4], many[:5] = False, False
    assert falls(judged(**{name: few}).checks) == []
    assert falls(judged(**{name: many}).checks) == [place]


@pytest.mark.parametrize(("name", "place"), [("large", 2), ("small", 3)])
@pytest.mark.parametrize("bad", [1.9, math.nan])
def test_no_smoothed_margin_may_fall_or_be_missing(name, place, bad):
    assert falls(judged(**{name: poisoned(RISING, 1, bad)}).checks) == [place]


@pytest.mark.parametrize("bad", [2 * FINE, math.nan])
def test_no_step_may_fall_by_more_than_its_length(bad):
    assert falls(judged(falls=poisoned(GOOD.falls, 1, bad)).checks) == [5]
    assert falls(judged(falls=poisoned(GOOD.falls, 5, bad)).checks) == [5, 6]


def test_falls_that_do_not_shrink_with_the_steps_are_seen():
    same = poisoned(GOOD.falls, 5, 4e-4)
    same[0, :5] = 4e-4
    assert falls(judged(falls=same).checks) == [6]


def test_a_linear_part_that_breaks_down_refutes_nothing():
    assert judged(skip=poisoned(FALLING, 4)).control.refuted
    assert not judged(skip=poisoned(FALLING, 5)).control.refuted


def test_the_control_survives_without_the_linear_part_and_is_refuted_with_it():
    setting = Setting("quick", 1102106)
    networks = draw_networks(setting, 8, "any", SquaredReLU(), SMALL)
    stops = -torch.logspace(0.28, 6, 30, dtype=torch.float64)
    begin = small_start(networks)
    alone, skip = (
        smoothed_margins(networks, followed(one, log_loss=stops)[0])
        for one in (begin, beside_skip(begin))
    )
    assert bool(alone.isfinite().all())
    assert judged(skip=skip).control.refuted
    assert not judged(skip=alone).control.refuted
    assert falls(judged(large=alone, small=alone).checks) == []
    assert falls(judged(small=skip).checks) == [3]


def test_falls_are_those_below_1_over_n_and_keep_what_is_missing():
    smoothed = torch.tensor(
        [[-1.0, 1.0, -3.0], [-2.0, 0.5, 1.0], [1.0, 2.0, math.nan]]
    ).double()
    found = largest_falls(smoothed)
    assert found[:2].tolist() == [-math.inf, 0.25]
    assert bool(found[2].isnan())


def test_falls_of_a_walk_count_while_its_steps_are_those_of_the_flow():
    smoothed = torch.tensor([[-1.0, 1.0], [-2.0, 0.5], [1.0, 1.0], [0.9, 2.0]]).double()
    margins = torch.tensor([1.0, 1.0, 1.001 * EULER, 1.0]).double()
    walk = SphereRun(
        *[smoothed[:1]] * 2,
        margins[:, None].expand(4, 2),
        torch.zeros(4, 2).double(),
        smoothed,
        *[margins] * 2,
    )
    assert step_falls(walk, 2).tolist() == [0.0, 0.25]
    walk = replace(walk, margins=torch.ones(4, 2).double())
    assert step_falls(walk, 2).tolist() == pytest.approx([0.1 / 0.9, 0.25])
    smoothed[-1, 0] = math.nan
    assert bool(step_falls(walk, 2)[0].isnan())
