import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from numpy.polynomial import legendre

from ibcore.claims import Setting
from ibcore.claims.introduction import (
    intro_poly_overfit,
    intro_random_labels,
    judge_kernel_end,
    judge_labels,
    judge_polynomials,
    judge_small_starts,
    judge_smoothness,
    kernel_distances,
    memorize,
    smooth_or_wiggly,
    wiggly_control,
)
from ibcore.dynamics.trajectory import step_limit
from ibcore.models.polynomial import legendre_features
from ibcore.oracles.least_squares import descent_from_zero
from ibcore.pages.introduction.runs import (
    FIT,
    LABEL_NOISE,
    WigglyStart,
    fit_points,
    fit_polynomial,
    start_wiggly,
)
from ibcore.problems.curves import cubic, cubic_points, points, scattered_points
from ibcore.validation import InvalidInput

SETTING = Setting.create("quick", seed=11, device="cpu")


@pytest.fixture(scope="module")
def wiggly():
    return smooth_or_wiggly.verify(
        SETTING, seeds=3, narrow_sets=20, small_sets=8, kernel_sets=8
    )


@pytest.fixture(scope="module")
def labels():
    return intro_random_labels.verify(SETTING, seeds=3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_claims_stand(wiggly, labels):
    for verdict in (wiggly, labels, intro_poly_overfit.verify(SETTING)):
        assert [
            check.name for check in verdict.evidence.checks if not check.holds
        ] == []
        assert verdict.stands


def poisoned(values):
    """The same with the first member broken."""
    return torch.cat([torch.full_like(values[:1], math.nan), values[1:]])


def fallen(checks):
    return [check.name for check in checks if not check.holds]


# --- polynomials


@pytest.mark.parametrize("degree", [3, 8, 60])
def test_one_data_set_without_a_training_error_makes_the_claim_fall(degree):
    data = cubic_points(200, 10, generator(), noise=LABEL_NOISE)
    fits = {k: fit_polynomial(data, k) for k in (3, 8, 60)}
    assert fallen(judge_polynomials(data, fits)) == []
    broken = replace(fits[degree], train=poisoned(fits[degree].train))
    assert fallen(judge_polynomials(data, fits | {degree: broken}))


def test_a_data_set_without_a_test_error_is_one_that_does_not_meet_a_share():
    data = cubic_points(200, 10, generator(), noise=LABEL_NOISE)
    fits = {k: fit_polynomial(data, k) for k in (3, 8, 60)}
    whole = judge_polynomials(data, fits)
    broken = replace(fits[60], test=poisoned(fits[60].test))
    share = judge_polynomials(data, fits | {60: broken})[-1]
    assert share.broken == 1
    assert share.measured <= whole[-1].measured


def test_least_squares_agrees_with_numpy():
    data = cubic_points(3, 10, generator(), noise=0.3)
    fit = fit_polynomial(data, 8)
    for x, y, coefficients, train in zip(
        data.x, data.y, fit.coefficients, fit.train, strict=True
    ):
        expected, (residual, *_) = legendre.legfit(x.numpy(), y.numpy(), 8, full=True)
        np.testing.assert_allclose(coefficients.numpy(), expected, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(float(train), residual[0] / 10, rtol=1e-6)


def test_test_error_agrees_with_a_fine_grid():
    fit = fit_polynomial(cubic_points(3, 10, generator(), noise=0.3), 8)
    nodes, weights = (torch.from_numpy(part) for part in legendre.leggauss(30))
    expected = (fit(nodes) - cubic(nodes)).square() @ weights / 2 + LABEL_NOISE**2
    torch.testing.assert_close(fit.test, expected)


def test_degree_sixty_is_where_gradient_descent_from_zero_ends():
    data = cubic_points(2, 10, generator(), noise=0.3)
    weights = 1 / (torch.arange(61, dtype=torch.float64) + 1)
    features = legendre_features(data.x, 60) * weights
    step = 5 / torch.linalg.matrix_norm(features, 2).square()
    found = descent_from_zero(features, data.y, step, 10**7) * weights
    torch.testing.assert_close(
        found, fit_polynomial(data, 60).coefficients, rtol=0, atol=1e-9
    )


# --- labels


def test_the_same_digits_and_start_at_every_corruption(labels):
    again = memorize(SETTING, 0.0, seeds=3, train=500, width=128)
    assert torch.equal(again.test, labels.data["runs"][0.0].test)
    assert set(again.run.status) == {"converged"}


def test_a_step_limit_is_no_fit():
    short = memorize(SETTING, 1.0, seeds=2, train=500, width=16, max_steps=10)
    assert short.run.status == (step_limit(10),) * 2
    assert float(short.train.max()) < 1
    assert bool(short.steps.isnan().all())


def test_runs_that_break_one_statement_about_labels_are_told(labels):
    runs = labels.data["runs"]
    assert fallen(judge_labels(runs)) == []
    for level, field in ((0.5, "train"), (0.0, "test"), (0.5, "test"), (1.0, "test")):
        broken = replace(runs[level], **{field: poisoned(getattr(runs[level], field))})
        assert fallen(judge_labels(runs | {level: broken})), (level, field)
    stuck = replace(runs[1.0].run, status=("steps", *runs[1.0].run.status[1:]))
    slow = judge_labels(runs | {1.0: replace(runs[1.0], run=stuck)})
    assert fallen(slow) == ["steps to fit, random over true labels"]


def test_corruption_that_helps_would_be_told(labels):
    runs = labels.data["runs"]
    better = replace(runs[0.5], test=runs[0.0].test + 0.01)
    assert len(fallen(judge_labels(runs | {0.5: better}))) == 1


# --- smooth or wiggly


def test_one_broken_network_makes_the_statements_about_all_fall(wiggly):
    fits = list(wiggly.data["fits"].values())
    broken = [
        replace(fits[0], flow=replace(fits[0].flow, loss=poisoned(fits[0].flow.loss))),
        replace(fits[0], certified=poisoned(fits[0].certified)),
    ]
    assert fallen(judge_smoothness(fits, fits)) == []
    for one in broken:
        assert len(fallen(judge_smoothness([one, *fits[1:]], fits))) == 1


def test_the_wiggly_networks_are_interpolants_of_their_choice(wiggly):
    """Built to fit, ten times as rough as the trained ones, and off the data once perturbed."""
    for key, start in wiggly.data["wiggly"].items():
        assert float(start.built_loss.max()) <= FIT
        trained = wiggly.data["fits"][key].ratio
        assert float((start.built_ratio / trained).min()) >= 10
        assert float(start.loss.min()) > 1e-2


def test_the_control_survives_from_random_weights(wiggly):
    """The same measurement of the networks that started without large bends."""
    assert wiggly_control(list(wiggly.data["wiggly"].values())).refuted
    starts = [
        WigglyStart(
            fit.start, fit.flow.loss, fit.ratio, torch.ones_like(fit.ratio), fit
        )
        for key, fit in wiggly.data["fits"].items()
        if key[1] >= 256
    ]
    assert not wiggly_control(starts).refuted


def test_wiggly_networks_without_a_fit_refute_nothing(wiggly):
    starts = list(wiggly.data["wiggly"].values())
    lost = [replace(start, loss=poisoned(start.loss)) for start in starts]
    assert not wiggly_control(lost).refuted


def test_a_network_that_does_not_fit_is_not_smooth(wiggly):
    tiny = wiggly.data["tiny"]
    assert float(tiny.ratio.max()) < 2
    checks = judge_smoothness([tiny], [tiny])
    assert [check.measured for check in checks[1:3]] == [0, 0]


def test_distances_to_the_kernel_interpolant_are_judged_by_size_and_slope():
    widths = (64, 256, 1024)
    exact = torch.tensor(widths, dtype=torch.float64)[:, None] ** -0.5 * torch.ones(8)
    assert fallen(judge_kernel_end(widths, exact)) == []
    assert len(fallen(judge_kernel_end(widths, exact**2))) == 1
    assert len(fallen(judge_kernel_end(widths, exact + 1))) == 2
    exact[-1, 3] = math.nan
    assert len(fallen(judge_kernel_end(widths, exact))) == 2


def test_small_starts_without_a_fit_do_not_help():
    ratio, loss = torch.full((8,), 0.7), torch.full((8,), 0.1)
    assert fallen(judge_small_starts(ratio, loss)) == []
    ratio[:6] = math.nan
    loss[:6] = 1e-8
    assert len(fallen(judge_small_starts(ratio, loss))) == 2


def test_a_trained_network_can_be_refitted_to_your_own_points():
    data = points([0.3, -0.8, 0.9, -0.1], [1.0, 0.0, -1.0, 2.0])
    fit = fit_points(data, 128, 100.0, generator())
    assert fit.flow.status == ("converged",)
    torch.testing.assert_close(
        fit.network.outputs(fit.flow.theta), data.y, rtol=0, atol=3e-4
    )
    assert 1 < float(fit.ratio) < 2
    assert fit.on_grid(50).shape == (1, 50)


def test_points_on_a_line_need_no_roughness():
    with pytest.raises(InvalidInput, match="on a line"):
        fit_points(points([0.0, 1.0, 2.0], [0.0, 1.0, 2.0]), 64, 100.0, generator())


@pytest.mark.parametrize(
    ("width", "scale", "name"),
    [
        (0, 100.0, "width"),
        (-3, 100.0, "width"),
        (64, -1.0, "scale"),
        (64, math.nan, "scale"),
    ],
)
def test_bad_networks_are_refused(width, scale, name):
    with pytest.raises(InvalidInput, match=name):
        fit_points(scattered_points(1, 8, generator()), width, scale, generator())


def test_certificate_holds_for_networks_that_did_not_fit(wiggly):
    tiny = wiggly.data["tiny"]
    assert not tiny.fits.any()
    assert float(tiny.ratio.min()) < 1 < float(tiny.certified.min())


def test_an_unperturbed_wiggly_start_proves_nothing():
    fit = fit_points(scattered_points(2, 8, generator()), 64, 100.0, generator())
    still = start_wiggly(fit, generator(), perturbation=0.0)
    assert float(still.loss.max()) < 1e-20
    assert bool(still.stays_wiggly().isnan().all())


def test_a_refit_that_does_not_fit_proves_nothing():
    fit = fit_points(scattered_points(2, 8, generator()), 64, 100.0, generator())
    short = start_wiggly(fit, generator(), max_steps=1)
    assert bool(short.stays_wiggly().isnan().all())


def test_small_starts_stay_far_from_the_kernel_interpolant():
    distance = partial(kernel_distances, SETTING, (256,), 4)
    assert float(distance(scale=10.0).median()) > 1.5 * float(
        distance(scale=1000.0).median()
    )
