"""One attention layer in training beside what theory predicts of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.directions import Steepest
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import decaying
from ibcore.losses import Logistic
from ibcore.measures import sin_angle
from ibcore.models.attention import Attention
from ibcore.oracles.token_selection import KAPPA, TokenSelection, token_selection
from ibcore.pages.since.attention_and_language.selection import Layer, follow
from ibcore.problems.tokens import TokenSet, with_gap


@dataclass(frozen=True)
class Selected:
    """A set of tokens, a start (d,), and the selection that theory predicts of it."""

    data: TokenSet
    start: Tensor
    predicted: TokenSelection

    def way(self, log_times: Sequence[float]) -> Way:
        """Gradient flow from the start, at `log_times`."""
        run = follow(self.data, self.start, log_times, tolerance=1e-7)
        return Way(self, tuple(log_times), run.path, run.status)


@dataclass(frozen=True)
class Way:
    """Gradient flow of one layer at K times, `path` (K, d)."""

    problem: Selected
    log_times: tuple[float, ...]
    path: Tensor
    status: tuple[str]

    @property
    def sines(self) -> Tensor:
        """Of the angle to the predicted query, (K,)."""
        return sin_angle(self.path, self.problem.predicted.query)

    @property
    def laws(self) -> Tensor:
        """t (L - its limit) over the square of the predicted query's length, (K,)."""
        layer, best = Layer(self.problem.data), self.problem.predicted
        excess = [layer.log_excess(p, best.winners.numpy()) for p in self.path.numpy()]
        logs = self.path.new_tensor(excess) + self.path.new_tensor(self.log_times)
        return logs.exp() * best.program.margin**2

    @property
    def log_hits(self) -> Tensor:
        """log of the attention to the best token of every input, (K, n)."""
        return log_hits(self.problem.data, self.path)

    def pace(self, start: Tensor | None = None) -> Tensor:
        """Growth of the least log odds of a best token since the start, by default p =
        0 of the flow, over gamma times the way there from it, (K,).
        """
        start = self.problem.start if start is None else start
        odds = [log_odds(self.problem.data, p).amin(-1) for p in (self.path, start)]
        length = (self.path - start).norm(dim=-1)
        return (odds[0] - odds[1]) / (self.problem.predicted.program.margin * length)

    @property
    def guaranteed_pace(self) -> Tensor:
        """The same from the first stop at which the loss is below its threshold, where
        the odds of the loss stand for those of all inputs; infinite up to there, (K,).
        """
        shares = threshold_shares(self)
        below = (shares < 1).nonzero()[:, 0]
        out = torch.full_like(shares, math.inf)
        out[~self.path.isfinite().all(-1)] = math.nan
        if len(below) == 0:
            return out
        first = int(below[0])
        level = torch.log1p(-shares[first]) - shares[first].log()
        odds = log_odds(self.problem.data, self.path).amin(-1) - level
        length = (self.path - self.path[first]).norm(dim=-1)
        paces = odds / (self.problem.predicted.program.margin * length)
        out[first + 1 :] = paces[first + 1 :]
        return out


def data_selection(data: TokenSet, winners: Tensor | None = None) -> TokenSelection:
    """The selection of a set of tokens; see `token_selection`."""
    return token_selection(data.tokens, data.best, winners)


def log_hits(data: TokenSet, path: Tensor) -> Tensor:
    """log of the attention to the best token of every input, (K, n), along (K, d)."""
    layer, best = Layer(data), data.scores.bool()
    logs = [torch.from_numpy(layer.log_attention(p))[best] for p in path.numpy()]
    return torch.stack(logs)


def log_odds(data: TokenSet, path: Tensor) -> Tensor:
    """log of the attention to the best token over that to all others, (..., n)."""
    return -torch.logsumexp(
        -torch.einsum("ntd,...d->...nt", data.differences, path), -1
    )


def threshold_shares(way: Way) -> Tensor:
    """n (L - inf L) over the slope of the loss where attention is right, (K,)."""
    layer, n = Layer(way.problem.data), len(way.problem.data.best)
    everyone = way.problem.data.best.numpy() >= 0
    logs = [layer.log_excess(p, everyone) for p in way.path.numpy()]
    return way.path.new_tensor(logs).exp() * n / KAPPA


def outcomes(data: TokenSet, gaps: Iterable[float], depths: Sequence[float]) -> Tensor:
    """The attention of the last input to its best token at log t = 1000, (D, G).

    Its wrong token has the gaps (G,) in the solution p of the other inputs, and the
    flow starts at the multiples `depths` (D,) of that.
    """
    winners = torch.arange(len(data.best)) < len(data.best) - 1
    query = data_selection(data, winners).query
    problems = [with_gap(data, query, float(gap)) for gap in gaps]
    rows = []
    for depth in depths:
        ends = [follow(one, depth * query, [1e3], tolerance=1e-6) for one in problems]
        hits = [
            log_hits(one, run.path)[0, -1]
            for one, run in zip(problems, ends, strict=True)
        ]
        rows.append(torch.stack(hits).exp())
    return torch.stack(rows)


def descended(problems: Sequence[Selected], steps: int) -> Tensor:
    """The least margin over the largest possible one after normalized steps of length
    1/(2 sqrt(k)), as Tarzanagh et al. take them but decaying, (N,).
    """
    data = [one.data for one in problems]
    layer = Attention(
        torch.stack([one.tokens for one in data]),
        torch.stack([one.scores for one in data]),
    )
    run = descend(
        Objective(layer, Logistic()),
        torch.stack([one.start for one in problems]),
        decaying(0.5, 0.5),
        steps=[steps],
        direction=Steepest(2, normalized=True),
        max_seconds=math.inf,
    )
    margins = [
        (one.differences @ p).amin() / p.norm()
        for one, p in zip(data, run.theta[0], strict=True)
    ]
    largest = [one.predicted.program.margin for one in problems]
    return torch.stack(margins) / run.theta.new_tensor(largest)
