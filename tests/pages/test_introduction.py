import math
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch
from numpy.polynomial import legendre

from ibcore.claims import Setting
from ibcore.dynamics.trajectory import step_limit
from ibcore.models.polynomial import legendre_features
from ibcore.oracles.least_squares import descent_from_zero
from ibcore.pages.introduction import claims as page
from ibcore.pages.introduction.runs import LABEL_NOISE, fit_polynomial
from ibcore.problems.curves import cubic, cubic_points
from tests.conformance import UnbrokenConformance

CLAIMS = {
    claim.id: claim for claim in (page.intro_poly_overfit, page.intro_random_labels)
}
SETTING = Setting.create("quick", seed=11, device="cpu")
memorizing = import_module(f"{page.__name__}.intro_random_labels")


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture(scope="module")
def labels():
    return page.intro_random_labels.verify(SETTING, seeds=3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_another_seed_stands(labels):
    for verdict in (labels, page.intro_poly_overfit.verify(SETTING)):
        assert fallen(verdict.evidence) == []
        assert verdict.stands


def poisoned(values):
    """The same with the first member broken."""
    return torch.cat([torch.full_like(values[:1], math.nan), values[1:]])


def fallen(evidence):
    return [check.name for check in evidence.checks if not check.holds]


# --- polynomials


@pytest.fixture(scope="module")
def polynomials(verdicts):
    return verdicts["intro-poly-overfit"].measured


def judged_polynomials(found, degree, **changed):
    fit = replace(found.fits[degree], **changed)
    broken = replace(found, fits=found.fits | {degree: fit})
    return page.intro_poly_overfit.judge(broken)


@pytest.mark.parametrize("degree", [3, 8, 60])
def test_one_data_set_without_a_training_error_makes_the_claim_fall(
    polynomials, degree
):
    assert fallen(page.intro_poly_overfit.judge(polynomials)) == []
    train = poisoned(polynomials.fits[degree].train)
    names = {
        3: [
            "train(8) / train(3)",
            "degree 3: mean training error over its expectation",
        ],
        8: [
            "train(8) / train(3)",
            "degree 8: mean training error over its expectation",
        ],
        60: ["train(60)"],
    }
    assert fallen(judged_polynomials(polynomials, degree, train=train)) == names[degree]


def test_a_data_set_without_a_test_error_is_one_that_does_not_meet_a_share(
    polynomials,
):
    whole = page.intro_poly_overfit.judge(polynomials).checks[-1]
    test = poisoned(polynomials.fits[60].test)
    share = judged_polynomials(polynomials, 60, test=test).checks[-1]
    assert share.broken == 1
    assert share.measured <= whole.measured


@pytest.mark.parametrize("degree", [3, 8])
def test_errors_apart_from_their_expectation_are_told(polynomials, degree):
    expected = polynomials.expected[degree]
    for field, factor in (("train", 2.0), ("excess", 5.0)):
        other = replace(expected, **{field: factor * getattr(expected, field)})
        broken = replace(polynomials, expected=polynomials.expected | {degree: other})
        (name,) = fallen(page.intro_poly_overfit.judge(broken))
        assert name.startswith(f"degree {degree}: mean")


def test_the_control_of_polynomials_survives_with_few_points(polynomials):
    """The same measurement with ten points: there degree 8 is worse than degree 3 in
    nearly all data sets.
    """
    ratio = polynomials.fits[8].test / polynomials.fits[3].test
    assert page.intro_poly_overfit.judge(polynomials).control.refuted
    for other in (ratio, math.nan * ratio):
        broken = replace(polynomials, ratio=other)
        assert not page.intro_poly_overfit.judge(broken).control.refuted


@pytest.mark.parametrize(("ratio", "refuted"), [(1.09, True), (1.2, False)])
def test_many_points_leave_a_tenth_at_the_most(polynomials, ratio, refuted):
    same = torch.full_like(polynomials.ratio, ratio)
    found = page.intro_poly_overfit.judge(replace(polynomials, ratio=same))
    assert found.control.refuted is refuted


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
    data = memorizing.digits(SETTING, 0.0, 3, 500)
    again = memorizing.memorize(SETTING, data, 128)
    assert torch.equal(again.test, labels.measured.runs[0.0].test)
    assert set(again.status) == {"converged"}
    other = memorizing.digits(SETTING, 1.0, 3, 500)
    assert torch.equal(other.X, data.X)
    assert not torch.equal(other.y, data.y)


def test_a_step_limit_is_no_fit():
    data = memorizing.digits(SETTING, 1.0, 2, 500)
    short = memorizing.memorize(SETTING, data, 16, 10)
    assert short.status == (step_limit(10),) * 2
    assert float(short.train.max()) < 1
    assert bool(short.steps.isnan().all())


def judged_labels(found, level, **changed):
    run = replace(found.runs[level], **changed)
    broken = replace(found, runs=found.runs | {level: run})
    return fallen(page.intro_random_labels.judge(broken))


def test_runs_that_break_one_statement_about_labels_are_told(labels):
    found = labels.measured
    for level, field in ((0.5, "train"), (0.0, "test"), (0.5, "test"), (1.0, "test")):
        values = poisoned(getattr(found.runs[level], field))
        assert judged_labels(found, level, **{field: values}), (level, field)
    stuck = ("steps", *found.runs[1.0].status[1:])
    assert judged_labels(found, 1.0, status=stuck) == [
        "steps to fit, random over true labels"
    ]
    lost = replace(found, errors=poisoned(found.errors))
    assert len(fallen(page.intro_random_labels.judge(lost))) == 1


def test_corruption_that_helps_would_be_told(labels):
    found = labels.measured
    better = found.runs[0.0].test + 0.01
    assert len(judged_labels(found, 0.5, test=better)) == 1


def test_the_control_of_labels_survives_with_many_neurons(labels):
    """The same measurement of the networks of 128 neurons, which memorize random
    labels.
    """
    found = labels.measured
    assert page.intro_random_labels.judge(found).control.refuted
    lost = replace(found.small, train=poisoned(found.small.train))
    for small in (found.runs[1.0], lost):
        control = page.intro_random_labels.judge(replace(found, small=small))
        assert not control.control.refuted
