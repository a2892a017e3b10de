"""Mirror descent on separable data: its potential chooses the norm whose margin it maximizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.dynamics.mirror_flow import mirror_flow
from ibcore.dynamics.trajectory import Trajectory
from ibcore.evidence import Check, Control, Evidence, fraction
from ibcore.losses import Exponential, PolynomialTail
from ibcore.measures.layers import singular_pairs
from ibcore.models import Linear
from ibcore.models.deep_linear import DeepLinear, random_start
from ibcore.oracles.norm_margin import NormMargin, norm_max_margin
from ibcore.problems.separable import planted_margin

ORDERS = (1.1, 1.3, 2.0, 3.0, 5.0, 10.0)
GROWTH = 0.2
_BELOW, _FROM = ORDERS[:2], ORDERS[2:]
_CONTROL_TIME = 20 * math.log(10)


def norms(vectors: Tensor, orders: Tensor) -> Tensor:
    """|w|_q of `vectors` (..., d) for each of `orders` (Q,), (..., Q), without overflow at large q."""
    largest = vectors.abs().amax(-1, keepdim=True)
    return largest * ((vectors / largest).abs()[..., None] ** orders).sum(-2) ** (
        1 / orders
    )


def margin_gaps(
    signed: Tensor, best: Tensor, vectors: Tensor, orders: Tensor
) -> Tensor:
    """1 - (min_i y_i x_i.w / |w|_q) / gamma_q for `vectors` (..., B, d), orders (Q,) and `best` gamma (B, Q)."""
    margins = (signed @ vectors[..., None])[..., 0].amin(-1)
    return 1 - margins[..., None] / norms(vectors, orders) / best


@dataclass(frozen=True)
class Sets:
    """B data sets: signed inputs (B, n, d) and the certified max margins in every order, best (B, Q)."""

    signed: Tensor
    solutions: tuple[tuple[NormMargin, ...], ...]
    best: Tensor
    orders: Tensor

    @classmethod
    def draw(
        cls, seeds: Sequence[int], n: int, d: int, orders: Sequence[float], like: Tensor
    ) -> Sets:
        problems = [
            planted_margin(n, d, 0.1, torch.Generator().manual_seed(seed))
            for seed in seeds
        ]
        solutions = tuple(
            tuple(norm_max_margin(p.X, p.y, q) for q in orders) for p in problems
        )
        best = torch.tensor(
            [[s.margin for s in row] for row in solutions], dtype=torch.float64
        )
        return cls(
            torch.stack([p.signed for p in problems]).to(like),
            solutions,
            best.to(like),
            torch.tensor(orders, dtype=torch.float64).to(like),
        )

    @property
    def largest_gap(self) -> float:
        """Of the certificates."""
        return max(max(abs(s.gap), s.violation) for row in self.solutions for s in row)


def linear_runs(
    sets: Sets,
    orders: Sequence[float],
    log_time: Sequence[float],
    *,
    polynomial: bool = False,
) -> Trajectory:
    """Mirror flow from w = 0 on every data set with each potential: members order by order."""
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


def _split(values: Tensor, orders: Sequence[float]) -> Tensor:
    """(K, P B, ...) as (K, P, B, ...)."""
    return values.unflatten(1, (len(orders), -1))


@claim(
    kind="theorem",
    source="Sun, Ahn, Thrampoulidis and Azizan 2022; Sun, Gatmiry, Ahn and Azizan 2023. The growth law and the rate "
    "of the gap are derived on the page",
    statement="On separable data with an exponential tail, mirror flow with potential |w|_p^p / p, p > 1, converges in "
    "direction to the l_p max-margin predictor, and |w|_p grows by 1 / gamma_p per unit of log t.",
    quick={"datasets": 4},
    book={"datasets": 12},
    full={"datasets": 400},
)
def mirror_descent_margin(setting: Setting, *, datasets: int) -> Evidence:
    """Six potentials, six norms: the table of margin gaps, its diagonal, the growth of the norm."""
    like = torch.zeros(0, dtype=torch.float64, device=setting.device)
    sets = Sets.draw(setting.seeds(datasets, "mirror"), 10, 10, ORDERS, like)
    runs = (
        linear_runs(sets, _BELOW, [1e4, 1e6, 1e10]),
        linear_runs(sets, _FROM, [1e4, 1e6]),
    )
    theta = torch.cat(
        [
            _split(run.theta[:2], part)
            for run, part in zip(runs, (_BELOW, _FROM), strict=True)
        ],
        1,
    )
    times = torch.cat(
        [
            _split(run.log_time[:2], part)
            for run, part in zip(runs, (_BELOW, _FROM), strict=True)
        ],
        1,
    )
    table = margin_gaps(sets.signed, sets.best, theta, sets.orders)
    late = margin_gaps(
        sets.signed, sets.best, _split(runs[0].theta, _BELOW)[2], sets.orders
    )[..., 0]
    diagonal = table.diagonal(dim1=1, dim2=3).permute(0, 2, 1)
    wins = _wins(table[1])
    growth = _growth(theta, times, sets)
    slopes = torch.log(diagonal[1] / diagonal[0]) / torch.log(times[1] / times[0])
    tail = linear_runs(sets, (3.0,), [_CONTROL_TIME], polynomial=True).theta[0]
    elsewhere = margin_gaps(sets.signed, sets.best, tail, sets.orders)[:, 3]
    first = torch.minimum(late[1], table[1, 2:, :, 0].amin(0)) > late[0]
    checks = (
        Check.close(
            "convex programs: largest relative gap or violation",
            0,
            sets.largest_gap,
            atol=1e-8,
        ),
        Check.close(
            "p >= 1.3: l_p margin gap at log t = 1e6, largest",
            0,
            _largest(diagonal[1, 1:]),
            atol=1e-4,
        ),
        Check.at_most(
            "p = 1.1: the same gap, median", float(diagonal[1, 0].median()), 0.01
        ),
        Check.at_most("p = 1.1: the same gap, largest", _largest(diagonal[1, 0]), 0.05),
        fraction(
            "share of columns q >= 1.3 that are smallest at p = q, log t = 1e6",
            int(wins[1:].sum()),
            wins[1:].numel(),
            at_least=1.0,
        ),
        fraction(
            "share of data sets: column q = 1.1 smallest at p = 1.1, log t = 1e10",
            int(first.sum()),
            datasets,
            at_least=0.75,
        ),
        Check.close(
            "p >= 1.3: gamma_p d|w|_p / d log t, farthest from 1",
            1,
            _farthest(growth[1:]),
            atol=1e-3,
        ),
        Check.close(
            "p = 1.1: the same, farthest from 1", 1, _farthest(growth[0]), atol=0.05
        ),
        Check.close(
            "p >= 2: exponent of the gap in log t, farthest from -1",
            -1,
            _farthest(slopes[2:], -1),
            atol=0.1,
        ),
        Check.at_most(
            "p = 1.3: exponent of the gap in log t, largest (derived: -0.6)",
            _largest(slopes[1]),
            -0.5,
        ),
    )
    control = Control(
        "polynomial tail, p = 3: median l_3 margin gap at t = 1e20",
        Check.at_least("median gap", float(elsewhere.median()), 0.01),
    )
    data = {
        "table": table.cpu(),
        "diagonal": diagonal.cpu(),
        "late": late.cpu(),
        "signed": sets.signed.cpu(),
        "best": sets.best.cpu(),
        "theta": theta.cpu(),
        "slopes": slopes.cpu(),
    }
    notes = {
        "data sets": datasets,
        "share with column q = 1.1 smallest at p = 1.1, log t = 1e6": round(
            float(wins[0].double().mean()), 2
        ),
    }
    return Evidence(checks, control, data, notes)


def _wins(table: Tensor) -> Tensor:
    """Of gaps (P, B, Q): is the p-run's gap strictly the smallest of column q = p, (P, B)."""
    rows = []
    for k in range(len(table)):
        others = torch.cat([table[:k, :, k], table[k + 1 :, :, k]]).amin(0)
        rows.append(others > table[k, :, k])
    return torch.stack(rows)


