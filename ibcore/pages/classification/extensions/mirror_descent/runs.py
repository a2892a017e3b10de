"""Problems of the page on mirror descent, and mirror flow and descent on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics import explicit
from ibcore.dynamics.mirror_descent import MirrorStep
from ibcore.dynamics.mirror_flow import mirror_flow
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.dynamics.trajectory import Trajectory, early_ends
from ibcore.evidence import Check
from ibcore.losses import Exponential, PolynomialTail
from ibcore.measures.layers import singular_pairs
from ibcore.models import Linear
from ibcore.models.deep_linear import DeepLinear
from ibcore.oracles.norm_margin import NormMargin, norm_max_margin
from ibcore.potentials import PNorm
from ibcore.problems.separable import Classification, planted_margin
from ibcore.threads import threads
from ibcore.validation import binary_data

ORDERS = (1.1, 1.3, 2.0, 3.0, 5.0, 10.0)
GROWTH = 0.2
BELOW, FROM = ORDERS[:2], ORDERS[2:]
EARLY = 100.0  # log t from which the proved bound on the gap is computed: L is below 1/n for every p
LATE = 20 * math.log(10)


def norms(vectors: Tensor, orders: Tensor) -> Tensor:
    """|w|_q of `vectors` (..., d) for each of `orders` (Q,), (..., Q), without overflow
    at large q.
    """
    largest = vectors.abs().amax(-1, keepdim=True)
    return largest * ((vectors / largest).abs()[..., None] ** orders).sum(-2) ** (
        1 / orders
    )


def margin_gaps(
    signed: Tensor, best: Tensor, vectors: Tensor, orders: Tensor
) -> Tensor:
    """1 - (min_i y_i x_i.w / |w|_q) / gamma_q for `vectors` (..., B, d), orders (Q,)
    and `best` gamma (B, Q).
    """
    margins = (signed @ vectors[..., None])[..., 0].amin(-1)
    return 1 - margins[..., None] / norms(vectors, orders) / best


@dataclass(frozen=True)
class Sets:
    """B data sets: signed inputs (B, n, d) and the certified max margins in every
    order, best (B, Q).
    """

    signed: Tensor
    solutions: tuple[tuple[NormMargin, ...], ...]
    best: Tensor
    orders: Tensor

    @classmethod
    def of(
        cls,
        data: Sequence[tuple[object, object]],
        orders: Sequence[float],
        device: torch.device,
    ) -> Sets:
        """Pairs of X (n, d) and y (n,); raises `InvalidInput` and `NotSeparable` as
        `norm_max_margin` does.
        """
        problems = [Classification(*binary_data(X, y)) for X, y in data]
        solutions = tuple(
            tuple(norm_max_margin(p.X, p.y, q) for q in orders) for p in problems
        )
        best = torch.tensor(
            [[s.margin for s in row] for row in solutions], dtype=torch.float64
        )
        return cls(
            torch.stack([p.signed for p in problems]).to(device),
            solutions,
            best.to(device),
            torch.tensor(orders, dtype=torch.float64, device=device),
        )

    @classmethod
    def draw(
        cls,
        seeds: Sequence[int],
        n: int,
        d: int,
        orders: Sequence[float],
        device: torch.device,
    ) -> Sets:
        """`n` points in `d` dimensions for every seed, at least 0.1 from a random
        hyperplane.
        """
        problems = [
            planted_margin(n, d, 0.1, torch.Generator().manual_seed(seed))
            for seed in seeds
        ]
        return cls.of([(p.X, p.y) for p in problems], orders, device)

    def repeated(self, times: int) -> Sets:
        """The same data sets several times, one copy after the other."""
        return Sets(
            self.signed.repeat(times, 1, 1),
            self.solutions * times,
            self.best.repeat(times, 1),
            self.orders,
        )

    @property
    def certificates(self) -> Check:
        """How well the convex programs are solved."""
        return Check.each(
            "convex programs: relative gap or violation",
            [
                abs(value)
                for row in self.solutions
                for s in row
                for value in (s.gap, s.violation)
            ],
            at_most=1e-8,
            tag="derived",
            reason="duality; the tolerance asked of the solver",
            precision=True,
        )


def linear_runs(
    sets: Sets,
    orders: Sequence[float],
    log_time: Sequence[float],
    *,
    polynomial: bool = False,
) -> Trajectory:
    """Mirror flow from w = 0 on every data set with each potential: members order by
    order.
    """
    p = torch.tensor(orders).to(sets.signed).repeat_interleave(len(sets.signed))
    start = sets.signed.new_zeros(len(p), sets.signed.shape[-1])
    loss = PolynomialTail() if polynomial else Exponential()
    return mirror_flow(
        Linear(sets.signed.repeat(len(orders), 1, 1)),
        loss,
        start,
        p,
        log_time=log_time,
        growth=GROWTH,
    )


def split(values: Tensor, orders: Sequence[float]) -> Tensor:
    """(K, P B, ...) as (K, P, B, ...)."""
    return values.unflatten(1, (len(orders), -1))


@dataclass(frozen=True)
class NetworkRuns:
    """Networks of one depth trained by mirror flow, at K stops, for P orders and B
    starts.

    gaps: (K, P, B, Q) l_q margin gaps of the linear predictor that the network is.
    ratios: (K + 1, P, B) largest sigma_2 / sigma_1 of the hidden layers, at the start
    first.
    hidden: (K, P, B, m) absolute weights of the last layer, which read the hidden
    units.
    broken: why runs ended before their last stop; they are NaN from there on.
    """

    gaps: Tensor
    ratios: Tensor
    hidden: Tensor
    broken: tuple[str, ...] = ()


def _hidden_ratios(model: DeepLinear, states: Tensor) -> Tensor:
    """Largest sigma_2 / sigma_1 of the hidden layers of states (..., P), NaN where a
    state is not finite.
    """
    finite = torch.isfinite(states).all(-1)
    whole = torch.where(finite[..., None], states, 1.0)
    first, second = singular_pairs(model.matrices(whole))
    return torch.where(finite, (second / first)[..., :-1].amax(-1), math.nan)


NETWORK_ORDERS = (1.1, 1.5, 2.0, 3.0)
NETWORK_STOPS = (1e1, 1e2, 1e3, 1e4, 1e5, 1e7)


def network_runs(
    sets: Sets, depth: int, start: Tensor, *, width: int = 4
) -> NetworkRuns:
    """Mirror flow from `start` (B, P), one for each data set, with every potential of
    `NETWORK_ORDERS`.
    """
    parts = []
    broken: tuple[str, ...] = ()
    for orders in (NETWORK_ORDERS[:2], NETWORK_ORDERS[2:]):
        model = DeepLinear(
            sets.signed.repeat(len(orders), 1, 1), (width,) * (depth - 1)
        )
        theta = start.repeat(len(orders), 1)
        p = torch.tensor(orders).to(theta).repeat_interleave(len(sets.signed))
        run = mirror_flow(
            model, Exponential(), theta, p, log_time=NETWORK_STOPS, growth=GROWTH
        )
        broken += early_ends("mirror flow", run)
        states = torch.cat([theta[None], run.theta])
        gaps = margin_gaps(
            sets.signed,
            sets.best,
            split(model.end_to_end(run.theta), orders),
            sets.orders,
        )
        hidden = model.matrices(run.theta)[-1][..., 0, :].abs()
        parts.append(
            (
                gaps,
                split(_hidden_ratios(model, states), orders),
                split(hidden, orders),
            )
        )
    gaps, ratios, hidden = (torch.cat(pair, 1) for pair in zip(*parts, strict=True))
    return NetworkRuns(gaps, ratios, hidden, broken)


def polynomial_networks(
    sets: Sets, start: Tensor, *, width: int = 4
) -> tuple[Tensor, tuple[str, ...]]:
    """l_3 margin gaps (B,) of networks of depth 2 with p = 3 and a polynomial tail at t
    = 1e10, and what broke down.
    """
    model = DeepLinear(sets.signed, (width,))
    time = [LATE / 2]
    run = mirror_flow(model, PolynomialTail(), start, 3.0, log_time=time, growth=GROWTH)
    gaps = margin_gaps(
        sets.signed, sets.best, model.end_to_end(run.theta[0]), sets.orders
    )
    return gaps[:, NETWORK_ORDERS.index(3.0)], early_ends("mirror flow", run)


@threads()
def follow(
    X: object, y: object, p: float, log_time: object
) -> tuple[Trajectory, NormMargin, Tensor]:
    """Mirror flow from w = 0, the certified optimum, and the l_p margin gap at every
    stop, (K,).

    X: (n, d).      y: (n,) in {-1, +1}.      log_time: rising stops.
    Raises `InvalidInput` for malformed data and `NotSeparable` where no direction
    separates them.
    """
    best = norm_max_margin(X, y, p)
    data = Classification(torch.as_tensor(X).double(), torch.as_tensor(y).double())
    start = torch.zeros(1, data.X.shape[1], dtype=torch.float64)
    run = mirror_flow(Linear(data.signed), Exponential(), start, p, log_time=log_time)  # type: ignore[arg-type]
    sizes = torch.linalg.vector_norm(run.theta[:, 0], p, dim=-1)
    margins = (run.theta[:, 0] @ data.signed.T).amin(-1)
    return run, best, 1 - margins / sizes / best.margin


@threads()
def naive_gaps(
    signed: Tensor,
    best: Tensor,
    orders: tuple[float, ...],
    *,
    step_size: float,
    steps: int,
) -> Tensor:
    """l_p margin gaps (P, B) after plain mirror descent from a small random start, on
    signed inputs (B, n, d).

    best: (B, P) the largest margins.
    """
    generator = torch.Generator().manual_seed(0)
    start = (
        torch.rand(
            len(signed), signed.shape[-1], generator=generator, dtype=torch.float64
        )
        - 0.5
    )
    objective = Objective(Linear(signed), Exponential())
    gaps = []
    for p, margins in zip(orders, best.T, strict=True):
        run = explicit.descend(
            objective,
            start,
            constant(step_size),
            steps=[steps],
            direction=MirrorStep(PNorm(p)),
            max_seconds=math.inf,
        )
        w = run.theta[0]
        sizes = torch.linalg.vector_norm(w, p, dim=-1)
        gaps.append(1 - (signed @ w[..., None])[..., 0].amin(-1) / sizes / margins)
    return torch.stack(gaps)


def own_gaps(table: Tensor) -> Tensor:
    """Of (K, P, B, Q) the entries with q = p, (K, P, B)."""
    return table.diagonal(dim1=1, dim2=3).permute(0, 2, 1)
