"""Linear regression with more features than examples and a target of known sparsity."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, positive_integer, real_number


@dataclass(frozen=True)
class Regression:
    """Inputs X (n, d), targets y = X truth (n,) and truth (d,), float64."""

    X: Tensor
    y: Tensor
    truth: Tensor

    def first(self, n: int) -> Regression:
        """The first `n` examples."""
        return Regression(self.X[:n], self.y[:n], self.truth)


def sparse_regression(
    n: int, d: int, support: int, generator: torch.Generator
) -> Regression:
    """Standard normal inputs; the truth has `support` entries of random sign and of
    size uniform in [1/2, 3/2].

    Raises `InvalidInput` for more nonzero entries than dimensions.
    """
    for name, value in (("n", n), ("d", d), ("support", support)):
        positive_integer(name, value)
    if support > d:
        raise InvalidInput(f"support is {support}, but there are only {d} dimensions.")
    X = torch.randn(n, d, generator=generator, dtype=torch.float64)
    truth = torch.zeros(d, dtype=torch.float64)
    sizes = 0.5 + torch.rand(support, generator=generator, dtype=torch.float64)
    signs = torch.where(
        torch.rand(support, generator=generator) < 0.5, -1.0, 1.0
    ).double()
    truth[torch.randperm(d, generator=generator)[:support]] = sizes * signs
    return Regression(X, X @ truth, truth)


def runners_up(d: int, lag: float) -> Regression:
    """One equation x.beta = 1 with x = (1, 1 - lag, ..., 1 - lag): the first coordinate
    is best, by little.
    """
    positive_integer("d", d, least=2)
    if not 0 < real_number("lag", lag) < 1:
        raise InvalidInput(f"lag is {lag!r}, expected a number between 0 and 1.")
    x = torch.full((d,), 1 - lag, dtype=torch.float64)
    x[0] = 1
    truth = torch.zeros(d, dtype=torch.float64)
    truth[0] = 1
    return Regression(x[None], torch.ones(1, dtype=torch.float64), truth)
