import math
from dataclasses import replace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.pages.regression.linear_networks.diagonal_networks import networks
from ibcore.pages.regression.linear_networks.diagonal_networks.claims.diag_init_shape import (
    Problems,
    _scale_alone,
    corners,
    diag_init_shape,
    from_equal,
    measure_shapes,
    own_problems,
)
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {diag_init_shape.id: diag_init_shape}
QUICK = diag_init_shape.sizes["quick"]


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture
def found(verdicts):
    return verdicts["diag-init-shape"].measured


@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("bad", [math.nan, 1e-8])
@pytest.mark.parametrize(("name", "fallen"), [("distances", 0), ("apart", 1)])
def test_one_bad_network_makes_its_check_fall(found, name, fallen, bad, place):
    poisoned = getattr(found, name).clone()
    poisoned[place] = bad
    judged = diag_init_shape.judge(replace(found, **{name: poisoned}))
    assert falls(judged.checks) == [fallen]


def test_the_control_survives_where_the_layers_are_equal():
    (case,), _ = Setting("quick", 1295051).draw(
        1, "any", lambda g: networks.with_slack(6, 14, g)
    )
    problems = Problems((case,), (1.0, 1e-4), (0.0, 0.99), 0)
    found, broken = corners([case], problems)
    assert broken == ()
    assert float(found.apart[0]) < 1e-9
    missed, _ = from_equal([case], found.uneven, 1e-4)
    assert _scale_alone(1e-4, 0.99, missed.expand(8)).refuted
    even = networks.train_unshared(case.data, *problems.even)[None]
    equal, _ = from_equal([case], even, 1e-4)
    assert not _scale_alone(1e-4, 0.0, equal.expand(8)).refuted
    assert not _scale_alone(1e-4, 0.99, torch.tensor([math.nan] * 8)).refuted


def test_a_run_that_did_not_fit_refutes_nothing(monkeypatch):
    flow = networks.stiff_flow
    monkeypatch.setattr(
        networks,
        "stiff_flow",
        lambda *arguments, **options: flow(*arguments, **{**options, "max_steps": 3}),
    )
    evidence = diag_init_shape.verify(Setting("quick", 4)).evidence
    assert not evidence.control.refuted
    assert falls(evidence.checks) == [0, 1]
    assert all("step limit" in reason for reason in evidence.broken)


def test_networks_on_all_data_sets_are_counted(found, verdicts):
    grid, equal, on_others = 4, 1, 3 * 3
    notes = verdicts["diag-init-shape"].evidence.notes
    assert len(found.products) == grid
    assert notes["networks"] == len(found.distances) == grid + equal + on_others
    assert len(found.apart) == equal + 3
    assert len(found.missed) == 4
    assert notes[networks.REJECTED] >= 0


def test_the_shape_of_each_start(found):
    assert found.products.tolist() == [1.0, 1.0, 1e-4, 1e-4]
    assert found.shapes.tolist() == [0.0, 0.99, 0.0, 0.99]
    assert found.scales[0] == 2
    assert float(found.scales[1]) == pytest.approx(2 * 1.9801 / 0.0199)


def test_starts_of_equal_c():
    problems = Problems((), (1.0, 1e-4), (0.0, 0.5, 0.99), 0)
    level = 2e-4
    for product, shape in problems.equal:
        c = 2 * product * (1 + shape**2) / (1 - shape**2)
        assert c == pytest.approx(level)
        assert shape > 0


def test_excess_is_a_function_of_c(found):
    c, curve = found.curve
    for scale, excess in zip(found.scales, found.excess, strict=True):
        below, above = curve[c <= scale].max(), curve[c >= scale].min()
        assert float(below) * (1 - 1e-6) <= float(excess) <= float(above) * (1 + 1e-6)


def test_own_data_take_the_place_of_drawn_ones():
    setting = Setting("quick", 7502)
    (case,), _ = setting.draw(1, "own", lambda g: networks.with_slack(4, 10, g))
    X, y = case.data.X.numpy() / 50, case.data.y.tolist()
    problems = own_problems(setting, X, y, **QUICK)
    measured = measure_shapes(problems, setting)
    assert len(measured.distances) == 5
    assert len(measured.missed) == 1
    judged = diag_init_shape.judge(measured)
    assert judged.holds
    assert judged.control.refuted
