"""Rank as the bias of matrix factorization: dynamics of singular values, greedy low-rank learning, completion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.dynamics.factor_descent import FactorRun, descend_factors
from ibcore.dynamics.stiff_flow import Array, StiffRun, integrate, stiff_flow
from ibcore.evidence import Check, Control, Evidence
from ibcore.measures.polylines import distances
from ibcore.models.matrix_factorization import (
    DeepFactorization,
    SymmetricFactorization,
    factorization,
)
from ibcore.models.observations import Entries, Sensing
from ibcore.oracles.greedy_low_rank import Greedy, greedy_low_rank
from ibcore.oracles.nuclear_minimization import minimum_nuclear_norm, nuclear_completion
from ibcore.oracles.singular_dynamics import end_to_end_flow, singular_rates
from ibcore.problems.planted_low_rank import (
    gaussian_matrices,
    gaussian_product,
    random_orthogonal,
    revealed_entries,
    semidefinite,
)
from ibcore.threads import threads

SIZE, RANK, SHARE = 5, 2, 0.6  # of the matrices whose singular values are followed
STOPS = tuple(torch.logspace(-1, 2.3, 60).tolist())
FITTED = 1e-7  # mean square loss at which a flow that learns rank by rank is at its end
CLOSEST = 0.75  # lambda_2/lambda_1 of -grad f before a stage: closer ones need still smaller starts
RESOLVED = 1e-4  # distances between curves below this are errors of integration and of segments
SMALL = {
    2: 1e-6,
    4: 0.3,
}  # alpha at other depths than 3 for completion: entries of the layers N(0, alpha^2 / d)
SENSED, READINGS, SENSING_SCALE, SENSING_STEPS = (
    10,
    50,
    0.03,
    2500,
)  # Gaussian sensing: d, n, alpha, steps
SAFETY = 0.8
FAILS = (
    0.01  # relative error of the nuclear-norm solution above which an instance is kept
)


@claim(
    kind="theorem",
    source="Arora, Cohen, Hu and Luo 2019, on the singular values of the product "
    "(recalled, and proved on the page for simple ones); conservation and the "
    "end-to-end equation: Arora, Cohen and Hazan 2018 (recalled, and proved there)",
    statement=r"Under gradient flow on an analytic loss $\ell(W)$ of $W = W_k \cdots "
    r"W_1$ from a balanced start, singular values obey $\sigma_r' = -k \sigma_r^{2 - "
    r"2/k} \langle \nabla \ell(W), u_r v_r^T \rangle$: large ones move fast, the more "
    "so the deeper.",
    quick={"depths": (2, 3), "instances": 3},
    book={"depths": (2, 3, 4), "instances": 8},
    full={"depths": (2, 3, 4, 5), "instances": 20},
)
def deep_mf_singular_dynamics(
    setting: Setting, *, depths: Sequence[int], instances: int
) -> Evidence:
    """Rates along the raw flow against the formula, and singular values against the flow of W alone."""
    runs = {
        k: [followed(seed, k) for seed in setting.seeds(instances, "singular dynamics")]
        for k in depths
    }
    checks = [
        check for depth, found in runs.items() for check in _rates_hold(depth, found)
    ]
    seeds, depth = setting.seeds(instances, "singular dynamics"), depths[0]
    control = off_balance(
        depth, [followed(seed, depth, tilt=3.0).rates for seed in seeds]
    )
    data = {
        "times": torch.tensor(STOPS),
        "measured": {k: found[0].values for k, found in runs.items()},
        "predicted": {k: found[0].predicted for k, found in runs.items()},
    }
    return Evidence(tuple(checks), control, data, {"problems": instances})


def off_balance(depth: int, rates: Sequence[float]) -> Control:
    """The control of `deep_mf_singular_dynamics`: differences of the rates from the formula, one a flow."""
    return Control(
        f"depth {depth}: the same W at the start, W_1 tripled and W_{depth} divided by three",
        Check.each(
            "difference of the rates from the formula",
            rates,
            at_least=0.1,
            tag="observed",
            reason="a tenth of the largest rate, a thousand times the bar of the claim",
        ),
        math=f"depth {depth}: the same $W$ at the start, $W_1$ tripled and "
        f"$W_{depth}$ divided by three",
    )


def _rates_hold(depth: int, found: Sequence[Followed]) -> tuple[Check, ...]:
    return (
        Check.each(
            f"depth {depth}: rates, difference from the formula",
            [r.rates for r in found],
            at_most=1e-4,
            tag="proved",
            reason="the integrator's tolerance 1e-9, over gaps of singular values above 1e-5",
            precision=True,
        ),
        Check.each(
            f"depth {depth}: singular values against the flow of W alone",
            [r.drift for r in found],
            at_most=1e-4,
            tag="proved",
            math=f"depth {depth}: singular values against the flow of $W$ alone",
            reason="the tolerance 1e-9 of both integrations, which a growth by 10 amplifies",
            precision=True,
        ),
        Check.each(
            f"depth {depth}: largest singular value at the end over that at the start",
            [r.growth for r in found],
            at_least=3,
            tag="observed",
            reason="so that the flow has left the neighborhood of its start",
        ),
    )


@dataclass(frozen=True)
class Followed:
    """One flow. rates: largest difference of a sigma_r' from the formula over the largest rate at that time.

    drift: largest relative difference of a singular value from that of the flow of W alone.      growth: of sigma_1,
    from the start to the end.      values, predicted: (K, d) singular values at `STOPS`, of layers and of the oracle.
    """

    rates: float
    drift: float
    growth: float
    values: Tensor
    predicted: Tensor


def followed(seed: int, depth: int, *, tilt: float = 1.0) -> Followed:
    """Completion of a random matrix by gradient flow on the layers from a start that is balanced if `tilt` is 1."""
    generator = torch.Generator().manual_seed(seed)
    truth = gaussian_product(SIZE, RANK, generator)
    truth = truth / torch.linalg.matrix_norm(truth, 2)
    model = factorization(
        Entries(*revealed_entries(SIZE, SHARE, generator), (SIZE, SIZE)), depth
    )
    y = model.observations.read(truth[None])[0]
    start = balanced_layers(depth, generator, tilt=tilt).flatten()
    run = stiff_flow(model, y, start, target_loss=0, times=STOPS, tolerance=1e-9)
    products, slopes = (
        model.product(run.path),
        _slope(model.observations, y, model.product(run.path)),
    )
    moves = (
        model.jacobian(run.path).mT
        @ (2 / len(y) * (model.outputs(run.path) - y))[..., None]
    )
    measured = _rates(model, run.path, -moves[..., 0])
    formula = singular_rates(products, slopes, depth)
    predicted = end_to_end_flow(
        lambda W: _slope(model.observations, y, torch.from_numpy(W)[None])[0].numpy(),
        model.product(start[None])[0],
        depth,
        STOPS,
        tolerance=1e-9,
    )
    values, alone = torch.linalg.svdvals(products), torch.linalg.svdvals(predicted)
    size = measured.abs().amax(-1, keepdim=True)
    growth = float(
        values[-1, 0] / torch.linalg.matrix_norm(model.product(start[None])[0], 2)
    )
    return Followed(
        float(((measured - formula).abs() / size).max()),
        float((values / alone - 1).abs().max()),
        growth,
        values,
        alone,
    )


def balanced_layers(
    depth: int, generator: torch.Generator, *, tilt: float = 1.0
) -> Tensor:
    """W_j = Q_j diag(s)^(1/k) Q_(j-1)^T with random orthogonal Q_j and s from 0.01 to 0.1: (k, d, d).

    tilt: W_1 is multiplied by it and W_k divided, which leaves the product and breaks the balance.
    """
    frames = [random_orthogonal(SIZE, generator) for _ in range(depth + 1)]
    root = torch.logspace(-2, -1, SIZE, dtype=torch.float64) ** (1 / depth)
    layers = torch.stack([frames[j + 1] * root @ frames[j].mT for j in range(depth)])
    layers[0] *= tilt
    layers[-1] /= tilt
    return layers


def _slope(observations: Entries | Sensing, y: Tensor, products: Tensor) -> Tensor:
    """Gradient of the mean square loss with respect to W at W (B, p, q)."""
    return observations.spread(2 / y.shape[-1] * (observations.read(products) - y))


def _rates(model: DeepFactorization, theta: Tensor, velocity: Tensor) -> Tensor:
    """sigma_r' = u_r^T W' v_r, (B, d), W' being the change of the product when all layers move with `velocity`."""
    below, *layers = model.layers(theta)
    moved, *moves = model.layers(velocity)
    for layer, move in zip(layers, moves, strict=True):
        moved, below = layer @ moved + move @ below, layer @ below
    left, _, right = torch.linalg.svd(below)
    return torch.einsum("zir,zij,zrj->zr", left, moved, right)


