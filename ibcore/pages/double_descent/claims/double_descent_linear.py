"""Risk, bias and variance against their formulas, spectra against their laws, descent
against least norm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.double_descent import (
    bias_errors,
    weak_features_parts,
    weak_features_spread,
)
from ibcore.oracles.marchenko_pastur import distribution, least_eigenvalue_distribution
from ibcore.pages.double_descent.weak import (
    FAR,
    FEATURES,
    SAMPLES,
    SPECTRA,
    Risks,
    both_problems,
    descent_gap,
    measured_risks,
    predicted_risk,
    risk_from,
    spectra,
)

CHANCE = 1e-6  # of a distance as large as the bar of Dvoretzky, Kiefer and Wolfowitz


@dataclass(frozen=True)
class WeakSizes:
    """Numbers of features, draws of inputs and descents, with a seed for each of the
    three measurements.
    """

    counts: tuple[int, ...]
    repetitions: int
    descents: int
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class WeakRisks:
    """What least squares on weak features did, for C numbers of features and N draws.

    risks: by problem.      spectra, least: as `weak.spectra` returns them.
    gaps: distances of descent from zero to the minimum-norm solution.      stray: risks
    from a start of norm 2.
    """

    counts: Tensor
    risks: dict[str, Risks]
    spectra: tuple[Tensor, ...]
    least: Tensor
    gaps: Tensor
    stray: Tensor


def draw_weak(
    setting: Setting, *, repetitions: int, descents: int, counts: Sequence[int]
) -> WeakSizes:
    """n = 40 samples, D = 100 features, label noise 1/2; inputs are drawn as they are
    needed.
    """
    words = ("weak features", "spectra", "descents")
    seeds = tuple(setting.seeds(1, word)[0] for word in words)
    return WeakSizes(tuple(counts), repetitions, descents, seeds)


def measure_weak(sizes: WeakSizes, setting: Setting) -> WeakRisks:
    """Risks given the inputs, eigenvalues of fresh inputs, and gradient descent from
    zero and from elsewhere.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in sizes.seeds]
    problems = both_problems()
    risks = measured_risks(
        problems,
        SAMPLES,
        sizes.counts,
        sizes.repetitions,
        generators[0],
        setting.device,
    )
    values, least = spectra(SAMPLES, sizes.repetitions, generators[1])
    weak = problems["equally weak"]
    gaps = [
        descent_gap(weak, p, sizes.descents, generators[2], setting)
        for p in sizes.counts
        if abs(p - SAMPLES) >= 2 * FAR
    ]
    stray = risk_from(weak, 10 * sizes.descents, generators[2], setting, start_norm=2.0)
    return WeakRisks(
        torch.tensor(sizes.counts), risks, values, least, torch.cat(gaps), stray
    )


@claim(
    kind="theorem",
    source="Belkin, Hsu and Xu 2020, Gaussian model (abstract read, theorem recalled; "
    "proved on the page); bias and variance, and the least eigenvalue (Edelman 1988, "
    "recalled): proved on the page; spectrum: Marchenko and Pastur 1967 (recalled)",
    statement="The expected test risk of minimum-norm least squares on $p$ of $D$ "
    "independent Gaussian features follows a formula that, where labels are noisy or "
    "features left out, is infinite at $p = n$ and finite again beyond. The peak is "
    "one of the variance, which the small singular values of the inputs make; gradient "
    "descent from zero finds that solution.",
    quick={"repetitions": 1000, "descents": 4, "counts": (20, 30, 38, 40, 42, 50, 100)},
    book={
        "repetitions": 1000,
        "descents": 10,
        "counts": (
            *(1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 34, 37, 38, 40, 42, 43, 46, 50, 60),
            *(70, 85, 100),
        ),
    },
    full={"repetitions": 20000, "descents": 200, "counts": (*range(1, 101),)},
    draw=draw_weak,
    measure=measure_weak,
)
def double_descent_linear(measured: WeakRisks) -> Evidence:
    """Risk, bias and variance against their formulas, spectra against their laws,
    descent against least norm.

    Label noise and unused features are averaged out exactly given the inputs, which
    leaves a relative spread of at most 15 % a draw where |p - n| >= 10
    (`weak_features_spread`): the bar of 3 % at 1000 draws is six standard errors.
    """
    weak = both_problems()["equally weak"]
    control = Control(
        "descent from a start of norm 2",
        Check.share(
            "risk at p = D at most 1.5 times the formula",
            measured.stray / predicted_risk(weak, FEATURES),
            at_most=1.5,
            most=0.05,
            tag="derived",
            reason="3 % are allowed above; the unseen part of the start adds 2.4 to "
            "1.02",
            math="risk at $p = D$ at most 1.5 times the formula",
        ),
    )
    checks = (
        *_risk_checks(measured),
        *_part_checks(measured),
        *_spectrum_checks(measured),
        Check.each(
            "descent from zero: distance to the minimum-norm solution",
            measured.gaps,
            at_most=1e-8,
            tag="proved",
            reason="descent stops at a gradient of 1e-11, and the curvatures seen are "
            "no less than 0.01",
            precision=True,
        ),
    )
    return Evidence(checks, control)


def far(counts: Tensor) -> Tensor:
    """Where the number of features is at least `FAR` away from the number of samples."""
    return (counts - SAMPLES).abs() >= FAR


def formula(counts: Tensor, name: str) -> Tensor:
    """The risk that theory predicts of a problem, (C,)."""
    problem = both_problems()[name]
    return torch.tensor([predicted_risk(problem, p) for p in counts.tolist()]).double()


