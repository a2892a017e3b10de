import dataclasses
import math

import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics.log_time import flow
from ibcore.losses import Exponential
from ibcore.measures import sin_angle
from ibcore.pages.classification.homogeneous_networks.simple_predictors import (
    claims as page,
)
from ibcore.pages.classification.homogeneous_networks.simple_predictors import runs
from ibcore.pages.classification.homogeneous_networks.simple_predictors.claims.leaky_linear_teacher import (
    boundary_checks,
    large_start_control,
    run_checks,
)
from ibcore.pages.classification.homogeneous_networks.simple_predictors.claims.leaky_symmetric_max_margin import (
    LEAST_RATE,
    STRETCH,
    alignment,
    bend_checks,
    draw_mirrored,
    margin_checks,
    neuron_checks,
    own_mirrored,
    uneven_control,
)
from ibcore.pages.classification.homogeneous_networks.simple_predictors.teachers import (
    LARGE,
    agreement,
    draw_teachers,
    one_sided,
    own_teacher,
    until_early,
)
from ibcore.validation import InvalidInput, NotSeparable
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {
    page.leaky_symmetric_max_margin.id: page.leaky_symmetric_max_margin,
    page.leaky_linear_teacher.id: page.leaky_linear_teacher,
}


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def mirrored(seed, samples=2):
    return draw_mirrored(Setting("quick", seed), seeds=samples, slopes=(0.3,))


def ones(*shape):
    return torch.ones(*shape, dtype=torch.float64)


def test_a_wrong_direction_would_not_hold(verdicts):
    found = verdicts["leaky-linear-teacher"].measured
    teachers = found.teachers
    plain = [torch.cat([limit.plus, -limit.plus]) for limit in teachers.limits]
    sines = sin_angle(teachers.pair(found.end), torch.stack(plain))
    assert float(sines.min()) > 1e-3
    torch.testing.assert_close(
        found.sines, sin_angle(teachers.pair(found.end), teachers.predicted)
    )


def test_the_mirrored_sample_is_symmetric_and_its_support_spans():
    sample = mirrored(3)
    half = sample.labels.shape[1] // 2
    assert torch.equal(sample.inputs[:, :half], -sample.inputs[:, half:])
    assert torch.equal(sample.labels[:, :half], -sample.labels[:, half:])
    assert all(
        int(best.support.sum()) == 5 and best.rate >= LEAST_RATE
        for best in sample.solutions
    )


def test_networks_on_stretched_samples_stay_bent_and_on_symmetric_ones_do_not():
    sample = mirrored(1102110, 8)
    for factor, refuted in ((1.0, False), (STRETCH, True)):
        other = sample.stretched(factor)
        run = flow(other.margins(0.3), Exponential(), other.start, log_loss=-1e4)
        bends = alignment(other, 0.3, run.theta[-1]).bend
        assert uneven_control(bends).refuted == refuted


def test_a_large_start_is_refuted_and_a_small_one_is_not():
    teachers = draw_teachers(Setting("quick", 1102111), seeds=8)
    for size, refuted in ((runs.SMALL, False), (LARGE, True)):
        end = until_early(teachers, size).theta[0]
        assert large_start_control(one_sided(teachers, end)).refuted == refuted


