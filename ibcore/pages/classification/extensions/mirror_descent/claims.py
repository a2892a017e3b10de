"""Mirror descent on separable data: its potential chooses the norm whose margin it maximizes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.trajectory import Trajectory
from ibcore.evidence import Check, Control, Evidence
from ibcore.models.deep_linear import DeepLinear, random_start
from ibcore.oracles.norm_margin import guaranteed_gap
from ibcore.pages.classification.extensions.mirror_descent.runs import (
    BELOW,
    EARLY,
    FROM,
    LATE,
    NETWORK_ORDERS,
    NETWORK_STOPS,
    ORDERS,
    NetworkRuns,
    Sets,
    breakdowns,
    linear_runs,
    margin_gaps,
    network_runs,
    norms,
    polynomial_networks,
    split,
)

__all__ = ["NETWORK_ORDERS", "NETWORK_STOPS", "ORDERS"]


@dataclass(frozen=True)
class MarginGaps:
    """Gaps of P potentials to the largest margins in Q = P norms, on B data sets.

    table: (2, P, B, Q) at log t = 1e4 and 1e6, potential by potential.      late: (2, B), of p = 1.1 and 1.3 in the
    first norm at log t = 1e10.      possible: (P, B), the largest gap in the own norm that is possible at log t = 1e6
    after the state at log t = 100.      growth: (P, B), gamma_p d|w|_p / d log t.      slopes: (P, B), exponents of
    the gaps in log t.      elsewhere: (B,), the l_3 gap with a polynomial tail.      broken: why runs ended early.
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
        return own(self.table)


def own(table: Tensor) -> Tensor:
    """Of (K, P, B, Q) the entries with q = p, (K, P, B)."""
    return table.diagonal(dim1=1, dim2=3).permute(0, 2, 1)


def draw_sets(setting: Setting, *, datasets: int) -> Sets:
    """Data sets of 10 points in 10 dimensions, each at least 0.1 from a random hyperplane."""
    seeds = setting.seeds(datasets, "mirror")
    return Sets.draw(seeds, 10, 10, ORDERS, setting.device)


def own_set(setting: Setting, X: object, y: object, *, datasets: int) -> Sets:  # noqa: ARG001
    """A reader's X (n, d) and y (n,) in {-1, +1}, separable by a hyperplane through the origin."""
    return Sets.of([(X, y)], ORDERS, setting.device)


def measure_margins(sets: Sets, setting: Setting) -> MarginGaps:  # noqa: ARG001
    """Mirror flow from w = 0 with six potentials, in time until log t = 1e6, two of them until 1e10."""
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
    early, last = own(table)
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
        tuple(reason for run in (*runs, polynomial) for reason in breakdowns(run)),
    )


def _possible(run: Trajectory, sets: Sets, orders: tuple[float, ...]) -> Tensor:
    """The largest gap that is possible at log t = 1e6 after the state at log t = 100, (P, B)."""
    p = torch.tensor(orders).to(sets.signed)
    first, last = own(norms(split(run.theta[[0, 2]], orders), p))
    points = sets.signed.shape[1]
    soft_margin = -split(run.log_loss[:1], orders)[0] - math.log(points)
    return guaranteed_gap(p[:, None], first, last, soft_margin, points)


def _growth(theta: Tensor, times: Tensor, sets: Sets) -> Tensor:
    """gamma_p d|w|_p / d log t between the two stops, (P, B)."""
    first, last = own(norms(theta, sets.orders))
    return sets.best.T * (last - first) / (times[1] - times[0])


