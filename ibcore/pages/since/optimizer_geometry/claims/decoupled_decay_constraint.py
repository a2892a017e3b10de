"""Decoupled weight decay is a constraint, and at any epsilon > 0 of AdamW a barrier."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.trajectory import early_ends
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.constrained_descent import frank_wolfe_bound
from ibcore.oracles.matrix_margin import matrix_norm
from ibcore.pages.since.optimizer_geometry.decays import (
    EPSILONS,
    MATRICES,
    VECTORS,
    DecayProblems,
    Regressions,
    draw_decays,
    own_decays,
    shares,
    train_matrices,
    train_vectors,
)


@dataclass(frozen=True)
class DecayDistances:
    """Methods with decoupled decay on B problems of vectors and B' of matrices.

    vectors: (V, B), distances of `VECTORS` from what each should find, over its length.
    boxes: (V, B), distances from the minimizer on the box.      matrices: (M, B').
    spent: (4, max(B, B')), norm of sign descent, Lion, spectral descent and Muon over 1
    - prod(1 - lambda eta), NaN in a row that is longer than its problems.
    excess: (B + B',), L - min L of sign and spectral descent over the bound on it.
    certified: gaps of the programs and errors of the barrier's minimizers.
    """

    problems: DecayProblems
    vectors: Tensor
    boxes: Tensor
    matrices: Tensor
    spent_vectors: Tensor
    spent_matrices: Tensor
    excess: Tensor
    broken: tuple[str, ...]

    @property
    def certified(self) -> list[float]:
        """Gaps of the programs and errors of the barrier's minimizers."""
        both = (self.problems.vectors, self.problems.matrices)
        gaps = [abs(one.gap) for part in both for one in part.solutions]
        return [*gaps, *self.problems.errors]


def measure_distances(problems: DecayProblems, setting: Setting) -> DecayDistances:  # noqa: ARG001
    """All methods from 0, with steps of 3 / (100 + k) over the decay."""
    T = problems.steps
    first = train_vectors(problems.vectors, [T])
    second = train_matrices(problems.matrices, [T])
    W = first.theta[-1].unflatten(0, (len(VECTORS), -1))
    M = second.theta[-1].unflatten(0, (len(MATRICES), -1))
    M = M.unflatten(-1, problems.matrices.best.shape[1:])
    box = problems.vectors.best[:, 0]
    targets = torch.stack([box, box, box, *problems.barrier, problems.ridge])
    allowed = 1 - torch.prod(1 - shares(T))
    return DecayDistances(
        problems,
        _relative(W, targets),
        _relative(W, box.expand_as(W)),
        _relative(M.flatten(-2), problems.matrices.best.flatten(-2).expand(2, -1, -1)),
        W[:2].abs().amax(-1) / allowed,
        matrix_norm(M, "spectral") / allowed,
        torch.cat(
            [
                excess_of_bound(problems.vectors, W[0].unsqueeze(-2), T, "max"),
                excess_of_bound(problems.matrices, M[0], T, "spectral"),
            ]
        ),
        early_ends("vectors", first) + early_ends("matrices", second),
    )


def _relative(found: Tensor, expected: Tensor) -> Tensor:
    return (found - expected).norm(dim=-1) / expected.norm(dim=-1)


def excess_of_bound(problems: Regressions, W: Tensor, steps: int, norm: str) -> Tensor:
    """L(W) - min L of W (B, K, d) after so many steps, over the bound of Frank and
    Wolfe, (B,).
    """
    least = problems.loss(problems.best)
    start = problems.loss(torch.zeros_like(problems.best)) - least
    size = problems.inputs.norm(p=1 if norm == "max" else 2, dim=-1)
    curvature = (2 * size).square().mean(-1)
    return (problems.loss(W) - least) / frank_wolfe_bound(
        shares(steps).to(start), start, curvature
    )


@claim(
    kind="theorem",
    source="Xie and Li 2024 (AdamW and normalized steepest descent with decay); Chen, "
    "Liu, Liang and Liu 2024 (Lion); Chen, Li and Liu 2025 (Muon) (abstracts read, "
    "theorems recalled); the bound on the loss and the limit at any epsilon above 0 are "
    "proved on the page",
    statement=r"Let $L$ be convex and the gradients those of all data. Sign descent "
    r"and Lion with decoupled decay $\lambda$ and decreasing steps, and AdamW without "
    r"$\varepsilon$ if it converges, go to the minimizer of $L$ on the box $\|w\|_\infty "
    r"\le 1/\lambda$, spectral descent and Muon to that on the ball $\sigma_{\max}(W) \le "
    r"1/\lambda$. AdamW with $\varepsilon > 0$, if it converges, goes to the minimizer of $L + \varepsilon "
    r"\sum_j [-|w_j| - \log(1 - \lambda |w_j|)/\lambda]$.",
    quick={"problems": 8, "steps": 2500},
    book={"problems": 12, "steps": 2500},
    full={"problems": 200, "steps": 10**5},
    draw=draw_decays,
    measure=measure_distances,
    own=own_decays,
)
def decoupled_decay_constraint(measured: DecayDistances) -> Evidence:
    """Where methods with decoupled decay end, against convex programs."""
    checks = (
        Check.each(
            "convex programs: Frank-Wolfe gap, error of the barrier's minimizer",
            measured.certified,
            at_most=1e-8,
            tag="derived",
            reason="duality and strong convexity; the tolerance asked of the solver",
            precision=True,
        ),
        *proved_of_the_norm(measured.spent_vectors, measured.spent_matrices),
        below_frank_wolfe(measured.excess),
        *at_the_constraint(measured.vectors, measured.matrices),
        *at_the_barrier(measured.vectors[3:-1]),
        Check.each(
            "Adam with a coupled penalty: distance from the ridge solution",
            measured.vectors[-1],
            at_most=2e-3,
            tag="derived",
            reason="its steps are at most about $1/800$ of the radius at the end, and "
            "smaller where gradients shrink",
            precision=True,
        ),
    )
    notes = {
        "problems": measured.vectors.shape[1] + measured.matrices.shape[1],
        "rejected (fewer than two active faces, no free singular value)": (
            measured.problems.rejected
        ),
    }
    return Evidence(checks, coupled(measured.boxes[-1]), notes, measured.broken)


def coupled(boxes: Tensor) -> Control:
    """Distances (B,) of Adam with a coupled penalty from the minimizer on the box."""
    return Control(
        "Adam with a coupled penalty of the same strength",
        Check.share(
            "distance from the minimizer on the box at most 0.05",
            boxes,
            at_most=0.05,
            most=0.25,
            tag="observed",
            reason="the bar of AdamW",
        ),
        math=r"Adam with the penalty $\frac\lambda2 \|w\|^2$ in its gradient",
    )


def proved_of_the_norm(vectors: Tensor, matrices: Tensor) -> tuple[Check, ...]:
    """Norms over 1 - prod(1 - lambda eta): sign descent and Lion (2, B), spectral
    descent and Muon (2, B').
    """
    both = torch.cat([vectors.flatten(), matrices.flatten()])
    law = r"$1 - \prod_k (1 - \lambda \eta_k)$"
    return (
        Check.each(
            "sign, Lion, spectral, Muon: lambda times the norm, over 1 - prod(1 - "
            "lambda eta_k), at most 1",
            both,
            at_most=1 + 1e-9,
            tag="proved",
            math=rf"sign, Lion, spectral, Muon: $\lambda$ times the norm, over {law}",
            reason="every step has length $\\eta_k$ in the norm; rounding",
            repeats=1e-3,
        ),
        Check.each(
            "the same from below",
            both,
            at_least=1 - 1e-3,
            tag="derived",
            reason="equality where one coordinate, or singular direction, is pushed to "
            "the same side by every step; a push to the other side at step $k$ costs "
            r"$2 \lambda \eta_k \prod_{j > k} (1 - \lambda \eta_j)$, which is less than "
            "$10^{-3}$ before step 600",
            repeats=1e-3,
        ),
    )


def below_frank_wolfe(excess: Tensor) -> Check:
    """L - min L of sign and spectral descent over the bound, (B + B',)."""
    return Check.each(
        "sign and spectral descent: loss above its minimum on the ball, over the bound",
        excess,
        at_most=1,
        tag="proved",
        reason=r"$h \leftarrow (1 - a) h + a^2 C$ with $a = \lambda \eta_k$, from the "
        "first step on; the bound counts every step at its worst",
        precision=True,
    )


def at_the_constraint(vectors: Tensor, matrices: Tensor) -> tuple[Check, ...]:
    """Distances from the minimizers on the balls, over their lengths: (V, B), (2, B')."""
    return (
        Check.each(
            "sign descent and Lion: distance from the minimizer on the box",
            vectors[:2],
            at_most=0.02,
            tag="derived",
            repeats=0.4,
            reason=r"free coordinates step to and fro by $\lambda \eta_T \approx 1/870$ "
            "of the radius; some times that, as the directions that the data leave "
            "flat add up",
        ),
        Check.each(
            "AdamW: distance from the minimizer on the box",
            vectors[2],
            at_most=0.1,
            tag="observed",
            repeats=0.4,
            reason="its second moments forget in a hundred steps, and are late with "
            "free coordinates, whose gradients tend to zero",
        ),
        Check.each(
            "spectral descent and Muon: distance from the minimizer on the spectral "
            "ball",
            matrices,
            at_most=0.02,
            tag="derived",
            repeats=0.4,
            reason="the same with free singular directions",
        ),
    )


def at_the_barrier(vectors: Tensor) -> tuple[Check, ...]:
    """Distances of AdamW from the minimizer with the barrier, (E, B)."""
    reasons = (
        "free coordinates behave as without epsilon until the steps are short",
        "the start is forgotten like $\\prod_k (1 - \\lambda \\eta_k) = 6 \\cdot 10^{-5}$",
        "the start is forgotten like $\\prod_k (1 - \\lambda \\eta_k) = 6 \\cdot 10^{-5}$",
    )
    bars = (0.02, 1e-3, 1e-3)
    return tuple(
        Check.each(
            f"AdamW, epsilon {share:g} of the largest gradient at 0: distance from the "
            "minimizer with the barrier",
            row,
            at_most=bar,
            tag="derived",
            math=rf"AdamW, $\varepsilon = {share:g} \, \|\nabla L(0)\|_\infty$: distance "
            "from the minimizer with the barrier",
            repeats=0.4,
            reason=reason,
        )
        for share, row, bar, reason in zip(
            EPSILONS, vectors, bars, reasons, strict=True
        )
    )
