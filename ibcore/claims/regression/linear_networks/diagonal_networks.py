"""Diagonal linear networks in regression: the function that gradient flow minimizes at every scale, depth and shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.dynamics.stiff_flow import StiffRun, stiff_flow
from ibcore.evidence import Check, Control, Evidence, fraction
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.models.unshared_diagonal import UnsharedDiagonal, shaped_start
from ibcore.oracles.basis_pursuit import (
    BasisPursuit,
    basis_pursuit,
    excess_bound,
    excess_near,
    leading_excess,
    quasi_norm_interpolant,
)
from ibcore.oracles.least_squares import minimum_norm
from ibcore.oracles.q_alpha import (
    q_alpha_minimizer,
    q_alpha_path,
    q_minimizer,
    shape_scale,
    start_scale,
)
from ibcore.problems.sparse_regression import Regression, runners_up, sparse_regression
from ibcore.threads import threads

EXACT = 1e-9  # relative l2 distance between a trained network and the minimizer of Q
PATIENCE = (
    600.0  # seconds for one run, which takes a fraction of one at the sizes of the page
)
SLACK = 0.2  # least dual slack of basis pursuit
REJECTED = f"rejected (dual slack below {SLACK:g})"
APART = (
    0.3  # least relative distance between the minimizers of l1 and of the quasi-norms
)


@dataclass(frozen=True)
class Trained:
    """A network after gradient flow. predictor: (d,).   distance: to its prediction, relative, in l2."""

    alpha: float
    depth: int
    shape: float
    predictor: Tensor
    distance: float
    run: StiffRun


def tolerance(alpha: float, depth: int = 2) -> float:
    """Of the integrator: its drift in u v changes the limit as another alpha would, little where alpha is tiny."""
    return 1e-11 if depth > 2 else 3e-11 if alpha > 3e-4 else 3e-10


def relative_distance(found: Tensor, expected: Tensor) -> float:
    """Euclidean, over the norm of `expected`."""
    return float((found - expected).norm() / expected.norm())


@threads()
def train(data: Regression, alpha: float, depth: int = 2) -> Trained:
    """Gradient flow in u and v from u = v = `alpha`, compared with the minimizer of Q_alpha."""
    net, scale = Diagonal(data.X, depth), torch.tensor([alpha], dtype=torch.float64)
    run = stiff_flow(
        net,
        data.y,
        even_start(net.features, scale)[0],
        tolerance=tolerance(alpha, depth),
        max_seconds=PATIENCE,
    )
    found = net.coefficients(run.state)
    return Trained(
        alpha,
        depth,
        0.0,
        found,
        relative_distance(
            found, q_alpha_minimizer(data.X, data.y, alpha, depth).primal
        ),
        run,
    )


def train_unshared(data: Regression, product: float, shape: float) -> Trained:
    """Gradient flow in all four vectors of w = u+ v+ - u- v-, compared with the minimizer of Q at c."""
    net, start = UnsharedDiagonal(data.X), shaped_start(data.X.shape[1], product, shape)
    run = stiff_flow(
        net,
        data.y,
        start,
        tolerance=3e-11,
        floor=3e-11 * float(start.min()),
        max_seconds=PATIENCE,
    )
    found = net.coefficients(run.state)
    best = q_minimizer(data.X, data.y, shape_scale(product, shape))
    return Trained(product, 2, shape, found, relative_distance(found, best.primal), run)


def _training_checks(runs: Sequence[Trained], name: str) -> tuple[Check, ...]:
    return (
        fraction(
            "runs that fitted the data to a loss of 1e-26",
            sum(one.run.complete for one in runs),
            len(runs),
            at_least=1.0,
        ),
        fraction(
            f"{name}: networks within 1e-9 of the minimizer, relative l2",
            sum(one.distance < EXACT for one in runs),
            len(runs),
            at_least=1.0,
        ),
    )


def _costs(runs: Sequence[Trained]) -> dict[str, float | int | str]:
    counts = sorted(one.run.evaluations for one in runs)
    return {
        "runs": len(runs),
        "relative distance to the minimizer, largest": max(
            one.distance for one in runs
        ),
        "evaluations of the field, median": counts[len(counts) // 2],
        "evaluations of the field, largest": counts[-1],
    }


@claim(
    kind="theorem",
    source="Woodworth et al. 2020, theorems on the networks u^2 - v^2 and u^D - v^D",
    statement="Gradient flow on the square loss of beta = u^D - v^D from u = v = alpha, if it fits the data, ends at "
    "the interpolant of least Q_alpha, at every scale alpha and every depth D >= 2: "
    "beta = 2 alpha^2 sinh(X^T nu) for D = 2 and alpha^D h_D(X^T nu) above.",
    quick={
        "datasets": 1,
        "points": 6,
        "features": 16,
        "alphas": (1.0, 1e-6),
        "deep": (0.3,),
    },
    book={
        "datasets": 1,
        "points": 20,
        "features": 60,
        "alphas": (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6),
        "deep": (1.0, 0.1),
    },
    full={
        "datasets": 10,
        "points": 40,
        "features": 200,
        "alphas": (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6),
        "deep": (1.0, 0.3, 0.1),
    },
)
def diag_q_alpha(
    setting: Setting,
    *,
    datasets: int,
    points: int,
    features: int,
    alphas: Sequence[float],
    deep: Sequence[float],
) -> Evidence:
    """Networks trained in their own parameters against Newton's method on the dual of min Q_alpha."""
    kept, rejected = setting.draw(
        datasets, "q alpha", lambda g: _with_slack(points, features, g)
    )
    problems = [data for data, _ in kept]
    cells = [(2, alpha) for alpha in alphas] + [
        (depth, alpha) for depth in (3, 4) for alpha in deep
    ]
    runs = [train(data, alpha, depth) for data in problems for depth, alpha in cells]
    certificates = [
        q_alpha_minimizer(data.X, data.y, alpha, depth)
        for data in problems
        for depth, alpha in cells
    ]
    checks = (
        Check.close(
            "Newton's method: residual or next correction, largest",
            0,
            max(max(one.residual, one.correction) for one in certificates),
            atol=1e-11,
        ),
        *(
            check
            for depth in (2, 3, 4)
            for check in _training_checks(
                [one for one in runs if one.depth == depth], f"depth {depth}"
            )[1:]
        ),
        _training_checks(runs, "")[0],
    )
    data = {"problems": problems, "runs": runs}
    return Evidence(
        checks,
        _uneven_start(setting, problems),
        data,
        {**_costs(runs), REJECTED: rejected},
    )