def test_the_predicted_network_has_the_predicted_margin_and_more_is_impossible():
    sample = mirrored(1)
    unit = sample.w_hat / sample.w_hat.norm(dim=1, keepdim=True)
    signs = ones(runs.WIDTH)
    signs[runs.WIDTH // 2 :] *= -1
    rows = (signs[:, None] * unit[:, None]).flatten(1)
    ideal = torch.cat([rows, signs.expand(2, -1)], -1)
    found = alignment(sample, 0.3, ideal)
    torch.testing.assert_close(found.margin_ratio, ones(2), atol=1e-9, rtol=0)
    assert float(found.sines.max()) < 1e-12
    assert float(found.bend.max()) < 1e-6
    generator = torch.Generator().manual_seed(1)
    other = torch.randn(ideal.shape, generator=generator, dtype=torch.float64)
    mixed = alignment(sample, 0.3, ideal + 0.05 * other)
    assert float(mixed.margin_ratio.max()) < 1


def test_a_network_that_is_no_number_is_not_taken_for_light_neurons():
    sample = mirrored(3)
    theta = sample.start.clone()
    theta[1] = math.nan
    found = alignment(sample, 0.3, theta)
    for part in (found.sines, found.margin_ratio, found.balance, found.bend):
        assert bool(part[0].isfinite().all())
        assert bool(part[1].isnan().all())


@pytest.mark.parametrize("off", [1e-4, math.nan])
def test_one_network_that_is_not_aligned_or_broke_down_is_noticed(off):
    ratios, certificates = ones(5, 8), 0 * ones(16)
    assert falls(margin_checks(certificates, ratios)) == []
    assert falls(margin_checks(certificates + off, ratios)) == [0]
    ratios[2, 4] += off
    assert falls(margin_checks(certificates, ratios)) == [1]
    ratios[2, 4] = 1
    ratios[-1, 3] -= off
    assert 2 in falls(margin_checks(certificates, ratios))

    sines, balance = 0 * ones(8, 3), ones(8)
    assert falls(neuron_checks(sines, balance)) == []
    turned, uneven = sines.clone(), balance.clone()
    turned[3, 1] += off
    uneven[3] += off
    assert falls(neuron_checks(turned, balance)) == [0]
    assert falls(neuron_checks(sines, uneven)) == [1]

    early, late = 1e-3 * ones(8), 0 * ones(8)
    assert falls(bend_checks(early, late)) == []
    bent = late.clone()
    bent[3] += off
    assert falls(bend_checks(early, bent)) == [1]
    early[:5] = off + 0.02
    assert falls(bend_checks(early, late)) == [0]


def test_the_theorem_is_asked_of_networks_in_agreement_and_of_broken_ones(verdicts):
    """Judged as a whole: a network that disagrees is left out, one that broke down is
    not.
    """
    found = verdicts["leaky-linear-teacher"].measured
    agree, far = ones(8), 0 * ones(8)
    agree[2], far[2] = 0, 1
    apart = dataclasses.replace(
        found, agree=agree, drifts=far, sines=far, late=far, shares=found.programs + far
    )
    judge = page.leaky_linear_teacher.judge
    assert judge(apart).holds
    agree[2] = math.nan
    assert falls(judge(dataclasses.replace(apart, agree=agree)).checks) == [2, 3, 5, 6]


def test_every_check_of_the_boundary_falls():
    zeros = 0 * ones(8)
    assert falls(run_checks(zeros, ones(8), zeros, zeros)) == []
    assert falls(run_checks(zeros, zeros, zeros, zeros)) == [1]
    assert falls(boundary_checks(zeros, zeros, zeros)) == []
    for bad in (0.1, math.nan):
        one = zeros.clone()
        one[5] = bad
        many = zeros.clone()
        many[:5] = bad
        assert falls(run_checks(one, ones(8), zeros, zeros)) == [0]
        assert falls(run_checks(zeros, ones(8), one, zeros)) == [2]
        assert falls(run_checks(zeros, ones(8), zeros, one)) == [3]
        assert falls(boundary_checks(many, zeros, zeros)) == [0]
        assert falls(boundary_checks(zeros, one, zeros)) == [1]
        assert falls(boundary_checks(zeros, zeros, one)) == [2]


def test_agreement_is_that_of_signs_and_labels():
    teachers = draw_teachers(Setting("quick", 3), seeds=2)
    limits = teachers.limits
    rows = torch.stack(
        [torch.stack([one.plus] * 10 + [one.minus] * 10).flatten() for one in limits]
    )
    states = torch.stack([rows, rows])
    assert agreement(teachers, states).tolist() == [1, 1]
    states[1, 0], states[1, 1] = -rows[0], math.nan
    agree = agreement(teachers, states)
    assert agree[0] == 0
    assert bool(agree[1].isnan())


def test_sides_are_those_of_opposite_points():
    """None of the network that the program predicts, NaN of one without numbers, all of
    an even function.
    """
    teachers = draw_teachers(Setting("quick", 3), seeds=2)
    limit = teachers.limits[0]
    theta = torch.stack([limit.plus] * 10 + [limit.minus] * 10).flatten()
    sides = one_sided(teachers, torch.stack([theta, theta * math.nan]))
    assert sides[0] == 0
    assert bool(sides[1].isnan())
    even = torch.stack([limit.plus] * 5 + [-limit.plus] * 5 + [0 * limit.plus] * 10)
    assert one_sided(teachers, even.flatten()[None].repeat(2, 1)).tolist() == [1, 1]


def test_a_circle_crosses_the_predicted_boundary_at_right_angles():
    teachers = draw_teachers(Setting("quick", 3), seeds=2)
    angles = torch.tensor([0.0, 90.0, 180.0, 270.0]).double()
    for member, limit in enumerate(teachers.limits):
        circle = teachers.circle(member, angles)
        torch.testing.assert_close(circle.norm(dim=1), ones(4))
        values = limit.outputs(circle, 0.3)
        assert values[0] > 0 > values[2]
        assert float(values[1::2].abs().max()) < 1e-12


def test_controls_are_not_refuted_by_networks_that_broke_down():
    for control in (uneven_control, large_start_control):
        values = 0.3 * ones(8)
        assert control(values).refuted
        values[:3] = math.nan
        assert not control(values).refuted


POINTS = torch.tensor([[3.0, 0.0], [2.0, 1.0], [2.0, -1.0], [-2.0, 0.5]]).double()
LABELS = torch.tensor([1.0, 1.0, 1.0, -1.0]).double()


def test_own_points_are_mirrored_and_do_not_depend_on_their_unit():
    setting = Setting()
    sample = own_mirrored(setting, POINTS, LABELS, seeds=8, slopes=(0.3,))
    assert sample.inputs.shape == (8, 8, 2)
    assert torch.equal(sample.inputs[0, :4], -sample.inputs[0, 4:])
    larger = own_mirrored(setting, 1e3 * POINTS, LABELS, seeds=8, slopes=(0.3,))
    torch.testing.assert_close(larger.inputs, sample.inputs)
    verdict = page.leaky_symmetric_max_margin.verify(setting, data=(POINTS, LABELS))
    assert verdict.evidence.holds
    with pytest.raises(NotSeparable):
        own_mirrored(
            setting, POINTS, -LABELS * LABELS[[3, 0, 1, 2]], seeds=8, slopes=(0.3,)
        )


def test_own_points_of_a_teacher_need_a_program_that_agrees_with_itself():
    verdict = page.leaky_linear_teacher.verify(Setting(), data=(POINTS, LABELS))
    assert verdict.measured.agree.shape == (8,)
    assert verdict.evidence.checks[0].holds
    near = torch.tensor([[1.0, 0.0], [-0.2, 1.0], [-0.2, -1.0], [-1.0, 3.0]]).double()
    signs = torch.tensor([1.0, 1.0, -1.0, -1.0]).double()
    with pytest.raises(InvalidInput, match="active on other points"):
        own_teacher(Setting(), near, signs, seeds=8)
