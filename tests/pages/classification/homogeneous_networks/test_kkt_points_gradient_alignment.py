"""What the claim gradient-alignment measures of single networks, and its judgment of
made-up measurements.
"""

import math
from dataclasses import replace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.models.activations import SquaredReLU
from ibcore.pages.classification.homogeneous_networks.kkt_points.claims import (
    gradient_alignment,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.claims.gradient_alignment import (
    Alignments,
    faster_gaps,
    gaps,
    integral_over_bound,
    tangent_integral,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.networks import (
    SMALL,
    draw_networks,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.runs import (
    DEPTHS,
    followed,
)
from tests.conformance import falls

EIGHT = torch.ones(8, dtype=torch.float64)
FALLING = torch.tensor([[0.2], [0.1], [1e-3]], dtype=torch.float64).expand(3, 8)
STOPS = -torch.tensor([1e2, 1e6, 1e10], dtype=torch.float64)
GOOD = Alignments(
    stops=STOPS,
    gaps=FALLING,
    fitted=torch.ones(8, dtype=torch.bool),
    integral=0.9 * EIGHT,
    faster_stops=STOPS[::2],
    faster=0.18 * torch.ones(2, 8, dtype=torch.float64),
    annealed=1e-5 * EIGHT,
    averaged=1e-5 * EIGHT,
    broken=(),
)


def judged(**changed):
    return gradient_alignment.judge(replace(GOOD, **changed))


def poisoned(values, count, bad=math.nan):
    lost = values.clone()
    lost[..., :count] = bad
    return lost


def test_what_is_good_is_judged_so():
    assert falls(judged().checks) == []
    assert judged().control.refuted


@pytest.mark.parametrize("bad", [1.001, math.nan])
def test_no_integral_may_exceed_its_bound(bad):
    assert falls(judged(integral=poisoned(GOOD.integral, 1, bad)).checks) == [1]


@pytest.mark.parametrize(("name", "place"), [("annealed", 2), ("averaged", 5)])
@pytest.mark.parametrize("bad", [0.01, math.nan])
def test_ends_of_annealing_that_are_not_aligned_may_be_few(name, place, bad):
    values = getattr(GOOD, name)
    assert falls(judged(**{name: poisoned(values, 4, bad)}).checks) == []
    assert falls(judged(**{name: poisoned(values, 5, bad)}).checks) == [place]


def test_angles_along_the_flow_that_do_not_fall_are_seen():
    first, last = FALLING.clone(), FALLING.clone()
    first[0, :5] = 1e-3
    last[-1, :5] = 0.15
    assert falls(judged(gaps=first).checks) == [3]
    assert falls(judged(gaps=last).checks) == [3, 4]
    assert falls(judged(gaps=poisoned(FALLING, 5)).checks) == [3, 4]
    assert falls(judged(gaps=poisoned(FALLING, 4)).checks) == []


def test_networks_that_do_not_fit_may_be_few():
    few, many = torch.arange(8) >= 4, torch.arange(8) >= 5
    assert falls(judged(fitted=few).checks) == []
    assert falls(judged(fitted=many).checks) == [0]


def test_alignment_is_lost_with_a_faster_layer_only():
    """With equal speeds the control survives."""
    setting = Setting("quick", 1102108)
    networks = draw_networks(setting, 8, "any", SquaredReLU(), SMALL)
    for faster, refuted in ((1.0, False), (2.0, True)):
        along, fitted = faster_gaps(networks, faster)
        along = along[:, fitted]
        assert judged(faster=along).control.refuted == refuted
        assert not judged(faster=poisoned(along, 2)).control.refuted
    assert float(along[-1].median()) == pytest.approx(1 - (2 / 3) ** 0.5, rel=0.05)


def test_the_integral_of_a_constant_angle():
    along = torch.full((5, 2), 1 - math.cos(0.3), dtype=torch.float64)
    log_norms = torch.tensor([0.0, 1.0, 1.5, 4.0, 7.0]).double()[:, None].expand(5, 2)
    found = tangent_integral(along, log_norms)
    assert found.tolist() == pytest.approx([7 * math.tan(0.3) ** 2] * 2)


def test_the_integral_over_its_bound_is_below_1_and_a_path_that_stops_has_none():
    networks = draw_networks(Setting("quick", 1102115), 3, "any", SquaredReLU(), SMALL)
    run, _ = followed(networks, log_loss=list(DEPTHS[::4]))
    found = integral_over_bound(networks, run, gaps(networks, run))
    assert bool((found < 1).all())
    theta = run.theta.clone()
    theta[-1, 1] = math.nan
    lost = replace(run, theta=theta)
    found = integral_over_bound(networks, lost, gaps(networks, lost))
    assert found.isnan().tolist() == [False, True, False]