def _risk_checks(measured: WeakRisks) -> tuple[Check, ...]:
    """Mean risks against the formula, and the median at the threshold against all
    others.
    """
    away, here = far(measured.counts), measured.counts.tolist().index(SAMPLES)
    medians = measured.risks["equally weak"].given.median(-1).values
    others = [p for p in range(len(measured.counts)) if p != here]
    return (
        *(
            Check.each(
                f"{name}: risk over the formula, |p - n| >= {FAR}",
                (risk.given.mean(-1) / formula(measured.counts, name))[away],
                equals=1,
                atol=0.03 * math.sqrt(1000 / risk.given.shape[-1]),
                tag="proved",
                reason="six standard errors of the mean, from the closed form of its "
                "spread",
                math=rf"{name}: risk over the formula, $|p - n| \ge {FAR}$",
            )
            for name, risk in measured.risks.items()
        ),
        Check.each(
            "equally weak: median risk at p over that at p = n",
            medians[others] / medians[here],
            at_most=1,
            tag="observed",
            reason="at $p = n$ the risk has no expectation, its median is finite",
            math=r"equally weak: median risk at $p \ne n$ over that at $p = n$",
        ),
    )


def _part_checks(measured: WeakRisks) -> tuple[Check, ...]:
    """Squared bias and the two variances of both problems, in standard errors from
    their formulas.
    """
    scores: dict[str, list[Tensor]] = {"bias": [], "inputs": [], "labels": []}
    for name, risk in measured.risks.items():
        for part, values in _part_scores(measured.counts, name, risk).items():
            scores[part].append(values)
    names = {
        "bias": (f"squared bias, p >= n + {FAR}", rf"squared bias, $p \ge n + {FAR}$"),
        "inputs": (
            f"variance from the inputs, p >= n + {FAR}",
            rf"variance from the inputs, $p \ge n + {FAR}$",
        ),
        "labels": (
            f"variance from the labels, |p - n| >= {FAR}",
            rf"variance from the labels, $|p - n| \ge {FAR}$",
        ),
    }
    return tuple(
        Check.each(
            f"{plain}: standard errors from its formula",
            torch.cat(scores[part]),
            equals=0,
            atol=6,
            tag="proved",
            reason="six standard errors, which are known in closed form",
            math=f"{formulas}: standard errors from its formula",
            repeats=0.4,
        )
        for part, (plain, formulas) in names.items()
    )


def _part_scores(counts: Tensor, name: str, risk: Risks) -> dict[str, Tensor]:
    """Differences of the parts of a problem's risk from their formulas, over their
    standard errors.
    """
    problem, draws = both_problems()[name], risk.given.shape[-1]
    scores: dict[str, list[Tensor]] = {"bias": [], "inputs": [], "labels": []}
    for k, p in enumerate(counts.tolist()):
        used, unused = problem.signal(p)
        parts = weak_features_parts(SAMPLES, p, used, unused, problem.noise**2)
        if abs(p - SAMPLES) >= FAR:
            spread = weak_features_spread(SAMPLES, p, 0.0, unused, problem.noise**2)
            scores["labels"].append(
                (risk.labels[k] - parts.labels) * math.sqrt(draws) / spread
            )
        if p >= SAMPLES + FAR:
            errors = bias_errors(SAMPLES, p, draws)
            bias = parts.bias - unused
            scores["bias"].append((risk.bias[k] - bias) / (used * errors[0]))
            scores["inputs"].append(
                (risk.inputs[k] - parts.inputs) / (used * errors[1])
            )
    return {part: torch.stack(values) for part, values in scores.items()}


def _spectrum_checks(measured: WeakRisks) -> tuple[Check, ...]:
    """The spectrum against Marchenko and Pastur, the least eigenvalue at p = n + 1
    against its exact law.
    """
    distances = [
        min(SAMPLES, p) * _distance(values, lambda x, p=p: distribution(x, _ratio(p)))
        for p, values in zip(SPECTRA, measured.spectra, strict=True)
    ]
    draws = len(measured.least)
    return (
        Check.each(
            "share of the eigenvalues below x: largest distance to Marchenko and "
            "Pastur, in eigenvalues",
            distances,
            at_most=0.5,
            tag="derived",
            reason="to first order in $1/n$ real Gaussian matrices have a quarter of "
            "an eigenvalue too many at each edge (recalled); twice that",
        ),
        Check.each(
            "p = n + 1: largest distance of the least eigenvalue's distribution to 1 - "
            "exp(-n x/2)",
            [
                _distance(
                    measured.least, lambda x: least_eigenvalue_distribution(x, SAMPLES)
                )
            ],
            at_most=math.sqrt(math.log(2 / CHANCE) / (2 * draws)),
            tag="proved",
            math="$p = n + 1$: largest distance of the least eigenvalue's distribution "
            "to $1 - e^{-n x/2}$",
            reason="the bound of Dvoretzky, Kiefer, Wolfowitz and Massart: exceeded "
            "once in a million times",
            repeats=0.3,
        ),
    )


def _ratio(p: int) -> float:
    return min(p, SAMPLES) / max(p, SAMPLES)


def _distance(values: Tensor, law: object) -> float:
    """Largest distance of the empirical distribution of all `values` to a `law`, NaN
    where one is not known.
    """
    x = values.flatten().sort().values.numpy()
    if np.isnan(x).any():
        return math.nan
    predicted = law(x)  # type: ignore[operator]
    steps = np.arange(len(x) + 1) / len(x)
    gaps = np.concatenate([predicted - steps[1:], predicted - steps[:-1]])
    return float(np.abs(gaps).max())
