"""The query that separates the best token of every input from the others."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.problems.tokens import TokenSet
from ibcore.threads import threads

KAPPA = 1 / (1 + torch.e)  # slope of the logistic loss at the margin 1


@dataclass(frozen=True)
class TokenSelection:
    """The hard-margin program of some inputs, and where it leaves the others.

    program: the shortest p with (x_best - x_t).p >= 1 for every other token t of the
    `winners` (n,).      gaps: (n,), how far the foremost wrong token of an input is
    ahead of its best one along that p; at most -1 for the winners.
    """

    program: MaxMargin
    winners: Tensor
    gaps: Tensor

    @property
    def query(self) -> Tensor:
        """The solution p, (d,)."""
        return self.program.primal


@threads()
def token_selection(data: TokenSet, winners: object = None) -> TokenSelection:
    """The selection where the `winners` (n,), by default all inputs, pay attention to
    their best token.

    The direction to which training of the query goes (Tarzanagh, Li, Zhang and Oymak
    2023, for the selection that it has come to). The program is that of `max_margin`
    on the differences of tokens, with its certificate and its scalings.

    Raises `NotSeparable` where no query puts all these tokens first.
    """
    chosen = torch.ones(len(data.best), dtype=torch.bool)
    if winners is not None:
        chosen = torch.as_tensor(winners, dtype=torch.bool)
    rows = data.differences[chosen].flatten(0, 1)
    program = max_margin(rows, torch.ones(len(rows)))
    gaps = -(data.differences @ program.primal).amin(-1)
    return TokenSelection(program, chosen, gaps)
