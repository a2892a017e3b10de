"""Inputs of several tokens, one of which carries the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, positive_integer, real_number, real_tensor


@dataclass(frozen=True)
class TokenSet:
    """n inputs of T tokens each.

    tokens: x, (n, T, d).      best: (n,) which token of an input has the score 1; all
    others have the score 0.

    Raises `InvalidInput` for fewer than two tokens and for indices that are none.
    """

    tokens: Tensor
    best: Tensor

    def __post_init__(self) -> None:
        tokens = real_tensor("tokens", self.tokens, ndim=3).double()
        n, count, _ = tokens.shape
        best = torch.as_tensor(self.best)
        whole = best.shape == (n,) and bool((best == best.round()).all())
        if count < 2 or not whole or not bool(((best >= 0) & (best < count)).all()):
            raise InvalidInput(
                f"best is {best.tolist()} for tokens of shape {tuple(tokens.shape)}; "
                "expected for each input of two or more tokens the number of one of "
                "them, counted from 0."
            )
        object.__setattr__(self, "tokens", tokens)
        object.__setattr__(self, "best", best.long())

    @property
    def scores(self) -> Tensor:
        """1 for the best token of every input and 0 for the others, (n, T)."""
        count = self.tokens.shape[1]
        return torch.nn.functional.one_hot(self.best, count).double()

    @property
    def differences(self) -> Tensor:
        """The best token less each of the others, (n, T - 1, d)."""
        own = self.tokens[torch.arange(len(self.best)), self.best]
        others = self.tokens[self.scores == 0].unflatten(0, (len(self.best), -1))
        return own[:, None] - others

    def only(self, inputs: Tensor) -> TokenSet:
        """These inputs alone."""
        return replace(self, tokens=self.tokens[inputs], best=self.best[inputs])


def drawn_tokens(n: int, count: int, d: int, generator: torch.Generator) -> TokenSet:
    """Standard normal tokens; the first of every input is the best one.

    n inputs of `count` tokens in d dimensions. With n (count - 1) <= d some query puts
    the best token of every input first, with probability one.
    """
    for name, value in (("n", n), ("d", d)):
        positive_integer(name, value)
    positive_integer("count", count, least=2)
    tokens = torch.randn(n, count, d, generator=generator, dtype=torch.float64)
    return TokenSet(tokens, torch.zeros(n, dtype=torch.long))


def one_input(count: int, d: int, generator: torch.Generator) -> TokenSet:
    """One input of standard normal tokens whose best one is farthest in a random
    direction, and so is separated from the others.
    """
    positive_integer("count", count, least=2)
    positive_integer("d", d)
    tokens = torch.randn(1, count, d, generator=generator, dtype=torch.float64)
    teacher = torch.randn(d, generator=generator, dtype=torch.float64)
    return TokenSet(tokens, (tokens @ teacher).argmax(-1))


def with_gap(data: TokenSet, direction: Tensor, gap: float) -> TokenSet:
    """The same with another last input: along `direction` w (d,) its second token lies
    ahead of the best one by w.(x_wrong - x_best) = `gap`, the others at the height of
    the best one.
    """
    gap = real_number("gap", gap)
    tokens, last = data.tokens.clone(), len(data.best) - 1
    best = int(data.best[last])
    wrong = int(best == 0)
    heights = tokens[last] @ direction
    wanted = heights[best].expand_as(heights).clone()
    wanted[wrong] += gap
    unit = direction / direction.square().sum()
    tokens[last] = tokens[last] + (wanted - heights)[:, None] * unit
    return replace(data, tokens=tokens)
