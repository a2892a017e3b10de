"""Data with certified max-margin solutions in l1, l2 and l_inf that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.evidence import Check
from ibcore.oracles.norm_margin import NormMargin, conjugate, norm_max_margin
from ibcore.pages.classification.extensions.optimizers.runs import NORMS, margins
from ibcore.problems.separable import Classification, planted_margin
from ibcore.validation import binary_data

POINTS, FEATURES = 10, 4
SHARE = (
    0.9  # of data sets; no theorem bounds the number of steps that one of them takes
)
LEAST_MARGIN = 0.3  # of the largest input, both in the norms that the method pairs
LEAST_STRICTNESS = (0.01, 0.1)  # complementarity of the examples, of the coordinates
LEAST_DIFFERENCE = (
    0.01  # relative margin that each norm's optimum loses in the other norms
)
CONDITIONS = "rejected (margin, strictness or difference of the optima)"

Solved = tuple[Classification, tuple[NormMargin, ...]]


@dataclass(frozen=True)
class NormProblems:
    """B data sets with their largest margins in l1, l2 and l_inf.

    signed: (B, n, d).      margins, radii: (3, B), the margin in l_p and max_i |x_i|_q,
    1/p + 1/q = 1.
    solutions: the certified programs, B triples.
    steps: how many every method takes.      rejected: draws that did not meet the
    conditions.
    """

    signed: Tensor
    margins: Tensor
    radii: Tensor
    solutions: tuple[tuple[NormMargin, ...], ...]
    steps: int
    rejected: int

    @classmethod
    def draw(
        cls, setting: Setting, count: int, purpose: str, *, steps: int
    ) -> NormProblems:
        """Three different optima, none of them nearly degenerate."""

        def keep(generator: torch.Generator) -> Solved | None:
            plain = planted_margin(POINTS, FEATURES, 1.5, generator)
            return three_optima(
                Classification(plain.X / plain.X.norm(dim=1).max(), plain.y)
            )

        kept, rejected = setting.draw(count, purpose, keep)
        return cls._of(kept, setting.device, steps, rejected)

    @classmethod
    def own(cls, setting: Setting, X: object, y: object, *, steps: int) -> NormProblems:
        """A reader's X (n, d) and y (n,); raises `InvalidInput` and `NotSeparable` as
        `norm_max_margin` does.
        """
        data = Classification(*binary_data(X, y))
        solutions = tuple(norm_max_margin(data.X, data.y, p) for p in NORMS)
        return cls._of([(data, solutions)], setting.device, steps, 0)

    @classmethod
    def _of(
        cls, solved: Sequence[Solved], device: torch.device, steps: int, rejected: int
    ) -> NormProblems:
        signed = torch.stack([data.signed for data, _ in solved]).to(device)
        largest = [[s.margin for s in solutions] for _, solutions in solved]
        radii = [[radius(data.signed, p) for p in NORMS] for data, _ in solved]
        return cls(
            signed,
            signed.new_tensor(largest).T,
            signed.new_tensor(radii).T,
            tuple(solutions for _, solutions in solved),
            steps,
            rejected,
        )

    def gaps(self, w: Tensor) -> Tensor:
        """1 - margin of w (..., B, d) in l_p over the largest, (..., B, 3)."""
        least = margins(self.signed, w).amin(-1)
        norms = torch.stack([torch.linalg.vector_norm(w, p, dim=-1) for p in NORMS])
        largest = self.margins.reshape(3, *[1] * (w.ndim - 2), -1)
        return (1 - least / norms / largest).movedim(0, -1)

    @property
    def certificates(self) -> Check:
        """How well the programs are solved."""
        return Check.each(
            "norm programs: relative gap or violation",
            [
                abs(value)
                for triple in self.solutions
                for s in triple
                for value in (s.gap, s.violation)
            ],
            at_most=1e-8,
            tag="derived",
            reason="duality; the tolerance asked of the solver",
            precision=True,
        )


def radius(signed: Tensor, p: float) -> float:
    """The largest dual norm of an input, for steps that are measured in l_p."""
    return float(torch.linalg.vector_norm(signed, conjugate(p), dim=1).max())


def strictness(signed: Tensor, solution: NormMargin) -> tuple[float, float]:
    """How far an l1 or l_inf solution is from degenerate, in examples and in
    coordinates; 0 is degenerate.

    Examples: min_i of dual share + slack of the margin. Coordinates, with w and the
    dual certificate g at length 1 in their norms: for l1, min_j of max(|w_j|, 1 -
    |g_j|); for l_inf, of max(|g_j|, 1 - |w_j|).
    """
    examples = torch.maximum(
        solution.dual / solution.dual.sum(), signed @ solution.primal - 1
    )
    g, w = solution.dual @ signed, solution.primal * solution.margin
    used, free = (w.abs(), 1 - g.abs()) if solution.p == 1 else (g.abs(), 1 - w.abs())
    return float(examples.min()), float(torch.maximum(used, free).min())


def three_optima(data: Classification) -> Solved | None:
    """The data with their solutions, if they meet the conditions of
    `NormProblems.draw`.
    """
    signed = data.signed
    found: dict[float, NormMargin] = {}
    for p in NORMS[::-1]:
        solution = norm_max_margin(data.X, data.y, p)
        if solution.margin < LEAST_MARGIN * radius(signed, p):
            return None
        if p != 2 and not _strict(signed, solution):
            return None
        if not all(_differ(signed, solution, other) for other in found.values()):
            return None
        found[p] = solution
    return data, tuple(found[p] for p in NORMS)


def _strict(signed: Tensor, solution: NormMargin) -> bool:
    pairs = zip(strictness(signed, solution), LEAST_STRICTNESS, strict=True)
    return all(value >= least for value, least in pairs)


def _differ(signed: Tensor, one: NormMargin, other: NormMargin) -> bool:
    """Whether either optimum loses `LEAST_DIFFERENCE` of the margin in the other's
    norm.
    """
    return all(
        _lost(signed, mine, its) >= LEAST_DIFFERENCE
        for mine, its in ((one, other), (other, one))
    )


def _lost(signed: Tensor, solution: NormMargin, other: NormMargin) -> float:
    """Relative margin in the norm of `other` that an optimum of another norm gives
    away.
    """
    w = solution.primal
    own = float((signed @ w).min() / torch.linalg.vector_norm(w, other.p))
    return 1 - own / other.margin


def own_gaps(gaps: Tensor) -> Tensor:
    """Of margin gaps (..., 3, B, 3), methods first and norms last: each method's in its
    own norm, (..., B, 3).
    """
    return gaps.diagonal(dim1=-3, dim2=-1)


def own_norms(
    setting: Setting,
    X: object,
    y: object,
    *,
    problems: int,  # noqa: ARG001
    steps: int,
) -> NormProblems:
    """A reader's data, whose optima may coincide."""
    return NormProblems.own(setting, X, y, steps=steps)
