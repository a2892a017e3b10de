"""The explorer of the cover, from the room of the introduction."""

from __future__ import annotations

from ibcore.explore import Choice, Explorer, explore
from ibcore.pages.introduction.explorers import (
    LEVELS,
    STARTS,
    STARTS_IN_WORDS,
    explore_training,
    read_progress,
)


def explore_smooth_or_wiggly() -> Explorer:
    """A network of 256 neurons trained on eight points, watched while its loss falls."""
    progress = list(range(len(LEVELS) + 1))
    return explore(
        explore_training,
        title="Smooth or wiggly? Train a network on eight points",
        start=Choice(
            "Start", list(STARTS), start=2, format=STARTS_IN_WORDS.__getitem__
        ),
        progress=Choice("Training", progress, start=len(LEVELS), format=read_progress),
    )