def _growth(theta: Tensor, times: Tensor, sets: Sets) -> Tensor:
    """gamma_p d|w|_p / d log t between the two stops, (P, B)."""
    sizes = norms(theta, sets.orders).diagonal(dim1=1, dim2=3).permute(0, 2, 1)
    return sets.best.T * (sizes[1] - sizes[0]) / (times[1] - times[0])


def _largest(values: Tensor) -> float:
    """The maximum, NaN if any value is: a run that broke down must not pass."""
    return float(values.amax())


def _farthest(values: Tensor, target: float = 1.0) -> float:
    values = values.flatten()
    return float(values[(values - target).abs().argmax()])


@dataclass(frozen=True)
class NetworkRuns:
    """Networks of one depth trained by mirror flow, at K stops, for P orders and B starts.

    gaps: (K, P, B, Q) l_q margin gaps of the linear predictor that the network is.
    ratios: (K + 1, P, B) largest sigma_2 / sigma_1 of the hidden layers, at the start first.
    hidden: (K, P, B, m) absolute weights of the last layer, which read the hidden units.
    """

    gaps: Tensor
    ratios: Tensor
    hidden: Tensor


NETWORK_ORDERS = (1.1, 1.5, 2.0, 3.0)
NETWORK_STOPS = (1e1, 1e2, 1e3, 1e4, 1e5, 1e7)