def _with_slack(
    points: int, features: int, generator: torch.Generator
) -> tuple[Regression, BasisPursuit] | None:
    """Data on which no other sparse answer nearly ties with the best: else rates set in late and drifts count more."""
    data = sparse_regression(points, features, max(2, points // 6), generator)
    pursuit = basis_pursuit(data.X, data.y)
    return (data, pursuit) if pursuit.slack >= SLACK else None


def _uneven_start(setting: Setting, problems: Sequence[Regression]) -> Control:
    """u = v, but of a size drawn for each coordinate, log-normal around 0.1: Q_alpha for alpha = 0.1 misses it."""
    distances = []
    for seed, data in zip(
        setting.seeds(len(problems), "q alpha uneven"), problems, strict=True
    ):
        generator = torch.Generator().manual_seed(seed)
        size = (
            0.1
            * torch.randn(
                data.X.shape[1], generator=generator, dtype=torch.float64
            ).exp()
        )
        net = Diagonal(data.X)
        run = stiff_flow(net, data.y, size.repeat(2), tolerance=1e-6)
        best = q_alpha_minimizer(data.X, data.y, 0.1)
        distances.append(
            relative_distance(net.coefficients(run.state), best.primal)
            if run.complete
            else math.nan
        )
    return Control(
        "coordinates that start at different sizes: least distance to the minimizer of Q_0.1",
        Check.at_least("least relative distance", min(distances), 0.01),
    )


@claim(
    kind="theorem",
    source="Woodworth et al. 2020, theorem on the limits of Q_alpha and their experiment on sample sizes; bound, rate "
    "and their proofs on the page",
    statement="For beta = u^2 - v^2 the l1 excess over basis pursuit is at most of the order log d / log(1/alpha) on "
    "all data, which some data attain; on given data with one l1 minimizer it falls like alpha^(2 slack) "
    "with the dual slack of basis pursuit. The limit for large alpha is the least l2 solution, at distance "
    "alpha^-4. A sparse target needs about k log(d/k) samples for small alpha and about d for large.",
    quick={
        "datasets": 3,
        "trained": (1e-2,),
        "dimensions": (40,),
        "streams": 5,
        "scales": (1e-4, 10.0),
    },
    book={
        "datasets": 20,
        "trained": (1.0, 1e-2, 1e-4),
        "dimensions": (100, 200),
        "streams": 9,
        "scales": (1e-4, 1e-2, 0.1, 1.0, 10.0),
    },
    full={
        "datasets": 400,
        "trained": (1.0, 1e-2, 1e-4),
        "dimensions": (100, 200, 400, 1000),
        "streams": 15,
        "scales": (1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0, 10.0),
    },
)
def diag_l1_l2_transition(
    setting: Setting,
    *,
    datasets: int,
    trained: Sequence[float],
    dimensions: Sequence[int],
    streams: int,
    scales: Sequence[float],
) -> Evidence:
    """The solution path of Q_alpha from 100 to 1e-12 at both ends, on three trained networks, and by sample size."""
    kept, rejected = setting.draw(
        datasets, "transition", lambda g: _with_slack(15, 40, g)
    )
    curves = [_curve(data, pursuit) for data, pursuit in kept]
    runs = [train(kept[0][0], alpha) for alpha in trained]
    ends = (scales[0], scales[-1])
    needed = {
        d: _samples_needed(setting, d, streams, scales if d == dimensions[0] else ends)
        for d in dimensions
    }
    checks = (
        *_training_checks(runs, "trained"),
        Check.close(
            "basis pursuit: duality gap or residual, largest",
            0,
            max(max(pursuit.gap, pursuit.residual) for _, pursuit in kept),
            atol=1e-9,
        ),
        Check.close(
            "Newton's method: residual, largest",
            0,
            max(curve.residual for curve in curves),
            atol=1e-11,
        ),
        Check.at_most(
            "l1 excess over its bound, largest",
            max(curve.bounded for curve in curves),
            1,
        ),
        Check.at_least(
            "l1 excess over its bound on the data that attain it, least",
            _attained(),
            0.2,
        ),
        Check.close(
            "exponent of the l1 excess over 2 slack, farthest",
            1,
            max((curve.exponent for curve in curves), key=lambda value: abs(value - 1)),
            atol=0.05,
        ),
        Check.close(
            "exponent of the distance to the least l2 solution, farthest",
            -4,
            max((curve.far for curve in curves), key=lambda value: abs(value + 4)),
            atol=0.01,
        ),
        *(check for d in dimensions for check in _sample_checks(d, needed[d])),
    )
    notes = {**_costs(runs), REJECTED: rejected}
    data = {
        "kept": kept,
        "curves": curves,
        "runs": runs,
        "needed": needed,
        "scales": tuple(scales),
    }
    return Evidence(checks, _dense_target(setting, dimensions[0], streams), data, notes)


PATH = (100.0, 10.0, 1.0, *(10.0 ** (-k / 2) for k in range(1, 25)))


@dataclass(frozen=True)
class Curve:
    """One data set along `PATH`.

    excess, bound: (K,) of the l1 norm, relative, and its bound.   l2: (K,) of the l2 norm.
    bounded: the largest excess over its bound.   exponent: of the excess in alpha at its end, over 2 slack.
    far: the exponent of the distance to the least l2 solution between alpha = 10 and 100.
    residual: of the data by the minimizers, relative, the largest.
    """

    excess: Tensor
    bound: Tensor
    l2: Tensor
    bounded: float
    exponent: float
    far: float
    residual: float


def _curve(data: Regression, pursuit: BasisPursuit) -> Curve:
    """The path of Q_alpha; its excess is read over the two decades of alpha in which it comes down to 1e-11."""
    path = q_alpha_path(data.X, data.y, PATH)
    betas = torch.stack([one.primal for one in path])
    excess = excess_near(pursuit, data.X, betas)
    bound = torch.tensor(
        [excess_bound(pursuit, start_scale(alpha)) for alpha in PATH],
        dtype=torch.float64,
    )
    least = minimum_norm(data.X, data.y).weights
    away = (betas[:2] - least).norm(dim=-1)
    last = int((excess > 1e-11).cumprod(0).sum()) - 1
    decades = math.log10(PATH[last - 4] / PATH[last])
    measured = float((excess[last - 4] / excess[last]).log10()) / decades
    return Curve(
        excess,
        bound,
        betas.norm(dim=-1) / least.norm() - 1,
        float((excess / bound).max()),
        measured / (2 * pursuit.slack),
        float((away[0] / away[1]).log10()),
        max(one.residual for one in path),
    )


def _attained() -> float:
    """Least excess over its bound for one equation whose d - 1 runners-up lag by log d / log(1/c)."""
    ratios = []
    for d in (100, 10_000):
        for alpha in (1e-4, 1e-8, 1e-16):
            data = runners_up(d, math.log(d) / math.log(1 / start_scale(alpha)))
            pursuit = BasisPursuit(
                data.truth,
                torch.ones(1, dtype=torch.float64),
                float(1 - data.X[0, 1]),
                0.0,
                0.0,
            )
            beta = q_alpha_minimizer(data.X, data.y, alpha).primal
            ratios.append(
                float(excess_near(pursuit, data.X, beta))
                / excess_bound(pursuit, start_scale(alpha))
            )
    return min(ratios)


RECOVERED = (
    0.025  # |beta - truth|^2 / |truth|^2, the error on new standard normal inputs
)


def nonzeros(d: int) -> int:
    """Of the sparse targets in d dimensions: five percent."""
    return max(2, d // 20)


def predicted_samples(d: int) -> float:
    """2 k log(d/k) + 5 k / 4 + 1 Gaussian equations, enough for basis pursuit (Chandrasekaran et al. 2012)."""
    k = nonzeros(d)
    return 2 * k * math.log(d / k) + 5 * k / 4 + 1


def _samples_needed(
    setting: Setting,
    d: int,
    streams: int,
    scales: Sequence[float],
    support: int | None = None,
) -> Tensor:
    """Least numbers of samples at which each of `streams` targets is recovered, (scales, streams)."""
    counts = [
        [
            _least_count(
                sparse_regression(
                    d, d, support or nonzeros(d), torch.Generator().manual_seed(seed)
                ),
                alpha,
            )
            for seed in setting.seeds(streams, f"samples {d}")
        ]
        for alpha in scales
    ]
    return torch.tensor(counts, dtype=torch.float64)


def _least_count(data: Regression, alpha: float) -> int:
    """By bisection: the error falls with the sample, up to small rises that do not count."""
    low, high = 0, len(data.X)
    while high - low > 1:
        middle = (low + high) // 2
        part = data.first(middle)
        beta = q_alpha_minimizer(part.X, part.y, alpha).primal
        fine = (
            float((beta - data.truth).square().sum() / data.truth.square().sum())
            <= RECOVERED
        )
        low, high = (low, middle) if fine else (middle, high)
    return high


def _sample_checks(d: int, needed: Tensor) -> tuple[Check, ...]:
    rich, kernel = (float(row.median()) for row in (needed[0], needed[-1]))
    return (
        Check.at_most(
            f"d = {d}, small alpha: samples over 2k log(d/k) + 5k/4 + 1, median",
            rich / predicted_samples(d),
            1,
        ),
        Check.at_least(
            f"d = {d}, large alpha: samples over d, median", kernel / d, 0.9
        ),
    )


def _dense_target(setting: Setting, d: int, streams: int) -> Control:
    needed = _samples_needed(setting, d, streams, (1e-4,), support=d)
    return Control(
        f"a target without zeros, d = {d}, small alpha: samples over d, median",
        Check.at_least("samples over d", float(needed.median()) / d, 0.8),
    )


@claim(
    kind="theorem",
    source="Woodworth et al. 2020, theorem on depth D; the constant and the comparison of depths on the page",
    statement="For beta = u^D - v^D with D >= 3 the l1 excess falls like alpha^D times a constant that basis pursuit "
    "determines, so that at equal small alpha deeper networks are closer to least l1. However small "
    "alpha, the quasi-norm |.|_(2/D) that rules in classification is not what is minimized.",
    quick={"datasets": 3, "trained": 1},
    book={"datasets": 20, "trained": 3},
    full={"datasets": 400, "trained": 40},
)
def diag_depth(setting: Setting, *, datasets: int, trained: int) -> Evidence:
    """Small problems on which least l1 and least quasi-norms differ, where all basic solutions can be listed."""
    kept, rejected = setting.draw(datasets, "depth", _with_two_answers)
    deep = [
        train(data, alpha, depth)
        for data, _ in kept[:trained]
        for depth, alpha in ((3, 0.03), (4, 0.1))
    ]
    gaps = torch.tensor(
        [
            [
                float(
                    excess_near(
                        pursuit,
                        data.X,
                        q_alpha_minimizer(data.X, data.y, 0.1, depth).primal,
                    )
                )
                for depth in (2, 3, 4)
            ]
            for data, pursuit in kept
        ]
    )
    constants = {
        depth: [_over_constant(data, pursuit, depth) for data, pursuit in kept]
        for depth in (3, 4)
    }
    truths = [pursuit.primal for _, pursuit in kept[:trained] for _ in range(2)]
    near = [
        relative_distance(one.predictor, truth)
        for one, truth in zip(deep, truths, strict=True)
    ]
    quasi = [
        quasi_norm_interpolant(data.X, data.y, 2 / depth)
        for data, _ in kept[:trained]
        for depth in (3, 4)
    ]
    far = [
        relative_distance(one.predictor, answer)
        for one, answer in zip(deep, quasi, strict=True)
    ]
    checks = (
        *_training_checks(deep, "trained"),
        fraction(
            "l1 excess at alpha = 0.1 falls from depth 2 to 3 to 4",
            int((gaps.diff() < 0).all(1).sum()),
            datasets,
            at_least=1.0,
        ),
        *(
            Check.close(
                f"depth {depth}: l1 excess over its law, farthest",
                1,
                max(constants[depth], key=lambda value: abs(value - 1)),
                atol=0.1,
            )
            for depth in (3, 4)
        ),
        Check.at_most(
            "trained: relative distance to the least l1 solution, largest",
            max(near),
            APART / 6,
        ),
    )
    data = {"kept": kept, "runs": deep, "gaps": gaps, "near": near, "far": far}
    notes = {
        **_costs(deep),
        f"rejected (slack below {SLACK:g} or minimizers closer than {APART:g})": rejected,
    }
    control = Control(
        "the quasi-norm |.|_(2/D) as the prediction: least relative distance",
        Check.at_least("least relative distance", min(far), 2 * APART / 3),
    )
    return Evidence(checks, control, data, notes)


def _with_two_answers(
    generator: torch.Generator,
) -> tuple[Regression, BasisPursuit] | None:
    data = sparse_regression(3, 8, 8, generator)
    least, *others = (
        quasi_norm_interpolant(data.X, data.y, power) for power in (1.0, 2 / 3, 1 / 2)
    )
    if min(relative_distance(other, least) for other in others) < APART:
        return None
    pursuit = basis_pursuit(data.X, data.y)
    return (data, pursuit) if pursuit.slack >= SLACK else None


def _over_constant(data: Regression, pursuit: BasisPursuit, depth: int) -> float:
    """The excess over alpha^D times its constant where alpha^(D-2), the order of the next term, is 1e-3."""
    alpha = 1e-3 ** (1 / (depth - 2))
    beta = q_alpha_minimizer(data.X, data.y, alpha, depth).primal
    return float(excess_near(pursuit, data.X, beta)) / (
        alpha**depth * leading_excess(pursuit, data.X, depth)
    )


@claim(
    kind="theorem",
    source="Azulay et al. 2021, theorem on unshared diagonal networks",
    statement="For w = u+ v+ - u- v- with starts u0 and v0 in every coordinate, gradient flow that fits the data "
    "minimizes Q_c with c = u0^2 + v0^2. Scale alpha = u0 v0 and shape s = (u0 - v0)/(u0 + v0) act through "
    "c = 2 alpha (1 + s^2)/(1 - s^2) alone, so unequal layers make a small start act like a large one.",
    quick={"points": 6, "features": 14, "products": (1.0, 1e-4), "shapes": (0.0, 0.99)},
    book={
        "points": 8,
        "features": 20,
        "products": (1.0, 1e-2, 1e-4, 1e-6),
        "shapes": (0.0, 0.5, 0.9, 0.99),
    },
    full={
        "points": 40,
        "features": 200,
        "products": (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6),
        "shapes": (0.0, 0.5, 0.7, 0.9, 0.99),
    },
)
def diag_init_shape(
    setting: Setting,
    *,
    points: int,
    features: int,
    products: Sequence[float],
    shapes: Sequence[float],
) -> Evidence:
    """A sweep over scale and shape, trained in all 4 d parameters, against Q_c and cell against cell at equal c."""
    ((data, pursuit),), rejected = setting.draw(
        1, "shape", lambda g: _with_slack(points, features, g)
    )
    runs = [
        train_unshared(data, product, shape) for product in products for shape in shapes
    ]
    reference = runs[-len(shapes)]
    level = float(shape_scale(reference.alpha, reference.shape))
    equal = [
        train_unshared(data, level / float(shape_scale(1.0, shape)), shape)
        for shape in shapes[1:]
    ]
    spread = [relative_distance(one.predictor, reference.predictor) for one in equal]
    checks = (
        *_training_checks([*runs, *equal], "scale and shape"),
        fraction(
            f"other shapes at c = {level:g} that agree with the first to 1e-9",
            sum(d < EXACT for d in spread),
            len(spread),
            at_least=1.0,
        ),
    )
    curve = [
        (c, float(excess_near(pursuit, data.X, q_minimizer(data.X, data.y, c).primal)))
        for c in (10.0 ** (k / 4) for k in range(-24, 11))
    ]
    evidence = {
        "problem": data,
        "pursuit": pursuit,
        "runs": runs,
        "equal": equal,
        "curve": torch.tensor(curve, dtype=torch.float64),
        "points": [
            (
                float(shape_scale(one.alpha, one.shape)),
                float(excess_near(pursuit, data.X, one.predictor)),
            )
            for one in runs
        ],
    }
    return Evidence(
        checks,
        _scale_alone(data, runs),
        evidence,
        {**_costs([*runs, *equal]), REJECTED: rejected},
    )


def _scale_alone(data: Regression, runs: Sequence[Trained]) -> Control:
    """The most unequal layers at the smallest scale, with the prediction for equal layers of that scale."""
    one = max(runs, key=lambda run: (run.shape, -run.alpha))
    best = q_minimizer(data.X, data.y, 2 * one.alpha)
    return Control(
        f"shape {one.shape:g} ignored, scale {one.alpha:g}: relative distance to the minimizer",
        Check.at_least(
            "relative distance", relative_distance(one.predictor, best.primal), 1e-3
        ),
    )
