"""Six potentials, six norms: the table of margin gaps, its diagonal, the growth of the
norm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.trajectory import Trajectory, early_ends
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.norm_margin import guaranteed_gap
from ibcore.pages.classification.extensions.mirror_descent.runs import (
    BELOW,
    EARLY,
    FROM,
    LATE,
    ORDERS,
    Sets,
    linear_runs,
    margin_gaps,
    norms,
    own_gaps,
    split,
)


@dataclass(frozen=True)
class MarginGaps:
    """Gaps of P potentials to the largest margins in Q = P norms, on B data sets.

    table: (2, P, B, Q) at log t = 1e4 and 1e6, potential by potential.      late: (2,
    B), of p = 1.1 and 1.3 in the first norm at log t = 1e10.      possible: (P, B), the
    largest gap in the own norm that is possible at log t = 1e6 after the state at log t
    = 100.      growth: (P, B), gamma_p d|w|_p / d log t.      slopes: (P, B), exponents
    of the gaps in log t.      elsewhere: (B,), the l_3 gap with a polynomial tail.
    broken: why runs ended early.
    """

    sets: Sets
    table: Tensor
    late: Tensor
    possible: Tensor
    growth: Tensor
    slopes: Tensor
    elsewhere: Tensor
    broken: tuple[str, ...]

    @property
    def diagonal(self) -> Tensor:
        """The gap of every potential in its own norm, (2, P, B)."""
        return own_gaps(self.table)


def draw_sets(setting: Setting, *, datasets: int) -> Sets:
    """Data sets of 10 points in 10 dimensions, each at least 0.1 from a random
    hyperplane.
    """
    seeds = setting.seeds(datasets, "mirror")
    return Sets.draw(seeds, 10, 10, ORDERS, setting.device)


def own_set(setting: Setting, X: object, y: object, *, datasets: int) -> Sets:  # noqa: ARG001
    """A reader's X (n, d) and y (n,) in {-1, +1}, separable by a hyperplane through the
    origin.
    """
    return Sets.of([(X, y)], ORDERS, setting.device)


def measure_margins(sets: Sets, setting: Setting) -> MarginGaps:  # noqa: ARG001
    """Mirror flow from w = 0 with six potentials, in time until log t = 1e6, two of
    them until 1e10.
    """
    parts = (BELOW, FROM)
    runs = (
        linear_runs(sets, BELOW, [EARLY, 1e4, 1e6, 1e10]),
        linear_runs(sets, FROM, [EARLY, 1e4, 1e6]),
    )
    theta, times = (
        torch.cat(
            [
                split(rows[1:3], part)
                for rows, part in zip(all_rows, parts, strict=True)
            ],
            1,
        )
        for all_rows in (
            [run.theta for run in runs],
            [run.log_time for run in runs],
        )
    )
    table = margin_gaps(sets.signed, sets.best, theta, sets.orders)
    late = margin_gaps(
        sets.signed, sets.best, split(runs[0].theta, BELOW)[3], sets.orders
    )
    early, last = own_gaps(table)
    polynomial = linear_runs(sets, (3.0,), [LATE], polynomial=True)
    elsewhere = margin_gaps(sets.signed, sets.best, polynomial.theta[0], sets.orders)
    return MarginGaps(
        sets,
        table,
        late[..., 0],
        torch.cat(
            [_possible(run, sets, part) for run, part in zip(runs, parts, strict=True)]
        ),
        _growth(theta, times, sets),
        torch.log(last / early) / torch.log(times[1] / times[0]),
        elsewhere[:, ORDERS.index(3.0)],
        early_ends("mirror flow", *runs, polynomial),
    )


def _possible(run: Trajectory, sets: Sets, orders: tuple[float, ...]) -> Tensor:
    """The largest gap that is possible at log t = 1e6 after the state at log t = 100,
    (P, B).
    """
    p = torch.tensor(orders).to(sets.signed)
    first, last = own_gaps(norms(split(run.theta[[0, 2]], orders), p))
    points = sets.signed.shape[1]
    soft_margin = -split(run.log_loss[:1], orders)[0] - math.log(points)
    return guaranteed_gap(p[:, None], first, last, soft_margin, points)


def _growth(theta: Tensor, times: Tensor, sets: Sets) -> Tensor:
    """gamma_p d|w|_p / d log t between the two stops, (P, B)."""
    first, last = own_gaps(norms(theta, sets.orders))
    return sets.best.T * (last - first) / (times[1] - times[0])


@claim(
    kind="theorem",
    source="Sun, Ahn, Thrampoulidis and Azizan 2022; Sun, Gatmiry, Ahn and Azizan 2023 "
    "(recalled: the direction, for descent); Pesme, Dragomir and Flammarion 2024 "
    "(recalled: the flow). A bound on the gap is proved on the page, the growth law "
    "and the exponents are derived there",
    statement="On separable data with an exponential tail, mirror flow with potential "
    r"$\|w\|_p^p / p$, $p > 1$, converges in direction to the $\ell_p$ max-margin "
    r"predictor, and $\|w\|_p$ grows by $1/\gamma_p$ per unit of $\log t$.",
    quick={"datasets": 8},
    book={"datasets": 12},
    full={"datasets": 400},
    draw=draw_sets,
    measure=measure_margins,
    own=own_set,
)
def mirror_descent_margin(measured: MarginGaps) -> Evidence:
    """Six potentials, six norms: the table of margin gaps, its diagonal, the growth of
    the norm.
    """
    table = measured.table[1]
    others = torch.minimum(measured.late[1], table[2:, :, 0].amin(0))
    checks = (
        measured.sets.certificates,
        *_diagonal(measured.diagonal[1], measured.possible),
        *_columns(_leads(table), measured.late[0] / others),
        *_speeds(measured.growth, measured.slopes),
    )
    control = Control(
        "polynomial tail, p = 3, at t = 1e20",
        Check.share(
            "l_3 margin gap at most 0.01",
            measured.elsewhere,
            at_most=0.01,
            most=0.25,
            tag="observed",
            math=r"$\ell_3$ margin gap at most $0.01$",
            reason="a thousand times the bar of the claim",
        ),
        math=r"a polynomial tail, $p = 3$, at $t = 10^{20}$",
    )
    notes = {"data sets": len(measured.sets.signed)}
    return Evidence(checks, control, notes, measured.broken)


def _diagonal(gaps: Tensor, proved: Tensor) -> tuple[Check, ...]:
    """Gaps (P, B) of every potential in its own norm at log t = 1e6, and the largest
    that are possible.
    """
    return (
        Check.each(
            "p >= 1.3: l_p margin gap at log t = 1e6 at most as proved",
            gaps[1:],
            at_most=proved[1:],
            tag="proved",
            math=r"$p \ge 1.3$: $\ell_p$ margin gap at $\log t = 10^6$ at most as "
            "proved",
            reason=r"order $(\log t)^{-\min(1,\, p - 1)}$ with the constants of the "
            r"proof, from the state at $\log t = 100$",
        ),
        Check.each(
            "p >= 2: l_p margin gap at log t = 1e6",
            gaps[2:],
            at_most=1e-5,
            tag="derived",
            math=r"$p \ge 2$: $\ell_p$ margin gap at $\log t = 10^6$",
            reason=r"the certificate gives about $\log n / \log t = 2.3 \cdot "
            "10^{-6}$; four times that",
        ),
        Check.share(
            "p = 1.3: the same gap at most 1e-4",
            gaps[1],
            at_most=1e-4,
            least=0.9,
            tag="derived",
            math=r"$p = 1.3$: the same gap at most $10^{-4}$",
            reason=r"$(\log t)^{-0.6} = 2.5 \cdot 10^{-4}$ times a factor of the data; "
            "above the bar on one of 500 data sets",
        ),
        Check.share(
            "p = 1.1: the same gap at most 0.02",
            gaps[0],
            at_most=0.02,
            least=0.9,
            tag="derived",
            math="$p = 1.1$: the same gap at most $0.02$",
            reason=r"$(\log t)^{-0.2} = 0.06$ times a factor of the data; above the "
            "bar on 3 % of 190 data sets",
        ),
    )


def _columns(leads: Tensor, overtakes: Tensor) -> tuple[Check, ...]:
    """Own gap over the least of the others: (P, B) at log t = 1e6, and (B,) of p = 1.1
    at log t = 1e10.
    """
    return (
        Check.each(
            "columns r >= 1.3: gap of p = r over the least other gap, log t = 1e6",
            leads[1:],
            at_most=1,
            tag="derived",
            math=r"columns $r \ge 1.3$: gap of $p = r$ over the least other gap, $\log "
            "t = 10^6$",
            reason="only the run with $p = r$ tends to zero there",
        ),
        Check.share(
            "column r = 1.1: gap of p = 1.1 over the least other gap at most 1, log t "
            "= 1e10",
            overtakes,
            at_most=1,
            least=0.9,
            tag="observed",
            math="column $r = 1.1$: gap of $p = 1.1$ over the least other gap at most "
            r"1, $\log t = 10^{10}$",
            reason="where both optima are very close, not even this is late enough; 97 "
            "of 100 data sets",
        ),
    )


def _speeds(growth: Tensor, slopes: Tensor) -> tuple[Check, ...]:
    """gamma_p d|w|_p / d log t, and exponents of the gaps in log t, (P, B) each."""
    return (
        Check.each(
            "p >= 1.3: gamma_p d|w|_p / d log t",
            growth[1:],
            equals=1,
            atol=1e-3,
            tag="derived",
            math=r"$p \ge 1.3$: $\gamma_p\, d\|w\|_p / d\log t$",
            reason=r"$\log\log t$ adds at most $9 \cdot 4.6 / 10^6$, the gap itself "
            "about $10^{-4}$; ten times that",
        ),
        Check.share(
            "p = 1.1: the same within 0.05 of 1",
            growth[0],
            equals=1,
            atol=0.05,
            least=0.9,
            tag="derived",
            math="$p = 1.1$: the same within 0.05 of 1",
            reason="as large as the gap, which is above 0.02 on 3 % of 190 data sets",
        ),
        Check.each(
            "p >= 2: exponent of the gap in log t",
            slopes[2:],
            equals=-1,
            atol=0.05,
            tag="derived",
            math=r"$p \ge 2$: exponent of the gap in $\log t$",
            reason=r"a constant that moves by 10 % over two decades moves it by 0.02",
        ),
        Check.share(
            "p = 1.3: exponent of the gap in log t at most -0.5 (derived: -0.6)",
            slopes[1],
            at_most=-0.5,
            least=0.9,
            tag="derived",
            math=r"$p = 1.3$: exponent of the gap in $\log t$ at most $-0.5$ (derived: "
            "$-0.6$)",
            reason="leading order only: the term of order $1/\\log t$ still counts "
            "where the factor of the leading one is small; met on 511 of 512 data "
            "sets, and on the "
            r"other one the exponent tends to $-0.6$ after $\log t = 10^6$",
        ),
    )


def _leads(table: Tensor) -> Tensor:
    """Of gaps (P, B, Q): the gap of the p-run in column q = p over the least gap of the
    others there, (P, B).
    """
    rows = []
    for k in range(len(table)):
        others = torch.cat([table[:k, :, k], table[k + 1 :, :, k]]).amin(0)
        rows.append(table[k, :, k] / others)
    return torch.stack(rows)
