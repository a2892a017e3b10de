import dataclasses
import math

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.oracles.large_steps import stable_factor
from ibcore.pages.since.large_steps import claims as page
from ibcore.pages.since.large_steps import logistic, networks, ravines, valleys
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls, outcome

CLAIMS = {
    claim.id: claim
    for claim in (
        page.large_step_logistic,
        page.self_stabilization,
        page.central_flow,
        page.sam_two_sharpnesses,
    )
}
CPU = torch.device("cpu")


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def lost(values, places):
    poisoned = values.clone()
    poisoned.view(-1)[:places] = math.nan
    return poisoned


def judged(claim, measured, **other):
    return outcome(claim.judge(dataclasses.replace(measured, **other)))


@pytest.mark.parametrize(
    ("field", "places", "fallen"),
    [
        ("certified", 1, [0]),
        ("average", 1, [1]),
        ("rises", 1, [2]),
        ("rate", 1, [3]),
    ],
)
def test_one_run_without_a_number_falls_a_bound(verdicts, field, places, fallen):
    steps = verdicts["large-step-logistic"].measured
    poisoned = {field: lost(getattr(steps, field), places)}
    assert judged(page.large_step_logistic, steps, **poisoned) == (fallen, True)


def test_logistic_runs_that_do_not_do_as_predicted(verdicts):
    steps, claim = verdicts["large-step-logistic"].measured, page.large_step_logistic
    left = steps.left.clone()
    left[:2, :8] = math.nan
    assert judged(claim, steps, left=left) == ([4], True)
    left = steps.left.clone()
    left[-1, 3] = 1.01 * stable_factor(logistic.LEVEL)
    assert judged(claim, steps, left=left) == ([5], True)
    left[-1, 3] = math.nan
    assert judged(claim, steps, left=left) == ([5], True)
    assert judged(claim, steps, gain=lost(steps.gain, 1)) == ([6], True)
    assert judged(claim, steps, gain=steps.gain * 0 - 2.9) == ([6], True)
    margin = steps.margin.clone()
    margin[1, 1:3, :9] = math.nan
    assert judged(claim, steps, margin=margin) == ([7, 8], True)
    margin = steps.margin.clone()
    margin[1, -1, :9] = math.nan
    assert judged(claim, steps, margin=margin) == ([9], True)
    rate = steps.rate.clone()
    rate[1, 1] = 1.01 * stable_factor(logistic.LEVEL)
    assert judged(claim, steps, rate=rate) == ([3], True)
    assert judged(claim, steps, rises=steps.rises + 1) == ([2], True)
    assert judged(claim, steps, average=steps.average + 1) == ([1], True)


def test_where_the_step_is_short_the_exponential_loss_does_not_blow_up(verdicts):
    sets = logistic.draw_sets(Setting(seed=3), 8)
    hard = sets.select(sets.opposed.nonzero()[:, 0])
    calm = logistic.largest_log_loss(hard, 0.5, 50)
    steps = verdicts["large-step-logistic"].measured
    assert judged(page.large_step_logistic, steps, largest=calm) == ([], False)
    unknown = steps.largest * math.nan
    assert judged(page.large_step_logistic, steps, largest=unknown) == ([], False)


def test_a_course_holds_what_training_did():
    sets = logistic.draw_sets(Setting(seed=1), 1)
    course = logistic.train(sets, (1.0, 30.0), 20)
    for number, size in enumerate((1.0, 30.0)):
        for member, signed in enumerate(sets.signed):
            w = torch.zeros(6).double()
            for step in range(20):
                margins = signed @ w
                loss = torch.nn.functional.softplus(-margins).mean()
                torch.testing.assert_close(course.losses[step, number, member], loss)
                w = w + size * torch.sigmoid(-margins) @ signed / 12
            ratio = (signed @ w).min() / w.norm() / sets.gamma[member]
            torch.testing.assert_close(course.margin[1, number, member], ratio)
    at, margins = logistic.margins_at(sets, (1.0, 30.0), 20, 5)
    assert int(at[-1]) == 20
    torch.testing.assert_close(margins[-1], course.margin[1])
    assert float(sets.signed.norm(dim=-1).amax()) == pytest.approx(1)


