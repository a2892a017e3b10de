"""Separators of larger margin err less, and the flow goes to the largest margin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.stats import spearmanr
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.trajectory import early_ends
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Logistic
from ibcore.oracles.generalization import hard_margin_bound
from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.pages.classification.logistic_regression.runs import follow
from ibcore.problems.separable import BoundedMargin, bounded_margin, separators

POINTS, FEATURES, MARGIN = 50, 100, 1.0
LEVELS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.95)
LOG_LOSS = -1e4


@dataclass(frozen=True)
class Samples:
    """B data sets with their largest margins (B,), and separators (B, C, d) of them.

    uniform: how many of them, the first ones, were drawn uniformly.
    unrelated: B more data sets, and labels (B, n) for them that are coin flips.
    """

    problems: tuple[BoundedMargin, ...]
    largest: Tensor
    sampled: Tensor
    uniform: int
    unrelated: tuple[BoundedMargin, ...]
    flips: Tensor


@dataclass(frozen=True)
class Clouds:
    """Relative margins and exact test errors of separators, (B, C), first the uniform.

    flow_errors: (B,), of the direction of the flow.
    random_errors: (B,), of that on labels drawn at random.
    bound: on the error of the largest margin.
    """

    margins: Tensor
    errors: Tensor
    uniform: int
    flow_errors: Tensor
    random_errors: Tensor
    bound: float
    broken: tuple[str, ...]


def draw_samples(
    setting: Setting, *, datasets: int, per_level: int, steps: int
) -> Samples:
    """Data sets, and `per_level` separators of each at every margin in `LEVELS`."""
    drawn = [
        _sampled(seed, per_level, steps) for seed in setting.seeds(datasets, "margin")
    ]
    problems, largest, sampled = zip(*drawn, strict=True)
    flipped = [
        _flipped(seed) for seed in setting.seeds(datasets, "margin, random labels")
    ]
    unrelated, flips = zip(*flipped, strict=True)
    return Samples(
        problems,
        torch.tensor(largest, dtype=torch.float64),
        torch.stack(sampled),
        per_level,
        unrelated,
        torch.stack(flips),
    )


def _sampled(
    seed: int, per_level: int, steps: int
) -> tuple[BoundedMargin, float, Tensor]:
    """A data set with its largest margin and random separators at each level of margin."""
    generator = torch.Generator().manual_seed(seed)
    problem = bounded_margin(POINTS, FEATURES, MARGIN, generator)
    best = max_margin(problem.X, problem.y)
    levels = torch.tensor(LEVELS, dtype=torch.float64).repeat_interleave(per_level)
    sampled = separators(
        problem.signed,
        levels * best.margin,
        _inside(best, levels),
        count=len(levels),
        steps=steps,
        generator=generator,
    )
    return problem, best.margin, sampled


def _inside(best: MaxMargin, levels: Tensor) -> Tensor:
    """Points half way between each level and the largest margin, in the unit ball."""
    return best.primal * best.margin * (1 + levels[:, None]) / 2


def _flipped(seed: int) -> tuple[BoundedMargin, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    problem = bounded_margin(POINTS, FEATURES, MARGIN, generator)
    flips = torch.randint(2, problem.y.shape, generator=generator).double() * 2 - 1
    return problem, flips


def measure_clouds(samples: Samples, setting: Setting) -> Clouds:
    """The flow on every data set to log L = -1e4, and exact test errors."""
    problems, first = samples.problems, samples.problems[0]
    margins = torch.stack(
        [
            (ws @ one.signed.T).amin(1) / ws.norm(dim=1)
            for ws, one in zip(samples.sampled, problems, strict=True)
        ]
    )
    errors = [p.error(w) for p, w in zip(problems, samples.sampled, strict=True)]
    labels = torch.stack([problem.y for problem in problems])
    flow_errors, broken = _flow_errors(problems, labels, setting.device)
    random_errors, lost = _flow_errors(samples.unrelated, samples.flips, setting.device)
    return Clouds(
        margins / samples.largest[:, None],
        torch.stack(errors),
        samples.uniform,
        flow_errors,
        random_errors,
        hard_margin_bound(first.radius, first.margin, len(first.y)),
        broken + lost,
    )


def _flow_errors(
    problems: tuple[BoundedMargin, ...], labels: Tensor, device: torch.device
) -> tuple[Tensor, tuple[str, ...]]:
    """Test errors (B,) of the flow trained on labels (B, n), and why runs ended early."""
    runs = [
        follow((y[:, None] * p.X).to(device)[None], Logistic(), log_loss=LOG_LOSS)
        for p, y in zip(problems, labels, strict=True)
    ]
    errors = [
        problem.error(run.theta[0, 0].cpu())
        for problem, run in zip(problems, runs, strict=True)
    ]
    return torch.stack(errors), early_ends("flow", *runs)


@claim(
    kind="empirical",
    source="observed; Shalev-Shwartz and Ben-David 2014, Theorem 15.4, bound the error "
    "of the largest margin",
    statement="Among the directions that separate the training set, those of larger "
    "margin err less on fresh data, and the max-margin direction, where gradient flow "
    "goes, errs less than every separator drawn uniformly.",
    quick={"datasets": 8, "per_level": 40, "steps": 300},
    book={"datasets": 10, "per_level": 40, "steps": 500},
    full={"datasets": 50, "per_level": 200, "steps": 5000},
    draw=draw_samples,
    measure=measure_clouds,
)
def margin_generalization(measured: Clouds) -> Evidence:
    """Margins and errors of separators, and the direction of the flow among them."""
    errors = measured.errors
    correlations = [
        float(spearmanr(margins, row).statistic)
        for margins, row in zip(measured.margins, errors, strict=True)
    ]
    best = errors[:, : measured.uniform].amin(1)
    control = Control(
        "labels drawn at random",
        Check.each(
            "test error of the flow's direction",
            measured.random_errors,
            at_least=0.25,
            tag="derived",
            reason="mean one half; its deviation over data sets is 0.06",
        ),
    )
    worse = (errors > measured.flow_errors[:, None]).double().mean()
    notes: dict[str, float | str] = {
        "share of all sampled separators worse than the flow": float(worse),
        "margin bound": round(measured.bound, 2),
        "bound is vacuous": str(measured.bound >= 1),
    }
    checks = _margins_matter(correlations, best - measured.flow_errors)
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _margins_matter(correlations: list[float], advantages: Tensor) -> tuple[Check, ...]:
    """Rank correlations, and the best uniform error less that of the flow, (B,) each."""
    return (
        Check.largest(
            "Spearman correlation of margin and test error",
            correlations,
            at_most=-0.8,
            tag="observed",
            reason="a monotone trend with a fifth of disorder; -0.87 or less on 60 "
            "data sets",
        ),
        Check.each(
            "test error of the best uniformly drawn separator minus that of the flow",
            advantages,
            at_least=0.0,
            tag="observed",
            reason="the sign of the difference",
        ),
    )
