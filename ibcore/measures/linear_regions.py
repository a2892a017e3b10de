"""Linear regions of two-layer ReLU networks on the line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.validation import positive_number

TOLERANCES = (1e-1, 1e-2, 1e-3)


@dataclass(frozen=True)
class Kinks:
    """Where the slope of a piecewise linear function on an interval jumps, from left to
    right.

    positions: (k,) mean positions of merged kinks, weighted by their sizes.      jumps:
    (k,) their sums, with sign.
    spread: (k,) distances between the outermost kinks that were merged, those below a
    thousandth of the largest jump left out.
    """

    positions: Tensor
    jumps: Tensor
    spread: Tensor

    def regions(self, tolerance: float) -> int:
        """Number of linear pieces, kinks below `tolerance` times the largest one
        ignored.
        """
        if len(self.jumps) == 0:
            return 1
        sizes = self.jumps.abs()
        return 1 + int((sizes > tolerance * sizes.max()).sum())


def neuron_kinks(a: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Positions and slope jumps, (..., m) each, of sum_j a_j relu(w_j.(x, 1)), w (...,
    m, 2).

    Neurons without slope have no kink; their position is infinite and their jump 0.
    """
    flat = w[..., 0] == 0
    position = -w[..., 1] / torch.where(flat, 1.0, w[..., 0])
    return torch.where(flat, torch.inf, position), a * w[..., 0].abs()


def merged_kinks(
    positions: Tensor,
    jumps: Tensor,
    left: float,
    right: float,
    radius: float,
) -> Kinks:
    """Kinks (m,) strictly inside (left, right), close ones as one.

    Those within `radius` of a larger kink count as part of it: the largest
    takes all within `radius`, then the largest of the rest, and so on.
    Groups never chain: none reaches farther than `radius` from its largest
    kink, however densely the kinks lie.
    """
    positive_number("radius", radius)
    inside = (positions > left) & (positions < right) & (jumps != 0)
    positions, jumps = positions[inside], jumps[inside]
    free = torch.ones_like(positions, dtype=torch.bool)
    floor = 1e-3 * jumps.abs().max() if len(jumps) else jumps.new_zeros(())
    rows = []
    for largest in jumps.abs().argsort(descending=True).tolist():
        if free[largest]:
            distances = (positions - positions[largest]).abs()
            group = free & (distances <= radius)
            free &= ~group
            rows.append(_merge(positions[group], jumps[group], floor))
    empty = positions.new_zeros(0)
    merged = (
        [torch.stack(column) for column in zip(*rows, strict=True)]
        if rows
        else [empty] * 3
    )
    order = merged[0].argsort()
    return Kinks(*(column[order] for column in merged))


def _merge(
    positions: Tensor, jumps: Tensor, floor: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    sizes = jumps.abs()
    heavy = positions[sizes >= floor]
    spread = heavy.max() - heavy.min() if len(heavy) else positions.new_zeros(())
    return (positions * sizes).sum() / sizes.sum(), jumps.sum(), spread


def region_counts(kinks: Kinks, tolerances: Sequence[float] = TOLERANCES) -> Tensor:
    """`Kinks.regions` at every tolerance, (len(tolerances),)."""
    return torch.tensor([kinks.regions(tolerance) for tolerance in tolerances])
