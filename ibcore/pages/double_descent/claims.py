"""Double descent: the test risk of growing linear models, random features and small trained networks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.benign_overfitting import power_law_noise
from ibcore.oracles.double_descent import (
    bias_errors,
    weak_features_parts,
    weak_features_spread,
)
from ibcore.oracles.marchenko_pastur import distribution, least_eigenvalue_distribution
from ibcore.pages.double_descent import benign
from ibcore.pages.double_descent.runs import CORRUPTIONS, feature_curves, network_curves
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


# --- Linear regression on weak features --------------------------------------------------------------


@dataclass(frozen=True)
class WeakSizes:
    """Numbers of features, draws of inputs and descents, with a seed for each of the three measurements."""

    counts: tuple[int, ...]
    repetitions: int
    descents: int
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class WeakRisks:
    """What least squares on weak features did, for C numbers of features and N draws.

    risks: by problem.      spectra, least: as `weak.spectra` returns them.
    gaps: distances of descent from zero to the minimum-norm solution.      stray: risks from a start of norm 2.
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
    """n = 40 samples, D = 100 features, label noise 1/2; inputs are drawn as they are needed."""
    words = ("weak features", "spectra", "descents")
    seeds = tuple(setting.seeds(1, word)[0] for word in words)
    return WeakSizes(tuple(counts), repetitions, descents, seeds)


def measure_weak(sizes: WeakSizes, setting: Setting) -> WeakRisks:
    """Risks given the inputs, eigenvalues of fresh inputs, and gradient descent from zero and from elsewhere."""
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
    source="Belkin, Hsu and Xu 2020, Gaussian model (abstract read, theorem recalled; proved on the page); bias and "
    "variance, and the least eigenvalue (Edelman 1988, recalled): proved on the page; spectrum: Marchenko and Pastur "
    "1967 (recalled)",
    statement="The expected test risk of minimum-norm least squares on $p$ of $D$ "
    "independent Gaussian features follows a formula that, where labels are noisy or "
    "features left out, is infinite at $p = n$ and finite again beyond. The peak is one of the variance, which the "
    "small singular values of the inputs make; gradient descent from zero finds that solution.",
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
    """Risk, bias and variance against their formulas, spectra against their laws, descent against least norm.

    Label noise and unused features are averaged out exactly given the inputs, which leaves a relative
    spread of at most 15 % a draw where |p - n| >= 10 (`weak_features_spread`): the bar of 3 % at 1000
    draws is six standard errors.
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
            reason="3 % are allowed above; the unseen part of the start adds 2.4 to 1.02",
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
            reason="descent stops at a gradient of 1e-11, and the curvatures seen are no "
            "less than 0.01",
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
    """Mean risks against the formula, and the median at the threshold against all others."""
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
                reason="six standard errors of the mean, from the closed form of its spread",
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
    """Squared bias and the two variances of both problems, in standard errors from their formulas."""
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
    """Differences of the parts of a problem's risk from their formulas, over their standard errors."""
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
    """The spectrum against Marchenko and Pastur, the least eigenvalue at p = n + 1 against its exact law."""
    distances = [
        min(SAMPLES, p) * _distance(values, lambda x, p=p: distribution(x, _ratio(p)))
        for p, values in zip(SPECTRA, measured.spectra, strict=True)
    ]
    draws = len(measured.least)
    return (
        Check.each(
            "share of the eigenvalues below x: largest distance to Marchenko and Pastur, in eigenvalues",
            distances,
            at_most=0.5,
            tag="derived",
            reason="to first order in $1/n$ real Gaussian matrices have a quarter of an eigenvalue too many at each "
            "edge (recalled); twice that",
        ),
        Check.each(
            "p = n + 1: largest distance of the least eigenvalue's distribution to 1 - exp(-n x/2)",
            [
                _distance(
                    measured.least, lambda x: least_eigenvalue_distribution(x, SAMPLES)
                )
            ],
            at_most=math.sqrt(math.log(2 / CHANCE) / (2 * draws)),
            tag="proved",
            math="$p = n + 1$: largest distance of the least eigenvalue's distribution to $1 - e^{-n x/2}$",
            reason="the bound of Dvoretzky, Kiefer, Wolfowitz and Massart: exceeded once in a million times",
            repeats=0.3,
        ),
    )


