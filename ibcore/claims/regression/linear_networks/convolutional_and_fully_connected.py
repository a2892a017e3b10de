"""Two-layer linear networks in regression: convolutions between l1 and l2 of the spectrum; the least norm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.dynamics.stiff_flow import CurvedModel, integrate, stiff_flow
from ibcore.evidence import Check, Control, Evidence, fraction
from ibcore.models.deep_linear import DeepLinear, random_start
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.models.filter_pair import FilterPair
from ibcore.oracles.fourier_margin import fourier_norm
from ibcore.oracles.fourier_regression import (
    FourierInterpolant,
    even_interpolant,
    even_potential,
    fourier_interpolant,
    radial_stationarity,
)
from ibcore.oracles.small_start import SmallStart, small_start
from ibcore.problems.spectra import SpectralRegression, spectral_regression

SIGNALS, LENGTH, USED = 4, 16, 2
SLACK = 0.3  # least dual slack of the Fourier-l1 solution: the excess falls like alpha^(2 slack)
LEAST = 0.1  # least size of a used frequency over the largest: until alpha^2 is below it, it counts as unused
MATCH = 1e-9  # relative distance of a run to the minimizer
RANDOM = 0.1  # standard deviation of the entries of random layers
POINTS, FEATURES, WIDTH = 5, 10, 6


@dataclass(frozen=True)
class SpectralCase:
    """A problem with its Fourier-l1 interpolant and its least-norm interpolant (d,)."""

    problem: SpectralRegression
    sparse: FourierInterpolant
    dense: Tensor

    @classmethod
    def of(cls, problem: SpectralRegression) -> SpectralCase:
        return cls(
            problem,
            fourier_interpolant(problem.X, problem.y),
            torch.linalg.pinv(problem.X) @ problem.y,
        )

    def excess(self, beta: Tensor) -> Tensor:
        """Fourier-l1 norm of `beta` (..., d) over the least one, less 1, (...,)."""
        return fourier_norm(beta) / self.sparse.value - 1


def spectral_cases(
    setting: Setting, count: int, *, even: bool
) -> tuple[list[SpectralCase], int]:
    """`count` problems and how many draws were left out: even ones below `SLACK` or `LEAST`."""

    def keep(generator: torch.Generator) -> SpectralCase | None:
        case = SpectralCase.of(
            spectral_regression(SIGNALS, LENGTH, USED, generator, even=even)
        )
        return (
            case
            if not even or (case.sparse.slack >= SLACK and case.sparse.least >= LEAST)
            else None
        )

    return setting.draw(count, f"spectra, even {even}", keep)


def impulse(length: int, alpha: float) -> Tensor:
    """Layers u = alpha e_0 and v = 0, (2 d,): all frequencies of u start at alpha."""
    start = torch.zeros(2 * length, dtype=torch.float64)
    start[0] = alpha
    return start


def convolved(case: SpectralCase, start: Tensor) -> Tensor:
    """beta (d,) of the convolutional network whose filters flowed from `start` (2 d,) to zero loss, else NaN."""
    pair = FilterPair(case.problem.X, case.problem.y)
    run = integrate(
        pair.field,
        pair.curvature,
        start,
        done=lambda theta: pair.loss(theta) <= 1e-23,
        tolerance=3e-11,
    )
    beta = torch.from_numpy(pair.coefficients(run.state.numpy()))
    return beta if run.complete else torch.full_like(beta, math.nan)


def trained(model: CurvedModel, targets: Tensor, start: Tensor) -> Tensor:
    """The parameters (P,) where the flow has fitted the targets; NaN where it did not get there."""
    run = stiff_flow(model, targets, start, target_loss=1e-23, tolerance=1e-8)
    return run.state if run.complete else torch.full_like(run.state, math.nan)


def _distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def _gap_to_minimizer(
    case: SpectralCase, start: Tensor, beta: Tensor
) -> tuple[float, float]:
    """Relative distance of `beta` to the minimizer that the start predicts, and that minimizer's certificate."""
    found = even_interpolant(
        case.problem.X, case.problem.y, even_potential(*start.chunk(2))
    )
    return _distance(beta, found.primal), max(found.residual, found.stationarity)


