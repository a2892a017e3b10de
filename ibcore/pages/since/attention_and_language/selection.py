"""Training of one attention layer: its flow at any time, and descent with normalized
steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ibcore.dynamics.log_clock import ClockedRun, clocked_flow
from ibcore.problems.tokens import TokenSet

Array = NDArray[np.float64]


class Layer:
    """The mean logistic loss of an attention layer with its derivatives, in units that
    never underflow.

    The margin of input i is f_i = sum_t a_it s_it, with the attention a = softmax(x.p).
    A pair of tokens t < u counts a_t a_u (s_t - s_u), of which logarithms are used.
    """

    def __init__(self, data: TokenSet) -> None:
        self.tokens, self.scores = data.tokens.numpy(), data.scores.numpy()
        self.first, self.second = np.triu_indices(self.scores.shape[1], 1)
        ahead = self.scores[:, self.first] - self.scores[:, self.second]
        self.sign = np.sign(ahead)
        with np.errstate(divide="ignore"):
            self.log_ahead = np.log(np.abs(ahead))
        self.apart = self.tokens[:, self.first] - self.tokens[:, self.second]

    def log_attention(self, p: Array) -> Array:
        """log a, (n, T)."""
        logits = self.tokens @ p
        logits -= logits.max(-1, keepdims=True)
        return np.asarray(logits - np.log(np.exp(logits).sum(-1, keepdims=True)))

    def _pairs(self, log_a: Array) -> tuple[Array, Array, float]:
        """Signed weights (n, M) of the M pairs in -grad L, the slopes of the
        losses (n,), and the logarithm of the weights' unit.
        """
        log_slopes = -np.logaddexp(0, (np.exp(log_a) * self.scores).sum(1))
        logs = log_a[:, self.first] + log_a[:, self.second] + self.log_ahead
        logs += log_slopes[:, None] - math.log(len(log_a))
        peak = float(logs.max())
        return self.sign * np.exp(logs - peak), np.exp(log_slopes), peak

    def slope(self, p: Array) -> tuple[Array, float]:
        """-grad L in the unit of the largest pair, and the logarithm of that unit."""
        weights, _, peak = self._pairs(self.log_attention(p))
        return weights.ravel() @ self.apart.reshape(-1, len(p)), peak

    def bend(self, p: Array) -> tuple[Array, float]:
        """The derivative of -grad L in the same unit, (d, d)."""
        log_a = self.log_attention(p)
        weights, slopes, peak = self._pairs(log_a)
        off = self.tokens - (np.exp(log_a)[:, None] @ self.tokens)
        turn = off[:, self.first] + off[:, self.second]
        pushed = weights[..., None] * self.apart
        push = pushed.sum(1)
        bent = pushed.reshape(-1, len(p)).T @ turn.reshape(-1, len(p))
        tilt = (slopes - 1) * np.exp(peak) * len(log_a) / slopes
        return bent + (tilt[:, None] * push).T @ push, peak

    def log_excess(self, p: Array, winners: NDArray[np.bool_]) -> float:
        """log of L less its limit, where attention is on the best token of the
        `winners` (n,) and on a token of score 0 of the other inputs.

        NaN where L is below that limit.
        """
        log_a = self.log_attention(p)
        best = self.scores > 0
        others = np.where(best, -np.inf, log_a)
        log_miss = np.logaddexp.reduce(others, -1)
        log_hit = log_a[best]
        above = [_log_rise(1.0, one) for one in log_miss[winners]]
        below = [_log_rise(0.0, one, -1) for one in log_hit[~winners]]
        total = np.logaddexp.reduce(above or [-np.inf])
        lost = np.logaddexp.reduce(below or [-np.inf])
        if not lost < total:
            return math.nan
        return float(total + np.log1p(-np.exp(lost - total)) - math.log(len(winners)))


def _log_rise(margin: float, log_step: float, sign: int = 1) -> float:
    """log of |l(m - sign h) - l(m)| for the logistic loss and h = exp(log_step)."""
    log_slope = -math.log1p(math.exp(margin))
    if log_step < -30:
        return log_slope + log_step
    rise = math.log1p(math.exp(log_slope) * math.expm1(sign * math.exp(log_step)))
    return math.log(abs(rise))


def follow(
    data: TokenSet, start: Tensor, log_times: Sequence[float], **settings: Any
) -> ClockedRun:
    """Gradient flow on the mean logistic loss of an attention layer, from p = `start`
    (d,).
    """
    layer = Layer(data)
    return clocked_flow(layer.slope, start, log_times, bend=layer.bend, **settings)