def test_the_first_step_below_a_level():
    losses = torch.tensor([1.0, 0.5, 0.2, 0.04]).double()[:, None, None]
    nothing = torch.zeros(1, 1)
    course = logistic.Course(torch.tensor([2.0]).double(), losses, nothing, nothing, ())
    assert course.first_below(1.0).item() == 1
    assert course.first_below(1.0, 20).item() == 3
    assert math.isnan(course.first_below(1.0, 30).item())


def test_a_readers_own_data_are_judged_and_too_many_are_refused():
    generator = np.random.default_rng(0)
    X = generator.standard_normal((20, 5))
    y = np.sign(X[:, 0])
    X[:, 0] += 0.5 * y
    verdict = page.large_step_logistic.verify(data=(40 * X, y), steps=4000)
    kept = [check for check in verdict.evidence.checks if check.tag == "proved"]
    assert all(check.holds for check in kept)
    assert verdict.measured.step_sizes.tolist() == [20, 40, 80, 4000]
    with pytest.raises(InvalidInput, match="an eighth"):
        page.large_step_logistic.verify(data=(X, y), steps=100)


@pytest.mark.parametrize(
    ("field", "fallen"),
    [
        ("certified", [0]),
        ("orbit", [1]),
        ("linear", [2]),
        ("off_y", [3]),
        ("square", [4]),
        ("edge", [5]),
        ("small", [6]),
    ],
)
def test_one_valley_without_a_number_falls_its_check(verdicts, field, fallen):
    found = verdicts["self-stabilization"].measured
    poisoned = {field: lost(getattr(found, field), 1)}
    assert judged(page.self_stabilization, found, **poisoned) == (fallen, True)
    wrong = {field: getattr(found, field) + 2e-3}
    assert fallen[0] in judged(page.self_stabilization, found, **wrong)[0]


def test_below_the_critical_step_the_control_of_valleys_survives(verdicts):
    found = verdicts["self-stabilization"].measured
    off = torch.cat([found.off_y[:2], found.off_y[1:2]])
    assert judged(page.self_stabilization, found, off_y=off) == ([], False)
    off = torch.cat([found.off_y[:2], found.off_y[2:] * math.nan])
    assert judged(page.self_stabilization, found, off_y=off) == ([], False)


def test_descent_in_a_valley_follows_its_gradient():
    drawn, _ = valleys.draw_valleys(Setting(seed=2), 3, 10_000)
    runs = valleys.Runs.of(drawn, [valleys.place(one, 0.5) for one in drawn], CPU)
    theta = torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()
    theta.requires_grad_()
    value, gradient = runs.loss(theta, torch.arange(3))
    (expected,) = torch.autograd.grad(value.sum(), theta)
    torch.testing.assert_close(gradient, expected)
    x, y = theta[:, 0], theta[:, 1:]
    off = (y - runs.target).square().sum(-1)
    whole = runs.sharpness(theta) * x.square() / 2 + runs.pull * off / 2
    torch.testing.assert_close(value, whole)


def test_the_mean_is_that_of_the_program_up_to_the_critical_step():
    drawn, _ = valleys.draw_valleys(Setting(seed=2), 2, 10_000)
    off = valleys.off_program(drawn, (0.5, 1.2), 4000, CPU)
    assert bool((off[0] < 1e-3).all())
    assert bool((off[1] > 0.05).all())


@pytest.mark.parametrize(
    ("field", "places", "fallen"),
    [
        ("off_central", 1, [0]),
        ("off_free", 1, [1]),
        ("loss", 1, [3]),
        ("loss", 5, [2, 3]),
        ("predicted", 5, [2]),
        ("without", 1, [3]),
        ("jumps", 5, [4]),
        ("variance", 5, [4]),
    ],
)
def test_networks_without_a_number_fall_their_checks(verdicts, field, places, fallen):
    means = verdicts["central-flow"].measured
    poisoned = {field: lost(getattr(means, field), places)}
    assert judged(page.central_flow, means, **poisoned) == (fallen, True)