@claim(
    kind="empirical",
    source="Li, Luo and Lyu 2021 (recalled): proved for depth 2 and symmetric W = U "
    "U^T, stage by stage, under assumptions on eigenvalues and convergence; Jin et al. "
    "2023 (recalled): all stages of gradient descent under restricted isometry; the "
    "approach of whole paths is measured here",
    statement="As the start shrinks, the first stage of gradient flow on $f(U U^T)$ "
    "is that of greedy low-rank learning, and in these runs the whole path follows: "
    "from a stationary point of rank $r - 1$ it leaves along the top eigenvector of "
    r"$-\nabla f$ and goes to one of rank $r$.",
    quick={
        "size": 8,
        "observed": 33,
        "spectrum": (1.0, 0.25),
        "scales": (1e-16, 1e-64),
        "instances": 3,
    },
    book={
        "size": 15,
        "observed": 90,
        "spectrum": (1.0, 0.4, 0.15),
        "scales": (1e-12, 1e-16, 1e-32, 1e-64),
        "instances": 8,
    },
    full={
        "size": 15,
        "observed": 90,
        "spectrum": (1.0, 0.4, 0.15),
        "scales": (1e-12, 1e-16, 1e-32, 1e-64),
        "instances": 20,
    },
)
def mf_glrl(
    setting: Setting,
    *,
    size: int,
    observed: int,
    spectrum: Sequence[float],
    scales: Sequence[float],
    instances: int,
) -> Evidence:
    """Distance of the flow from the path of the algorithm, for falling scales of the start."""

    def keep(generator: torch.Generator) -> tuple[Sensed, Greedy] | None:
        problem = sensed(generator.initial_seed(), size, observed, spectrum)
        path = greedy_low_rank(problem.A, problem.y, rank=len(spectrum))
        return (
            (problem, path)
            if float((path.eigenvalues[:, 1] / path.eigenvalues[:, 0]).max()) <= CLOSEST
            else None
        )

    kept, close = setting.draw(instances, "greedy low rank", keep)
    problems, paths = zip(*kept, strict=True)
    flows = [
        [tracked(problem, path.basis, scale) for scale in scales]
        for problem, path in zip(problems, paths, strict=True)
    ]
    far = torch.tensor(
        [
            [float(distances(flow.products, path.path).max()) for flow in row]
            for row, path in zip(flows, paths, strict=True)
        ]
    )
    missed = [
        _missed(row[-1].products, path) for row, path in zip(flows, paths, strict=True)
    ]
    first = [
        float(distances(_first_stage(row[-1].products, path), path.path).max())
        for row, path in zip(flows, paths, strict=True)
    ]
    smallest = f"$10^{{{math.log10(scales[-1]):.0f}}}$"
    checks = (
        Check.each(
            "corners of the algorithm: |grad| of f(U U^T)",
            [float(path.stationarity.max()) for path in paths],
            at_most=1e-6,
            tag="derived",
            math=r"corners of the algorithm: $|\nabla f(UU^T)|$",
            reason="where the descent that finds the corners stops",
            precision=True,
        ),
        Check.each(
            "runs that did not fit the observations",
            [float(not flow.run.complete) for row in flows for flow in row],
            at_most=0.0,
            tag="observed",
            reason="a run that ends early shows nothing",
        ),
        Check.each(
            f"first stage: distance from the path at scale {scales[-1]:.0e}",
            first,
            math=f"first stage: distance from the path at scale {smallest}",
            at_most=10 * RESOLVED,
            tag="derived",
            reason="the theorem has the limit of vanishing scale; ten times the "
            "resolution of curves made of segments",
            precision=True,
        ),
        Check.each(
            "distance from the path at the smallest scale over that at the largest",
            far[:, -1] / far[:, 0],
            at_most=1.0,
            tag="observed",
            reason="what the limit of vanishing scale lets expect",
        ),
        Check.each(
            f"distance from the path at scale {scales[-1]:.0e}",
            far[:, -1],
            math=f"distance from the path at scale {smallest}",
            at_most=10 * RESOLVED,
            tag="observed",
            reason="ten times the resolution of curves made of segments",
        ),
        Check.each(
            f"saddles passed at scale {scales[-1]:.0e}: distance",
            missed,
            math=f"saddles passed at scale {smallest}: distance",
            at_most=10 * RESOLVED,
            tag="observed",
            reason="ten times the resolution of curves made of segments",
            precision=True,
        ),
    )
    large = tracked(problems[0], paths[0].basis, 0.02, fitted=1e-4)
    data = {
        "scales": torch.tensor(list(scales), dtype=torch.float64),
        "far": far,
        "path": paths[0],
        "flow": flows[0][-1].products,
        "large": large.products,
    }
    apart = [
        distance_from(tracked(one, path.basis, 0.02, fitted=1e-4), path)
        for one, path in zip(problems, paths, strict=True)
    ]
    return Evidence(
        checks,
        start_of_size(apart),
        data,
        {"problems": instances, "rejected (eigenvalues closer than 3/4)": close},
    )


