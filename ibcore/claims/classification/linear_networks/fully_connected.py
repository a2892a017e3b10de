"""Fully connected linear networks: the direction of the product, the rank of the layers, and how fast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.trajectory import Trajectory
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Exponential, PolynomialTail
from ibcore.measures.directions import sin_angle
from ibcore.measures.layers import (
    imbalance_size,
    imbalances,
    misalignments,
    second_value_bounds,
    singular_pairs,
)
from ibcore.measures.rates import slope
from ibcore.models.deep_linear import DeepLinear, random_start
from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.oracles.support_vectors import distinctness, offset_at_loss, spans
from ibcore.problems.separable import PlantedMargin, planted_margin

POINTS, FEATURES, WIDTH = 10, 5, 5
SCALE = 0.2  # of the start: layers with singular values up to about 2 SCALE
DISTINCT = 0.02  # least difference, as a sine, between support vectors and others
SETTLED = 2  # the stop from which laws are read off
LEVELS = (-1e2, -1e4, -1e7, -1e10)
SINES = {1: 1e-5, 2: 1e-5, 3: 1e-5, 4: 5e-3}
RATIOS = {2: 1e-5, 3: 1e-3, 4: 5e-3}


@dataclass(frozen=True)
class Batch:
    """Problems and their max-margin solutions: signed inputs (B, n, d), w_hat (B, d).

    spanned: (B,), whether the support vectors span the input space.
    """

    problems: tuple[PlantedMargin, ...]
    solutions: tuple[MaxMargin, ...]
    signed: Tensor
    w_hat: Tensor
    spanned: Tensor

    def network(self, depth: int) -> DeepLinear:
        """The network of `depth` whose outputs are the margins of all problems."""
        return DeepLinear(self.signed, (WIDTH,) * (depth - 1))


def draw_batch(
    setting: Setting, each: int, purpose: str
) -> tuple[Batch, dict[str, int]]:
    """`each` problems whose support vectors span the space, then as many where they do not; and the draws left out.

    Draws with a point that is distinct by less than `DISTINCT` are rejected: there the direction passes
    through a second law before it settles (derived on the page).
    """
    kept: dict[bool, list[tuple[PlantedMargin, MaxMargin]]] = {True: [], False: []}
    rejected = surplus = 0
    for seed in setting.seeds(100 * (each + 1), purpose):
        problem = planted_margin(
            POINTS, FEATURES, 0.1, torch.Generator().manual_seed(seed)
        )
        solution = max_margin(problem.X, problem.y)
        kind = spans(problem.signed, solution.dual)
        if float(distinctness(problem.signed, solution.dual).min()) < DISTINCT:
            rejected += 1
        elif len(kept[kind]) == each:
            surplus += 1
        else:
            kept[kind].append((problem, solution))
        if all(len(pairs) == each for pairs in kept.values()):
            break
    problems, solutions = zip(*kept[True], *kept[False], strict=True)
    signed, w_hat = (
        torch.stack(rows).to(setting.device)
        for rows in ([p.signed for p in problems], [s.primal for s in solutions])
    )
    spanned = torch.arange(len(problems), device=setting.device) < each
    notes = {
        "problems": len(problems),
        "rejected (distinct by less than 0.02)": rejected,
        "left out (enough of their kind)": surplus,
    }
    return Batch(problems, solutions, signed, w_hat, spanned), notes


def _starts(
    setting: Setting, model: DeepLinear, count: int, scale: float, purpose: str
) -> Tensor:
    generator = torch.Generator().manual_seed(
        setting.seeds(1, f"{purpose} {model.degree}")[0]
    )
    return random_start(model, count, scale, generator)


def _exponents(run: Trajectory, values: Tensor) -> Tensor:
    """Slopes of log `values` (K, B) against log log(1/L) from log L = -1e7 to -1e10, (B,)."""
    return slope(torch.log(-run.log_loss[SETTLED:]).T, torch.log(values[SETTLED:]).T)


def _farthest(values: Tensor, target: float) -> float:
    flat = values.flatten()
    return float(flat[(flat - target).abs().nan_to_num(math.inf).argmax()])


@claim(
    kind="theorem",
    source="Ji and Telgarsky 2020, on deep linear networks; with support vectors that span the space, Ji and "
    "Telgarsky 2019; rates derived on the page",
    statement="For a fully connected linear network of any depth k on separable data, gradient flow on an "
    "exponentially tailed loss that reaches zero loss turns W_k ... W_1 to the l2 max-margin direction. The "
    "angle falls like 1/log(1/L) if the support vectors span the space, else like (log 1/L)^(-1/k).",
    quick={"depths": (3,), "each": 1},
    book={"depths": (1, 2, 3, 4), "each": 3},
    full={"depths": (1, 2, 3, 4), "each": 100},
)
def deep_linear_max_margin(
    setting: Setting, *, depths: Sequence[int], each: int
) -> Evidence:
    """The product of the layers against the certified max-margin direction down to log L = -1e10."""
    batch, notes = draw_batch(setting, each, "deep direction")
    sines, runs = {}, {}
    for depth in depths:
        model = batch.network(depth)
        start = _starts(
            setting, model, len(batch.problems), SCALE, "deep direction start"
        )
        runs[depth] = flow(model, Exponential(), start, log_loss=list(LEVELS))
        sines[depth] = sin_angle(model.end_to_end(runs[depth].theta), batch.w_hat)
    on, off = batch.spanned, ~batch.spanned
    exponents = {k: _exponents(runs[k], sines[k]) for k in depths}
    predicted = torch.stack(
        [
            _offset_angle(p, s)
            for p, s in zip(batch.problems, batch.solutions, strict=True)
        ]
    )
    found = torch.stack([sines[k][-1, on] * -runs[k].log_loss[-1, on] for k in depths])
    constants = torch.cat(
        [sines[k][-1, off] * (-runs[k].log_loss[-1, off]) ** (1 / k) for k in depths]
    )
    certificate = max(max(s.gap, s.violation) for s in batch.solutions)
    checks = (
        Check.close(
            "max-margin program: largest relative gap or violation",
            0,
            certificate,
            atol=1e-10,
        ),
        *(
            Check.close(
                f"depth {k}, spanned: sin at log L = -1e10, largest",
                0,
                float(sines[k][-1, on].max()),
                atol=SINES[k],
            )
            for k in depths
        ),
        Check.close(
            "spanned: exponent of sin in log 1/L, farthest",
            -1,
            _farthest(torch.stack([exponents[k][on] for k in depths]), -1),
            rtol=0.05,
        ),
        Check.close(
            "spanned: sin * log(1/L) over its prediction at the end, median",
            1,
            float((found / predicted.to(found)[on]).median()),
            rtol=0.02,
        ),
        Check.close(
            "not spanned: depth * exponent of sin, farthest",
            -1,
            _farthest(torch.stack([k * exponents[k][off] for k in depths]), -1),
            rtol=0.05,
        ),
        Check.at_most(
            "not spanned: sin * (log 1/L)^(1/depth) at the end, median",
            float(constants.median()),
            1,
        ),
    )
    data = {
        "batch": batch,
        "log_loss": {k: runs[k].log_loss.cpu() for k in depths},
        "sines": {k: sines[k].cpu() for k in depths},
    }
    deep = next(depth for depth in depths if depth > 1)
    return Evidence(checks, _other_tail(batch, deep, runs[deep].theta[0]), data, notes)


def _offset_angle(problem: PlantedMargin, solution: MaxMargin) -> Tensor:
    """The limit of sin(angle to w_hat) * log(1/L) if the support vectors span the space."""
    offset, axis = (
        offset_at_loss(problem.signed, solution.dual),
        solution.primal / solution.primal.norm(),
    )
    return (offset - (offset @ axis) * axis).norm() * solution.margin


def _other_tail(batch: Batch, depth: int, start: Tensor) -> Control:
    """The same networks trained on from log L = -100 with a loss of the tail 1/m, to margins of a few thousand.

    From there the mean of this bounded loss is too small for any point to be given up.
    """
    model = batch.network(depth)
    run = flow(model, PolynomialTail(), start, log_loss=-8.0)
    sines = sin_angle(model.end_to_end(run.theta[0]), batch.w_hat)
    return Control(
        f"polynomial tail l = m^-1, depth {depth}: median sin at L = e^-8",
        Check.at_least("median sin", float(sines.median()), 1e-2),
    )


@claim(
    kind="theorem",
    source="Ji and Telgarsky 2019; conservation: Arora, Cohen and Hazan 2018, Du, Hu and Lee 2018; rates derived on "
    "the page",
    statement="Gradient flow conserves W_(j+1)^T W_(j+1) - W_j W_j^T. As the loss goes to zero every layer becomes of "
    "rank one, sigma_2/sigma_1 falling like (log 1/L)^(-1/k), and adjacent layers align.",
    quick={"depths": (2,), "each": 1},
    book={"depths": (2, 3, 4), "each": 3},
    full={"depths": (2, 3, 4), "each": 100},
)
def deep_linear_alignment(
    setting: Setting, *, depths: Sequence[int], each: int
) -> Evidence:
    """Conservation in the explicit phase; then singular values and vectors of the layers down to log L = -1e10."""
    batch, notes = draw_batch(setting, each, "deep alignment")
    runs = {depth: _aligned(setting, batch, depth) for depth in depths}
    checks = (
        Check.at_most(
            "imbalance: drift over its size until log L = -30, largest",
            max(float(runs[k].drift.max()) for k in depths),
            1e-8,
        ),
        Check.at_most(
            "sigma_2 over its bound by the start at log L = -30, largest",
            max(float(runs[k].bounded.max()) for k in depths),
            1,
        ),
        *(
            Check.at_most(
                f"depth {k}: sigma_2/sigma_1 at log L = -1e10, largest",
                float(runs[k].ratios[-1].max()),
                RATIOS[k],
            )
            for k in depths
        ),
        Check.close(
            "depth * exponent of sigma_2/sigma_1 in log 1/L, farthest",
            -1,
            _farthest(torch.cat([k * runs[k].exponents for k in depths]), -1),
            rtol=0.05,
        ),
        Check.at_most(
            "adjacent layers: sin of the angle at log L = -1e10, largest",
            max(float(runs[k].sines[-1].max()) for k in depths),
            1e-5,
        ),
        Check.close(
            "adjacent layers: depth * exponent of sin in log 1/L, farthest",
            -2,
            _farthest(torch.cat([k * runs[k].turning for k in depths]), -2),
            rtol=0.05,
        ),
    )
    data = {
        "log_loss": {k: runs[k].log_loss for k in depths},
        "ratios": {k: runs[k].ratios for k in depths},
        "sines": {k: runs[k].sines for k in depths},
    }
    return Evidence(checks, _large_start(setting, batch), data, notes)


@dataclass(frozen=True)
class Alignment:
    """One depth. drift, bounded: (B,).      log_loss, ratios, sines: (K, B), the worst layer of each run.

    ratios: sigma_2/sigma_1.      sines: of the angles between adjacent layers' singular vectors.
    exponents, turning: (B,), exponents of `ratios` and of `sines` in log 1/L.
    """

    drift: Tensor
    bounded: Tensor
    log_loss: Tensor
    ratios: Tensor
    sines: Tensor
    exponents: Tensor
    turning: Tensor


def _aligned(setting: Setting, batch: Batch, depth: int) -> Alignment:
    model = batch.network(depth)
    start = _starts(setting, model, len(batch.problems), SCALE, "deep alignment start")
    size = imbalance_size(model.layers(start))

    def conserved(theta: Tensor) -> Tensor:
        return (
            torch.cat([gap.flatten(1) for gap in imbalances(model.layers(theta))], 1)
            / size[:, None]
        )

    early = flow(
        model,
        Exponential(),
        start,
        log_loss=-30.0,
        tolerance=1e-7,
        invariants={"imbalance": conserved},
    )
    second = singular_pairs(model.layers(early.theta[0]))[1][:, :-1]
    bounded = (second / second_value_bounds(model.layers(start))).amax(-1)
    late = flow(model, Exponential(), early.theta[0], log_loss=list(LEVELS))
    layers = model.layers(late.theta)
    ratios, sines = layer_ratios(layers), misalignments(layers).amax(-1)
    return Alignment(
        early.drift["imbalance"].cpu(),
        bounded.cpu(),
        late.log_loss.cpu(),
        ratios.cpu(),
        sines.cpu(),
        _exponents(late, ratios).cpu(),
        _exponents(late, sines).cpu(),
    )


def layer_ratios(layers: Sequence[Tensor]) -> Tensor:
    """Largest sigma_2/sigma_1 among the hidden layers, (...)."""
    first, second = singular_pairs(layers)
    return (second / first)[..., :-1].amax(-1)


def _large_start(setting: Setting, batch: Batch) -> Control:
    """Depth 2 from a start fifteen times as large, at a loss of one percent: fitted, and of full rank."""
    model = batch.network(2)
    start = _starts(setting, model, len(batch.problems), 15 * SCALE, "large start")
    run = flow(model, Exponential(), start, log_loss=math.log(0.01))
    ratios = layer_ratios(model.layers(run.theta[0]))
    return Control(
        "start 15 times as large, depth 2: median sigma_2/sigma_1 at L = 0.01",
        Check.at_least("median sigma_2/sigma_1", float(ratios.median()), 0.3),
    )
