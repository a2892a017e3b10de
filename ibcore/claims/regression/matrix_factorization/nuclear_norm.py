"""Matrix factorization and the nuclear norm: where it is minimized, where rank decides, and where they part."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.dynamics.first_order import gradient_descent
from ibcore.dynamics.stiff_flow import StiffRun, stiff_flow
from ibcore.evidence import Check, Control, Evidence, fraction
from ibcore.models.matrix_factorization import (
    Entries,
    Sensing,
    SymmetricFactorization,
    identity_start,
    square_objective,
)
from ibcore.oracles.least_squares import minimum_norm
from ibcore.oracles.matrix_entropy import entropy_minimum, noise_exponent
from ibcore.oracles.nuclear_minimization import NuclearMinimum, minimum_nuclear_norm
from ibcore.problems.sensing import (
    LinearObservations,
    SeenEntries,
    commuting_observations,
    corner_completion,
    gaussian_observations,
)

RATIO = 3.0  # of the observed entries of the 4 x 4 completion
STEP = 0.1  # of gradient descent on the mean square loss, for targets of a matrix with eigenvalues 1 and 0


def _runs(
    data: LinearObservations, scales: Sequence[float], tolerance: float = 1e-11
) -> list[StiffRun]:
    """Gradient flow of U U^T from alpha I, in the d^2 entries of U, for each scale alpha."""
    model = SymmetricFactorization(Sensing(data.matrices))
    starts = identity_start(model, list(scales))
    return [
        stiff_flow(model, data.targets, start, tolerance=tolerance) for start in starts
    ]


def _products(runs: Sequence[StiffRun], size: int) -> Tensor:
    """U U^T at the end of each run, (K, d, d)."""
    factors = torch.stack([run.state for run in runs]).reshape(-1, size, size)
    return factors @ factors.mT


def _distances(found: Tensor, expected: Tensor) -> Tensor:
    """|found - expected|_F / |expected|_F for matrices (..., d, d)."""
    return torch.linalg.matrix_norm(found - expected) / torch.linalg.matrix_norm(
        expected
    )


@claim(
    kind="theorem",
    source="Gunasekar et al. 2017, the theorem on commuting observations; the solution at finite scale derived on the "
    "page",
    statement="If the symmetric matrices A_i commute, gradient flow on U from U = alpha I ends at the W = U U^T that "
    "fits and minimizes tr(W log W - W) - log(alpha^2) tr W, the nuclear norm for alpha to 0.",
    quick={"size": 6, "observations": 3, "problems": 2, "scales": (1.0, 1e-1, 1e-3)},
    book={
        "size": 8,
        "observations": 4,
        "problems": 4,
        "scales": (1.0, 1e-1, 1e-2, 1e-3),
    },
    full={
        "size": 20,
        "observations": 8,
        "problems": 20,
        "scales": (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6),
    },
)
def mf_nuclear_commuting(
    setting: Setting,
    *,
    size: int,
    observations: int,
    problems: int,
    scales: Sequence[float],
) -> Evidence:
    """The flow in the raw entries of U against the entropy program, and its trace against the least nuclear norm."""
    data = [
        commuting_observations(size, observations, torch.Generator().manual_seed(seed))
        for seed in setting.seeds(problems, "commuting observations")
    ]
    solved = [entropy_minimum(d.matrices, d.targets, scales) for d in data]
    least = [
        minimum_nuclear_norm(d.matrices, d.targets, semidefinite=True) for d in data
    ]
    runs = [_runs(d, scales) for d in data]
    products = torch.stack([_products(flows, size) for flows in runs])
    distances = _distances(products, torch.stack([s.matrix for s in solved]))
    values = torch.tensor([minimum.value for minimum in least], dtype=torch.float64)
    traces = products.diagonal(dim1=-2, dim2=-1).sum(-1)
    excess = traces / values[:, None] - 1
    falls = int((excess.diff(dim=1) < 0).all(1).sum())
    checks = (
        Check.close(
            "least nuclear norm: largest gap or violation",
            0,
            _certificate(least),
            atol=1e-9,
        ),
        Check.close(
            "entropy program: largest residual",
            0,
            max(float(s.residual.max()) for s in solved),
            atol=1e-12,
        ),
        fraction(
            "runs that reached the loss 1e-26",
            sum(run.complete for flows in runs for run in flows),
            problems * len(scales),
            at_least=1,
        ),
        fraction(
            "runs that end within 1e-9 of the entropy program, relative",
            int((distances < 1e-9).sum()),
            distances.numel(),
            at_least=0.5,
        ),
        Check.close(
            "distance to the entropy program, relative, largest",
            0,
            float(distances.max()),
            atol=1e-6,
        ),
        fraction(
            "problems whose trace falls with the scale", falls, problems, at_least=1
        ),
        Check.at_least(
            "trace over the least nuclear norm, smallest",
            1 + float(excess.min()),
            1 - 1e-9,
        ),
    )
    evidence = {
        "scales": torch.tensor(scales, dtype=torch.float64),
        "excess": excess,
        "distances": distances,
    }
    return Evidence(
        checks, _not_commuting(setting, size, observations, problems), evidence
    )


def _certificate(minima: Sequence[NuclearMinimum]) -> float:
    return max(
        max(minimum.gap, minimum.violation, minimum.residual) for minimum in minima
    )


def _not_commuting(
    setting: Setting, size: int, observations: int, problems: int
) -> Control:
    """The same program for Gaussian matrices, which do not commute, at the scale 0.01."""
    scale, distances = 1e-2, []
    for seed in setting.seeds(problems, "observations that do not commute"):
        data = gaussian_observations(
            size, size, observations, torch.Generator().manual_seed(seed)
        )
        expected = entropy_minimum(data.matrices, data.targets, [scale]).matrix
        distances.append(
            _distances(_products(_runs(data, [scale], 1e-7), size), expected)
        )
    return Control(
        "Gaussian matrices, which do not commute, alpha = 0.01: distance to the entropy program, median",
        Check.at_least("median distance", float(torch.cat(distances).median()), 1e-3),
    )


@claim(
    kind="theorem",
    source="Li, Ma and Zhang 2018, the theorem on recovery under restricted isometry; the exponent derived on the page",
    statement="Gradient descent on a square factor U from U = alpha I recovers a positive semidefinite W of low rank "
    "from Gaussian observations fewer than the unknowns; for rank one the error falls as alpha^(2 - 2q), q "
    "the ratio of the two largest eigenvalues of the mean of y_i A_i.",
    quick={"size": 20, "problems": 4, "steps": 600},
    book={"size": 20, "problems": 15, "steps": 800},
    full={"size": 60, "problems": 20, "steps": 2000},
)
def mf_sensing_rip(
    setting: Setting, *, size: int, problems: int, steps: int
) -> Evidence:
    """Errors over seven decades of the scale: monotone, small, and of the predicted exponent at the end."""
    count, scales = (
        9 * size,
        torch.tensor([1e-1, 1e-3, 1e-4, 1e-6, 1e-8], dtype=torch.float64),
    )
    data = [
        gaussian_observations(size, 1, count, torch.Generator().manual_seed(seed))
        for seed in setting.seeds(problems, "restricted isometry")
    ]
    errors = torch.stack([_recovery(d, scales, STEP, steps) for d in data])
    exponents = torch.log10(errors[:, -2] / errors[:, -1]) / torch.log10(
        scales[-2] / scales[-1]
    )
    predicted = torch.tensor(
        [noise_exponent(d.matrices, d.targets, 1, STEP) for d in data]
    )
    ratios = exponents / predicted
    shortest = torch.stack(
        [
            minimum_norm(d.matrices.flatten(1), d.targets).weights.reshape(size, size)
            for d in data
        ]
    )
    least = minimum_nuclear_norm(data[0].matrices, data[0].targets)
    checks = (
        Check.at_least(
            "least Frobenius norm: relative error, smallest",
            float(_distances(shortest, torch.stack([d.truth for d in data])).min()),
            0.2,
        ),
        Check.at_most(
            "relative error at alpha = 1e-3, median", float(errors[:, 1].median()), 1e-3
        ),
        Check.at_most(
            "relative error at alpha = 1e-4, largest", float(errors[:, 2].max()), 1e-3
        ),
        fraction(
            "problems whose error falls at every scale",
            int((errors.diff(dim=1) < 0).all(1).sum()),
            problems,
            at_least=1,
        ),
        Check.close(
            "exponent from 1e-6 to 1e-8 over its prediction, farthest",
            1,
            farthest(ratios, 1),
            rtol=0.05,
        ),
        Check.close(
            "least nuclear norm: relative error, one problem",
            0,
            float(_distances(least.matrix, data[0].truth)),
            atol=1e-6,
        ),
    )
    evidence = {
        "scales": scales,
        "errors": errors,
        "exponents": exponents,
        "predicted": predicted,
    }
    return Evidence(
        checks,
        _too_few(setting, size, problems),
        evidence,
        {
            "problems": problems,
            "observations": count,
            "unknowns": size * (size + 1) // 2,
        },
    )


def _recovery(
    data: LinearObservations, scales: Tensor, step: float, steps: int
) -> Tensor:
    """|U U^T - W*|_F / |W*|_F after gradient descent from each scale, (K,)."""
    model = SymmetricFactorization(Sensing(data.matrices))
    run = gradient_descent(
        square_objective(model, data.targets),
        identity_start(model, scales),
        step,
        steps=steps,
    )
    return _distances(model.product(run.theta), data.truth)


def _too_few(setting: Setting, size: int, problems: int) -> Control:
    """As many observations as W* has unknowns of its own, where no isometry can hold; steps a fifth as long."""
    errors = []
    for seed in setting.seeds(problems, "too few observations"):
        data = gaussian_observations(size, 1, size, torch.Generator().manual_seed(seed))
        errors.append(
            _recovery(data, torch.tensor([1e-3], dtype=torch.float64), STEP / 5, 500)
        )
    return Control(
        "d observations instead of 9 d: relative error at alpha = 1e-3, median",
        Check.at_least("median error", float(torch.cat(errors).median()), 0.1),
    )


@claim(
    kind="theorem",
    source="Li, Luo and Lyu 2021, the counterexample to the conjecture of Gunasekar et al. 2017",
    statement="A 4 x 4 matrix with three observed entries 1, R, R, R > 1, has a completion of nuclear norm 4R. "
    "Gradient flow on U U^T from a start of vanishing scale eps ends at the completion of rank one, of "
    "nuclear norm 2 + 2 R^2; the second eigenvalue falls as eps^(2 - 2q).",
    quick={"starts": 2, "scales": (1e-1, 1e-12, 1e-14)},
    book={"starts": 5, "scales": (1e-1, 1e-2, 1e-4, 1e-8, 1e-12, 1e-14)},
    full={"starts": 100, "scales": (1e-1, 1e-2, 1e-4, 1e-8, 1e-12, 1e-14, 1e-16)},
)
def mf_nuclear_refuted(
    setting: Setting, *, starts: int, scales: Sequence[float]
) -> Evidence:
    """Traces and eigenvalues where the flow ends, from random starts of falling scale, beside both candidates."""
    seen = corner_completion(RATIO)
    model = completion_model(seen)
    runs = [
        [completed(model, seen, scale * start) for scale in scales]
        for start in random_symmetric_starts(setting, starts)
    ]
    eigenvalues = torch.linalg.eigvalsh(
        torch.stack([_products(flows, 4) for flows in runs])
    ).flip(-1)
    traces, ratios = eigenvalues.sum(-1), eigenvalues[..., 1] / eigenvalues[..., 0]
    least, rank_one = least_trace(seen), 2 + 2 * RATIO**2
    exponents = torch.log(ratios[:, -2] / ratios[:, -1]) / math.log(
        scales[-2] / scales[-1]
    )
    predicted = noise_exponent(model.observations.dense(), seen.targets, 1)
    late = traces[:, [scale <= 1e-2 for scale in scales]]
    checks = (
        Check.close(
            "least nuclear norm: largest gap or violation",
            0,
            _certificate([least]),
            atol=1e-9,
        ),
        Check.close("least nuclear norm", 4 * RATIO, least.value, atol=1e-6),
        fraction(
            "runs that reached the loss 1e-24",
            sum(run.complete for flows in runs for run in flows),
            starts * len(scales),
            at_least=1,
        ),
        Check.close(
            "trace at the smallest scale, farthest",
            rank_one,
            farthest(traces[:, -1], rank_one),
            atol=0.02,
        ),
        Check.at_most(
            "second over first eigenvalue there, largest",
            float(ratios[:, -1].max()),
            1e-3,
        ),
        Check.close(
            "exponent of that ratio in the scale, farthest",
            predicted,
            farthest(exponents, predicted),
            rtol=0.05,
        ),
        fraction(
            "starts for which that ratio falls at every scale",
            int((ratios.diff(dim=1) < 0).all(1).sum()),
            starts,
            at_least=1,
        ),
        fraction(
            "starts whose trace rises from the scale 0.01 on",
            int((late.diff(dim=1) > 0).all(1).sum()),
            starts,
            at_least=1,
        ),
    )
    control = Control(
        f"start of scale {scales[0]:g}: second over first eigenvalue, smallest",
        Check.at_least("smallest ratio", float(ratios[:, 0].min()), 0.02),
    )
    evidence = {
        "scales": torch.tensor(scales, dtype=torch.float64),
        "traces": traces,
        "ratios": ratios,
    }
    return Evidence(checks, control, evidence, {"starts": starts})


def farthest(values: Tensor, target: float) -> float:
    """The one of `values` (K,) that is farthest from `target`."""
    return float(values[(values - target).abs().nan_to_num(math.inf).argmax()])


def completion_model(seen: SeenEntries) -> SymmetricFactorization:
    """U U^T observed at known entries, through dense matrices: for a matrix this small they are faster."""
    return SymmetricFactorization(
        Sensing(Entries(seen.rows, seen.columns, seen.shape).dense())
    )


def random_symmetric_starts(setting: Setting, count: int) -> Tensor:
    """Random symmetric matrices of spectral norm 1, (count, 4, 4)."""
    generators = [
        torch.Generator().manual_seed(seed)
        for seed in setting.seeds(count, "small symmetric starts")
    ]
    drawn = torch.stack(
        [torch.randn(4, 4, generator=g, dtype=torch.float64) for g in generators]
    )
    symmetric = (drawn + drawn.mT) / 2
    return symmetric / torch.linalg.matrix_norm(symmetric, 2)[:, None, None]


def completed(
    model: SymmetricFactorization, seen: SeenEntries, factor: Tensor
) -> StiffRun:
    """Gradient flow from U = `factor` (d, d) to a loss of 1e-24."""
    return stiff_flow(
        model, seen.targets, factor.flatten(), target_loss=1e-24, tolerance=1e-8
    )


def least_trace(seen: SeenEntries) -> NuclearMinimum:
    """The least trace of a positive semidefinite completion; of each pair of mirror images one entry is used."""
    upper = seen.rows <= seen.columns
    matrices = Entries(seen.rows[upper], seen.columns[upper], seen.shape).dense()
    return minimum_nuclear_norm(matrices, seen.targets[upper], semidefinite=True)