def distance_from(flow: Tracked, path: Greedy) -> float:
    """The largest distance of a flow from the path of the algorithm; NaN where it did not fit."""
    far = float(distances(flow.products, path.path).max())
    return far if flow.run.complete else math.nan


def start_of_size(apart: Sequence[float]) -> Control:
    """The control of `mf_glrl`: distances of flows from the path of the algorithm, one a problem."""
    return Control(
        "start of scale 0.02 instead",
        Check.each(
            "distance from the path",
            apart,
            at_least=0.02,
            tag="observed",
            reason="twenty times the bar of the claim",
        ),
    )


@dataclass(frozen=True)
class Sensed:
    """Symmetric matrices A (n, d, d), observations y (n,) of `truth` (d, d)."""

    A: Tensor
    y: Tensor
    truth: Tensor


@threads()
def sensed(seed: int, size: int, observed: int, spectrum: Sequence[float]) -> Sensed:
    """A positive semidefinite matrix with the eigenvalues `spectrum`, observed through random symmetric matrices."""
    generator = torch.Generator().manual_seed(seed)
    truth = semidefinite(size, spectrum, generator)
    A = gaussian_matrices(observed, size, generator, symmetric=True)
    return Sensed(A, Sensing(A).read(truth[None])[0], truth)


@dataclass(frozen=True)
class Tracked:
    """A flow of U U^T, and W at the steps of the integrator: products (K, d, d)."""

    run: StiffRun
    products: Tensor


