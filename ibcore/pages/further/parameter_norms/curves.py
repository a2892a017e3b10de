"""Networks of one input with weight decay: what is drawn, and what training and the
programs give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.evidence import attempt
from ibcore.oracles.path_norm import (
    least_path_norm,
    least_range,
    middle_range,
    path_norm_program,
    penalized,
)
from ibcore.pages.further.parameter_norms.runs import (
    STRENGTHS,
    WIDTH,
    Sets,
    alike_gaps,
    decay_weights,
    departures,
    draw_sets,
    norms,
    spread_start,
    two_interpolants,
    values_at,
)
from ibcore.problems.curves import Points

CLOSE = 5e-3


@dataclass(frozen=True)
class Drawn:
    """Data sets, and two starts (D, P) of a network on each."""

    sets: Sets
    starts: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Trained:
    """What weight decay made of networks on D data sets, P of them with V > |D|, and
    what is predicted.

    least: (D,).      predicted, lowest: (2, D), cost and objective of the penalized
    program at both strengths, in closed form.      programs: (3, D), relative distance
    of the closed forms from the solved programs, without penalty and at both strengths.
    cost, path, function, objective: (2, D), of trained networks.
    ranges, middles: (2, P, n - 1), by linear programs and in closed form.      alike:
    (P, n - 1).
    built: (A, 2, 3), of the two interpolants that are built on each alike set, cost
    over least - 1, largest residual and largest distance of the two.      departures,
    allowed: (3, P, n - 1), of trained networks from the polygon: two starts at the
    first strength, one at the second.      free, rough: (P,), the cost of networks
    trained without penalty and the norm of their functions.      theta: (3, P, .), the
    networks of `departures`.
    """

    sets: Sets
    least: Tensor
    predicted: Tensor
    lowest: Tensor
    programs: Tensor
    cost: Tensor
    path: Tensor
    function: Tensor
    objective: Tensor
    ranges: Tensor
    middles: Tensor
    alike: Tensor
    built: Tensor
    departures: Tensor
    allowed: Tensor
    free: Tensor
    rough: Tensor
    theta: Tensor
    broken: tuple[str, ...]

    @property
    def extrapolated(self) -> Tensor:
        """The cost at strength 0 on the line through both, (D,)."""
        strong, weak = STRENGTHS
        return self.cost[1] + (self.cost[1] - self.cost[0]) * weak / (strong - weak)


def draw_curves(
    setting: Setting, *, alternating: int, alike: int, tilted: int
) -> Drawn:
    """Six points each, of three kinds, and networks of 128 neurons with spread bends."""
    sets = draw_sets(setting, alternating, alike, tilted)
    first, second = (
        spread_start(
            sets.points,
            WIDTH,
            setting.seeds(len(sets.points.x), f"parameter norms start {k}"),
        )
        for k in (1, 2)
    )
    return Drawn(sets, (first, second))


def measure_curves(drawn: Drawn, setting: Setting) -> Trained:  # noqa: ARG001
    """Weight decay at both strengths, once more from another start, and none at all."""
    points, plain = drawn.sets.points, drawn.sets.plain
    many, few = len(points.x), len(plain.x)
    theta = _trained(drawn)
    at_both = norms(theta[:2, :many])
    unpenalized = norms(theta[3, :few])
    solved = [penalized(points.x, points.y, strength) for strength in STRENGTHS]
    residuals = torch.stack([values_at(part, points.x) for part in theta[:2]])
    loss = (residuals - points.y).square().mean(-1)
    shown = torch.stack([theta[0, :few], theta[2, :few], theta[1, :few]])
    measured = [departures(part, plain) for part in shown]
    programs, broken = _programs(points, [part.cost for part in solved])
    ranges, lost = _ranges(plain)
    strengths = torch.tensor(STRENGTHS, dtype=torch.float64)[:, None]
    return Trained(
        drawn.sets,
        least_path_norm(points.x, points.y).value,
        torch.stack([part.cost for part in solved]),
        torch.stack([part.objective for part in solved]),
        programs,
        at_both.cost,
        at_both.path,
        at_both.function,
        loss + strengths * at_both.cost,
        ranges,
        middle_range(plain.x, plain.y),
        alike_gaps(plain),
        _built(drawn.sets),
        torch.stack([part[0] for part in measured]),
        torch.stack([part[1] for part in measured]),
        unpenalized.cost,
        unpenalized.function,
        shown,
        broken + lost,
    )


def _trained(drawn: Drawn) -> Tensor:
    """Networks (4, D, .): at both strengths, from the second start at the first, and
    without penalty.

    The last two rows are trained on the sets with V > |D| only and NaN elsewhere.
    """
    points, few = drawn.sets.points, len(drawn.sets.plain.x)
    many = len(points.x)
    counts = (many, many, few, few)
    first, second = drawn.starts
    starts = (first, first, second[:few], first[:few])
    strengths = (*STRENGTHS, STRENGTHS[0], 0.0)
    batch = Points(
        torch.cat([points.x[:count] for count in counts]),
        torch.cat([points.y[:count] for count in counts]),
    )
    strength = torch.cat(
        [
            torch.full((count,), one, dtype=torch.float64)
            for count, one in zip(counts, strengths, strict=True)
        ]
    )
    last = decay_weights(batch, torch.cat(starts), strength).last
    theta = first.new_full((4, *first.shape), torch.nan)
    for row, part in zip(theta, last.split(counts), strict=True):
        row[: len(part)] = part
    return theta


def _programs(
    points: Points, costs: Sequence[Tensor]
) -> tuple[Tensor, tuple[str, ...]]:
    """Relative distances (3, D) of closed forms from the costs of solved programs, and
    why programs broke down.
    """
    closed = torch.stack([least_path_norm(points.x, points.y).value, *costs])
    cases = [
        (x, y, strength)
        for strength in (0.0, *STRENGTHS)
        for x, y in zip(points.x, points.y, strict=True)
    ]
    found, broken = attempt(lambda case: path_norm_program(*case), cases)
    solved = torch.tensor([one.cost for one in found], dtype=torch.float64)
    return (solved.reshape(closed.shape) / closed - 1).abs(), broken


def _ranges(plain: Points) -> tuple[Tensor, tuple[str, ...]]:
    """Lowest and highest value in the middle of each gap less that of the polygon, (2,
    P, n - 1).
    """
    found, broken = attempt(
        lambda pair: least_range(*pair), list(zip(plain.x, plain.y, strict=True))
    )
    middle = (plain.y[:, 1:] + plain.y[:, :-1]) / 2
    rows = [
        [torch.as_tensor(end) + torch.zeros_like(line) for end in (one.low, one.high)]
        for one, line in zip(found, middle, strict=True)
    ]
    ends = torch.stack([torch.stack(row) for row in rows], 1)
    return ends - middle, broken


def _built(sets: Sets) -> Tensor:
    """Of the polygon and the network with a corner less on each alike set: (A, 2, 3)."""
    plain, rows = sets.plain, []
    for x, y in zip(
        plain.x[sets.alternating :], plain.y[sets.alternating :], strict=True
    ):
        pair = two_interpolants(x, y)
        grid = torch.linspace(float(x[0]), float(x[-1]), 401, dtype=torch.float64)
        least = least_path_norm(x, y).value
        f = [values_at(one[None], grid[None])[0] for one in pair]
        apart = (f[0] - f[1]).abs().max()
        for one in pair:
            missed = (values_at(one[None], x[None])[0] - y).abs().max()
            rows.append(torch.stack([norms(one).cost / least - 1, missed, apart]))
    return torch.stack(rows).unflatten(0, (-1, 2))