def network_runs(
    sets: Sets, depth: int, starts: Sequence[Tensor], *, width: int = 4
) -> NetworkRuns:
    """Mirror flow from one start (P,) for each data set with every potential of `NETWORK_ORDERS`."""
    parts = []
    for orders in (NETWORK_ORDERS[:2], NETWORK_ORDERS[2:]):
        model = DeepLinear(
            sets.signed.repeat(len(orders), 1, 1), (width,) * (depth - 1)
        )
        theta = torch.stack(list(starts)).to(sets.signed).repeat(len(orders), 1)
        p = torch.tensor(orders).to(theta).repeat_interleave(len(sets.signed))
        run = mirror_flow(
            model, Exponential(), theta, p, log_time=NETWORK_STOPS, growth=GROWTH
        )
        states = torch.cat([theta[None], run.theta])
        first, second = singular_pairs(model.layers(states))
        gaps = margin_gaps(
            sets.signed,
            sets.best,
            _split(model.end_to_end(run.theta), orders),
            sets.orders,
        )
        hidden = model.layers(run.theta)[-1][..., 0, :].abs()
        parts.append(
            (
                gaps,
                _split((second / first)[..., :-1].amax(-1), orders),
                _split(hidden, orders),
            )
        )
    gaps, ratios, hidden = (torch.cat(pair, 1) for pair in zip(*parts, strict=True))
    return NetworkRuns(gaps, ratios, hidden)


@claim(
    kind="open",
    source="Konrad 2024 (demo notebook) asks; the conditional proposition is derived on the page",
    statement="If mirror flow with an entrywise l_p potential on a deep linear network converges in direction to a "
    "separating network, then every layer tends to rank one and the predictor to the l_p max-margin "
    "direction of the linear model, at every depth. Whether it converges is open.",
    quick={"starts": 4, "depths": (2,)},
    book={"starts": 6, "depths": (2, 4)},
    full={"starts": 100, "depths": (2, 3, 4)},
)
def mirror_descent_linear_network(
    setting: Setting, *, starts: int, depths: tuple[int, ...]
) -> Evidence:
    """Gap to the linear model's l_p margin, rank and hidden units: width 4 on 5 points in 8 dimensions."""
    like = torch.zeros(0, dtype=torch.float64, device=setting.device)
    sets = Sets.draw(
        setting.seeds(starts, "mirror network"), 5, 8, NETWORK_ORDERS, like
    )
    runs = {}
    for depth in depths:
        model = DeepLinear(sets.signed, (4,) * (depth - 1))
        thetas = [
            random_start(model, 1, 1.0, torch.Generator().manual_seed(seed))[0]
            for seed in setting.seeds(starts, f"mirror network start {depth}")
        ]
        runs[depth] = network_runs(sets, depth, thetas)
    own = {
        depth: run.gaps.diagonal(dim1=1, dim2=3).permute(0, 2, 1)
        for depth, run in runs.items()
    }
    checks = [
        Check.close(
            "convex programs: largest relative gap or violation",
            0,
            sets.largest_gap,
            atol=1e-8,
        )
    ]
    for depth, run in runs.items():
        time, bar = (-2, 1e-4) if depth == 2 else (-1, 1e-3)
        when = f"{NETWORK_STOPS[time]:.0e}".replace("e+0", "e")
        checks.append(
            Check.close(
                f"depth {depth}, p = 2, 3: gap to the linear l_p margin at log t = {when}, largest",
                0,
                _largest(own[depth][time, 2:]),
                atol=bar,
            )
        )
        if depth > 2:
            rate = torch.log(own[depth][-1, 2] / own[depth][-2, 2]) / math.log(
                NETWORK_STOPS[-1] / NETWORK_STOPS[-2]
            )
            checks.append(
                Check.close(
                    f"depth {depth}, p = 2: exponent of the gap in log t, median",
                    -2 / depth,
                    float(rate.median()),
                    atol=0.1,
                )
            )
        fall = run.ratios[-2, 1:] / run.ratios[0, 1:]
        checks.append(
            Check.at_most(
                f"depth {depth}, p >= 1.5: sigma_2 / sigma_1 at log t = 1e5 over start, median",
                float(fall.median()),
                0.05 if depth == 2 else 0.25,
            )
        )
    shallow = runs[2].hidden[-2]
    share = shallow.sum(-1) / shallow.amax(-1)
    checks += [
        Check.at_least(
            "depth 2, p = 3: least over largest hidden weight, smallest",
            float((shallow[3].amin(-1) / shallow[3].amax(-1)).amin()),
            0.95,
        ),
        Check.at_most(
            "depth 2, p = 1.5: sum over maximum of hidden weights, median",
            float(share[1].median()),
            1.2,
        ),
    ]
    control = Control(
        "depth 2, p = 3 networks measured by the l_2 margin: median gap at log t = 1e5",
        Check.at_least("median gap", float(runs[2].gaps[-2, 3, :, 2].median()), 1e-3),
    )
    notes: dict[str, float | str] = {
        "starts": starts,
        "least sigma_2 / sigma_1 at the start": round(
            float(min(run.ratios[0].min() for run in runs.values())), 3
        ),
    }
    for depth, gap in own.items():
        notes[f"depth {depth}: median gap, p = 1.1, 1.5"] = ", ".join(
            f"{float(g.median()):.1e}" for g in gap[-2, :2]
        )
    return Evidence(tuple(checks), control, {"runs": runs, "own": own}, notes)
