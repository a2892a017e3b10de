"""Tables of binary operations: addition modulo p, the same with other names, and tables
of no group.

In a Latin square every symbol stands once in each row and once in each column.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.validation import positive_integer


def addition(p: int) -> Tensor:
    """a + b mod p at place (a, b) of a table (p, p)."""
    names = torch.arange(positive_integer("p", p, least=2))
    return (names[:, None] + names) % p


def is_affine(names: Tensor) -> bool:
    """Whether names (p,), a permutation, are a -> c a + d mod p."""
    steps = names.diff() % len(names)
    return bool((steps == steps[0]).all())


def new_names(p: int, generator: torch.Generator) -> Tensor:
    """Three permutations (3, p), of rows, columns and symbols, none of them affine.

    An affine one maps cosines to cosines. There are others from p = 4 on.
    """
    positive_integer("p", p, least=4)
    found: list[Tensor] = []
    while len(found) < 3:
        names = torch.randperm(p, generator=generator)
        if not is_affine(names):
            found.append(names)
    return torch.stack(found)


def renamed(table: Tensor, names: Tensor) -> Tensor:
    """The table (p, p) in which row a, column b and symbol c of the old one are called
    names_1(a), names_2(b) and names_3(c), for `names` (3, p).
    """
    new = torch.empty_like(table)
    new[names[0][:, None], names[1]] = names[2][table]
    return new


def latin_square(p: int, generator: torch.Generator) -> Tensor:
    """A random Latin square (p, p), row by row; all can occur, not all equally often.

    By Hall's theorem the rows that are there can always be completed. A row is a
    perfect matching of columns and symbols, found with augmenting paths in random
    order.
    """
    positive_integer("p", p, least=2)
    free = torch.ones(p, p, dtype=torch.bool)
    rows = []
    for _ in range(p):
        row = _matching(free, generator)
        free[torch.arange(p), row] = False
        rows.append(row)
    return torch.stack(rows)


def _matching(free: Tensor, generator: torch.Generator) -> Tensor:
    """A symbol for every column, each once, among those that are `free` (p, p)."""
    p = len(free)
    holder: list[int | None] = [None] * p

    def placed(column: int, seen: set[int]) -> bool:
        for symbol in torch.randperm(p, generator=generator).tolist():
            if free[column, symbol] and symbol not in seen:
                seen.add(symbol)
                other = holder[symbol]
                if other is None or placed(other, seen):
                    holder[symbol] = column
                    return True
        return False

    for column in torch.randperm(p, generator=generator).tolist():
        placed(column, set())
    row = torch.empty(p, dtype=torch.long)
    row[torch.tensor(holder)] = torch.arange(p)
    return row


def is_group(table: Tensor) -> bool:
    """Whether a Latin square (p, p) is the table of a group with other names.

    With rows and columns called by what stands in the first column and row, the table
    has a neutral element; it is then associative if and only if it is a group with
    other names (Albert 1943).
    """
    loop = table[table[:, 0].argsort()]
    loop = loop[:, loop[0].argsort()]
    p = len(loop)
    left = loop[loop]  # (a b) c at place (a, b, c)
    right = loop[torch.arange(p)[:, None, None], loop]  # a (b c)
    return bool((left == right).all())


def no_group(p: int, generator: torch.Generator) -> Tensor:
    """A random Latin square that is no group with other names; there are such from p =
    5 on.
    """
    positive_integer("p", p, least=5)
    while True:
        table = latin_square(p, generator)
        if not is_group(table):
            return table