@claim(
    kind="theorem",
    source="Yun, Krishnan and Mobahi 2021 for networks that are diagonal in an orthogonal basis; the function for even "
    "inputs and any start, and the exponent, derived on the page",
    statement="On even inputs, x_j = x_(-j), gradient flow on a two-layer full-width convolutional net ends at the "
    "interpolant that minimizes a function of the real spectrum that the start gives. From the layers "
    "(alpha e_0, 0) it goes to the least l1 norm of the spectrum as alpha -> 0 and to the least l2 norm as "
    "alpha -> infinity.",
    quick={
        "problems": 1,
        "scales": (10.0, 1e-3),
        "generic": 1,
        "generic_scales": (1e-3,),
    },
    book={
        "problems": 3,
        "scales": (10.0, 1.0, 0.1, 1e-2, 1e-3),
        "generic": 3,
        "generic_scales": (10.0, 1.0, 0.1, 1e-2, 1e-3),
    },
    full={
        "problems": 50,
        "scales": (10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4),
        "generic": 50,
        "generic_scales": (10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4),
    },
)
def linear_nets_unified_conv_regression(
    setting: Setting,
    *,
    problems: int,
    scales: Sequence[float],
    generic: int,
    generic_scales: Sequence[float],
) -> Evidence:
    """The raw flow against the predicted minimizer, then against both limits; `scales` fall from 10 to 1e-3 or less."""
    cases, rejected = spectral_cases(setting, problems, even=True)
    starts = [impulse(LENGTH, alpha) for alpha in scales]
    betas = torch.stack(
        [torch.stack([convolved(case, start) for start in starts]) for case in cases]
    )
    gaps = [
        _gap_to_minimizer(case, start, beta)
        for case, row in zip(cases, betas, strict=True)
        for start, beta in zip(starts, row, strict=True)
    ]
    others = [_from_random_layers(setting, case, i) for i, case in enumerate(cases)]
    excess = torch.stack(
        [case.excess(row) for case, row in zip(cases, betas, strict=True)]
    )
    dense = max(
        float(row[0].norm() / case.dense.norm()) - 1
        for case, row in zip(cases, betas, strict=True)
    )
    rates = [_exponent(case, scales[-1]) / (2 * case.sparse.slack) for case in cases]
    certificate = max(max(abs(case.sparse.gap), case.sparse.residual) for case in cases)
    checks = (
        Check.close(
            "least Fourier-l1 norm: largest gap or residual", 0, certificate, atol=1e-7
        ),
        Check.close(
            "minimizer: largest residual or distance from its row space",
            0,
            max(size for _, size in gaps + others),
            atol=1e-10,
        ),
        _share("from (alpha e_0, 0): share of runs within 1e-9 of the minimizer", gaps),
        _share(
            "from random layers: share of runs within 1e-9 of the minimizer", others
        ),
        Check.at_most("alpha = 10: excess of the l2 norm, largest", dense, 1e-6),
        Check.at_most(
            "alpha = 1e-3: excess of the Fourier-l1 norm, largest",
            float(excess[:, list(scales).index(1e-3)].max()),
            1e-2,
        ),
        Check.at_most(
            "excess at a scale over that at the next larger, largest",
            float((excess[:, 1:] / excess[:, :-1]).max()),
            1,
        ),
        Check.at_least(
            "minimizer: exponent of the excess in alpha over 2 * dual slack, least",
            min(rates),
            0.9,
        ),
    )
    control, other = _generic(setting, generic, generic_scales)
    data = {
        "scales": torch.tensor(scales),
        "excess": excess,
        "betas": betas,
        "cases": cases,
        **other,
    }
    notes = {
        "problems": problems,
        f"left out (slack below {SLACK} or a used frequency below {LEAST})": rejected,
        "largest distance of a run to its minimizer": max(
            distance for distance, _ in gaps + others
        ),
        "generic inputs: largest Fourier-l1 excess at alpha = 1e-3": float(
            other["generic_excess"][:, -1].max()
        ),
    }
    return Evidence(checks, control, data, notes)


def _exponent(case: SpectralCase, alpha: float) -> float:
    """Decades by which the excess of the minimizer falls from `alpha` to a tenth of it."""
    X, y = case.problem.X, case.problem.y
    large, small = (
        case.excess(
            even_interpolant(
                X, y, even_potential(*impulse(LENGTH, scale).chunk(2))
            ).primal
        )
        for scale in (alpha, alpha / 10)
    )
    return float(torch.log10(large / small))


def _share(name: str, gaps: Sequence[tuple[float, float]]) -> Check:
    return fraction(
        name, sum(distance <= MATCH for distance, _ in gaps), len(gaps), at_least=1
    )


def _from_random_layers(
    setting: Setting, case: SpectralCase, i: int
) -> tuple[float, float]:
    generator = torch.Generator().manual_seed(setting.seeds(i + 1, "random layers")[i])
    start = RANDOM * torch.randn(2 * LENGTH, generator=generator, dtype=torch.float64)
    return _gap_to_minimizer(case, start, convolved(case, start))