def tracked(
    problem: Sensed, basis: Tensor, scale: float, *, fitted: float = FITTED
) -> Tracked:
    """Gradient flow from U U^T = `scale` I until the loss is `fitted`.

    U(0) is a multiple of `basis`, the eigenvectors of -grad f(0): then the
    columns of U, which the flow moves each on its own, grow one after
    another, and a small one is not lost in the rounding of a large one.
    """
    model, n = SymmetricFactorization(Sensing(problem.A)), len(problem.y)
    visited: list[Array] = []

    def residual(x: Array) -> tuple[Tensor, Tensor]:
        theta = torch.from_numpy(x)[None]
        return theta, model.outputs(theta) - problem.y

    def velocity(x: Array) -> Array:
        theta, rest = residual(x)
        return -2 / n * model.pullback(theta, rest)[0].numpy()

    def done(x: Array) -> bool:
        visited.append(x.copy())
        return float(residual(x)[1].square().mean()) <= fitted

    run = integrate(
        velocity,
        None,
        scale**0.5 * basis.flatten(),
        done=done,
        method="DOP853",
        tolerance=1e-6,
        floor=1e-6 * scale**0.5,
        max_steps=4000,
    )
    path = torch.stack([torch.from_numpy(x) for x in visited])
    return Tracked(run, model.product(path))


