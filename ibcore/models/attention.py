"""One layer of softmax attention that reads scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ibcore.batch import rows_of
from ibcore.models.base import Model, with_fields
from ibcore.validation import InvalidInput, real_tensor


@dataclass(frozen=True)
class Attention(Model):
    """f_i = sum_t a_it s_it with the attention a_i = softmax(x_i1.p, ..., x_iT.p) of a
    query p to the T tokens of input i.

    tokens: x, (n, T, d) shared by the batch or (B, n, T, d).      scores: s, what each
    token contributes to the margin, (n, T) or (B, n, T).
    Parameters (B, d) hold one query a row. (Tarzanagh, Li, Zhang and Oymak 2023.)

    A token with attention near 1 leaves gradients far below rounding, which the usual
    backward pass of a softmax loses: it subtracts numbers of order one. `pullback`
    sums over pairs of tokens and subtracts scores and tokens only.

    >>> import torch
    >>> from ibcore.models.attention import Attention
    >>> layer = Attention([[[1.0], [0.0]]], [[1.0, 0.0]])
    >>> layer.outputs(torch.zeros(1, 1).double())
    tensor([[0.5000]], dtype=torch.float64)
    """

    tokens: Tensor
    scores: Tensor

    def __post_init__(self) -> None:
        tokens = _real("tokens", self.tokens, (3, 4))
        scores = _real("scores", self.scores, (2, 3)).to(tokens)
        if scores.shape != tokens.shape[:-1]:
            raise InvalidInput(
                f"scores have shape {tuple(scores.shape)}, expected one a token, "
                f"{tuple(tokens.shape[:-1])}."
            )
        object.__setattr__(self, "tokens", tokens)
        object.__setattr__(self, "scores", scores)

    @property
    def like(self) -> Tensor:
        """A tensor whose dtype and device the parameters take."""
        return self.tokens

    @property
    def dimension(self) -> int:
        """The number of parameters d."""
        return self.tokens.shape[-1]

    @property
    def examples(self) -> int:
        """The number of inputs n."""
        return self.tokens.shape[-3]

    def attention(self, theta: Tensor) -> Tensor:
        """a, (B, n, T)."""
        return torch.softmax(self._logits(theta), -1)

    def _logits(self, theta: Tensor) -> Tensor:
        return (self.tokens @ theta[:, None, :, None])[..., 0]

    def outputs(self, theta: Tensor) -> Tensor:
        """f, (B, n)."""
        return (self.attention(theta) * self.scores).sum(-1)

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i grad f_i, (B, d), for weights (B, n).

        grad f_i = sum over pairs t < u of a_t a_u (s_t - s_u) (x_t - x_u).
        """
        count = self.tokens.shape[-2]
        first, second = torch.triu_indices(count, count, offset=1)
        a, s, x = self.attention(theta), self.scores, self.tokens
        pull = a[..., first] * a[..., second] * (s[..., first] - s[..., second])
        apart = x[..., first, :] - x[..., second, :]
        return (weights[..., None, None] * pull[..., None] * apart).sum((1, 2))

    def select(self, members: Tensor) -> Self:
        """The layers of these members (A,) of the batch."""
        if self.tokens.ndim == 3:
            return self
        return with_fields(
            self, tokens=self.tokens[members], scores=self.scores[members]
        )

    def minibatch(self, rows: Tensor) -> Self:
        """The layer on these inputs, (b,) for all members or (B, b)."""
        shared = self.tokens.ndim == 3
        return with_fields(
            self,
            tokens=rows_of(self.tokens, rows, shared=shared),
            scores=rows_of(self.scores, rows, shared=shared),
        )


def _real(name: str, value: object, dimensions: tuple[int, int]) -> Tensor:
    tensor = real_tensor(name, value)
    if tensor.ndim not in dimensions:
        raise InvalidInput(
            f"{name} has {tensor.ndim} dimensions, expected {dimensions[0]}, or "
            f"{dimensions[1]} with one set a member of the batch."
        )
    return tensor
