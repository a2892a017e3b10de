"""Two inputs in the plane: which tokens attention selects, and where its query goes."""

from __future__ import annotations

import functools
import math

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.figures import figure
from ibcore.measures import sin_angle
from ibcore.pages.since.attention_and_language.figures import (
    plot_attention,
    plot_query,
)
from ibcore.pages.since.attention_and_language.selection import Layer, follow
from ibcore.pages.since.attention_and_language.ways import data_selection
from ibcore.problems.tokens import TokenSet

GAPS = (0.5, 0.75, 0.9, 1.25, 2.0)
POWERS = (0, 8, 10, 12, 15, 25)
START = 30.0
_LOG_10 = math.log(10)


def plane_tokens(gap: float) -> TokenSet:
    """Two inputs of three tokens, the first of each the best one, at the origin.

    Input A alone has the solution (1, 0), in which the second token of input B is ahead
    of its best one by `gap`.
    """
    first = [[0.0, 0.0], [-1.0, 0.0], [-1.6, 0.9]]
    second = [[0.0, 0.0], [gap, -1.5], [-0.8, -1.2]]
    tokens = torch.tensor([first, second], dtype=torch.float64)
    return TokenSet(tokens, torch.tensor([0, 0]))


@functools.cache
def plane_way(gap: float) -> Tensor:
    """The query at t = 0 and at the times 10^k of `POWERS` above 0, (K, 2)."""
    start = torch.tensor([START, 0.0], dtype=torch.float64)
    times = [power * _LOG_10 for power in POWERS[1:]]
    run = follow(plane_tokens(gap), start, times)
    return torch.cat([start[None], run.path])


def explore_selection(gap: float, power: int) -> tuple[Figure, str]:
    """The query of two inputs in the plane at t = 10^power (0: at the start), and the
    attention that each token gets.
    """
    data, path = plane_tokens(gap), plane_way(gap)
    place = POWERS.index(power)
    p = path[place]
    alone = data_selection(data, torch.tensor([True, False])).query
    both = data_selection(data).query
    attention = torch.from_numpy(Layer(data).log_attention(p.numpy())).exp()
    fig, (left, right) = figure(2, height=3.4)
    plot_query(left, path[: place + 1].numpy(), alone.numpy(), both.numpy())
    plot_attention(right, attention.numpy())
    when = "At the start" if power == 0 else f"At t = 10^{power}"
    one, two = (
        math.degrees(math.asin(float(sin_angle(p, query)))) for query in (alone, both)
    )
    return fig, (
        f"Gap {gap:g}. {when} input B pays {float(attention[1, 0]):.2f} of its attention "
        f"to its best token. The query is {one:.0f} degrees from the solution of input A "
        f"alone and {two:.0f} degrees from that of both inputs."
    )