def _ratio(p: int) -> float:
    return min(p, SAMPLES) / max(p, SAMPLES)


def _distance(values: Tensor, law: object) -> float:
    """Largest distance of the empirical distribution of all `values` to a `law`, NaN where one is not known."""
    x = values.flatten().sort().values.numpy()
    if np.isnan(x).any():
        return math.nan
    predicted = law(x)  # type: ignore[operator]
    steps = np.arange(len(x) + 1) / len(x)
    gaps = np.concatenate([predicted - steps[1:], predicted - steps[:-1]])
    return float(np.abs(gaps).max())


# --- Benign overfitting --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Interpolants:
    """Least-norm interpolants of noisy labels for every kind of spectrum J and number of samples K, N draws each.

    sizes: (K,).      noise, signal, misfit: (J, K, N), as `benign.interpolate` returns them.
    predicted_noise, predicted_signal, order: (J, K).
    """

    sizes: Tensor
    noise: Tensor
    signal: Tensor
    misfit: Tensor
    predicted_noise: Tensor
    predicted_signal: Tensor
    order: Tensor

    def excess(self, kind: str) -> Tensor:
        """Excess risks of a kind of `benign.KINDS`, (K, N)."""
        j = benign.KINDS.index(kind)
        return self.noise[j] + self.signal[j]


@dataclass(frozen=True)
class BenignProblems:
    """Every kind of spectrum at every number of samples, the number of draws and their seed."""

    problems: tuple[benign.Problem, ...]
    sizes: tuple[int, ...]
    draws: int
    seed: int


def draw_benign(
    setting: Setting, *, sizes: Sequence[int], draws: int
) -> BenignProblems:
    """Four kinds of spectra at every number of samples, with what theory predicts of them."""
    seed = setting.seeds(1, "benign overfitting")[0]
    return BenignProblems(benign.problems(sizes), tuple(sizes), draws, seed)


def measure_benign(drawn: BenignProblems, setting: Setting) -> Interpolants:
    """The least-norm interpolant of every problem, on fresh inputs for each draw."""
    generator = torch.Generator().manual_seed(drawn.seed)
    shape = (len(benign.KINDS), len(drawn.sizes))
    rows = [
        benign.interpolate(posed, drawn.draws, generator, setting.device)
        for posed in drawn.problems
    ]
    noise, signal, misfit = (
        torch.stack(part).view(*shape, -1) for part in zip(*rows, strict=True)
    )
    predicted = [
        torch.tensor([getattr(posed, name) for posed in drawn.problems])
        .double()
        .view(shape)
        for name in ("noise", "signal", "order")
    ]
    return Interpolants(torch.tensor(drawn.sizes), noise, signal, misfit, *predicted)


