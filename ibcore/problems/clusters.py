"""Points on a line in clusters of alternating labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.problems.separable import Classification
from ibcore.validation import positive_integer


@dataclass(frozen=True)
class Clusters(Classification):
    """Inputs (x, 1) with labels that change their sign `changes` times from left to
    right.

    gap: least distance between neighboring clusters, which lie in intervals half as
    wide.
    """

    changes: int
    gap: float

    @property
    def x(self) -> Tensor:
        """(n,), rising from cluster to cluster."""
        return self.X[:, 0]


def alternating_clusters(
    changes: int, per_cluster: int, generator: torch.Generator
) -> Clusters:
    """`changes` + 1 clusters of `per_cluster` uniform points in [-2, 2]; the leftmost
    has label +1.
    """
    positive_integer("changes", changes)
    positive_integer("per_cluster", per_cluster)
    gap = 4 / (1.5 * changes + 0.5)
    inside = (
        torch.rand(changes + 1, per_cluster, generator=generator, dtype=torch.float64)
        .sort(-1)
        .values
    )
    starts = -2 + 1.5 * gap * torch.arange(changes + 1, dtype=torch.float64)
    x = (starts[:, None] + gap / 2 * inside).flatten()
    y = (
        (1 - 2 * (torch.arange(changes + 1) % 2))
        .double()
        .repeat_interleave(per_cluster)
    )
    return Clusters(torch.stack([x, torch.ones_like(x)], -1), y, changes, gap)
