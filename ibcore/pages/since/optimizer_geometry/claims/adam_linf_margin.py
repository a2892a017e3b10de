"""Adam of the kind that trains language models: its margin with and without epsilon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.directions import Adam
from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import Scheduled, decaying
from ibcore.dynamics.trajectory import early_ends
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Logistic
from ibcore.models import Linear
from ibcore.oracles.norm_margin import NormMargin, norm_max_margin
from ibcore.pages.since.optimizer_geometry.runs import last_stops
from ibcore.problems.separable import Classification, planted_margin
from ibcore.validation import binary_data

POINTS, FEATURES = 10, 15
BETAS = (0.9, 0.95)
EPSILONS = (0.0, 1e-8)
FIRST, POWER = 1.0, 0.4  # the first step over the inverse of the largest input in l_1
NORMS = (2.0, math.inf)


@dataclass(frozen=True)
class MarginProblems:
    """B data sets: signed inputs (B, n, d) over the root mean square of their entries,
    and their largest margins in l_2 and l_inf, (2, B), certified.

    steps: how many Adam takes.
    """

    signed: Tensor
    margins: Tensor
    solutions: tuple[tuple[NormMargin, ...], ...]
    steps: int

    @classmethod
    def of(
        cls, data: Sequence[Classification], device: torch.device, steps: int
    ) -> MarginProblems:
        scaled = [
            Classification(one.X / one.X.square().mean().sqrt(), one.y) for one in data
        ]
        solutions = tuple(
            tuple(norm_max_margin(one.X, one.y, p) for p in NORMS) for one in scaled
        )
        signed = torch.stack([one.signed for one in scaled]).to(device)
        largest = [[s.margin for s in pair] for pair in solutions]
        return cls(signed, signed.new_tensor(largest).T, solutions, steps)

    @property
    def radii(self) -> Tensor:
        """The largest |x_i|_1, (B,)."""
        return self.signed.abs().sum(-1).amax(-1)

    def ratios(self, w: Tensor) -> Tensor:
        """Margins of w (..., B, d) in l_2 and l_inf over the largest, (..., B, 2)."""
        least = (self.signed @ w[..., None])[..., 0].amin(-1)
        sizes = torch.stack([torch.linalg.vector_norm(w, p, dim=-1) for p in NORMS], -1)
        return least[..., None] / sizes / self.margins.T


@dataclass(frozen=True)
class AdamMargins:
    """Adam without and with epsilon on B data sets, at K stops.

    stops: (K,).      ratios: (K, 2, B, 2), margins in l_2 and l_inf over the largest.
    reach: (B,), |w|_inf over its proved bound, without epsilon.
    deficits: (K, B), gamma |w|_inf - least margin, without epsilon.
    l2: (B,), the l_inf ratio of the l_2 optimum.
    """

    problems: MarginProblems
    stops: Tensor
    ratios: Tensor
    reach: Tensor
    deficits: Tensor
    l2: Tensor
    broken: tuple[str, ...]


def draw_margins(setting: Setting, *, problems: int, steps: int) -> MarginProblems:
    """Ten points in fifteen dimensions, each at least 0.1 from a random hyperplane."""
    data = [
        planted_margin(POINTS, FEATURES, 0.1, torch.Generator().manual_seed(seed))
        for seed in setting.seeds(problems, "adam margin")
    ]
    return MarginProblems.of(data, setting.device, steps)


def own_margins(
    setting: Setting,
    X: object,
    y: object,
    *,
    problems: int,  # noqa: ARG001
    steps: int,
) -> MarginProblems:
    """A reader's X (n, d) and y (n,) in {-1, +1}; raises `InvalidInput` and
    `NotSeparable` as `norm_max_margin` does.
    """
    return MarginProblems.of(
        [Classification(*binary_data(X, y))], setting.device, steps
    )


def pace(radii: Tensor) -> Scheduled:
    """Steps that fall like k^-0.4, in units of the data."""
    return decaying(FIRST / radii, POWER)


def adam_run(
    problems: MarginProblems,
    stops: Sequence[int],
    epsilons: Sequence[float],
    betas: tuple[float, float] = BETAS,
) -> Run:
    """Adam from 0 on the logistic loss of every data set, with each epsilon in turn."""
    rows, E = problems.signed, len(epsilons)
    epsilon = torch.tensor(epsilons).to(rows).repeat_interleave(len(rows))
    return descend(
        Objective(Linear(rows.repeat(E, 1, 1)), Logistic()),
        rows.new_zeros(E * len(rows), rows.shape[-1]),
        pace(problems.radii.repeat(E)),
        steps=list(stops),
        direction=Adam(*betas, epsilon),
        max_seconds=math.inf,
    )


def step_bounds(steps: int, betas: tuple[float, float]) -> Tensor:
    """What no coordinate of a step of Adam without epsilon exceeds, over its step size,
    (steps,).

    By Cauchy and Schwarz, with r = beta1^2 / beta2 below 1: the root of (1 - beta1)^2
    (1 - r^k) (1 - beta2^k) / ((1 - beta1^k)^2 (1 - r) (1 - beta2)) at step k; both
    corrections of the bias are in it.
    """
    one, two = betas
    r, k = one**2 / two, torch.arange(1, steps + 1).double()
    squares = (1 - r**k) * (1 - two**k) / ((1 - r) * (1 - two))
    return squares.sqrt() * (1 - one) / (1 - one**k)


def measure_adam(problems: MarginProblems, setting: Setting) -> AdamMargins:  # noqa: ARG001
    """Adam with beta = (0.9, 0.95), without epsilon and with 1e-8."""
    stops, B = last_stops(problems.steps, 16), len(problems.signed)
    run = adam_run(problems, stops, EPSILONS)
    w = run.theta.unflatten(1, (len(EPSILONS), B))
    schedule = pace(problems.radii)
    sizes = torch.stack(
        [torch.as_tensor(schedule.log_size(k)) for k in range(problems.steps)]
    ).exp()
    bounds = step_bounds(problems.steps, BETAS).to(sizes)[:, None]
    size = w[:, 0].abs().amax(-1)
    least = (problems.signed @ w[:, 0, ..., None])[..., 0].amin(-1)
    best = torch.stack([pair[0].primal for pair in problems.solutions])
    return AdamMargins(
        problems,
        torch.tensor(stops),
        problems.ratios(w),
        size[-1] / (sizes * bounds).sum(0),
        problems.margins[1] * size - least,
        problems.ratios(best.to(problems.signed))[:, 1],
        early_ends("Adam", run),
    )


@claim(
    kind="theorem",
    source="Zhang, Zou and Cao 2024 (abstract read, theorem recalled); the bound on the "
    "steps is proved on the page",
    statement=r"On separable data, with the logistic loss, all data in each gradient, "
    r"$\beta_1 \le \beta_2$, gradients at the start without zero coordinates, and steps "
    r"like $k^{-a}$ with $0 < a < 1$, Adam without $\varepsilon$ reaches the largest "
    r"$\ell_\infty$ margin. With $\beta = (0.9, 0.95)$ "
    r"and $\varepsilon = 10^{-8}$ it is observed to come close, and then to leave it.",
    quick={"problems": 8, "steps": 10_000},
    book={"problems": 12, "steps": 10_000},
    full={"problems": 200, "steps": 10**5},
    draw=draw_margins,
    measure=measure_adam,
    own=own_margins,
)
def adam_linf_margin(measured: AdamMargins) -> Evidence:
    """Adam's l_inf margin as training goes on, without and with epsilon."""
    problems = measured.problems
    checks = (
        Check.each(
            "linear and conic programs: relative gap or violation",
            [
                abs(value)
                for pair in problems.solutions
                for one in pair
                for value in (one.gap, one.violation)
            ],
            at_most=1e-8,
            tag="derived",
            reason="duality; the tolerance asked of the solver",
            precision=True,
        ),
        *without_epsilon(
            measured.reach, measured.ratios[:, 0, :, 1], measured.deficits, measured.l2
        ),
        turned(measured.ratios[:, 1, :, 1]),
    )
    notes = {"data sets": len(measured.reach)}
    control = with_epsilon(measured.ratios[-1, 1, :, 1])
    return Evidence(checks, control, notes, measured.broken)


