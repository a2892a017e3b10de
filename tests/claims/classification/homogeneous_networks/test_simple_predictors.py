import math
from dataclasses import replace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.classification.homogeneous_networks import simple_predictors as page
from ibcore.dynamics.log_time import flow
from ibcore.losses import Exponential
from ibcore.measures import sin_angle

CLAIMS = {
    claim.id: claim
    for claim in (
        page.leaky_symmetric_max_margin,
        page.leaky_linear_teacher,
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


def test_a_wrong_direction_would_not_hold(verdicts):
    data = verdicts["leaky-linear-teacher"].data
    teachers = data["teachers"]
    plain = torch.stack(
        [torch.cat([limit.plus, -limit.plus]) for limit in teachers.limits]
    )
    assert float(sin_angle(teachers.pair(data["states"][-1]), plain).min()) > 1e-3


def test_the_mirrored_sample_is_symmetric_and_its_support_spans():
    sample = page.draw_mirrored(Setting("quick", 3), 2, 0.3)
    half = sample.labels.shape[1] // 2
    assert torch.equal(sample.net.inputs[:, :half], -sample.net.inputs[:, half:])
    assert torch.equal(sample.labels[:, :half], -sample.labels[:, half:])
    assert all(
        int(best.support.sum()) == 5 and best.rate >= page.LEAST_RATE
        for best in sample.solutions
    )


def test_networks_on_stretched_samples_stay_bent_and_on_symmetric_ones_do_not():
    setting = Setting("quick", 1102110)
    sample = page.draw_mirrored(setting, 8, 0.3)
    start = page.SMALL * page.random_start(setting, 8, sample.net.dimension, "start")
    fresh = page._normal(setting, 200, 5)
    for factor, refuted in ((1.0, False), (page.STRETCH, True)):
        other = page.stretched(sample, factor)
        end = flow(other.margins, Exponential(), start, log_loss=-1e4).theta[-1]
        bends = page.alignment(other, end, fresh).bend
        assert page._uneven_control(bends).refuted == refuted


def test_a_large_start_is_refuted_and_a_small_one_is_not():
    setting = Setting("quick", 1102111)
    teachers, _ = page.draw_teachers(setting, 8)
    start = page.random_start(setting, 8, teachers.net.dimension, "start")
    fresh = page._normal(setting, 1000, 5)
    for size, refuted in ((page.SMALL, False), (page.LARGE, True)):
        end = flow(
            teachers.margins,
            Exponential(),
            size * start,
            log_loss=-20.0,
            tolerance=1e-3,
        ).theta[0]
        ahead, behind = (teachers.on(s * fresh).outputs(end) for s in (1, -1))
        control = page._large_start_control(page._one_sided(ahead, behind))
        assert control.refuted == refuted


def test_the_predicted_network_has_the_predicted_margin_and_more_is_impossible():
    sample = page.draw_mirrored(Setting("quick", 1), 2, 0.3)
    unit = sample.w_hat / sample.w_hat.norm(dim=1, keepdim=True)
    signs = torch.ones(page.WIDTH, dtype=torch.float64)
    signs[page.WIDTH // 2 :] *= -1
    ideal = torch.cat(
        [signs.expand(2, -1), (signs[:, None] * unit[:, None]).flatten(1)], -1
    )
    found = page.alignment(
        sample,
        ideal,
        torch.randn(50, 5, generator=torch.Generator().manual_seed(0)).double(),
    )
    torch.testing.assert_close(
        found.margin_ratio, torch.ones(2, dtype=torch.float64), atol=1e-9, rtol=0
    )
    assert float(found.sines.max()) < 1e-12
    assert float(found.bend.max()) < 1e-6
    other = torch.randn(
        2,
        sample.net.dimension,
        generator=torch.Generator().manual_seed(1),
        dtype=torch.float64,
    )
    mixed = page.alignment(
        sample, ideal + 0.05 * other, torch.eye(5, dtype=torch.float64)
    )
    assert float(mixed.margin_ratio.max()) < 1


def failing(checks):
    return [check.name for check in checks if not check.holds]


def ends(**changes):
    ones, zeros = torch.ones(8).double(), torch.zeros(8).double()
    good = page.Alignment(zeros[:, None].repeat(1, 3), zeros, ones, ones, zeros)
    return replace(good, **changes)


@pytest.mark.parametrize("off", [1e-4, math.nan])
def test_one_network_that_is_not_aligned_or_broke_down_is_noticed(off):
    below, early = torch.ones(5, 8).double(), torch.full((8,), 1e-3).double()
    assert failing(page._symmetric_checks([], below, early, ends())[1:]) == []
    for name in ("sines", "margin_ratio", "balance", "bend"):
        values = getattr(ends(), name).clone()
        values[(3, 1) if name == "sines" else 3] += off
        checks = page._symmetric_checks([], below, early, ends(**{name: values}))
        assert len(failing(checks[1:])) == 1
    below[2, 4] += off
    assert len(failing(page._symmetric_checks([], below, early, ends())[1:])) == 1
    early[:5] = off + 0.02
    below[2, 4] = 1
    assert len(failing(page._symmetric_checks([], below, early, ends())[1:])) == 1


def test_a_network_that_is_no_number_is_not_taken_for_light_neurons():
    sample = page.draw_mirrored(Setting("quick", 3), 2, 0.3)
    theta = torch.randn(
        2, sample.net.dimension, generator=torch.Generator().manual_seed(2)
    ).double()
    theta[1] = math.nan
    found = page.alignment(sample, theta, torch.eye(5, dtype=torch.float64))
    for part in (found.sines, found.margin_ratio, found.balance, found.bend):
        assert bool(part[0].isfinite().all())
        assert bool(part[1].isnan().all())


def test_the_theorem_is_asked_of_networks_in_agreement_and_of_broken_ones():
    zeros = torch.zeros(8, dtype=torch.float64)
    agree, far = torch.ones(8).double(), zeros.clone()
    agree[2], far[2] = 0, 1
    assert failing(page._teacher_checks(agree, far, far, zeros, far, far)) == []
    early = torch.full((8,), math.nan).double()
    assert len(failing(page._teacher_checks(agree, far, far, early, far, far))) == 1
    for place in (0, 1, 3, 4):
        parts = [zeros.clone() for _ in range(5)]
        parts[place][5] = 0.1
        assert len(failing(page._teacher_checks(agree, *parts))) == 1
    agree[2], far[2] = math.nan, math.nan
    assert len(failing(page._teacher_checks(agree, far, far, zeros, far, far))) == 4
    assert len(failing(page._teacher_checks(zeros, *[zeros] * 5))) == 5


def test_agreement_is_that_of_signs_and_labels():
    teachers, _ = page.draw_teachers(Setting("quick", 3), 2)
    limits = teachers.limits
    rows = torch.stack(
        [torch.stack([one.plus] * 10 + [one.minus] * 10).flatten() for one in limits]
    )
    states = torch.stack([rows, rows])
    assert page._agreement(teachers, states).tolist() == [1, 1]
    states[1, 0], states[1, 1] = -rows[0], math.nan
    agree = page._agreement(teachers, states)
    assert agree[0] == 0
    assert bool(agree[1].isnan())


def test_controls_are_not_refuted_by_networks_that_broke_down():
    values = torch.full((8,), 0.3, dtype=torch.float64)
    controls = (
        (page._uneven_control, values),
        (page._large_start_control, values),
    )
    for control, good in controls:
        assert control(good).refuted
        bad = good.clone()
        bad[:3] = math.nan
        assert not control(bad).refuted
    outputs = torch.tensor([[1.0, -1.0], [math.nan, 1.0]])
    assert page._one_sided(outputs, outputs)[0] == 1
    assert bool(page._one_sided(outputs, outputs)[1].isnan())
