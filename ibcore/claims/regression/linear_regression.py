"""Linear regression with more parameters than data: which interpolant is reached, what it is worth, how fast."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.demonstrations.linear_regression import RADII, random_interpolants
from ibcore.dynamics.convex import averaged_sgd, descent_path
from ibcore.dynamics.first_order import Objective, adam, gradient_descent
from ibcore.dynamics.mirror_descent import (
    EntropyMirror,
    HypentropyMirror,
    Mirror,
    PowerMirror,
    mirror_descent,
    natural_descent,
)
from ibcore.dynamics.sgd import sgd
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.bregman_projection import (
    BregmanProjection,
    Entropy,
    Hypentropy,
    PNorm,
    Potential,
    bregman_projection,
)
from ibcore.oracles.least_squares import descent_from_zero, minimum_norm
from ibcore.oracles.separability import nonseparable_limit
from ibcore.problems.convex import ConvexProblems, random_problem
from ibcore.problems.interpolation import Interpolation, isotropic_interpolation

FITTED = 1e-14  # |X w - y| / |y| at which a run ends


def relative(found: Tensor, expected: Tensor) -> Tensor:
    """|found - expected| / |expected| over the last dimension."""
    return torch.linalg.vector_norm(
        found - expected, dim=-1
    ) / torch.linalg.vector_norm(expected, dim=-1)


def outside(X: Tensor, moved: Tensor) -> Tensor:
    """Share of `moved` (B, d) outside the row space of X (B, n, d), relative to its length, (B,)."""
    rest = moved - (X.mT @ torch.linalg.solve(X @ X.mT, X @ moved[..., None]))[..., 0]
    return torch.linalg.vector_norm(rest, dim=-1) / torch.linalg.vector_norm(
        moved, dim=-1
    )


def _draw(setting: Setting, count: int, n: int, d: int, purpose: str) -> Interpolation:
    draws = [
        isotropic_interpolation(n, d, torch.Generator().manual_seed(seed))
        for seed in setting.seeds(count, purpose)
    ]
    return Interpolation.stack(draws).to(setting.device)


@claim(
    kind="theorem",
    source="Gunasekar, Lee, Soudry and Srebro 2018 for losses with a unique finite root; stochastic steps: Azizan and "
    "Hassibi 2019",
    statement="On data that a linear predictor interpolates, gradient descent, heavy ball and SGD on the square loss, "
    "and gradient descent on any loss with a unique finite root, converge to the interpolant closest to "
    "their start.",
    quick={"problems": 8, "n": 10, "d": 30},
    book={"problems": 40, "n": 20, "d": 60},
    full={"problems": 400, "n": 50, "d": 200},
)
def linreg_min_distance(setting: Setting, *, problems: int, n: int, d: int) -> Evidence:
    """Four methods from random starts, against w_0 + X^+ (y - X w_0)."""
    data = _draw(setting, problems, n, d, "closest interpolant")
    X, y, start = data.X, data.y, data.start
    fit = minimum_norm(X, y - data.outputs(start))
    moved = fit.weights
    generator = torch.Generator().manual_seed(
        setting.seeds(1, "closest interpolant order")[0]
    )
    found = _methods(data, generator)
    eta = _step(X)
    short = gradient_descent(_square(X, y), start, eta, steps=20).theta - start
    early = relative(short, descent_from_zero(X, y - data.outputs(start), eta, 20))
    checks = [
        Check.close(
            "prediction: residual, part outside the row space",
            0,
            float(torch.maximum(fit.residual, fit.outside).max()),
            atol=1e-13,
        ),
        *(
            Check.close(
                f"{name}: distance, largest",
                0,
                float(relative(w - start, moved).max()),
                atol=1e-12,
            )
            for name, w in found.items()
        ),
        Check.close(
            "all: part of w - w_0 outside the row space",
            0,
            max(float(outside(X, w - start).max()) for w in found.values()),
            atol=1e-12,
        ),
        Check.close(
            "after 20 steps: distance to the closed form",
            0,
            float(early.max()),
            atol=1e-12,
        ),
    ]
    run = adam(_square(X, y), start, 0.05, steps=1500, target_loss=1e-16)
    away = relative(run.theta - start, moved)
    checks.append(
        Check.close(
            "Adam, the control, fits: loss, largest",
            0,
            float(run.loss.max()),
            atol=1e-8,
        )
    )
    control = Control(
        "Adam: distance, smallest",
        Check.at_least("smallest distance", float(away.min()), 0.1),
    )
    return Evidence(
        tuple(checks), control, {"away": away.cpu()}, {"problems": problems}
    )


def _square(X: Tensor, y: Tensor) -> Objective:
    """w (B, d) -> (1/n) |X w - y|^2 and its gradient."""

    def objective(w: Tensor) -> tuple[Tensor, Tensor]:
        r = (X @ w[..., None])[..., 0] - y
        return r.square().mean(-1), (2 / y.shape[-1]) * (X.mT @ r[..., None])[..., 0]

    return objective


def _log_cosh(X: Tensor, y: Tensor) -> Objective:
    """w (B, d) -> (1/n) sum log cosh(x_i.w - y_i) and its gradient."""

    def objective(w: Tensor) -> tuple[Tensor, Tensor]:
        r = (X @ w[..., None])[..., 0] - y
        loss = (torch.logaddexp(r, -r) - math.log(2)).mean(-1)
        return loss, (1 / y.shape[-1]) * (X.mT @ torch.tanh(r)[..., None])[..., 0]

    return objective


def _step(X: Tensor) -> Tensor:
    """1/L for the mean square loss, (B,)."""
    return X.shape[-2] / (2 * torch.linalg.matrix_norm(X, 2).square())


def _methods(data: Interpolation, generator: torch.Generator) -> dict[str, Tensor]:
    """Where the methods end, (B, d) each; a run that does not fit to `FITTED` in time stays as it is."""
    X, y, n = data.X, data.y, data.X.shape[-2]
    eta = _step(X)
    size = torch.linalg.vector_norm(y, dim=-1)

    def gradient(w: Tensor, runs: Tensor, rows: Tensor) -> Tensor:
        x = X[runs[:, None], rows]
        r = (x @ w[..., None])[..., 0] - y[runs[:, None], rows]
        return (2 / rows.shape[-1]) * (x.mT @ r[..., None])[..., 0]

    def fitted(w: Tensor, runs: Tensor) -> Tensor:
        r = (X[runs] @ w[..., None])[..., 0] - y[runs]
        return torch.linalg.vector_norm(r, dim=-1) <= FITTED * size[runs]

    calm = float(FITTED * (size / n).min())
    ball = sgd(
        gradient,
        fitted,
        data.start,
        samples=n,
        batch_size=n,
        step_size=float(eta.min()),
        momentum=0.8,
        generator=generator,
        max_steps=3000,
    )
    single = sgd(
        gradient,
        fitted,
        data.start,
        samples=n,
        batch_size=1,
        momentum=0.0,
        generator=generator,
        step_size=0.5 / float(X.square().sum(-1).max()),
        max_steps=200 * X.shape[-1] * n,
    )
    return {
        "gradient descent": gradient_descent(
            _square(X, y), data.start, 1.5 * eta, steps=3000, gradient_tolerance=calm
        ).theta,
        "log cosh loss": gradient_descent(
            _log_cosh(X, y),
            data.start,
            2 * eta,
            steps=6000,
            gradient_tolerance=calm / 2,
        ).theta,
        "heavy ball": ball.theta,
        "SGD, one example a step": single.theta,
    }


POTENTIALS: dict[str, tuple[Mirror, Potential]] = {
    "p = 1.5": (PowerMirror(1.5), PNorm(1.5)),
    "p = 3": (PowerMirror(3.0), PNorm(3.0)),
    "hypentropy, beta = 1": (HypentropyMirror(1.0), Hypentropy(1.0)),
    "hypentropy, beta = 1e-2": (HypentropyMirror(1e-2), Hypentropy(1e-2)),
    "hypentropy, beta = 1e-4": (HypentropyMirror(1e-4), Hypentropy(1e-4)),
    "entropy": (EntropyMirror(), Entropy()),
}


@claim(
    kind="theorem",
    source="Gunasekar, Lee, Soudry and Srebro 2018; Azizan and Hassibi 2019",
    statement="Mirror descent with a strictly convex potential psi on interpolated data with a loss of unique finite "
    "root converges to the interpolant of least Bregman divergence D_psi(w, w_0) from its start.",
    quick={"problems": 2, "n": 10, "d": 30},
    book={"problems": 8, "n": 10, "d": 30},
    full={"problems": 100, "n": 20, "d": 60},
)
def mirror_descent_bregman(
    setting: Setting, *, problems: int, n: int, d: int
) -> Evidence:
    """Six potentials, each against its projection, its certificate, and the projections of the others."""
    data = _draw(setting, problems, n, d, "mirror regression")
    checks, certificates, ends, oracles = [], [], {}, {}
    for name, (mirror, psi) in POTENTIALS.items():
        case = data.positive() if name == "entropy" else data
        oracles[name] = [
            bregman_projection(*each, psi)
            for each in zip(case.X, case.y, case.start, strict=True)
        ]
        run = mirror_descent(case.X, case.y, case.start, mirror)
        best = torch.stack([o.w for o in oracles[name]]).to(run.w)
        certificate = outside(case.X, mirror.mirror(run.w) - mirror.mirror(case.start))
        ends[name] = run.w.cpu()
        checks.append(
            Check.close(
                f"{name}: distance, largest",
                0,
                float(relative(run.w, best).max()),
                atol=1e-10,
            )
        )
        certificates.append(float(certificate.max()))
    table = _table(ends, oracles)
    others = table[~torch.eye(len(table), dtype=torch.bool)]
    checks = [
        Check.close(
            "projections: residual, certificate and gap, largest",
            0,
            _worst(oracles),
            atol=1e-11,
        ),
        *checks,
        Check.close(
            "all: mirrored moves, part outside the row space",
            0,
            max(certificates),
            atol=1e-10,
        ),
        Check.at_least(
            "distance to another's projection, smallest", float(others.min()), 1e-3
        ),
    ]
    sizes = (1.0, 0.5)
    case = data.positive()
    best = torch.stack([o.w for o in oracles["entropy"]]).to(case.X)
    natural = [
        relative(
            natural_descent(
                case.X, case.y, case.start, EntropyMirror(), step_size=h, tolerance=1e-8
            ).w,
            best,
        )
        for h in sizes
    ]
    control = Control(
        "natural gradient, entropy: distance, median",
        Check.at_least("median distance", float(natural[0].median()), 1e-3),
    )
    notes = {
        "problems": problems,
        "natural gradient, half the step: distance over that of the full step, median": round(
            float((natural[1] / natural[0]).median()), 2
        ),
    }
    return Evidence(
        tuple(checks), control, {"ends": ends, "table": table.median(-1).values}, notes
    )


def _worst(oracles: dict[str, list[BregmanProjection]]) -> float:
    return max(
        max(o.residual, o.outside, abs(o.gap))
        for found in oracles.values()
        for o in found
    )


def _table(
    ends: dict[str, Tensor], oracles: dict[str, list[BregmanProjection]]
) -> Tensor:
    """Relative distances of the end with one potential to the projection of another, (P, P, B); all but the entropy."""
    names = [name for name in ends if name != "entropy"]
    best = {name: torch.stack([o.w for o in oracles[name]]) for name in names}
    return torch.stack(
        [
            torch.stack([relative(ends[row], best[column]) for column in names])
            for row in names
        ]
    )


@claim(
    kind="theorem",
    source="An identity derived on the page; norm-based bounds: Shalev-Shwartz and Ben-David 2014, chapter 26",
    statement="Let the inputs be isotropic and y = X w*. An interpolant X^+ y + r v with v uniform on the unit sphere "
    "of null(X) has the expected test risk |P_null w*|^2 + r^2: norm beyond the least is paid for in full.",
    quick={"problems": 2, "draws": 4000},
    book={"problems": 5, "draws": 4000},
    full={"problems": 100, "draws": 10000},
)
def norm_generalization(setting: Setting, *, problems: int, draws: int) -> Evidence:
    """Fresh test points for thousands of random interpolants of n = 30 points in d = 100 dimensions."""
    tables = [
        random_interpolants(seed, draws, setting.device)
        for seed in setting.seeds(problems, "norm and risk")
    ]
    exact = torch.tensor(
        [[float((t.errors[r] / t.predicted[r]).mean()) for r in RADII] for t in tables]
    )
    tested = torch.tensor(
        [[float(t.risks[r].mean() / t.predicted[r]) for r in RADII] for t in tables]
    )
    ranks = [t.rank for t in tables]
    checks = (
        Check.close(
            "mean |w - w*|^2 over prediction, farthest", 1, _farthest(exact), atol=0.02
        ),
        Check.close(
            "fresh points: error over prediction, farthest",
            1,
            _farthest(tested),
            atol=0.02,
        ),
        Check.at_least(
            "rank correlation of |w|, test error: smallest", min(ranks), 0.95
        ),
        Check.close(
            "interpolants: |X w - y| / |y|, largest",
            0,
            max(t.residual for t in tables),
            atol=1e-12,
        ),
    )
    control = Control(
        "v leans to w* in null(X): rank correlation",
        Check.at_most("largest correlation", max(t.guided for t in tables), -0.9),
    )
    better = [float((t.errors[RADII[0]] < t.least).double().mean()) for t in tables]
    notes = {
        "problems": problems,
        "share of interpolants at r = 0.3 |P_null w*| that beat the least norm": round(
            float(np.mean(better)), 2
        ),
    }
    return Evidence(checks, control, {"tables": tables}, notes)


def _farthest(values: Tensor, target: float = 1.0) -> float:
    values = values.flatten()
    return float(values[(values - target).abs().nan_to_num(math.inf).argmax()])


SPECTRUM = 2.0  # eigenvalues of the inputs' covariance fall like j^-2


@dataclass(frozen=True)
class Convex:
    """A batch of convex problems with their minimizers w* (B, d), least values (B,) and |w*|^2, the start being 0."""

    problems: ConvexProblems
    minimizer: Tensor
    least: Tensor
    squared: Tensor

    def gap(self, w: Tensor) -> Tensor:
        """f(w) - f(w*) for w (B, ..., d), (B, ...)."""
        return self.problems.loss(w) - self.least.reshape(-1, *[1] * (w.ndim - 2))


def _convex(setting: Setting, count: int, *, logistic: bool) -> tuple[Convex, int]:
    """`count` problems of 60 examples in 6 dimensions; separable ones are rejected, for they have no minimizer."""

    def keep(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor] | None:
        X, y = random_problem(60, 6, generator, logistic=logistic, decay=SPECTRUM)
        if not logistic:
            return X, y, minimum_norm(X, y).weights
        limit = nonseparable_limit(X, y)
        return None if bool(limit.separable.any()) else (X, y, limit.minimizer)

    kept, rejected = setting.draw(
        count, f"convex {'logistic' if logistic else 'squares'}", keep
    )
    X, y, best = (
        torch.stack(parts).to(setting.device) for parts in zip(*kept, strict=True)
    )
    problems = ConvexProblems(X, y, logistic)
    return Convex(
        problems, best, problems.loss(best[:, None])[:, 0], best.square().sum(-1)
    ), rejected


def _stops(last: int) -> list[int]:
    """Eight numbers of steps a decade, from 1 to `last`."""
    return sorted(
        {round(10 ** (k / 8)) for k in range(int(8 * math.log10(last)) + 1)} | {last}
    )


@claim(
    kind="theorem",
    source="Garrigos and Gower 2023, the theorem on gradient descent for convex smooth functions; derived on the page",
    statement="For a convex f with L-Lipschitz gradient, gradient descent with eta <= 1/L has f(w_k) - f(w*) <= "
    "|w_0 - w*|^2 / (2 eta k).",
    quick={"problems": 5, "steps": 1000},
    book={"problems": 12, "steps": 10_000},
    full={"problems": 200, "steps": 100_000},
)
def gd_convex_rate(setting: Setting, *, problems: int, steps: int) -> Evidence:
    """Gap over bound along the path with eta = 1/L, least squares and logistic regression."""
    stops, shares, rejected = _stops(steps), {}, 0
    k = torch.tensor(stops, dtype=torch.float64, device=setting.device)
    for logistic in (False, True):
        case, dropped = _convex(setting, problems, logistic=logistic)
        shares["logistic" if logistic else "squares"] = _descent_shares(
            case, 1.0, stops
        )
        rejected += dropped
    late = torch.stack([share[:, k >= 10].amax(-1) for share in shares.values()])
    checks = (
        *(
            Check.at_most(f"{name}: gap over bound, largest", float(share.max()), 1)
            for name, share in shares.items()
        ),
        Check.at_least(
            "largest gap over bound at k >= 10, median", float(late.median()), 1 / 50
        ),
    )
    case, _ = _convex(setting, problems, logistic=False)
    wild = _descent_shares(case, 2.5, [50])
    control = Control(
        "eta = 2.5/L: gap over bound at k = 50, smallest",
        Check.at_least("smallest share", float(wild.min()), 10),
    )
    data = {
        "k": k.cpu(),
        "shares": {name: share.cpu() for name, share in shares.items()},
    }
    return Evidence(
        checks,
        control,
        data,
        {"problems": 2 * problems, "rejected (separable)": rejected},
    )


def _descent_shares(case: Convex, scale: float, stops: list[int]) -> Tensor:
    """(f(w_k) - f(w*)) 2 eta k / |w_0 - w*|^2 with eta = scale/L from w_0 = 0, (B, K)."""
    eta = scale / case.problems.smoothness
    path = descent_path(
        case.problems.gradient, torch.zeros_like(case.minimizer), eta, stops
    )
    k = torch.tensor(stops, dtype=path.dtype, device=path.device)
    return case.gap(path.transpose(0, 1)) * 2 * eta[:, None] * k / case.squared[:, None]


SHARES_OF_LIMIT = (1 / 4, 1 / 20)  # eta L_max


@claim(
    kind="theorem",
    source="Garrigos and Gower 2023, Theorem 5.5; derived on the page",
    statement="Let f be the mean of convex f_i with L-Lipschitz gradients. SGD with one example a step, drawn with "
    "replacement, and eta < 1/(2L) has E f(mean of w_0 ... w_(k-1)) - f(w*) <= |w_0 - w*|^2 / (2 eta "
    "(1 - 2 eta L) k) + eta/(1 - 2 eta L) E_i |grad f_i(w*)|^2.",
    quick={"problems": 4, "runs": 64, "steps": 500},
    book={"problems": 8, "runs": 128, "steps": 3000},
    full={"problems": 100, "runs": 1000, "steps": 100_000},
)
def sgd_convex_rate(
    setting: Setting, *, problems: int, runs: int, steps: int
) -> Evidence:
    """Mean gap over many runs, plus four standard errors, against the bound; from zero and from the minimizer."""
    stops, shares, rejected, blind = _stops(steps), {}, 0, []
    k = torch.tensor(stops, dtype=torch.float64, device=setting.device)
    for logistic in (False, True):
        case, dropped = _convex(setting, problems, logistic=logistic)
        rejected += dropped
        for limit in SHARES_OF_LIMIT:
            name = f"{'logistic' if logistic else 'squares'}, eta = {limit:g}/L"
            shares[name] = _stochastic(setting, case, limit, 1.0, runs, stops)
        blind.append(_stochastic(setting, case, SHARES_OF_LIMIT[0], 0.01, runs, stops))
    upper = {name: share.mean + 4 * share.error for name, share in shares.items()}
    late = torch.stack([share.mean[:, k >= 10].amax(-1) for share in shares.values()])
    checks = (
        *(
            Check.at_most(f"{name}: gap over bound + 4 SE", float(share.max()), 1)
            for name, share in upper.items()
        ),
        Check.at_least(
            "largest gap over bound at k >= 10, median", float(late.median()), 1 / 50
        ),
        Check.at_most(
            "start near w*: gap over bound + 4 SE",
            max(float((b.mean + 4 * b.error).max()) for b in blind),
            1,
        ),
        Check.at_least(
            "start near w*: largest gap over bound, median",
            float(torch.cat([b.mean.amax(-1) for b in blind]).median()),
            1 / 50,
        ),
    )
    without = torch.cat(
        [((b.mean - 4 * b.error) * b.whole_over_bias).amax(-1) for b in blind]
    )
    control = Control(
        "no variance term, start near w*: median",
        Check.at_least("median share", float(without.median()), 2),
    )
    data = {
        "k": k.cpu(),
        "shares": {name: share.mean.cpu() for name, share in shares.items()},
        "blind": [((b.mean * b.whole_over_bias).cpu(), b.mean.cpu()) for b in blind],
    }
    return Evidence(
        checks,
        control,
        data,
        {"problems": 2 * problems, "runs each": runs, "rejected (separable)": rejected},
    )


@dataclass(frozen=True)
class Share:
    """Mean gap of the averaged iterate and its standard error over the bound, (B, K); the bound over its first term."""

    mean: Tensor
    error: Tensor
    whole_over_bias: Tensor


def _stochastic(
    setting: Setting,
    case: Convex,
    limit: float,
    distance: float,
    runs: int,
    stops: list[int],
) -> Share:
    """SGD with eta = limit/L_max from w_0 = (1 - distance) w*, `runs` runs on each problem."""
    problems, k = (
        case.problems,
        torch.tensor(stops, dtype=torch.float64, device=setting.device),
    )
    eta = limit / problems.example_smoothness
    purpose = f"convex order {problems.logistic} {limit} {distance}"
    run = averaged_sgd(
        problems.example_gradient,
        (1 - distance) * case.minimizer,
        eta,
        runs=runs,
        examples=problems.X.shape[-2],
        stops=stops,
        generator=torch.Generator().manual_seed(setting.seeds(1, purpose)[0]),
    )
    gap = case.gap(run.average.transpose(0, 1))
    bias = (distance**2 * case.squared / (2 * eta * (1 - 2 * limit)))[:, None] / k
    bound = bias + (eta / (1 - 2 * limit) * problems.variance(case.minimizer))[:, None]
    return Share(
        gap.mean(-1) / bound, gap.std(-1) / math.sqrt(runs) / bound, bound / bias
    )
