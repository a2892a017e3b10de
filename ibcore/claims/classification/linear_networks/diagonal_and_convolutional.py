"""Diagonal and convolutional linear networks: sparse limits, and the scale of the start against the accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.dynamics.log_time import flow
from ibcore.evidence import Check, Control, Evidence, fraction
from ibcore.losses import Exponential
from ibcore.measures import sin_angle
from ibcore.models.convolutional import Convolutional
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.oracles.fourier_margin import (
    FourierMargin,
    fourier_max_margin,
    fourier_norm,
)
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.oracles.quasi_norm import LocalMinimizers, quasi_norm_minimizers
from ibcore.oracles.woodworth import stationarity_residual, woodworth_max_margin
from ibcore.problems.separable import Classification
from ibcore.problems.sparse_margin import (
    PlantedL1,
    planted_l1,
    sparse_teacher,
    wave_teacher,
)

SLACKS = (0.22, 0.3, 0.4, 0.5)
SCALE = 0.2  # of the even start at depth 2
SPREAD = 0.3  # standard deviation of the logarithms of the uneven start at depths 3 and 4, around 0.4
LEVELS = (-1e8, -1e10)


def normalized(model: Diagonal | Convolutional, theta: Tensor) -> Tensor:
    """beta over its least margin, (B, d)."""
    return model.coefficients(theta) / model.outputs(theta).amin(-1, keepdim=True)


def uneven_start(starts: int, features: int, seed: int) -> Tensor:
    """u, v = 0.4 exp(SPREAD N(0, 1)), independent: (starts, 2 features)."""
    noise = torch.randn(
        starts,
        2 * features,
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    )
    return 0.4 * torch.exp(SPREAD * noise)


@claim(
    kind="theorem",
    source="Gunasekar, Lee, Soudry and Srebro 2018, theorem on linear diagonal networks (stationarity); that the "
    "limits are local minimizers, and the exponent, are derived on the page",
    statement="Gradient flow on a diagonal linear network of depth $k$ converges in "
    r"direction to a first-order stationary point of the $\ell_{2/k}$ max-margin "
    r"problem: for $k = 2$ the $\ell_1$ max-margin predictor, at the rate of the dual "
    "slack; for $k = 3$ and 4 a local minimizer, not always the global one.",
    quick={"each": 1, "starts": 4, "depths": (4,), "datasets": 1},
    book={"each": 3, "starts": 32, "depths": (3, 4), "datasets": 1},
    full={"each": 100, "starts": 128, "depths": (3, 4), "datasets": 20},
)
def diag_classification_quasinorm(
    setting: Setting, *, each: int, starts: int, depths: Sequence[int], datasets: int
) -> Evidence:
    """Depth 2 against planted l1 solutions of given slack; depths 3 and 4 against all local minimizers."""
    problems = planted_problems(setting, each)
    programs = [norm_max_margin(p.X, p.y, 1) for p in problems[::3]]
    gaps, log_losses = l1_gaps(setting, problems, depth=2)
    slacks = torch.stack([p.slacks.min() for p in problems]).to(gaps)
    exponents = torch.log(gaps[-2] / gaps[-1]) / torch.log(
        log_losses[-1] / log_losses[-2]
    )
    linear, _ = l1_gaps(setting, problems, depth=1)
    runs = [
        quasi_norm_run(setting, depth, starts, k)
        for depth in depths
        for k in range(datasets)
    ]
    distances = torch.cat([run.distances[-1] for run in runs])
    ranks = torch.cat([run.ranks for run in runs])
    ratio = exponents / slacks
    checks = (
        Check.close(
            "l1 program against the planted value: largest relative error",
            0,
            max(
                abs(s.margin / m - 1)
                for s, m in zip(programs, _margins(problems[::3]), strict=True)
            ),
            atol=1e-9,
        ),
        Check.at_most(
            "depth 2: l1 gap at log L = -1e10, largest", float(gaps[-1].max()), 1e-4
        ),
        Check.close(
            "depth 2: exponent of the gap over the dual slack, farthest from 1",
            1,
            float(ratio[(ratio - 1).abs().argmax()]),
            atol=0.1,
        ),
        Check.at_most(
            "local minimizers: largest violation of their conditions",
            max(run.listed.residual for run in runs),
            1e-9,
        ),
        fraction(
            f"depths {', '.join(map(str, depths))}: share of starts within 1e-5 of a local minimizer",
            int((distances <= 1e-5).sum()),
            len(distances),
            at_least=0.75,
        ),
    )
    control = Control(
        "linear model (depth 1): least l1 gap at log L = -1e10",
        Check.at_least("least l1 gap", float(linear[-1].min()), 1e-2),
    )
    notes: dict[str, float | str] = {
        "planted problems": len(problems),
        "starts at depths above 2": len(distances),
        "share at the global minimizer": round(float((ranks == 0).double().mean()), 3),
        "largest distance": f"{float(distances.max()):.0e}",
    }
    data = {
        "problems": problems,
        "gaps": gaps.cpu(),
        "log_losses": log_losses.cpu(),
        "slacks": slacks.cpu(),
        "exponents": exponents.cpu(),
        "linear": linear.cpu(),
        "runs": runs,
    }
    return Evidence(checks, control, data, notes)


def planted_problems(setting: Setting, each: int) -> list[PlantedL1]:
    """`each` problems of 12 points in 7 dimensions with 3 nonzero coefficients for each least slack of `SLACKS`."""
    slacks = [slack for slack in SLACKS for _ in range(each)]
    return [
        planted_l1(
            12,
            3,
            (slack, slack + 0.4, 1.0, 1.0),
            0.05,
            torch.Generator().manual_seed(seed),
        )
        for slack, seed in zip(
            slacks, setting.seeds(len(slacks), "planted l1"), strict=True
        )
    ]


def _margins(problems: Sequence[PlantedL1]) -> list[float]:
    return [1 / float(p.primal.abs().sum()) for p in problems]


def l1_gaps(
    setting: Setting, problems: Sequence[PlantedL1], *, depth: int
) -> tuple[Tensor, Tensor]:
    """Excess of |beta|_1 / margin over the optimum, relative, and log L, at the losses of `LEVELS`: (2, B) each."""
    model = Diagonal(
        torch.stack([p.signed for p in problems]).to(setting.device), depth
    )
    start = even_start(model.features, model.inputs.new_full((len(problems),), SCALE))
    run = flow(model, Exponential(), start, log_loss=LEVELS, tolerance=1e-5)
    best = torch.tensor(_margins(problems), dtype=start.dtype, device=start.device)
    sizes = torch.stack([normalized(model, theta).abs().sum(-1) for theta in run.theta])
    return sizes * best - 1, run.log_loss


@dataclass(frozen=True)
class QuasiNormRun:
    """Networks of one depth on one problem from many starts.

    listed: all local minimizers.      distances: (2, B) relative distance to the nearest one at `LEVELS`.
    ranks: (B,) which one it is at the end, 0 the global one.      limits: (B, d) final beta over its least margin.
    """

    depth: int
    listed: LocalMinimizers
    distances: Tensor
    ranks: Tensor
    limits: Tensor


def quasi_norm_run(
    setting: Setting, depth: int, starts: int, index: int
) -> QuasiNormRun:
    """Ten points in six dimensions with a teacher of two nonzero entries, `starts` uneven starts."""
    seed, start_seed = setting.seeds(2, f"quasi-norm {depth} {index}")
    data = sparse_teacher(10, 6, 2, 0.1, torch.Generator().manual_seed(seed))
    listed = quasi_norm_minimizers(data.signed, 2 / depth)
    model = Diagonal(data.signed.to(setting.device), depth)
    start = uneven_start(starts, 6, start_seed).to(setting.device)
    run = flow(model, Exponential(), start, log_loss=LEVELS, tolerance=1e-5)
    limits = torch.stack([normalized(model, theta) for theta in run.theta]).cpu()
    apart = (limits[:, :, None] - listed.vertices).norm(dim=-1) / listed.vertices.norm(
        dim=-1
    )
    nearest = apart.min(-1)
    return QuasiNormRun(depth, listed, nearest.values, nearest.indices[-1], limits[-1])


RATIOS = (0.1, 1.0, 10.0, 100.0)
TIMES = (-1.0, -5.0, -25.0, -1e2, -1e3, -1e4, -1e6)


@claim(
    kind="theorem",
    source="Moroshko, Woodworth, Gunasekar, Lee, Srebro and Soudry 2020 (the three limits); the certificate follows "
    "from their computation and Woodworth et al. 2020",
    statement=r"A two-layer diagonal network that starts at $u = v = \alpha$ "
    r"minimizes, at every moment, the Woodworth function $Q_\alpha$ among the "
    r"predictors with at least its margins. Its direction is the $\ell_2$ max-margin "
    r"direction while $\log(1/L)$ is small against $\alpha^2$, the $\ell_1$ one once "
    r"it is large, and the minimizer of $Q_\alpha$ at equal margins in between.",
    quick={"datasets": 1, "scales": (1.0, 10.0, 100.0)},
    book={"datasets": 1, "scales": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)},
    full={
        "datasets": 20,
        "scales": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
    },
)
def diag_init_scale_vs_accuracy(
    setting: Setting, *, datasets: int, scales: Sequence[float]
) -> Evidence:
    """The map of scale and accuracy, its certificate, its two ends and the line between them."""
    maps = [scale_map(setting, k, scales) for k in range(datasets)]
    early = max(float(one["residuals"][:3].max()) for one in maps)
    late = max(float(one["residuals"][3:].max()) for one in maps)
    kernel, rich = list(scales).index(100.0), list(scales).index(1.0)
    ends = [
        (float(one["to_l2"][4, kernel]), 1 - float(one["ratios"][-1, rich]))
        for one in maps
    ]
    between = torch.stack([one["to_woodworth"] for one in maps])
    checks = (
        Check.at_most(
            "Woodworth programs: largest relative gap or violation",
            max(one["gap"] for one in maps),
            1e-8,
        ),
        Check.at_most(
            "asinh(beta / 2 alpha^2) in the cone of the data: residual, log L = -1 to -25",
            early,
            1e-6,
        ),
        Check.at_most("the same, log L = -1e2 to -1e6 (implicit steps)", late, 1e-3),
        Check.at_most(
            "l2 end, alpha = 100, log L = -1e3: sin to the l2 direction",
            max(e[0] for e in ends),
            2e-2,
        ),
        Check.at_most(
            "l1 end, alpha = 1, log L = -1e6: 1 - l1 margin ratio",
            max(e[1] for e in ends),
            1e-2,
        ),
        Check.at_most(
            "alpha = 100, log(1/L) / alpha^2 = 1 and 100: sin to the minimizer of Q_alpha",
            float(between[:, 1:].max()),
            1e-2,
        ),
        Check.at_most(
            "the same at ratio 1: sin for alpha = 100 over that for alpha = 10",
            float((between[:, 1] / between[:, 0]).max()),
            0.2,
        ),
        Check.at_most(
            "non-complementarity at log L = -1e6 over that at log L = -25, largest",
            max(one["fall"] for one in maps),
            0.5,
        ),
    )
    control = Control(
        "depth 3 from the same start: least residual of the same test, log L = -5 and -25",
        Check.at_least("least residual", min(one["deep"] for one in maps), 1e-3),
    )
    return Evidence(
        checks,
        control,
        {"maps": maps, "scales": scales, "times": TIMES},
        {
            "data sets": datasets,
            "rejected (l2 solution above 0.9 of the l1 margin, or falling duals)": sum(
                one["rejected"] for one in maps
            ),
        },
    )


def contrasting(setting: Setting, index: int) -> tuple[PlantedL1, Tensor, int]:
    """A planted problem, its l2 max-margin direction, and how many draws were rejected before it.

    Two conditions: the l2 direction has at most 0.9 of the l1 margin, and the duals of the Q_alpha programs do not
    fall as log(1/L) / alpha^2 runs through `RATIOS`. Those of the flow, 4 int p ds, cannot fall.
    """

    def keep(generator: torch.Generator) -> tuple[PlantedL1, Tensor] | None:
        data = planted_l1(6, 3, (0.3, 0.5, 0.7, 1.0, 1.0, 1.0, 1.0), 0.3, generator)
        direction = norm_max_margin(data.X, data.y, 2).primal
        contrast = (
            float((data.signed @ direction).min() / direction.abs().sum()) <= 0.9 * 0.3
        )
        return (data, direction) if contrast and rising_duals(data) else None

    ((data, direction),), rejected = setting.draw(1, f"scale {index}", keep)
    return data, direction, rejected


def rising_duals(data: Classification) -> bool:
    """Whether the duals of min Q_1(b) s.t. A b >= mu do not fall along `RATIOS`."""
    duals = torch.stack(
        [woodworth_max_margin(data.X, data.y, ratio).dual for ratio in RATIOS]
    )
    return bool((duals.diff(dim=0) >= -1e-9 * duals[1:]).all())


def scale_map(setting: Setting, index: int, scales: Sequence[float]) -> dict[str, Any]:
    """One problem at every scale and every accuracy of `TIMES`: (7, scales) each."""
    data, l2, rejected = contrasting(setting, index)
    alphas = torch.tensor(scales, dtype=torch.float64, device=setting.device)
    model = Diagonal(data.signed.to(setting.device))
    run = flow(
        model,
        Exponential(),
        even_start(model.features, alphas),
        log_loss=TIMES,
        tolerance=1e-8,
    )
    betas = model.coefficients(run.theta).cpu()
    margins = betas @ data.signed.T
    least = margins.amin(-1)
    found = [
        stationarity_residual(data.signed, betas[:, j], alpha)
        for j, alpha in enumerate(scales)
    ]
    duals = torch.stack([dual for _, dual in found], 1)
    loose = (duals * (margins - least[..., None])).sum(-1) / (least * duals.sum(-1))
    woodworth = _woodworth_angles(data, betas, least, scales)
    deep = _deep_residual(data, alphas[alphas <= 10])
    return {
        "data": data,
        "l2": l2,
        "rejected": rejected,
        "betas": betas,
        "log_loss": run.log_loss.cpu(),
        "ratios": least / betas.abs().sum(-1) / 0.3,
        "to_l2": sin_angle(betas, l2),
        "residuals": torch.stack([distance for distance, _ in found], 1),
        "loose": loose,
        "fall": float((loose[-1] / loose[2]).max()),
        "to_woodworth": woodworth[0],
        "gap": woodworth[1],
        "deep": deep,
    }


def _woodworth_angles(
    data: PlantedL1, betas: Tensor, least: Tensor, scales: Sequence[float]
) -> tuple[Tensor, float]:
    """sin of the angle to the minimizer of Q_alpha at equal margins, and the largest gap of the programs.

    At (alpha, log L) = (10, -1e2), (100, -1e4) and (100, -1e6).
    """
    angles, gap = [], 0.0
    for alpha, row in ((10.0, 3), (100.0, 5), (100.0, 6)):
        column = list(scales).index(alpha)
        best = woodworth_max_margin(
            data.X, data.y, float(least[row, column]) / alpha**2
        )
        angles.append(sin_angle(betas[row, column], best.primal))
        gap = max(gap, best.gap, best.violation)
    return torch.stack(angles), gap


def _deep_residual(data: PlantedL1, alphas: Tensor) -> float:
    """Least residual of the depth-2 condition for networks of depth 3."""
    model = Diagonal(data.signed.to(alphas.device), 3)
    run = flow(
        model,
        Exponential(),
        even_start(model.features, alphas.clamp(max=1.0)),
        log_loss=TIMES[1:3],
    )
    betas = model.coefficients(run.theta).cpu()
    return min(
        float(
            stationarity_residual(data.signed, betas[:, j], min(float(alpha), 1.0))[
                0
            ].min()
        )
        for j, alpha in enumerate(alphas)
    )


@claim(
    kind="theorem",
    source="Gunasekar, Lee, Soudry and Srebro 2018, theorem on full-width linear convolutional networks",
    statement="Gradient flow on a two-layer linear convolutional network of full width "
    "(circular, one channel) converges in direction to the predictor of largest margin "
    r"in the $\ell_1$ norm of the discrete Fourier transform.",
    quick={"datasets": 1, "starts": 8},
    book={"datasets": 1, "starts": 8},
    full={"datasets": 20, "starts": 32},
)
def conv_linear_fourier(setting: Setting, *, datasets: int, starts: int) -> Evidence:
    """Excess of the Fourier l1 norm over the certified optimum, beside the l2 and l1 max-margin predictors."""
    runs = [fourier_run(setting, k, starts) for k in range(datasets)]
    checks = (
        Check.at_most(
            "cone program: largest certified relative gap",
            max(abs(one["best"].gap) for one in runs),
            1e-7,
        ),
        Check.at_least(
            "share of starts with Fourier l1 gap <= 1e-3 at log L = -1e10, least",
            min(float((one["gaps"][-1] <= 1e-3).double().mean()) for one in runs),
            0.25,
        ),
        Check.at_most(
            "gap at log L = -1e10 over gap at -1e6: median over starts, largest",
            max(float((one["gaps"][-1] / one["gaps"][-2]).median()) for one in runs),
            0.5,
        ),
    )
    control = Control(
        "kernels of one entry: least Fourier l1 gap",
        Check.at_least(
            "least gap", min(float(one["narrow"].min()) for one in runs), 0.04
        ),
    )
    median = max(float(one["gaps"][-1].median()) for one in runs)
    notes = {
        "data sets": datasets,
        "median gap below 1e-3": str(median <= 1e-3),
        "rejected (rate below 0.3, a small dual, or a baseline within 5 %)": sum(
            one["rejected"] for one in runs
        ),
        "gap of the l2 solution": round(min(one["baselines"][0] for one in runs), 3),
        "gap of the l1 solution": round(min(one["baselines"][1] for one in runs), 3),
    }
    return Evidence(checks, control, {"runs": runs}, notes)


def contrasting_waves(
    setting: Setting, index: int
) -> tuple[Classification, FourierMargin, tuple[float, float], int]:
    """Twelve points in 16 dimensions, the Fourier l1 optimum, the gaps of the l2 and l1 solutions, draws rejected."""

    def keep(
        generator: torch.Generator,
    ) -> tuple[Classification, FourierMargin, tuple[float, float]] | None:
        data = wave_teacher(12, 16, 2, 0.1, generator)
        best = fourier_max_margin(data.X, data.y)
        if best.rate < 0.3 or best.strictness < 0.01:
            return None
        others = [norm_max_margin(data.X, data.y, p).primal for p in (2, 1)]
        l2, l1 = (float(fourier_norm(other)) / best.value - 1 for other in others)
        return (data, best, (l2, l1)) if min(l2, l1) >= 0.05 else None

    ((data, best, baselines),), rejected = setting.draw(1, f"fourier {index}", keep)
    return data, best, baselines, rejected


def fourier_run(setting: Setting, index: int, starts: int) -> dict[str, Any]:
    """`starts` normal starts of standard deviation 0.3: gaps (2, starts) at log L = -1e6 and -1e10."""
    data, best, baselines, rejected = contrasting_waves(setting, index)
    (seed,) = setting.seeds(1, f"fourier start {index}")
    generator = torch.Generator().manual_seed(seed)
    gaps, limits = {}, {}
    for kernel, count, levels in ((16, starts, (-1e6, -1e10)), (1, 1, (-1e3,))):
        model = Convolutional(data.signed.to(setting.device), kernel=kernel)
        start = 0.3 * torch.randn(
            count, model.dimension, generator=generator, dtype=torch.float64
        )
        run = flow(
            model,
            Exponential(),
            start.to(setting.device),
            log_loss=levels,
            tolerance=1e-5,
        )
        limits[kernel] = torch.stack(
            [normalized(model, theta) for theta in run.theta]
        ).cpu()
        gaps[kernel] = fourier_norm(limits[kernel]) / best.value - 1
    return {
        "data": data,
        "best": best,
        "baselines": baselines,
        "rejected": rejected,
        "gaps": gaps[16],
        "limits": limits[16][-1],
        "narrow": gaps[1],
    }