@claim(
    kind="empirical",
    source="Bartlett, Long, Lugosi and Tsigler 2020 (abstract read, theorem recalled); the formula for large n: "
    "Hastie, Montanari, Rosset and Tibshirani 2022 (recalled); its values here are worked out "
    "on the page",
    statement="The least-norm interpolant of noisy labels loses nothing in the limit if the covariance of the inputs "
    "has a few large eigenvalues and a tail of many more than $n$ small ones: its excess risk falls like $1/n$ with a "
    r"tail of $n^2/5$. With eigenvalues $i^{-a}$ the noise costs $a - 1$ times its variance, however many examples "
    "there are.",
    quick={"sizes": (25, 50, 100), "draws": 16},
    book={"sizes": (25, 50, 100, 200), "draws": 16},
    full={"sizes": (25, 50, 100, 200, 400, 800), "draws": 64},
    draw=draw_benign,
    measure=measure_benign,
)
def benign_overfitting(measured: Interpolants) -> Evidence:
    """What the noise costs against its formula, and how it goes with the number of samples."""
    ratio = measured.excess("wide tail")[-1] / measured.excess("wide tail")[0]
    narrow = measured.excess("narrow tail")[-1] / measured.excess("narrow tail")[0]
    shown = [benign.KINDS.index(f"power {power:g}") for power in benign.POWERS]
    limits = torch.tensor([power_law_noise(power) for power in benign.POWERS]).double()
    checks = (
        Check.each(
            "every noisy label is fitted: misfit",
            measured.misfit,
            at_most=1e-6,
            tag="derived",
            precision=True,
            reason=r"rounding of $10^{-16}$ times the condition of the Gram matrix, about $n^3$ with eigenvalues "
            "$i^{-3}$, with a factor of ten to spare at the largest $n$",
        ),
        _formula_check(measured),
        Check.each(
            "log2 of the cost of the noise over k*/n + n/R, within a factor of three",
            (measured.noise.mean(-1) / measured.order).log2(),
            equals=0,
            atol=math.log2(3),
            tag="observed",
            math=r"$\log_2$ of the cost of the noise over $k^*/n + n/R_{k^*}$, within a factor of three",
            reason="the theorem has constants that it does not name; a factor of three in either direction is ours",
            repeats=0.3,
        ),
        Check.each(
            "power laws, largest n: cost of the noise over (a - 1) times its variance",
            measured.noise.mean(-1)[shown, -1] / limits,
            equals=1,
            atol=0.15,
            tag="derived",
            math="power laws, largest $n$: cost of the noise over $a - 1$ times its variance",
            reason="the formula at the finite $n$ and $p$ is within 4 % of its limit, and $6/n$ are allowed to chance",
        ),
        Check.each(
            "wide tail: excess risk at the largest n over that at the smallest",
            ratio,
            at_most=0.5,
            tag="derived",
            math="wide tail: excess risk at the largest $n$ over that at the smallest",
            reason="it is predicted to fall like $1/n$, to a quarter or less",
        ),
    )
    control = Control(
        "a tail of only 2n directions",
        Check.share(
            "excess risk at the largest n at most half of that at the smallest",
            narrow,
            at_most=0.5,
            most=0.05,
            tag="derived",
            math="excess risk at the largest $n$ at most half of that at the smallest",
            reason="with a tail of $2n$ the noise costs its own variance at every $n$",
        ),
        math="a tail of only $2n$ directions",
    )
    return Evidence(checks, control)


def _formula_check(measured: Interpolants) -> Check:
    """Mean cost of the noise over the formula, for every spectrum and number of samples."""
    draws = measured.noise.shape[-1]
    allowed = (1 + 5 * 4 / math.sqrt(draws)) / measured.sizes.double()
    return Check.each(
        "cost of the noise over its formula for large n",
        measured.noise.mean(-1) / measured.predicted_noise,
        equals=1,
        atol=allowed.expand(len(benign.KINDS), -1).flatten().numpy(),
        tag="derived",
        math="cost of the noise over its formula for large $n$",
        reason="a relative error of $1/n$ of the formula, and five standard errors of the mean, as the cost spreads by "
        "at most $4/n$ a draw in a study over $n = 25$ to 200",
    )


# --- Random features and trained networks on handwritten digits -----------------------------------------


@claim(
    kind="empirical",
    source="Belkin, Hsu, Ma and Mandal 2019; Nakkiran, Kaplun, Bansal, Yang, Barak and Sutskever 2020",
    statement="On handwritten digits the test risk of minimum-norm random Fourier "
    "features peaks where their number equals the number of samples and falls again "
    "beyond; so does that of trained two-layer networks with label noise, where they "
    "begin to fit. For random features the second valley is the deeper one with clean "
    "labels, the first one with a fifth of the labels redrawn.",
    quick={
        "train": 400,
        "splits": 8,
        "ratios": (0.15, 0.25, 0.35, 0.7, 1, 1.4, 6),
        "networks": 8,
        "network_widths": (4, 12, 96),
        "network_steps": 1500,
    },
    book={
        "train": 400,
        "splits": 8,
        "ratios": (
            0.05,
            0.1,
            0.15,
            0.2,
            0.25,
            0.35,
            0.5,
            0.7,
            0.85,
            1,
            1.2,
            1.4,
            2,
            3,
            4,
            6,
            10,
        ),
        "networks": 8,
        "network_widths": (1, 2, 4, 6, 8, 12, 16, 24, 48, 96, 192),
        "network_steps": 1500,
    },
    full={
        "train": 1000,
        "splits": 100,
        "ratios": (
            0.02,
            0.05,
            0.1,
            0.15,
            0.2,
            0.25,
            0.35,
            0.5,
            0.7,
            0.85,
            1,
            1.2,
            1.4,
            2,
            3,
            4,
            6,
            10,
            20,
        ),
        "networks": 64,
        "network_widths": (
            1,
            2,
            4,
            6,
            8,
            10,
            12,
            14,
            16,
            20,
            24,
            32,
            64,
            128,
            256,
            512,
        ),
        "network_steps": 6000,
    },
)
def double_descent_rff(
    setting: Setting,
    *,
    train: int,
    splits: int,
    ratios: Sequence[float],
    networks: int,
    network_widths: Sequence[int],
    network_steps: int,
) -> Evidence:
    """Random features: the test error of each split. Networks: the mean test square loss over splits.

    A tenth or fifth of the training labels is redrawn at random in the noisy settings.
    """
    counts = [round(ratio * train) for ratio in ratios]
    here = counts.index(train)
    curves = feature_curves(setting, train, counts, splits)
    trained = network_curves(setting, network_widths, networks, network_steps)
    control = Control(
        "ridge penalty, noise 0.1",
        Check.share(
            "peak at least 1.5 times the higher valley",
            _over_valleys(_valleys(curves["ridge"], here)),
            at_least=1.5,
            most=0.1,
            tag="observed",
            reason="half of the claim's factor; at most 1.1 for 32 splits",
        ),
    )
    data = {
        "counts": np.array(counts),
        "samples": train,
        "corruptions": CORRUPTIONS,
        **{name: value.numpy() for name, value in curves.items()},
        "networks": trained,
    }
    return Evidence(
        (*judge_features(curves, here), _network_peak(trained["test"])), control, data
    )