def _first_stage(products: Tensor, path: Greedy) -> Tensor:
    """The flow (K, d, d) until it is closest to the first corner W_1 of the path."""
    gaps = torch.linalg.matrix_norm(products - path.corners[1])
    return products[: int(gaps.argmin()) + 1]


def _missed(products: Tensor, path: Greedy) -> float:
    """The largest distance between the flow and one of the saddles W_1, ..., W_(R-1) of the path."""
    return float(
        torch.cdist(path.corners[1:-1].flatten(1), products.flatten(1)).amin(1).max()
    )


@claim(
    kind="empirical",
    source="Arora, Cohen, Hu and Luo 2019, the experiments on matrix completion "
    "(recalled); sizes, scales and bars are ours",
    statement="Where the completion of least nuclear norm is wrong, gradient descent "
    "on $W_3 W_2 W_1$ from a small start is mostly right: closer to the matrix of low "
    "rank on nine of ten instances, ten times closer on three of four.",
    quick={
        "size": 15,
        "rank": 1,
        "share": 0.45,
        "instances": 32,
        "scale": 0.05,
        "steps": 600,
        "depths": (3,),
        "sensing": 0,
    },
    book={
        "size": 30,
        "rank": 3,
        "share": 0.4,
        "instances": 32,
        "scale": 0.08,
        "steps": 2000,
        "depths": (2, 3),
        "sensing": 32,
    },
    full={
        "size": 30,
        "rank": 3,
        "share": 0.35,
        "instances": 48,
        "scale": 0.08,
        "steps": 8000,
        "depths": (2, 3),
        "sensing": 48,
    },
)
def mf_completion_rank(
    setting: Setting,
    *,
    size: int,
    rank: int,
    share: float,
    instances: int,
    scale: float,
    steps: int,
    depths: Sequence[int],
    sensing: int,
) -> Evidence:
    """Relative errors of descent and of the certified nuclear-norm solution on matrices of known low rank.

    scale: of the start at depth 3.      sensing: problems with Gaussian observations.
    """
    found, exact = draw_hidden(setting, instances, size, rank, share)
    stops = sorted({max(1, round(steps * part)) for part in (0.1, 0.2, 0.4, 0.7, 1.0)})
    errors = {
        k: found.errors(
            descended(setting, found, k, SMALL.get(k, scale), stops).products
        )
        for k in depths
    }
    checks = [
        Check.each(
            "nuclear norm: relative duality gap",
            found.gap,
            at_most=1e-4,
            tag="derived",
            reason="a hundredth of the error above which an instance is kept",
            precision=True,
        ),
        *(
            _ahead(
                f"depth {depth}: closer to the truth than the nuclear-norm solution",
                errors[depth][-1] / found.nuclear,
                1.0,
                0.9,
            )
            for depth in depths
        ),
    ]
    if 3 in depths:
        checks.append(
            _ahead(
                "depth 3: ten times closer", errors[3][-1] / found.nuclear, 0.1, 0.75
            )
        )
    notes: dict[str, float | int | str] = {
        "instances": instances,
        "left out (the nuclear norm errs by less than 1 percent)": exact,
    }
    data = {
        "nuclear": found.nuclear,
        "errors": errors,
        "steps": stops,
        "truth": found.truth[0],
    }
    if sensing:
        other, more = draw_sensed(setting, sensing)
        run = descended(setting, other, 3, SENSING_SCALE, [SENSING_STEPS])
        error = other.errors(run.products)[-1]
        checks.append(
            _ahead(
                "depth 3, Gaussian observations: ten times closer",
                error / other.nuclear,
                0.1,
                0.75,
            )
        )
        notes["sensing: left out"] = more
        data |= {"sensing": error, "sensing nuclear": other.nuclear}
    large = found.errors(
        descended(setting, found, 3, 1.0, [max(1, steps // 4)]).products
    )[-1]
    control = Control(
        "depth 3 from a start of scale 1",
        Check.share(
            "closer to the truth than the nuclear-norm solution",
            large / found.nuclear,
            at_most=1.0,
            most=0.25,
            tag="observed",
            reason="the bar of the claim",
        ),
    )
    return Evidence(tuple(checks), control, data, notes)


def _ahead(name: str, ratios: Tensor, factor: float, least: float) -> Check:
    """The share of instances whose error is at most `factor` times that of the nuclear-norm solution."""
    return Check.share(
        name,
        ratios,
        at_most=factor,
        least=least,
        tag="observed",
        reason="the trend is that of the source's experiments; the share asked for is "
        "below that on other seeds",
    )


@dataclass(frozen=True)
class Hidden:
    """Problems with a known matrix. truth: (B, d, d), y: (B, n), its observations.      nuclear: (B,) relative errors
    of the solutions of least nuclear norm.      gap: (B,) their duality gaps.
    """

    truth: Tensor
    observations: Entries | Sensing
    y: Tensor
    nuclear: Tensor
    gap: Tensor

    def errors(self, products: Tensor) -> Tensor:
        """Relative errors |W - W*| / |W*| of W (..., B, d, d), in the Frobenius norm: (..., B)."""
        norm = torch.linalg.matrix_norm
        return norm(products - self.truth) / norm(self.truth)


def draw_hidden(
    setting: Setting, count: int, size: int, rank: int, share: float
) -> tuple[Hidden, int]:
    """Completions that the least nuclear norm gets wrong by more than `FAILS`, and how many others were drawn."""

    def keep(
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor, Tensor, float, float] | None:
        truth = gaussian_product(size, rank, generator)
        rows, columns = revealed_entries(size, share, generator)
        best = nuclear_completion(
            rows, columns, truth[rows, columns], (size, size), tolerance=1e-6
        )
        error = float((best.matrix - truth).norm() / truth.norm())
        return (truth, rows, columns, error, best.gap) if error > FAILS else None

    kept, exact = setting.draw(count, f"completion {size} {rank} {share}", keep)
    truth, rows, columns = (
        torch.stack(part).to(setting.device)
        for part in list(zip(*kept, strict=True))[:3]
    )
    seen = Entries(rows, columns, (size, size))
    return Hidden(
        truth,
        seen,
        seen.read(truth),
        torch.tensor([k[3] for k in kept], device=truth.device, dtype=truth.dtype),
        torch.tensor([k[4] for k in kept]),
    ), exact


def draw_sensed(setting: Setting, count: int) -> tuple[Hidden, int]:
    """The same for `READINGS` observations through Gaussian matrices of a matrix of size `SENSED` and rank 2."""

    def keep(generator: torch.Generator) -> tuple[Tensor, Tensor, float, float] | None:
        truth, A = (
            gaussian_product(SENSED, 2, generator),
            gaussian_matrices(READINGS, SENSED, generator),
        )
        best = minimum_nuclear_norm(A, Sensing(A).read(truth[None])[0], tolerance=1e-6)
        error = float((best.matrix - truth).norm() / truth.norm())
        return (truth, A, error, best.gap) if error > FAILS else None

    kept, exact = setting.draw(count, "gaussian sensing", keep)
    truth, A = (
        torch.stack(part).to(setting.device)
        for part in list(zip(*kept, strict=True))[:2]
    )
    seen = Sensing(A)
    return Hidden(
        truth,
        seen,
        seen.read(truth),
        torch.tensor([k[2] for k in kept], device=truth.device, dtype=truth.dtype),
        torch.tensor([k[3] for k in kept]),
    ), exact


def descended(
    setting: Setting, hidden: Hidden, depth: int, scale: float, stops: Sequence[int]
) -> FactorRun:
    """Gradient descent on all problems at once from layers with entries N(0, scale^2 / d)."""
    batch, size, _ = hidden.truth.shape
    generator = torch.Generator().manual_seed(setting.seeds(1, f"layers {depth}")[0])
    layers = (
        scale
        / size**0.5
        * torch.randn(
            depth, batch, size, size, generator=generator, dtype=torch.float64
        )
    )
    return descend_factors(
        lambda W: _slope(hidden.observations, hidden.y, W),
        layers.to(hidden.truth),
        stops,
        safety=SAFETY,
    )
