import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.models.deep_linear import DeepLinear
from ibcore.pages.regression.linear_networks.convolutional_and_fully_connected import (
    layers,
)
from ibcore.pages.regression.linear_networks.convolutional_and_fully_connected.claims.fc_linear_min_l2 import (
    LARGE,
    draw_problems,
    fc_linear_min_l2,
    measure_starts,
    own_problems,
)
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {fc_linear_min_l2.id: fc_linear_min_l2}
QUICK = fc_linear_min_l2.sizes["quick"]


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture
def found(verdicts):
    return verdicts["fc-linear-min-l2"].measured


def judged(found, **changes):
    return fc_linear_min_l2.judge(replace(found, **changes))


def case_of(seed):
    return layers.gaussian_case(torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("factor", [1.1, 0.9, math.nan])
@pytest.mark.parametrize(
    ("name", "place", "fallen"),
    [("distances", 1, [1, 3]), ("ratios", 1, [2, 4]), ("constants", 0, [3])],
)
def test_one_start_off_its_first_order(found, name, place, fallen, factor):
    """Scales are 0.1 and 1e-4. Ten percent are beyond the constants, not the slopes."""
    poisoned = getattr(found, name).clone()
    poisoned[3, place] *= factor
    lost = math.isnan(factor)
    expected = fallen if lost else fallen[-1:]
    if lost and name == "distances":
        expected = [0, *fallen]
    assert falls(judged(found).checks) == []
    assert falls(judged(found, **{name: poisoned}).checks) == expected


@pytest.mark.parametrize(("name", "fallen"), [("distances", [0, 1]), ("ratios", [2])])
def test_one_start_off_the_slope(found, name, fallen):
    """Twice or half the distance at the scale 0.1 turns a slope by a tenth."""
    for factor in (2.0, 0.5):
        poisoned = getattr(found, name).clone()
        poisoned[3, 0] *= factor
        fell = falls(judged(found, **{name: poisoned}).checks)
        assert fell in (fallen, fallen[-1:])


def test_the_bound_is_judged_at_every_start_and_scale(found):
    for place in ((0, 0), (7, 1)):
        for bad in (0.99, math.nan):
            bounds = found.bounds.clone()
            bounds[place] = bad * found.distances[place]
            assert falls(judged(found, bounds=bounds).checks) == [0]


def test_runs_without_a_number_refute_nothing(found):
    far = torch.full((8,), 0.4).double()
    assert judged(found, large=far).control.refuted
    lost = far.clone()
    lost[:3] = math.nan
    for bad in (math.nan * far, 0 * far, lost):
        assert not judged(found, large=bad).control.refuted


def test_a_network_that_did_not_fit_is_no_number_and_says_why(monkeypatch):
    flow = layers.stiff_flow
    monkeypatch.setattr(
        layers,
        "stiff_flow",
        lambda *arguments, **options: flow(*arguments, **options, max_steps=3),
    )
    setting = Setting("quick", 4)
    problems = draw_problems(setting, starts=8, scales=(1e-1, 1e-4))
    lost = measure_starts(problems, setting)
    assert bool(lost.distances.isnan().all())
    assert bool(lost.bounds.isfinite().all())
    assert len(lost.broken) == 8 * 3
    assert all("step limit" in reason for reason in lost.broken)
    evidence = fc_linear_min_l2.judge(lost)
    assert falls(evidence.checks) == [0, 1, 2, 3, 4]
    assert not evidence.control.refuted


def test_the_control_survives_from_a_small_scale(found):
    cases = [case_of(seed) for seed in range(1295040, 1295048)]
    small, large = (
        torch.stack([layers.ended(case, scale)[0] for case in cases])
        for scale in (1e-2, LARGE)
    )
    assert not judged(found, large=small).control.refuted
    assert judged(found, large=large).control.refuted


def test_what_the_first_layer_holds_off_the_row_space_is_frozen_at_any_scale():
    case = case_of(0)
    X = case.network.inputs
    end = layers.trained(case.network, case.targets, case.start)
    off = torch.eye(X.shape[1]).double() - torch.linalg.pinv(X) @ X
    before, after = (
        case.network.matrices(theta)[0] @ off for theta in (case.start, end)
    )
    torch.testing.assert_close(before, after, rtol=0, atol=1e-9)
    beta = case.network.end_to_end(end)
    held = case.network.matrices(case.start)[0].mT @ case.network.matrices(end)[1][0]
    torch.testing.assert_close(off @ beta, off @ held, rtol=0, atol=1e-9)


def test_depth_one_is_linear_regression():
    X = torch.randn(
        3, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    y = torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64)
    end = layers.trained(DeepLinear(X, ()), y, torch.zeros(6).double())
    torch.testing.assert_close(end, torch.linalg.pinv(X) @ y, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("scale", [3.0, 0.3, 1e-3])
def test_the_distance_to_the_least_norm_is_below_its_bound_at_any_scale(scale):
    for seed in (1106001, 1106002, 1106003):
        case = case_of(seed)
        distance, _ = layers.ended(case, scale)
        bound = case.predicted.bound(scale)
        assert 0.02 * bound < float(distance) <= bound


def test_the_distance_of_a_network_of_depth_three_falls_with_the_scale():
    far, near = layers.deeper(3, (0.1, 0.03)).tolist()
    assert near == pytest.approx(0.3 * far, rel=0.1)


class TestOwnData:
    def data(self):
        rng = np.random.default_rng(7603)
        X = rng.normal(size=(4, 9)) * 25
        return X, rng.normal(size=4) / 7

    def test_they_take_the_place_of_drawn_ones_in_units_of_their_own(self):
        problems = own_problems(Setting("quick", 0), *self.data(), **QUICK)
        assert len(problems.cases) == 8
        first, second = problems.cases[:2]
        assert float(first.network.inputs.square().mean()) == pytest.approx(1)
        assert float(first.predicted.limit.norm()) == pytest.approx(1)
        torch.testing.assert_close(first.targets, second.targets)
        assert float((first.start - second.start).abs().min()) > 0

    def test_the_bound_and_the_control_hold_on_them(self):
        setting = Setting("quick", 0)
        problems = own_problems(setting, *self.data(), **QUICK)
        evidence = fc_linear_min_l2.judge(measure_starts(problems, setting))
        assert evidence.checks[0].holds
        assert evidence.control.refuted

    def test_others_are_refused_before_work_starts(self):
        X, y = self.data()
        for bad, targets, words in (
            (X.T, X[0], "fewer rows than columns"),
            (np.ones((2, 201)), y[:2], "at most 200 of these"),
            (X[[0, 1, 0]], y[:3], "dependent"),
            (X, 0 * y, "zero"),
            (X, y[:3], "one number a row"),
        ):
            with pytest.raises(InvalidInput, match=words):
                own_problems(Setting("quick", 0), bad, targets, **QUICK)
