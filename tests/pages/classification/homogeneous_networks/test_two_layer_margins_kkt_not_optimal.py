"""What the claim kkt-not-optimal measures of single starts, and its judgment of made-up
measurements.
"""

import math
from dataclasses import replace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.oracles.margin_trap import BEST, MULTIPLIERS, RISE, TRAP, trapped
from ibcore.pages.classification.homogeneous_networks.two_layer_margins.claims import (
    kkt_not_optimal,
)
from ibcore.pages.classification.homogeneous_networks.two_layer_margins.claims.kkt_not_optimal import (
    Trapped,
    gains,
    kkt_at,
)
from ibcore.pages.classification.homogeneous_networks.two_layer_margins.networks import (
    network,
)
from ibcore.problems.plane import shallow_pair
from tests.conformance import falls


def eight(value):
    return torch.full((8,), value, dtype=torch.float64)


GOOD = Trapped(
    depths=torch.tensor([[1e2], [1e4], [1e10]], dtype=torch.float64).expand(3, 8),
    caught=eight(TRAP).expand(3, 8),
    escaped=eight(BEST).expand(3, 8),
    others=torch.empty(3, 0, dtype=torch.float64),
    law=eight(1.0),
    residuals=eight(1e-6),
    multipliers=torch.stack([eight(MULTIPLIERS[0])] * 2, 1),
    gains=eight(RISE),
    optima=eight(BEST)[:3],
    broken=(),
)
PLACES = {
    "caught": 0,
    "escaped": 1,
    "optima": 2,
    "law": 3,
    "residuals": 4,
    "multipliers": 5,
    "gains": 6,
}


def judged(**changed):
    return kkt_not_optimal.judge(replace(GOOD, **changed))


@pytest.mark.parametrize("name", PLACES)
def test_a_member_that_is_wrong_or_missing_is_noticed(name):
    assert falls(judged().checks) == []
    values = getattr(GOOD, name)
    for wrong in (1.002 * float(values.flatten()[0]) + 2e-5, math.nan):
        bad = values.clone()
        bad[(-1,) + (0,) * (bad.ndim - 1)] = wrong
        assert falls(judged(**{name: bad}).checks) == [PLACES[name]]


@pytest.fixture(scope="module")
def measured():
    return kkt_not_optimal.verify(Setting("quick", 1), at_random=8).measured


def test_trapped_runs_approach_the_trap_from_below_and_the_others_the_optimum(measured):
    for margins, end in ((measured.caught, TRAP), (measured.escaped, BEST)):
        gaps = 1 - margins / end
        assert bool((gaps[:-1] > 0).all())
        assert bool((gaps.diff(dim=0) < 0).all())


def test_gaussian_starts_end_in_one_of_three_ways(measured):
    shares = [measured.share(TRAP), measured.share(BEST), measured.never()]
    assert all(0 <= share <= 1 for share in shares)
    assert sum(shares) <= 1 + 1e-12
    ends = torch.tensor([TRAP, BEST, math.nan, 0.3], dtype=torch.float64)
    made = replace(measured, others=ends.expand(3, 4))
    assert [made.share(TRAP), made.share(BEST), made.never()] == [0.25, 0.25, 0.25]


def test_a_limit_that_is_no_kkt_point_is_noticed_and_takes_nobody_with_it():
    model = network(shallow_pair(), 2)
    leaning, lost = trapped(), trapped()
    leaning[2] += 0.2
    lost[0] = math.nan
    limits = torch.stack([trapped(), leaning, lost])
    residuals, multipliers, broken = kkt_at(model, limits)
    assert float(residuals[0]) < 1e-12
    assert multipliers[0].tolist() == pytest.approx(MULTIPLIERS)
    assert float(residuals[1]) > 1e-3
    assert residuals.isnan().tolist() == [False, False, True]
    assert multipliers.isnan().all(-1).tolist() == [False, False, True]
    assert len(broken) == 1
    checks = judged(residuals=residuals, multipliers=multipliers).checks
    assert falls(checks) == [PLACES["residuals"], PLACES["multipliers"]]


def test_a_new_neuron_gains_what_theory_says():
    model = network(shallow_pair(), 2)
    found = gains(model, torch.stack([trapped(), 3 * trapped()]))
    assert found.tolist() == pytest.approx([RISE, RISE], rel=1e-4)


def test_the_control_survives_with_a_dead_neuron_and_nan_does_not_refute(measured):
    assert judged(escaped=measured.escaped).control.refuted
    assert not judged(escaped=measured.caught).control.refuted
    missing = measured.escaped.clone()
    missing[-1, 0] = math.nan
    assert not judged(escaped=missing).control.refuted
