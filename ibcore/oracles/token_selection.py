"""The query that separates the best token of every input from the others."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.threads import threads
from ibcore.validation import InvalidInput, indices, real_tensor

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
def token_selection(
    tokens: object, best: object, winners: object = None
) -> TokenSelection:
    """The selection where the `winners` (n,), by default all inputs, pay attention to
    their best token.

    tokens: x, (n, T, d).      best: (n,), the number of the best token, from 0 on.
    The direction to which training of the query goes (Tarzanagh, Li, Zhang and Oymak
    2023, for the selection that it has come to). The program is that of `max_margin`
    on the differences of tokens, with its certificate and its scalings.

    Raises `InvalidInput` for shapes that do not match, and `NotSeparable` where no
    query puts all these tokens first.
    """
    x = real_tensor("tokens", tokens, ndim=3).double()
    first = indices("best", best)
    if first.shape != x.shape[:1] or not bool(
        ((first >= 0) & (first < x.shape[1])).all()
    ):
        raise InvalidInput(
            f"best is {first.tolist()} for tokens of shape {tuple(x.shape)}; expected "
            "the number of a token, from 0 on, for each input."
        )
    chosen = torch.ones(len(x), dtype=torch.bool)
    if winners is not None:
        chosen = torch.as_tensor(winners, dtype=torch.bool)
    place = torch.arange(len(x))
    ahead = x[place, first][:, None] - x
    others = torch.ones(x.shape[:2], dtype=torch.bool)
    others[place, first] = False
    rows = ahead[others & chosen[:, None]]
    program = max_margin(rows, torch.ones(len(rows)))
    heights = (ahead @ program.primal).masked_fill(~others, torch.inf)
    return TokenSelection(program, chosen, -heights.amin(-1))