def _generic(
    setting: Setting, count: int, scales: Sequence[float]
) -> tuple[Control, dict[str, Tensor]]:
    """Inputs without symmetry: how far the flow is from the minimizer of the same function of the moduli."""
    cases, _ = spectral_cases(setting, count, even=False)
    betas = [
        torch.stack([convolved(case, impulse(LENGTH, alpha)) for alpha in scales])
        for case in cases
    ]
    missing = [
        radial_stationarity(case.problem.X, row[-1], scales[-1] ** 2 / 2)
        for case, row in zip(cases, betas, strict=True)
    ]
    control = Control(
        "inputs that are not even, alpha = 1e-3: distance from the row space of the spectra, least",
        Check.at_least("least distance", min(missing), 1e-2),
    )
    excess = torch.stack(
        [case.excess(row) for case, row in zip(cases, betas, strict=True)]
    )
    return control, {"generic_scales": torch.tensor(scales), "generic_excess": excess}


@dataclass(frozen=True)
class GaussianCase:
    """Gaussian X (n, d) and y (n,), a network on X with a start (P,) of scale 1, and what the start predicts."""

    network: DeepLinear
    targets: Tensor
    start: Tensor
    predicted: SmallStart


def gaussian_case(generator: torch.Generator) -> GaussianCase:
    """Five points in ten dimensions, and a network of width 6 with Gaussian layers."""
    X = torch.randn(POINTS, FEATURES, generator=generator, dtype=torch.float64)
    y = torch.randn(POINTS, generator=generator, dtype=torch.float64)
    network = DeepLinear(X, (WIDTH,))
    start = random_start(network, 1, 1.0, generator)
    first, last = network.layers(start)
    return GaussianCase(network, y, start[0], small_start(X, y, first[0], last[0, 0]))


def ended(case: GaussianCase, scale: float) -> tuple[float, float]:
    """From the start times `scale`: |beta - X^+ y| / |X^+ y| and sigma_2 / sigma_1 of the first layer."""
    theta = trained(case.network, case.targets, scale * case.start)
    if not bool(theta.isfinite().all()):
        return math.nan, math.nan
    values = torch.linalg.svdvals(case.network.layers(theta)[0])
    return _distance(case.network.end_to_end(theta), case.predicted.limit), float(
        values[1] / values[0]
    )


@claim(
    kind="theorem",
    source="Azulay et al. 2021; Yun, Krishnan and Mobahi 2021; the first order in the scale derived on the page",
    statement="From a start of vanishing scale a two-layer fully connected linear network fits the data with the least "
    "l2 norm, X^+ y, and its first layer has rank one. Distance and sigma_2/sigma_1 are proportional to the "
    "scale, with constants that the start gives.",
    quick={"starts": 1, "scales": (1e-1, 1e-4)},
    book={"starts": 3, "scales": (1.0, 1e-1, 1e-2, 1e-3, 1e-4)},
    full={"starts": 50, "scales": (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6)},
)
def fc_linear_min_l2(
    setting: Setting, *, starts: int, scales: Sequence[float]
) -> Evidence:
    """The distance to X^+ y and the ratio of singular values over falling `scales`, which include 0.1 and 1e-4."""
    cases = [
        gaussian_case(torch.Generator().manual_seed(seed))
        for seed in setting.seeds(starts, "small start")
    ]
    measured = torch.tensor(
        [[ended(case, scale) for scale in scales] for case in cases],
        dtype=torch.float64,
    )
    predicted = torch.tensor(
        [[case.predicted.distance, case.predicted.ratio] for case in cases],
        dtype=torch.float64,
    )
    large, small = list(scales).index(1e-1), list(scales).index(1e-4)
    slopes = torch.log10(measured[:, large] / measured[:, small]) / 3
    constants = measured[:, small] / 1e-4 / predicted
    checks = tuple(
        check
        for i, name in enumerate(("distance to X^+ y", "sigma_2/sigma_1"))
        for check in (
            Check.close(
                f"{name}: slope from scale 0.1 to 1e-4, farthest",
                1,
                _farthest(slopes[:, i]),
                rtol=0.05,
            ),
            Check.close(
                f"{name} over scale * predicted constant at 1e-4, farthest",
                1,
                _farthest(constants[:, i]),
                rtol=0.01,
            ),
        )
    )
    data = {
        "scales": torch.tensor(scales),
        "distances": measured[..., 0],
        "ratios": measured[..., 1],
        "constants": predicted,
    }
    return Evidence(checks, _diagonal(cases), data)


def _farthest(values: Tensor) -> float:
    return float(values[(values - 1).abs().nan_to_num(math.inf).argmax()])


def _diagonal(cases: Sequence[GaussianCase]) -> Control:
    """A diagonal network on the same data from the scale 1e-2."""
    distances = []
    for case in cases:
        model = Diagonal(case.network.inputs)
        start = even_start(FEATURES, torch.tensor([1e-2], dtype=torch.float64))[0]
        beta = model.coefficients(trained(model, case.targets, start))
        distances.append(_distance(beta, case.predicted.limit))
    return Control(
        "diagonal network from the scale 1e-2: distance to X^+ y, least",
        Check.at_least("least distance", min(distances), 0.05),
    )
