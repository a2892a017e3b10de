"""The mean square loss of tanh networks with one hidden layer, with its gradient and
its Hessian in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TanhLandscape:
    """L = mean_i (f(x_i) - y_i)^2 of f(x) = sum_j a_j tanh(v_j . x + b_j) + c with m
    hidden neurons.

    inputs: (n, d).      targets: (n,).

    Parameters w (B, P) hold all v_1, ..., v_m, then b (m,), a (m,) and c, P = m (d + 2)
    + 1.
    """

    inputs: Tensor
    targets: Tensor

    def loss(self, w: Tensor) -> Tensor:
        """L, (B,)."""
        return self._residual(w)[0].square().mean(-1)

    def gradient(self, w: Tensor) -> Tensor:
        """grad L, (B, P)."""
        residual, bends, hidden, outer = self._residual(w)
        rows = self._jacobian(bends, hidden, outer)
        return 2 / len(self.targets) * (residual[:, None] @ rows)[:, 0]

    def hessian(self, w: Tensor) -> Tensor:
        """The Hessian of L, (B, P, P)."""
        residual, bends, hidden, outer = self._residual(w)
        rows = self._jacobian(bends, hidden, outer)
        total = rows.mT @ rows + self._curved(residual, bends, hidden, outer)
        return 2 / len(self.targets) * total

    @property
    def _extended(self) -> Tensor:
        """Inputs with an entry 1 behind them, (n, d + 1)."""
        return torch.cat([self.inputs, torch.ones_like(self.inputs[:, :1])], -1)

    def _width(self, w: Tensor) -> int:
        return (w.shape[-1] - 1) // (self.inputs.shape[-1] + 2)

    def _residual(self, w: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """f - y (B, n), tanh' and tanh of the hidden layer (B, n, m), and a (B, m)."""
        m, d = self._width(w), self.inputs.shape[-1]
        inner, shift, outer, last = w.split([m * d, m, m, 1], -1)
        hidden = torch.tanh(
            self.inputs @ inner.unflatten(-1, (m, d)).mT + shift[:, None]
        )
        outputs = (hidden @ outer[..., None])[..., 0] + last
        return outputs - self.targets, 1 - hidden.square(), hidden, outer

    def _jacobian(self, bends: Tensor, hidden: Tensor, outer: Tensor) -> Tensor:
        """df(x_i)/dw, (B, n, P)."""
        slopes = bends * outer[:, None]
        inner = (slopes[..., None] * self.inputs[:, None]).flatten(2)
        return torch.cat([inner, slopes, hidden, torch.ones_like(hidden[..., :1])], -1)

    def _curved(
        self, residual: Tensor, bends: Tensor, hidden: Tensor, outer: Tensor
    ) -> Tensor:
        """sum_i (f(x_i) - y_i) times the Hessian of f(x_i), (B, P, P)."""
        batch, _, m = hidden.shape
        d = self.inputs.shape[-1]
        weighted = residual[..., None] * bends
        second = -2 * weighted * hidden * outer[:, None]
        x = self._extended
        blocks = torch.einsum("bij,ip,iq->bjpq", second, x, x)
        mixed = torch.einsum("bij,ip->bjp", weighted, x)
        size = m * (d + 2) + 1
        out = residual.new_zeros(batch, size, size)
        j = torch.arange(m)
        places = torch.cat([j[:, None] * d + torch.arange(d), (m * d + j)[:, None]], -1)
        out[:, places[:, :, None], places[:, None]] = blocks
        outers = (m * (d + 1) + j)[:, None].expand_as(places)
        out[:, places, outers] = mixed
        out[:, outers, places] = mixed
        return out