@claim(
    kind="theorem",
    source="Sun, Ahn, Thrampoulidis and Azizan 2022; Sun, Gatmiry, Ahn and Azizan 2023 (recalled: the direction, for "
    "descent); Pesme, Dragomir and Flammarion 2024 (recalled: the flow). A bound on the gap is proved on the page, the "
    "growth law and the exponents are derived there",
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
    """Six potentials, six norms: the table of margin gaps, its diagonal, the growth of the norm."""
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
    return Evidence(checks, control, {}, notes, measured.broken)


def _diagonal(gaps: Tensor, proved: Tensor) -> tuple[Check, ...]:
    """Gaps (P, B) of every potential in its own norm at log t = 1e6, and the largest that are possible."""
    return (
        Check.each(
            "p >= 1.3: l_p margin gap at log t = 1e6 at most as proved",
            gaps[1:],
            at_most=proved[1:],
            tag="proved",
            math=r"$p \ge 1.3$: $\ell_p$ margin gap at $\log t = 10^6$ at most as proved",
            reason=r"order $(\log t)^{-\min(1,\, p - 1)}$ with the constants of the proof, "
            r"from the state at $\log t = 100$",
        ),
        Check.each(
            "p >= 2: l_p margin gap at log t = 1e6",
            gaps[2:],
            at_most=1e-5,
            tag="derived",
            math=r"$p \ge 2$: $\ell_p$ margin gap at $\log t = 10^6$",
            reason=r"the certificate gives about $\log n / \log t = 2.3 \cdot 10^{-6}$; "
            "four times that",
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
            reason=r"$(\log t)^{-0.2} = 0.06$ times a factor of the data; above the bar on "
            "3 % of 190 data sets",
        ),
    )


def _columns(leads: Tensor, overtakes: Tensor) -> tuple[Check, ...]:
    """Own gap over the least of the others: (P, B) at log t = 1e6, and (B,) of p = 1.1 at log t = 1e10."""
    return (
        Check.each(
            "columns q >= 1.3: gap of p = q over the least other gap, log t = 1e6",
            leads[1:],
            at_most=1,
            tag="derived",
            math=r"columns $q \ge 1.3$: gap of $p = q$ over the least other gap, "
            r"$\log t = 10^6$",
            reason="only the run with $p = q$ tends to zero there",
        ),
        Check.share(
            "column q = 1.1: gap of p = 1.1 over the least other gap at most 1, log t = 1e10",
            overtakes,
            at_most=1,
            least=0.9,
            tag="observed",
            math=r"column $q = 1.1$: gap of $p = 1.1$ over the least other gap at most 1, "
            r"$\log t = 10^{10}$",
            reason="where both optima are very close, not even this is late enough; 97 of "
            "100 data sets",
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
            reason=r"$\log\log t$ adds at most $9 \cdot 4.6 / 10^6$, the gap itself about "
            r"$10^{-4}$; ten times that",
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
            math=r"$p = 1.3$: exponent of the gap in $\log t$ at most $-0.5$ "
            "(derived: $-0.6$)",
            reason="leading order only: the term of order $1/\\log t$ still counts where the "
            "factor of the leading one is small; met on 511 of 512 data sets, and on the "
            r"other one the exponent tends to $-0.6$ after $\log t = 10^6$",
        ),
    )


def _leads(table: Tensor) -> Tensor:
    """Of gaps (P, B, Q): the gap of the p-run in column q = p over the least gap of the others there, (P, B)."""
    rows = []
    for k in range(len(table)):
        others = torch.cat([table[:k, :, k], table[k + 1 :, :, k]]).amin(0)
        rows.append(table[k, :, k] / others)
    return torch.stack(rows)


@dataclass(frozen=True)
class Networks:
    """Data sets, and starts (B, P) of networks of width 4 on them for every depth."""

    sets: Sets
    starts: dict[int, Tensor]


@dataclass(frozen=True)
class NetworkGaps:
    """What mirror flow did with networks of every depth, and with a polynomial tail at depth 2.

    elsewhere: (B,), l_3 gaps with the polynomial tail.      broken: why runs ended early.
    """

    sets: Sets
    runs: dict[int, NetworkRuns]
    elsewhere: Tensor
    broken: tuple[str, ...]

    def own(self, depth: int) -> Tensor:
        """Gaps (K, P, B) of every potential in its own norm."""
        return own(self.runs[depth].gaps)


def draw_networks(
    setting: Setting, *, starts: int, depths: tuple[int, ...]
) -> Networks:
    """A data set of 5 points in 8 dimensions and a random network of every depth, `starts` times."""
    seeds = setting.seeds(starts, "mirror network")
    sets = Sets.draw(seeds, 5, 8, NETWORK_ORDERS, setting.device)
    return Networks(sets, _starts(setting, sets, depths))


def own_networks(
    setting: Setting, X: object, y: object, *, starts: int, depths: tuple[int, ...]
) -> Networks:
    """Random networks on a reader's X (n, d) and y (n,), separable by a hyperplane through the origin."""
    sets = Sets.of([(X, y)], NETWORK_ORDERS, setting.device).repeated(starts)
    return Networks(sets, _starts(setting, sets, depths))


def _starts(setting: Setting, sets: Sets, depths: tuple[int, ...]) -> dict[int, Tensor]:
    starts = {}
    for depth in depths:
        model = DeepLinear(sets.signed, (4,) * (depth - 1))
        seeds = setting.seeds(len(sets.signed), f"mirror network start {depth}")
        draws = [
            random_start(model, 1, 1.0, torch.Generator().manual_seed(seed))[0]
            for seed in seeds
        ]
        starts[depth] = torch.stack(draws).to(sets.signed)
    return starts


def measure_networks(networks: Networks, setting: Setting) -> NetworkGaps:  # noqa: ARG001
    """Mirror flow until log t = 1e7 with four potentials."""
    runs = {
        depth: network_runs(networks.sets, depth, start)
        for depth, start in networks.starts.items()
    }
    elsewhere, lost = polynomial_networks(networks.sets, networks.starts[2])
    broken = tuple(
        f"depth {depth}, {reason}"
        for depth, run in runs.items()
        for reason in run.broken
    )
    return NetworkGaps(
        networks.sets,
        runs,
        elsewhere,
        broken + tuple(f"control, {reason}" for reason in lost),
    )


@claim(
    kind="open",
    source="Konrad 2024 (demo notebook) asks; Jacobs and Montufar 2026 on KKT points of homogeneous networks (abstract "
    "read); the conditional proposition is proved on the page",
    statement=r"If mirror flow with an entrywise $\ell_p$ potential on a deep linear "
    "network converges in direction to a separating network, then every layer tends to "
    r"rank one and the predictor to the $\ell_p$ max-margin direction of the linear "
    "model, at every depth. Whether it converges is open.",
    quick={"starts": 8, "depths": (2,)},
    book={"starts": 8, "depths": (2, 4)},
    full={"starts": 100, "depths": (2, 3, 4)},
    draw=draw_networks,
    measure=measure_networks,
    own=own_networks,
)
def mirror_descent_linear_network(measured: NetworkGaps) -> Evidence:
    """Gap to the linear model's l_p margin, rank and hidden units: width 4 on 5 points in 8 dimensions."""
    checks = [measured.sets.certificates]
    for depth, run in measured.runs.items():
        judge = _shallow if depth == 2 else _deep
        checks += judge(depth, measured.own(depth), run.ratios[-2] / run.ratios[0])
    checks += _hidden_units(measured.runs[2].hidden[-2])
    control = Control(
        "a polynomial tail, depth 2, p = 3, at t = 1e10",
        Check.share(
            "gap to the linear l_p margin at most 1e-3",
            measured.elsewhere,
            at_most=1e-3,
            most=0.25,
            tag="observed",
            math=r"gap to the linear $\ell_p$ margin at most $10^{-3}$",
            reason="ten times the bar of the claim",
        ),
        math=r"a polynomial tail, depth 2, $p = 3$, at $t = 10^{10}$",
    )
    notes = {"starts": len(measured.sets.signed)}
    return Evidence(tuple(checks), control, {}, notes, measured.broken)


def _linear_margins(depth: int, gaps: Tensor, log_time: int, bar: float) -> Check:
    """Whether networks end at the margin of the linear model; a run that breaks down counts as not there."""
    power = round(math.log10(bar))
    return Check.share(
        f"depth {depth}, p = 2, 3: gap to the linear l_p margin at log t = 1e{log_time} "
        f"at most 1e{power}",
        gaps,
        at_most=bar,
        least=0.9,
        tag="derived",
        math=rf"depth {depth}, $p = 2, 3$: gap to the linear $\ell_p$ margin at "
        rf"$\log t = 10^{log_time}$ at most $10^{{{power}}}$",
        reason="the conditional proposition and the derived exponent; whether a network "
        "converges is open. At most a quarter of the bar on 64 runs",
    )


def _ranks(depth: int, falls: Tensor, orders: str, bar: float) -> Check:
    return Check.share(
        f"depth {depth}, p >= {orders}: sigma_2 / sigma_1 at log t = 1e5 over start "
        f"at most {bar:g}",
        falls,
        at_most=bar,
        least=0.9,
        tag="observed",
        math=rf"depth {depth}, $p \ge {orders}$: $\sigma_2 / \sigma_1$ at "
        rf"$\log t = 10^5$ over start at most ${bar:g}$",
        reason="the proposition names no rate for the rank; 98 % of 64 runs and more",
    )


def _shallow(depth: int, own: Tensor, falls: Tensor) -> list[Check]:
    """Gaps (K, P, B) to the own linear margin and sigma_2 / sigma_1 over its start (P, B), at depth 2."""
    return [
        _linear_margins(depth, own[-2, 2:], 5, 1e-4),
        _ranks(depth, falls[1:], "1.5", 0.1),
    ]


def _deep(depth: int, own: Tensor, falls: Tensor) -> list[Check]:
    """The same at a larger depth, two decades later, and the exponent of the gap for p = 2."""
    exponents = torch.log(own[-1, 2] / own[-2, 2]) / math.log(
        NETWORK_STOPS[-1] / NETWORK_STOPS[-2]
    )
    return [
        _linear_margins(depth, own[-1, 2:], 7, 1e-3),
        Check.share(
            f"depth {depth}, p = 2: exponent of the gap in log t within 0.1 of -2/depth",
            exponents,
            equals=-2 / depth,
            atol=0.1,
            least=0.9,
            tag="derived",
            math=rf"depth {depth}, $p = 2$: exponent of the gap in $\log t$ within 0.1 of "
            rf"$-2/{depth}$",
            reason="leading order; within 0.04 on 32 runs of depth 4",
        ),
        _ranks(depth, falls[2:], "2", 0.25),
    ]


def _hidden_units(hidden: Tensor) -> list[Check]:
    """Absolute hidden weights (P, B, m) at depth 2: all in use for p = 3, one for p = 1.5."""
    largest = hidden.amax(-1)
    return [
        Check.share(
            "depth 2, p = 3: least over largest hidden weight at least 0.95",
            hidden[3].amin(-1) / largest[3],
            at_least=0.95,
            least=0.9,
            tag="observed",
            reason="all units in use, and then of equal size; above 0.98 on 32 runs",
            math="depth 2, $p = 3$: least over largest hidden weight at least 0.95",
        ),
        Check.share(
            "depth 2, p = 1.5: sum over largest of hidden weights at most 1.5",
            hidden[1].sum(-1) / largest[1],
            at_most=1.5,
            least=0.9,
            tag="observed",
            reason="half way between one unit in use and two of equal size",
            math="depth 2, $p = 1.5$: sum over largest of hidden weights at most 1.5",
        ),
    ]