def with_epsilon(ratios: Tensor) -> Control:
    """Margins (B,) in l_inf over the largest at the end, with epsilon."""
    return Control(
        "Adam with epsilon = 1e-8",
        Check.share(
            "l_inf margin at least 0.95 of the largest",
            ratios,
            at_least=0.95,
            most=0.25,
            tag="observed",
            math=r"$\ell_\infty$ margin at least $0.95$ of the largest",
            reason="the bar of the claim",
        ),
        math=r"Adam with $\varepsilon = 10^{-8}$",
    )


def without_epsilon(
    reach: Tensor, ratios: Tensor, deficits: Tensor, l2: Tensor
) -> tuple[Check, ...]:
    """|w|_inf over its bound (B,), margins over the largest (K, B), deficits (K, B), and
    what the l_2 optimum has (B,).
    """
    return (
        Check.each(
            "epsilon = 0: largest coordinate of w over its bound",
            reach,
            at_most=1 + 1e-9,
            tag="proved",
            math=r"$\varepsilon = 0$: $\|w\|_\infty$ over its bound",
            reason=r"Cauchy and Schwarz: no coordinate of a step exceeds $1.17 \eta_k$ "
            "in the long run; rounding",
        ),
        Check.each(
            "epsilon = 0: l_inf margin over the largest",
            ratios[-1],
            at_least=0.95,
            tag="observed",
            math=r"$\varepsilon = 0$: $\ell_\infty$ margin over the largest",
            reason="what is missing is a constant of the data over $\\|w\\|_\\infty$",
        ),
        Check.share(
            "epsilon = 0: what is missing, gamma |w|_inf - least margin, within 10 % of "
            "what was missing at a third of the steps",
            deficits[-1] / deficits[-1 - THIRD],
            equals=1,
            atol=0.1,
            least=0.9,
            tag="observed",
            math=r"$\varepsilon = 0$: what is missing, $\gamma_\infty \|w\|_\infty - "
            r"\min_i m_i$, within 10 % of what was missing at a third of the steps",
            reason="once the coordinates at the corner keep their signs, and steps are "
            "short, margins and norm grow in proportion",
        ),
        Check.each(
            "l_inf margin of the l_2 optimum over the largest",
            l2,
            at_most=0.9,
            tag="observed",
            math=r"$\ell_\infty$ margin of the $\ell_2$ optimum over the largest",
            reason="in more dimensions than examples the two optima are far apart",
        ),
    )


THIRD = 4  # stops between a third of the steps and all, eight a decade


def turned(ratios: Tensor) -> Check:
    """Margins (K, B) in l_inf over the largest, with epsilon."""
    return Check.share(
        "epsilon = 1e-8: l_inf margin at the end, over its largest on the way, at most "
        "0.99",
        ratios[-1] / ratios.amax(0),
        at_most=0.99,
        least=0.9,
        tag="observed",
        math=r"$\varepsilon = 10^{-8}$: $\ell_\infty$ margin at the end, over its largest "
        "on the way, at most $0.99$",
        reason="where gradients are smaller than $\\varepsilon$ the method is close to "
        "gradient descent with momentum",
    )
