"""Contexts with the distributions of the token that follows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, class_labels, positive_integer, real_tensor


@dataclass(frozen=True)
class NextTokens:
    """m distinct contexts and what follows them, out of V tokens.

    contexts: h, (m, d).      weights: how often a context occurs, (m,), sum 1.
    shares: p_jz, how often token z follows context j, (m, V), rows of sum 1.
    """

    contexts: Tensor
    weights: Tensor
    shares: Tensor

    @property
    def support(self) -> Tensor:
        """Which tokens follow a context, (m, V) booleans."""
        return self.shares > 0

    @property
    def entropy(self) -> float:
        """H, the mean entropy of the next token given its context."""
        return -float(self.weights @ torch.xlogy(self.shares, self.shares).sum(1))

    @property
    def size(self) -> tuple[int, int]:
        """Shape (V, d) of the decoder."""
        return self.shares.shape[1], self.contexts.shape[1]


def counted(X: object, y: object) -> NextTokens:
    """The distinct rows of X (n, d) as contexts, with the tokens y (n,) that follow
    them, whole numbers from 0 on.

    Raises `InvalidInput` for malformed data, and where every token follows every
    context.
    """
    inputs = real_tensor("X", X, ndim=2).double()
    largest = int(real_tensor("y", y, ndim=1).amax())
    tokens = class_labels("y", y, max(largest, 1) + 1)
    if len(tokens) != len(inputs):
        raise InvalidInput(
            f"X has {len(inputs)} rows and y {len(tokens)} entries; expected one next "
            "token a row."
        )
    contexts, place = torch.unique(inputs, dim=0, return_inverse=True)
    counts = torch.zeros(len(contexts), max(largest, 1) + 1, dtype=torch.float64)
    ones = torch.ones(len(tokens), dtype=torch.float64)
    counts.index_put_((place, tokens), ones, accumulate=True)
    if bool((counts > 0).all()):
        raise InvalidInput(
            "every token follows every context, so that no margin is asked for; the "
            "cross entropy then has an ordinary minimizer."
        )
    total = counts.sum(1)
    return NextTokens(contexts, total / total.sum(), counts / total[:, None])


def drawn_next_tokens(
    vocabulary: int, d: int, supports: Sequence[int], generator: torch.Generator
) -> NextTokens:
    """Standard normal contexts; `supports` says how many tokens follow each.

    Which ones they are is random, and how often they follow is counted: each of them
    one to nine times. Raises `InvalidInput` for supports beyond the vocabulary.
    """
    positive_integer("vocabulary", vocabulary, least=2)
    positive_integer("d", d)
    if not all(1 <= size <= vocabulary for size in supports):
        raise InvalidInput(
            f"supports are {list(supports)}, expected numbers from 1 to {vocabulary}."
        )
    contexts = torch.randn(len(supports), d, generator=generator, dtype=torch.float64)
    counts = torch.zeros(len(supports), vocabulary, dtype=torch.float64)
    for row, size in zip(counts, supports, strict=True):
        chosen = torch.randperm(vocabulary, generator=generator)[:size]
        row[chosen] = torch.randint(1, 10, (size,), generator=generator).double()
    total = counts.sum(1)
    return NextTokens(contexts, total / total.sum(), counts / total[:, None])


def conflicting(data: NextTokens, factor: float, shift: float) -> NextTokens:
    """The same with one context more: `factor` times the last one that two or more
    tokens follow, followed by the same tokens.

    Its log odds would have to be `factor` times those of the other, whatever the
    decoder. They are off by +-shift/2 in turn, so that a decoder misses some log odds
    by |shift| / (1 + |factor|) or more; a `shift` of 0 contradicts nothing. The new
    context is as frequent as the others on average. Raises `InvalidInput` where every
    context is followed by one token.
    """
    several = (data.support.sum(1) > 1).nonzero()[:, 0]
    if len(several) == 0:
        raise InvalidInput(
            "every context is followed by one token only, so that there are no log "
            "odds to contradict; see the claim multiclass-svm."
        )
    place = int(several[-1])
    on = data.support[place]
    turns = torch.where(torch.arange(int(on.sum())) % 2 == 0, 0.5, -0.5).double()
    row = torch.zeros_like(data.shares[place])
    row[on] = torch.softmax(factor * data.shares[place, on].log() + shift * turns, 0)
    m = len(data.weights)
    return NextTokens(
        torch.cat([data.contexts, factor * data.contexts[place : place + 1]]),
        torch.cat([data.weights * m, torch.ones(1).double()]) / (m + 1),
        torch.cat([data.shares, row[None]]),
    )