def judge_features(curves: Mapping[str, Tensor], here: int) -> tuple[Check, ...]:
    """What must hold of the error and norm (corruptions, splits, counts) with `counts[here]` the threshold."""
    clean, some, much = (
        _valleys(curves["error"][k], here) for k in range(len(CORRUPTIONS))
    )
    return (
        *(
            Check.each(
                f"random features: {name} two or more grid cells from N = n over that at "
                "N = n",
                _elsewhere(curves[name], here),
                at_most=1,
                tag="observed",
                reason="the peak is at the threshold, up to one cell of the grid",
                math=f"random features: {name} two or more grid cells from $N = n$ over that "
                "at $N = n$",
            )
            for name in ("error", "norm")
        ),
        _high_peak(0, clean, 5, "9 or more for 96 splits"),
        _high_peak(0.1, some, 3, "5 or more for 96 splits, which spread by 1.3"),
        Check.each(
            "random features, noise 0: second valley over first",
            clean[2] / clean[0],
            at_most=1,
            tag="observed",
            reason="at most 0.69 for 96 splits: the large model is the better one",
        ),
        Check.each(
            "random features, noise 0.2: first valley over second",
            much[0] / much[2],
            at_most=1,
            tag="observed",
            reason="at most 0.81 for 96 splits: the small model is the better one",
        ),
    )


def _high_peak(noise: float, valleys: Tensor, factor: float, seen: str) -> Check:
    """The peak of the error over the higher of its valleys (3, splits)."""
    return Check.each(
        f"random features, noise {noise:g}: peak over higher valley of the error",
        _over_valleys(valleys),
        at_least=factor,
        tag="observed",
        reason=seen,
    )


def _network_peak(test: Tensor) -> Check:
    """The peak of the test loss (widths, splits), averaged over splits."""
    mean = test.mean(1)
    peak = 1 + int(mean[1:-1].argmax())
    return Check.each(
        "trained networks: peak over higher valley of the mean square loss over the splits",
        [float(_over_valleys(_valleys(mean, peak)))],
        at_least=1.5,
        tag="observed",
        reason="no theorem; 2.1 or more at 9 seeds",
    )


def _elsewhere(curves: Tensor, here: int) -> Tensor:
    """The highest value two or more cells from the threshold over the value there, (...)."""
    cells = torch.arange(curves.shape[-1])
    return curves[..., (cells - here).abs() > 1].amax(-1) / curves[..., here]


def _valleys(curves: Tensor, peak: int) -> Tensor:
    """Lowest value before the peak, the value there and the lowest after it, (3, ...) of curves (..., cells)."""
    return torch.stack(
        [
            curves[..., :peak].amin(-1),
            curves[..., peak],
            curves[..., peak + 1 :].amin(-1),
        ]
    )


def _over_valleys(valleys: Tensor) -> Tensor:
    """The peak over the higher valley, (...)."""
    first, peak, second = valleys
    return peak / torch.maximum(first, second)
