"""A completion all of whose norms go to infinity while the loss goes to zero: the law of the free entry."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ibcore.claims import Setting, claim
from ibcore.dynamics.complex_step import complex_jacobian
from ibcore.dynamics.stiff_flow import StiffRun, integrate
from ibcore.evidence import Check, Control, Evidence
from ibcore.models.runaway_completion import (
    RawWeights,
    Reduced,
    balanced_layers,
    balanced_rotations,
    loss,
    product,
)
from ibcore.oracles import runaway_completion as law
from ibcore.threads import threads

Array = NDArray[np.float64]
LARGEST, LEAST = 0.3, 0.03  # eigenvalues of W(0)
HALF_SUM = 1.5  # our time, for the mean of three squares, per time of half their sum
EARLY = tuple(HALF_SUM * t for t in (1.0, 10.0, 30.0))
LATE = tuple(HALF_SUM * t for t in (1e4, 1e5, 1e6, 1e7, 1e8))
REDUCED = (*EARLY, *LATE, *(HALF_SUM * t for t in (1e12, 1e16, 1e20, 1e24, 1e28, 1e32)))
AT = {t: i for i, t in enumerate(REDUCED)}
LOPSIDED = tuple(float(t) for t in np.geomspace(0.1, 20, 20))
STARTS_OFF_SYMMETRY = 4  # least number of them at each depth


@dataclass(frozen=True)
class Path:
    """One start at one depth, at the times `REDUCED`: W_11, L and log(sigma_2/sigma_1), each (K,), and how it ended."""

    entry: Array
    loss: Array
    log_ratio: Array
    complete: bool


Paths = Mapping[int, Sequence[Path]]


def draw_matrix(seed: int) -> Array:
    """W(0) = R diag(s) R^T, R a uniform rotation, s log-uniform in [0.03, 0.3]."""
    rng = np.random.default_rng(seed)
    values, angle = (
        np.exp(rng.uniform(math.log(LEAST), math.log(LARGEST), 2)),
        rng.uniform(0, math.pi),
    )
    basis = np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    return np.asarray(basis * values @ basis.T)


def draw_lopsided(seed: int) -> Array:
    """W(0) that is not symmetric, with det W(0) > 0: nearly a multiple of e_1 e_2^T, so that W_12 is fitted long before
    W_21, and the path is close to the matrices of loss just below 1/3 for which W_12 W_21 is least.
    """
    rng = np.random.default_rng(seed)
    first, second = rng.uniform(0.01, 0.03, 2)
    values = np.array([rng.uniform(0.8, 1), 10 ** rng.uniform(-4, -3)])
    left = np.array(
        [
            [math.cos(first), -math.sin(first)],
            [math.sin(first), math.cos(first)],
        ]
    )
    right = np.array(
        [
            [math.sin(second), -math.cos(second)],
            [math.cos(second), math.sin(second)],
        ]
    )
    return np.asarray(left * values @ right.T)


def follow(matrix: Array, depth: int, times: Sequence[float] = REDUCED) -> Path:
    """The flow in reduced coordinates and log-time, which cannot lose the sign of the determinant: log det is one.

    By LSODA, which now and then gives up here, and then by BDF; NaN where that gives up too.
    """
    reduced = Reduced(depth)
    for method in ("LSODA", "BDF"):
        run = integrate(
            reduced.field,
            complex_jacobian(reduced.field),
            reduced.start(matrix),
            times=[math.log1p(t) for t in times],
            tolerance=3e-9,
            floor=1e-12,
            method=method,
        )
        if run.complete:
            break
    if not run.complete:
        nothing = np.full(len(times), math.nan)
        return Path(nothing, nothing, nothing, complete=False)
    states = run.path.numpy()
    return Path(
        reduced.entries(states)[0],
        reduced.loss(states),
        reduced.log_ratio(states),
        run.complete,
    )


@threads()
def follow_raw(
    layers: Array, times: Sequence[float], tolerance: float
) -> tuple[StiffRun, Array]:
    """The flow in the weights from `layers` (k, 2, 2) by LSODA, watching the signs of det W_j; W, (K, 2, 2)."""
    depth = len(layers)
    raw = RawWeights(depth)
    run = integrate(
        raw.field,
        complex_jacobian(raw.field),
        torch.from_numpy(layers.ravel()),
        times=times,
        tolerance=tolerance,
        invariants={"sign": raw.signs},
    )
    return run, product(run.path.numpy().reshape(len(times), depth, 2, 2))


def mirrored(matrix: Array) -> Array:
    """The symmetric matrix with the same eigenvectors and the smaller eigenvalue negated: a negative determinant."""
    values, basis = np.linalg.eigh(matrix)
    return np.asarray(basis * (values * [-1, 1]) @ basis.T)


@claim(
    kind="theorem",
    source="Razin and Cohen 2020, Theorem 1 and Corollary 1 (abstract read, theorem "
    "recalled), that all norms diverge and the rank falls to one; proof and bound on "
    "the page; the laws in t derived on the page, to leading order",
    statement=r"Observe $W_{12} = W_{21} = 1$ and $W_{22} = 0$ of a $2 \times 2$ "
    r"matrix. For $W = W_k \cdots W_1$, $k \ge 2$, from a balanced start with $\det W "
    "> 0$, gradient flow that drives the loss to zero drives every norm to infinity, "
    "although the solution of least Schatten norm has $W_{11} = 0$. To leading order, "
    r"from symmetric starts, $W_{11} \sim (4 (k + 1) t / 3)^{k / (2k + 2)}$.",
    quick={"starts": 2, "depths": (2, 3)},
    book={"starts": 8, "depths": (2, 3, 4)},
    full={"starts": 100, "depths": (2, 3, 4)},
)
def mf_norm_to_infinity(
    setting: Setting, *, starts: int, depths: Sequence[int]
) -> Evidence:
    """The free entry against its law to t = 1.5e32, in reduced coordinates that agree with the raw weights."""
    matrices = [
        draw_matrix(seed) for seed in setting.seeds(starts, "runaway completion")
    ]
    paths = {k: [follow(matrix, k) for matrix in matrices] for k in depths}
    lopsided = [
        draw_lopsided(seed)
        for seed in setting.seeds(max(starts, STARTS_OFF_SYMMETRY), "off symmetry")
    ]
    checks = (
        *_laws(paths),
        judge_off_symmetry(run_off_symmetry(lopsided, depths)),
        *_rank(paths),
        *_raw_checks(matrices, paths),
        *_unguarded(matrices),
    )
    data = {
        "times": np.array(REDUCED),
        **{
            name: {
                k: np.stack([getattr(path, name) for path in paths[k]]) for k in depths
            }
            for name in ("entry", "loss", "log_ratio")
        },
    }
    return Evidence(checks, _negative(matrices, depths), data, {"starts": starts})


def _laws(paths: Paths) -> tuple[Check, ...]:
    """Entry and loss over their laws, exponents, and the bound that holds at any time."""
    middle, end = AT[LATE[-1]], REDUCED[-1]
    every = [(k, path) for k, group in paths.items() for path in group]
    return (
        *(
            Check.each(
                f"depth {k}: W_11 over its law at t = 1.5e8",
                [path.entry[middle] / law.entry(k, LATE[-1]) for path in group],
                equals=1,
                atol=1e-4,
                tag="derived",
                math=rf"depth {k}: $W_{{11}}$ over its law at $t = 1.5 \cdot 10^8$",
                reason="a leading term without a bound on the rest, which was 7e-6 at "
                "depth 2 and less at depths 3 and 4",
            )
            for k, group in paths.items()
        ),
        Check.each(
            "W_11 over its law at t = 1.5e32",
            [path.entry[-1] / law.entry(k, end) for k, path in every],
            equals=1,
            atol=1e-6,
            tag="derived",
            math=r"$W_{11}$ over its law at $t = 1.5 \cdot 10^{32}$",
            reason="the rest of the law has fallen below the integrator's tolerance "
            "3e-9, whose errors add up",
            precision=True,
        ),
        Check.each(
            "exponent of W_11 in t, less k/(2k + 2)",
            [_exponent(np.log(path.entry)) - law.exponent(k) for k, path in every],
            equals=0,
            atol=1e-4,
            tag="derived",
            math=r"exponent of $W_{11}$ in $t$, less $k/(2k + 2)$",
            reason="as above, over a window of 20 powers of ten",
            precision=True,
        ),
        Check.each(
            "loss over its law at t = 1.5e32",
            [path.loss[-1] / law.loss(k, end) for k, path in every],
            equals=1,
            atol=1e-4,
            tag="derived",
            math=r"loss over its law at $t = 1.5 \cdot 10^{32}$",
            reason="the loss is a difference of entries of size 1, of which the "
            "reduced coordinates keep the relative precision",
            precision=True,
        ),
        Check.each(
            "W_11 over its lower bound by the loss, to t = 1.5e8",
            [_over_bound(path) for _, path in every],
            at_least=1,
            tag="proved",
            math=r"$W_{11}$ over its lower bound by the loss, to $t = 1.5 \cdot 10^8$",
            reason="the bound of the theorem, proved on the page",
        ),
    )


def _over_bound(path: Path) -> float:
    """Least W_11 over its lower bound by the loss, at the times to 1.5e8 at which the loss is below 1/3."""
    entries, losses = (part[: AT[LATE[-1]] + 1] for part in (path.entry, path.loss))
    return least_over_bound(entries, losses)


def least_over_bound(entries: Array, losses: Array) -> float:
    """Least W_11 over its lower bound by the loss where this is below 1/3; NaN where it nowhere is."""
    ratios = [
        entry / law.least_entry(float(value))
        for entry, value in zip(entries, losses, strict=True)
        if not value >= 1 / 3
    ]
    return float(np.min(ratios)) if ratios else math.nan


def run_off_symmetry(matrices: Sequence[Array], depths: Sequence[int]) -> list[float]:
    """`least_over_bound` in the raw weights to t = 20, one number a start and depth.

    NaN where the run ended early or a determinant changed its sign, which gradient flow cannot do.
    """
    found = []
    for k in depths:
        for matrix in matrices:
            run, path = follow_raw(balanced_rotations(matrix, k), LOPSIDED, 1e-11)
            trusted = run.complete and run.drift["sign"] == 0
            ratio = least_over_bound(path[:, 0, 0], loss(path))
            found.append(ratio if trusted else math.nan)
    return found


def judge_off_symmetry(ratios: Sequence[float]) -> Check:
    """The bound for matrices that are not symmetric, where W_12 and W_21 are fitted one after the other."""
    return Check.each(
        "not symmetric: W_11 over its lower bound by the loss, to t = 20",
        ratios,
        at_least=1,
        tag="proved",
        math="not symmetric: $W_{11}$ over its lower bound by the loss, to $t = 20$",
        reason="the bound of the theorem, proved on the page, for losses from 1/3 on",
    )


def _rank(paths: Paths) -> tuple[Check, ...]:
    """sigma_2/sigma_1 against its laws: below all powers at depth 2, a power for deeper products."""
    deep = [
        _exponent(path.log_ratio) / law.ratio_exponent(k)
        for k in paths
        if k > 2
        for path in paths[k]
    ]
    two = [
        path.log_ratio[-1] / law.log_ratio_at_depth_two(REDUCED[-1])
        for path in paths.get(2, ())
    ]
    checks = []
    if deep:
        checks.append(
            Check.each(
                "depth > 2: exponent of sigma_2/sigma_1 over its law",
                deep,
                equals=1,
                atol=1e-3,
                tag="derived",
                math=r"depth above 2: exponent of $\sigma_2/\sigma_1$ over its law",
                reason="a leading term, of which the rest has fallen below the "
                "integrator's tolerance; 1e-8 was measured",
                precision=True,
            )
        )
    if two:
        checks.append(
            Check.each(
                "depth 2: log(sigma_2/sigma_1) over its law at t = 1.5e32",
                two,
                equals=1,
                atol=1e-4,
                tag="derived",
                math=r"depth 2: $\log(\sigma_2/\sigma_1)$ over its law at $t = 1.5 "
                r"\cdot 10^{32}$",
                reason="a leading term, of which the rest has fallen below the "
                "integrator's tolerance; 3e-8 was measured",
                precision=True,
            )
        )
    return tuple(checks)


def _raw_checks(matrices: Sequence[Array], paths: Paths) -> tuple[Check, ...]:
    """The weights themselves from the first start: all depths to t = 45, depth 3 to t = 1.5e8."""
    gaps, flips = [], []
    for k, group in paths.items():
        times = (*EARLY, *LATE) if k == 3 else EARLY
        run, matrix = follow_raw(balanced_layers(matrices[0], k), times, 1e-11)
        reduced = group[0].entry[[AT[t] for t in times]]
        gaps.append(float(np.abs(matrix[:, 0, 0] / reduced - 1).max()))
        flips.append(run.drift["sign"] if run.complete else math.nan)
    return (
        Check.each(
            "W_11 in raw weights over reduced coordinates less 1",
            gaps,
            at_most=1e-4,
            tag="derived",
            math=r"$|W_{11}$ in raw weights over reduced coordinates less $1|$",
            reason=r"an imbalance of rounding size grows like $\exp(W_{11}^2/4)$ at depth 2",
            precision=True,
        ),
        Check.each(
            "raw weights there: changes of sign of det W_j",
            flips,
            equals=0,
            tag="proved",
            math=r"raw weights there: changes of sign of $\det W_j$",
            reason="from a balanced start a determinant that is not zero never becomes zero",
        ),
    )


def _unguarded(matrices: Sequence[Array]) -> tuple[Check, ...]:
    """Depth 2 in raw weights to t = 1.5e8, which double precision cannot do: a false result and its alarm."""
    ratios, signs = [], []
    for matrix in matrices:
        run, found = follow_raw(balanced_layers(matrix, 2), LATE, 1e-8)
        fitted = float(loss(found[-1])) < 1e-20
        ratio = float(found[-1, 0, 0] / law.entry(2, LATE[-1]))
        ratios.append(ratio if fitted else math.nan)
        signs.append(run.drift["sign"])
    return (
        Check.each(
            "depth 2, raw: W_11 over its law where the loss says 1e-20",
            ratios,
            at_most=0.1,
            tag="observed",
            math=r"depth 2, raw: $W_{11}$ over its law where the loss says $10^{-20}$",
            reason="a tenth of the right value is a false result; its size is rounding",
            precision=True,
        ),
        Check.each(
            "depth 2, raw: changes of sign of det W_j",
            signs,
            at_least=2,
            tag="observed",
            math=r"depth 2, raw: changes of sign of $\det W_j$",
            reason="both determinants; how often they change is rounding",
            precision=True,
        ),
    )


def _negative(matrices: Sequence[Array], depths: Sequence[int]) -> Control:
    """Starts with det W < 0: the loss vanishes at a finite W."""
    ratios = []
    for k in depths:
        for matrix in matrices:
            _, found = follow_raw(balanced_layers(mirrored(matrix), k), LATE[-1:], 1e-8)
            fitted = float(loss(found[-1])) < 1e-20
            ratios.append(
                abs(found[-1, 0, 0]) / law.entry(k, LATE[-1]) if fitted else math.nan
            )
    return Control(
        "det W(0) < 0, loss below 1e-20",
        Check.each(
            "|W_11| over the law at t = 1.5e8",
            ratios,
            at_most=0.05,
            tag="observed",
            math=r"$|W_{11}|$ over the law at $t = 1.5 \cdot 10^8$",
            reason="a twentieth of the law; the theorem is silent here, where solutions have the right sign",
        ),
        math=r"$\det W(0) < 0$, loss below $10^{-20}$",
    )


def _exponent(logs: Array) -> float:
    """Slope in log t from t = 1.5e12 on."""
    first = AT[HALF_SUM * 1e12]
    return float(np.polyfit(np.log(REDUCED[first:]), logs[first:], 1)[0])
