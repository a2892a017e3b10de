"""Critical steps by two routes and their order; sample means below; exact means and
sample medians above.
"""

from __future__ import annotations

from torch import Tensor

from ibcore.claim import claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.dynamical_stability.stable_minima.mean_squares import (
    MeanSquares,
    draw_regressions,
    measure_regressions,
)


@claim(
    kind="theorem",
    source="Wu, Ma and E 2018 (abstract read, condition recalled); Mulayoff and "
    "Michaeli 2024 (abstract read) for the exact threshold and its growth with the "
    "batch; both are derived and proved on the page",
    statement="Let every example be fitted at a minimum with positive definite "
    "Hessian $H$. SGD that draws batches of $B$ of the $n$ examples without "
    r"replacement contracts $\theta$ in mean square exactly below a critical step, "
    "which is at least that of Wu, Ma and E, does not fall with $B$, and is "
    r"$2/\lambda_{\max}(H)$ for $B = n$. Above it the mean of the squared distance "
    "grows, also where the median falls.",
    quick={"regressions": 8, "chains": 4000, "long_chains": 200},
    book={"regressions": 12, "chains": 6000, "long_chains": 200},
    full={"regressions": 100, "chains": 8000, "long_chains": 400},
    draw=draw_regressions,
    measure=measure_regressions,
)
def sgd_linear_stability(measured: MeanSquares) -> Evidence:
    """Critical steps by two routes and their order; sample means below; exact means and
    sample medians above.
    """
    scores = (measured.mean - measured.exact) / measured.error
    broken = (measured.unfitted - measured.exact) / measured.error
    checks = (
        *_thresholds(measured.critical, measured.radii, measured.sharpness),
        *_order(measured.critical, measured.sufficient),
        *_chains(scores, measured.growing, measured.median),
    )
    control = Control(
        "examples that are not fitted at the minimum",
        Check.share(
            "step 0.8 of the critical one: mean after 6 steps within 5 standard errors",
            broken,
            equals=0,
            atol=5,
            most=0.25,
            tag="derived",
            math=r"$0.8$ of the critical step: mean of $|\theta|^2$ after 6 steps "
            "within 5 standard errors",
            reason="noise that does not vanish at the minimum adds to every step; the "
            "same bar",
        ),
    )
    return Evidence(checks, control, {"regressions": len(measured.sharpness)})


def _thresholds(
    critical: Tensor, radii: Tensor, sharpness: Tensor
) -> tuple[Check, ...]:
    """Critical steps (4, Q) and radii at them, and the sharpness (Q,)."""
    return (
        Check.each(
            "spectral radius of the enumerated operator at the critical step",
            radii,
            equals=1,
            atol=1e-10,
            tag="proved",
            precision=True,
            reason="rounding in a spectral radius of a matrix of 16 rows",
        ),
        Check.each(
            "B = n: critical step times sharpness",
            critical[-1] * sharpness,
            equals=2,
            atol=1e-10,
            tag="proved",
            precision=True,
            math=r"$B = n$: critical step times $\lambda_{\max}$",
            reason="rounding",
        ),
    )


def _order(critical: Tensor, sufficient: Tensor) -> tuple[Check, ...]:
    """Critical and sufficient steps, (4, Q) each, from the smallest batch on."""
    return (
        Check.each(
            "critical step over that of the next larger batch",
            critical[:-1] / critical[1:],
            at_most=1,
            tag="proved",
            math="critical step over that of the batch twice as large",
            reason="a larger batch has a smaller operator",
        ),
        Check.each(
            "step of Wu, Ma and E over the critical one, B < n",
            (sufficient / critical)[:-1],
            at_most=1,
            tag="proved",
            math="step of Wu, Ma and E over the critical one, $B < n$",
            reason="where no step lets the mean grow, it does not grow",
        ),
    )


def _chains(scores: Tensor, growing: Tensor, median: Tensor) -> tuple[Check, ...]:
    """Scores of sample means below the critical step; exact means and medians above,
    (3, Q) each.
    """
    return (
        Check.each(
            "step 0.8 of the critical one: sample mean minus exact mean, in standard "
            "errors",
            scores,
            equals=0,
            atol=5,
            tag="derived",
            repeats=0.49,
            math=r"$0.8$ of the critical step: sample mean of $|\theta|^2$ after 6 "
            "steps minus the exact one, in standard errors",
            reason="the standard error is exact, from fourth moments; beyond 5 with a "
            "chance of one in a million where the sample mean is normal, and of 4 % "
            "whatever its law",
        ),
        Check.each(
            "step 1.02 of the critical one: exact mean after 600 steps over the start",
            growing,
            at_least=1,
            tag="derived",
            math=r"$1.02$ of the critical step: exact mean of $|\theta|^2$ after 600 "
            "steps over its start",
            reason="it grows like the power of a radius of 1.01 or more, times a "
            "factor of the start that may be small; the bar is that it grows at all",
        ),
        Check.share(
            "the same: median of the chains falls below the start",
            median,
            at_most=1,
            least=0.9,
            tag="observed",
            repeats=0.49,
            math=r"the same: median of $|\theta|^2$ over the chains at most its start",
            reason="at the critical step itself the typical rate is not positive, and "
            "zero only in degenerate cases; how far above it the median still falls is "
            "observed",
        ),
    )
