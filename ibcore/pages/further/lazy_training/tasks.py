"""Tasks of the claims on lazy training: drawn, or a reader's own."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ibcore.claim import Setting
from ibcore.evidence import Check
from ibcore.pages.further.lazy_training.runs import (
    Tasks,
    drawn,
    own,
    repeats,
)


def drawn_tasks(
    setting: Setting, tasks: int, widths: Sequence[int], purpose: str
) -> Tasks:
    """`tasks` random tasks, and networks of every width for each."""
    starts = start_seeds(setting, tasks, widths, purpose)
    return drawn(setting.seeds(tasks, purpose), starts, widths, setting.device)


def start_seeds(
    setting: Setting, tasks: int, widths: Sequence[int], purpose: str
) -> list[list[int]]:
    """Seeds of the starts of every width, `repeats` a task."""
    counts = repeats(widths)
    return [
        setting.seeds(tasks * count, f"{purpose}, width {width}")
        for width, count in zip(widths, counts, strict=True)
    ]


def draw_tasks(setting: Setting, *, tasks: int, widths: tuple[int, ...]) -> Tasks:
    """Ten random points in five dimensions with random targets, and networks of every
    width.
    """
    return drawn_tasks(setting, tasks, widths, "lazy training")


def own_tasks(
    setting: Setting, X: object, y: object, *, tasks: int, widths: tuple[int, ...]
) -> Tasks:
    """A reader's X (n, d) and y (n,), with `tasks` independent sets of networks."""
    starts = start_seeds(setting, tasks, widths, "lazy training")
    return own(X, y, starts, widths, setting.device)


def least_movement(over_least: Tensor) -> Check:
    """p + q + p q over its lower bound."""
    return Check.each(
        "movements p and q of the two layers: p + q + p q over what it is at least",
        over_least,
        at_least=1.0,
        tag="proved",
        math="movements $p$ and $q$ of the two layers: $p + q + pq$ over what it is at "
        "least",
        reason="the inequality of the page, however the weights were moved",
        repeats=0.3,
    )
