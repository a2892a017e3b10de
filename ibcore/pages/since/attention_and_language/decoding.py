"""Training of a linear decoder on next tokens, at any time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.dynamics.log_clock import ClockedRun, clocked_flow
from ibcore.measures import sin_angle
from ibcore.oracles.next_token import NextTokenLimit, next_token_limit
from ibcore.problems.next_tokens import NextTokens

Array = NDArray[np.float64]


class Decoder:
    """The cross entropy of a decoder W (V, d) on next tokens, with its derivatives."""

    def __init__(self, data: NextTokens) -> None:
        self.shape = data.size
        self.contexts, self.shares = data.contexts.numpy(), data.shares.numpy()
        self.weights, self.support = data.weights.numpy(), self.shares > 0
        self.log_shares = np.log(np.where(self.support, self.shares, 1))

    def log_softmax(self, W: Array) -> Array:
        """log q, (m, V), of a flat W (V d,)."""
        logits = self.contexts @ W.reshape(self.shape).T
        logits -= logits.max(1, keepdims=True)
        return np.asarray(logits - np.log(np.exp(logits).sum(1, keepdims=True)))

    def slope(self, W: Array) -> tuple[Array, float]:
        """-grad CE (V d,) in the unit 1: differences of shares, from those of their
        logarithms.
        """
        log_q = self.log_softmax(W)
        rest = -np.exp(log_q)
        inside = -self.shares * np.expm1(log_q - self.log_shares)
        rest = np.where(self.support, inside, rest)
        return ((self.weights[:, None] * rest).T @ self.contexts).ravel(), 0.0

    def bend(self, W: Array) -> tuple[Array, float]:
        """The derivative of -grad CE, (V d, V d)."""
        q = np.exp(self.log_softmax(W))
        spread = self.weights[:, None, None] * (
            q[:, :, None] * (q[:, None] - np.eye(q.shape[1]))
        )
        out = np.einsum("jzv,jd,je->zdve", spread, self.contexts, self.contexts)
        return out.reshape(W.size, W.size), 0.0

    def log_excess(self, W: Array) -> float:
        """log of CE less the entropy, however small."""
        return float(np.logaddexp(self.log_outside(W), self._log_inside(W)))

    def _outside(self, W: Array) -> Array:
        """log odds of the tokens that do not follow, (m,)."""
        log_q = self.log_softmax(W)
        lost = np.logaddexp.reduce(np.where(self.support, -np.inf, log_q), 1)
        kept = np.logaddexp.reduce(np.where(self.support, log_q, -np.inf), 1)
        return np.asarray(lost - kept)

    def log_odds_outside(self, W: Array) -> float:
        """log of the mean odds of the tokens that do not follow."""
        return float(np.logaddexp.reduce(self._outside(W) + np.log(self.weights)))

    def odds_error(self, W: Array) -> float:
        """The largest error of the log odds of two tokens that follow a context."""
        off = self.log_softmax(W) - self.log_shares
        highest = np.where(self.support, off, -np.inf).max(1)
        return float((highest - np.where(self.support, off, np.inf).min(1)).max())

    def log_outside(self, W: Array) -> float:
        """log of the part of CE less the entropy that is due to these tokens."""
        odds = self._outside(W)
        with np.errstate(divide="ignore"):
            small = np.log(np.log1p(np.exp(np.maximum(odds, -30))))
        values = np.where(odds < -30, odds, small)
        return float(np.logaddexp.reduce(values + np.log(self.weights)))

    def _log_inside(self, W: Array) -> float:
        """log of the mean divergence of the shares among the tokens that follow."""
        log_q = np.where(self.support, self.log_softmax(W), -np.inf)
        log_q -= np.logaddexp.reduce(log_q, 1, keepdims=True)
        off = np.where(self.support, log_q - self.log_shares, 0)
        terms = np.where(np.abs(off) < 1e-4, off**2 / 2, np.expm1(off) - off)
        total = float(self.weights @ (self.shares * terms).sum(1))
        return float(np.log(total)) if total > 0 else -np.inf


def pair_rows(data: NextTokens, pairs: Tensor) -> Tensor:
    """(e_z - e_v) h_j^T for pairs (M, 2) of a context j and a token v that does not
    follow it, with z the first that does, flattened, (M, V d).
    """
    where, token = pairs.T
    unit = torch.eye(data.size[0], dtype=torch.float64)
    signs = unit[data.support.double().argmax(1)[where]] - unit[token]
    return (signs[:, :, None] * data.contexts[where][:, None]).flatten(1)


class Frozen:
    """The flow off F: the part in F is held, and the rows that push are those of the
    tokens that do not follow, off F.

    Off F a decoder keeps all tokens that follow a context level, so that their shares
    among each other stay what they are.
    """

    def __init__(self, data: NextTokens, limit: NextTokenLimit) -> None:
        self.decoder, (self.where, self.token) = Decoder(data), limit.pairs.numpy().T
        rows = pair_rows(data, limit.pairs)
        self.rows = (rows - rows @ limit.basis @ limit.basis.T).numpy()
        self.log_weights = np.log(self.decoder.weights)[self.where]

    def _shares(self, W: Array) -> tuple[Array, Array, float]:
        log_q = self.decoder.log_softmax(W)
        logs = self.log_weights + log_q[self.where, self.token]
        peak = float(logs.max())
        return np.exp(logs - peak), np.exp(log_q), peak

    def slope(self, W: Array) -> tuple[Array, float]:
        """-grad CE off F, in the unit of the largest share, and its logarithm."""
        weights, _, peak = self._shares(W)
        return weights @ self.rows, peak

    def bend(self, W: Array) -> tuple[Array, float]:
        """Its derivative in the same unit, (V d, V d)."""
        weights, q, peak = self._shares(W)
        turn = np.eye(q.shape[1])[self.token] - q[self.where]
        moved = turn[:, :, None] * self.decoder.contexts[self.where][:, None]
        return (weights[:, None] * self.rows).T @ moved.reshape(len(weights), -1), peak


def limit_of(data: NextTokens) -> NextTokenLimit:
    """The limit of a decoder of these data; see `next_token_limit`."""
    return next_token_limit(data.contexts, data.weights, data.shares)


def train(
    data: NextTokens, start: Tensor, log_times: Sequence[float], **settings: Any
) -> ClockedRun:
    """Gradient flow on the cross entropy from W = `start` (V, d)."""
    decoder = Decoder(data)
    return clocked_flow(
        decoder.slope, start.flatten(), log_times, bend=decoder.bend, **settings
    )


@dataclass(frozen=True)
class Training:
    """Gradient flow of a decoder at K times, and later with its part in F held.

    decoders: (K, V, d).      late: (J, V, d).
    """

    data: NextTokens
    limit: NextTokenLimit
    start: Tensor
    log_times: tuple[float, ...]
    late_times: tuple[float, ...]
    decoders: Tensor
    late: Tensor
    status: tuple[str, ...]

    @classmethod
    def run(
        cls,
        data: NextTokens,
        limit: NextTokenLimit,
        start: Tensor,
        log_times: Sequence[float],
        late_times: Sequence[float],
    ) -> Training:
        """The flow from `start` (V, d); what is left of the part in F at the last of
        `log_times` is held from there on.
        """
        first = train(data, start, log_times, tolerance=1e-8, floor=1e-13)
        frozen = Frozen(data, limit)
        end, status = first.path[-1], first.status
        late = end.new_full((len(late_times), len(end)), torch.nan)
        if first.reached:
            second = clocked_flow(
                frozen.slope,
                end,
                late_times,
                bend=frozen.bend,
                since=log_times[-1],
                tolerance=1e-8,
            )
            late, status = second.path, second.status
        decoders, late = (one.unflatten(-1, data.size) for one in (first.path, late))
        times = tuple(log_times), tuple(late_times)
        return cls(data, limit, start, *times, decoders, late, status)

    def _of_all(self, number: Callable[[Array], float]) -> Tensor:
        flat = self.decoders.flatten(1).numpy()
        return self.decoders.new_tensor([number(W) for W in flat])

    @property
    def clock(self) -> Tensor:
        """log t, (K,)."""
        return self.decoders.new_tensor(self.log_times)

    @property
    def excess(self) -> Tensor:
        """CE - H, (K,)."""
        return self._of_all(Decoder(self.data).log_excess).exp()

    @property
    def laws(self) -> Tensor:
        """t (CE - H) / |W_mm|^2, (K,)."""
        logs = self._of_all(Decoder(self.data).log_excess) + self.clock
        return logs.exp() * self.limit.program.margin**2

    @property
    def late_laws(self) -> Tensor:
        """The same later, of the part of the loss off F, (J,)."""
        decoder = Decoder(self.data)
        logs = [decoder.log_outside(W) for W in self.late.flatten(1).numpy()]
        times = self.late.new_tensor(self.late_times)
        return (self.late.new_tensor(logs) + times).exp() * self.limit.program.margin**2

    @property
    def sines(self) -> Tensor:
        """Of the angle to W_mm later, (J,)."""
        return sin_angle(self.late.flatten(1), self.limit.direction.flatten())

    @property
    def odds(self) -> Tensor:
        """Largest error of the log odds of two tokens that follow a context, (K,)."""
        return self._of_all(Decoder(self.data).odds_error)

    @property
    def distances(self) -> Tensor:
        """|W_F - its limit|, (K,)."""
        inside = self.limit.inside(self.decoders)
        return (inside - self.limit.finite).flatten(1).norm(dim=-1)

    @property
    def drifts(self) -> Tensor:
        """t times the same over its predicted limit |c|, (K,)."""
        return self.distances * self.clock.exp() / self.limit.drift.norm()

    @property
    def bounds(self) -> Tensor:
        """CE less its infimum over what is proved of that, (K,): with Z the finite part
        plus W_mm log t it is at most what CE(Z) is above the infimum plus |W(0) - Z|^2
        / (2 t), and the former at most `first` / t.
        """
        decoder = Decoder(self.data)
        first = math.exp(decoder.log_odds_outside(self.limit.finite.flatten().numpy()))
        aim = self.limit.finite + self.clock[:, None, None] * self.limit.direction
        way = (self.start - aim).flatten(1).square().sum(-1)
        above = self.excess - self.limit.divergence
        return above * self.clock.exp() / (first + way / 2)
