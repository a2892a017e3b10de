"""Digits that are moved along one direction until a network misreads them."""

from __future__ import annotations

import functools

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.figures import figure
from ibcore.pages.further.robustness.figures import plot_digit, plot_outputs
from ibcore.pages.further.robustness.runs import Followed, follow
from ibcore.problems.digits import digit_pair

EXPLORED_DIRECTIONS = ("random", "shuffled labels", "universal", "own gradient")
EXPLORED_LENGTHS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
FIRST, SECOND, EACH = 3, 8, 20
_SHOWN = 0  # the digit whose image is drawn


@functools.cache
def explored() -> tuple[Followed, Tensor]:
    """A network on twenty digits of either kind, and their lengths in pixels (n, 1)."""
    X, y = digit_pair(FIRST, SECOND, EACH, torch.Generator().manual_seed(0))
    return follow(X, y, seed=1), torch.linalg.vector_norm(X, dim=-1, keepdim=True)


@functools.cache
def explored_moves(direction: str) -> Tensor:
    """Unit vectors (1, n, d) along which the digits are moved."""
    found, _ = explored()
    sets, generator = found.sets, torch.Generator().manual_seed(4)
    if direction == "own gradient":
        return found.moves()
    if direction == "universal":
        return found.moves(sets.universal)
    if direction == "random":
        drawn = torch.randn(1, sets.dimension, generator=generator, dtype=torch.float64)
        return found.moves(drawn / torch.linalg.vector_norm(drawn))
    order = torch.randperm(2 * EACH, generator=generator)
    return found.moves(sets.along(sets.y[:, order]))


def explore_digits(direction: str, length: float) -> tuple[Figure, str]:
    """One digit moved, the change, and the outputs of all training digits before and
    after their moves.
    """
    found, pixels = explored()
    sets, net = found.sets, found.net
    root = sets.dimension**0.5
    move = length * root * explored_moves(direction)
    before = sets.y * net.outputs(sets.inputs)
    after = sets.y * net.outputs(sets.inputs + move)
    unit = before.min()
    fig, (left, middle, right) = figure(3, height=2.8, width_ratios=[1, 1, 1.7])
    scale = (pixels / root)[_SHOWN]
    image = ((sets.inputs + move)[0, _SHOWN] * scale).numpy()
    reach = float(0.25 * root * scale)
    plot_digit(left, image, f"a {FIRST}, moved")
    plot_digit(middle, (move[0, _SHOWN] * scale).numpy(), "the move", reach)
    margins = [(rows / unit)[0].numpy() for rows in (before, after)]
    names = [f"digits {digit}" for digit in (FIRST, SECOND)]
    plot_outputs(right, margins[0], margins[1], EACH, names)
    flipped = int((after <= 0).sum())
    read = FIRST if bool(after[0, _SHOWN] > 0) else SECOND
    return fig, (
        f"Every digit is moved by {length:g} of its length, {_WORDS[direction]}: "
        f"{flipped} of {2 * EACH} training digits are misread. The {FIRST} on the left "
        f"is read as a{'n' * (read == SECOND)} {read}."
    )


_WORDS = {
    "random": "along one random direction",
    "shuffled labels": "along the direction of shuffled labels",
    "universal": "along the universal direction",
    "own gradient": "each along its own gradient",
}
