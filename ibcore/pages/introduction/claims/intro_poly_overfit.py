"""A polynomial with too many coefficients, and one with many more."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.polynomial_risk import expected_excess_risk, expected_train_error
from ibcore.pages.introduction.runs import (
    LABEL_NOISE,
    PolynomialFit,
    fit_polynomial,
    seeded,
)
from ibcore.problems.curves import Points, cubic_points

LOW, HIGH, VAST = 3, 8, 60


@dataclass(frozen=True)
class Expected:
    """What theory expects of one degree: training error, and excess test error.

    free: degrees of freedom that the fit leaves, n - p - 1.
    excess, deviation: mean and standard deviation over the noise for B sets, (B,).
    """

    train: float
    free: int
    excess: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, data: Points, degree: int) -> Expected:
        points = data.x.shape[1]
        return cls(
            expected_train_error(points, degree, LABEL_NOISE),
            points - degree - 1,
            *expected_excess_risk(data.x, degree, LABEL_NOISE),
        )


@dataclass(frozen=True)
class Problems:
    """B noisy samples of a cubic, and samples with a hundred times the points.

    expected: by degree, of the first.
    """

    few: Points
    many: Points
    expected: dict[int, Expected]


@dataclass(frozen=True)
class Polynomials:
    """Fits of degree `LOW`, `HIGH` and `VAST` to B data sets.

    expected: what theory expects of the first two.
    ratio: (B,), test error of `HIGH` over that of `LOW` with many points.
    """

    data: Points
    fits: dict[int, PolynomialFit]
    expected: dict[int, Expected]
    ratio: Tensor


def draw_points(setting: Setting, *, datasets: int, points: int) -> Problems:
    """Points of a cubic with noise, and for the control 200 sets at most."""
    few = cubic_points(datasets, points, seeded(setting, "cubic"), noise=LABEL_NOISE)
    many = cubic_points(
        min(datasets, 200),
        100 * points,
        seeded(setting, "many points"),
        noise=LABEL_NOISE,
    )
    return Problems(
        few, many, {degree: Expected.of(few, degree) for degree in (LOW, HIGH)}
    )


def measure_fits(problems: Problems, setting: Setting) -> Polynomials:  # noqa: ARG001
    """Least squares of every degree."""
    few, many = problems.few, problems.many
    fits = {degree: fit_polynomial(few, degree) for degree in (LOW, HIGH, VAST)}
    ratio = fit_polynomial(many, HIGH).test / fit_polynomial(many, LOW).test
    return Polynomials(few, fits, problems.expected, ratio)


@claim(
    kind="empirical",
    source="Vardi 2023, Figure 1 (its text read); exact risks of least squares are "
    "classical, proved on the page",
    statement="On ten noisy labels of a cubic, least squares of degree 8 has a smaller "
    "training error and, in most data sets, a larger test error than degree 3. The fit "
    "of degree 60 that gradient descent from zero finds in the features $P_k/(k+1)$ "
    "passes through every point and is in most data sets better than degree 8.",
    quick={"datasets": 200, "points": 10},
    book={"datasets": 200, "points": 10},
    full={"datasets": 20_000, "points": 10},
    draw=draw_points,
    measure=measure_fits,
)
def intro_poly_overfit(measured: Polynomials) -> Evidence:
    """Test errors are exact integrals: only the training sets are random."""
    checks = (
        *_too_many(measured.fits[LOW], measured.fits[HIGH]),
        *(
            check
            for degree, expected in measured.expected.items()
            for check in _expectations(degree, measured.fits[degree], expected)
        ),
        *_many_more(measured.fits[HIGH], measured.fits[VAST]),
    )
    return Evidence(checks, _many_points(measured.ratio))


def _too_many(low: PolynomialFit, high: PolynomialFit) -> tuple[Check, ...]:
    return (
        Check.each(
            "train(8) / train(3)",
            high.train / low.train,
            at_most=1,
            tag="proved",
            reason="a polynomial of degree 3 is one of degree 8, so the least square "
            "is no larger",
        ),
        Check.share(
            "test(8) above test(3)",
            high.test / low.test,
            at_least=1,
            least=0.95,
            tag="observed",
            reason="99 % or more of 200 data sets at each of 60 seeds",
        ),
        Check.share(
            "test(8) at least 3 times test(3)",
            high.test / low.test,
            at_least=3,
            least=0.65,
            tag="observed",
            reason="three quarters of 12,000 data sets at 60 seeds",
        ),
    )


def _expectations(
    degree: int, fit: PolynomialFit, expected: Expected
) -> tuple[Check, Check]:
    """Means over the data sets against the expectations that the theorem gives."""
    datasets = len(fit.train)
    excess = fit.test - LABEL_NOISE**2
    score = ((excess - expected.excess) / expected.deviation).mean()
    return (
        Check.each(
            f"degree {degree}: mean training error over its expectation",
            [float(fit.train.mean() / expected.train)],
            equals=1,
            atol=5 * math.sqrt(2 / expected.free / datasets),
            tag="proved",
            reason="five standard errors: the sum is chi-square with $n - p - 1$ "
            "degrees of freedom a data set",
        ),
        Check.each(
            f"degree {degree}: mean excess test error, standard errors from its "
            "expectation",
            [float(score) * math.sqrt(datasets)],
            equals=0,
            atol=6,
            tag="proved",
            reason="six standard errors, for a skew distribution",
        ),
    )


def _many_more(high: PolynomialFit, vast: PolynomialFit) -> tuple[Check, Check]:
    return (
        Check.each(
            "train(60)",
            vast.train,
            at_most=1e-16,
            tag="derived",
            reason="more coefficients than points leave nothing but rounding",
            precision=True,
        ),
        Check.share(
            "test(60) below test(8)",
            vast.test / high.test,
            at_most=1,
            least=0.9,
            tag="observed",
            reason="97 % or more of 200 data sets at each of 60 seeds",
        ),
    )


def _many_points(ratio: Tensor) -> Control:
    """ratio: (B,), test(8) over test(3)."""
    return Control(
        "100 times the points",
        Check.share(
            "test(8) at least 1.1 times test(3)",
            ratio,
            at_least=1.1,
            most=0.05,
            tag="observed",
            reason="the claim's factor is 3",
        ),
    )