def test_networks_that_do_not_do_as_predicted(verdicts):
    means, claim = verdicts["central-flow"].measured, page.central_flow
    assert judged(claim, means, off_central=means.off_central + 0.05) == ([0], True)
    assert judged(claim, means, off_free=means.off_free - 0.2) == ([1], True)
    assert judged(claim, means, predicted=1.4 * means.predicted) == ([2], True)
    assert judged(claim, means, without=means.loss) == ([3], True)
    assert judged(claim, means, jumps=3 * means.jumps) == ([4], True)


def test_with_the_full_step_the_control_of_networks_survives(verdicts):
    means = verdicts["central-flow"].measured
    assert judged(page.central_flow, means, off_slow=means.off_central) == ([], False)
    unknown = means.off_slow * math.nan
    assert judged(page.central_flow, means, off_slow=unknown) == ([], False)


def test_networks_come_to_the_edge_and_the_flow_stays_there():
    drawn = networks.draw_arrivals(Setting(seed=4), 2)
    edge = drawn.central.sharpness * networks.STEP_SIZE / 2
    assert bool((edge[0] >= 1).all())
    assert bool(((edge[1:] - 1).abs() < 1e-3).all())
    points, losses = networks.descent(drawn)
    torch.testing.assert_close(points[0], drawn.start + networks.KICK * drawn.kick)
    torch.testing.assert_close(losses[7], drawn.task.objective.mean(points[7]))
    slow, _ = networks.descent(drawn, slower=2)
    assert slow.shape == points.shape
    near = (slow[-1] - drawn.free.points[-1]).norm(dim=-1)
    far = (points[-1] - drawn.free.points[-1]).norm(dim=-1)
    assert bool((near < far / 4).all())


@pytest.mark.parametrize(
    ("field", "fallen"), [("fine", [2, 3]), ("one", [4]), ("plain", [5])]
)
def test_one_line_without_a_number_falls_its_check(verdicts, field, fallen):
    drifts = verdicts["sam-two-sharpnesses"].measured
    values = getattr(drifts, field)
    poisoned = values.clone()
    if values.ndim == 2:
        poisoned[:2, :5] = math.nan
    else:
        poisoned[0] = math.nan
    assert judged(page.sam_two_sharpnesses, drifts, **{field: poisoned}) == (
        fallen,
        True,
    )


def test_sharpness_aware_runs_that_do_not_do_as_predicted(verdicts):
    drifts, claim = verdicts["sam-two-sharpnesses"].measured, page.sam_two_sharpnesses
    along, across = drifts.jumps.along, drifts.jumps.across
    for jumps, fallen in (
        (ravines.Jumps(lost(along, 1), across), [0]),
        (ravines.Jumps(1.001 * along, across), [0]),
        (ravines.Jumps(along, lost(across, 1)), [1]),
        (ravines.Jumps(along, across + 1e-6), [1]),
    ):
        assert judged(claim, drifts, jumps=jumps) == (fallen, True)
    coarse = lost(drifts.coarse, 24)
    assert judged(claim, drifts, coarse=coarse) == ([3], True)
    assert judged(claim, drifts, plain=drifts.plain + 1) == ([5], True)
    assert judged(claim, drifts, one=drifts.flattest) == ([4], True)


def test_with_single_examples_the_control_survives(verdicts):
    drifts = verdicts["sam-two-sharpnesses"].measured
    fine = torch.cat([drifts.fine[:2], drifts.one[None]])
    evidence = page.sam_two_sharpnesses.judge(dataclasses.replace(drifts, fine=fine))
    assert not evidence.control.refuted
    fine = torch.cat([drifts.fine[:2], drifts.fine[2:] * math.nan])
    evidence = page.sam_two_sharpnesses.judge(dataclasses.replace(drifts, fine=fine))
    assert not evidence.control.refuted
    assert falls(evidence.checks) == [2]


def test_an_idle_coordinate_lets_the_run_pass_a_crossing_and_noise_does_not():
    assert abs(ravines.past_a_crossing(0.0)) < 0.05
    assert abs(ravines.past_a_crossing(1e-12) - 2 + 3**0.5) < 0.05


def test_both_paths_are_near_their_laws():
    lines, _, _ = ravines.draw_lines(Setting(seed=5), 1)
    both = ravines.both_paths(lines[0], [0.5, 1.0, 3.0], CPU)
    for name, values in both.measured.items():
        np.testing.assert_allclose(values, both.predicted[name], atol=0.08)
