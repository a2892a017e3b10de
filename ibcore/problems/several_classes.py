"""Linear classification data of several classes whose separability is known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, not_drawn, positive_integer, real_number

_ROUNDS = 1000  # of 4 n draws each


@dataclass(frozen=True)
class SeveralClasses:
    """Inputs X (n, d) with classes y (n,) from 0 to K - 1, told apart by a linear
    `teacher` (K, d).
    """

    X: Tensor
    y: Tensor
    teacher: Tensor

    @property
    def pairs(self) -> Tensor:
        """Rows (n (K - 1), K d) whose products with the flattened W (K, d) are (w_{y_i}
        - w_k).x_i, k != y_i.
        """
        count = len(self.teacher)
        own = torch.nn.functional.one_hot(self.y, count).to(self.X)
        signs = own[:, None, :] - torch.eye(
            count, dtype=self.X.dtype, device=self.X.device
        )
        rows = (signs[..., None] * self.X[:, None, None, :]).flatten(-2)
        return rows[own == 0]


def planted_classes(
    n: int, d: int, count: int, margin: float, generator: torch.Generator
) -> SeveralClasses:
    """n standard normal points of d dimensions, in the class of the teacher's best
    score out of K = `count`.

    The K teachers are random unit vectors; points whose two best scores differ by less
    than `margin` are not drawn. Raises `InvalidInput` where too few points keep the
    margin.
    """
    positive_integer("n", n)
    positive_integer("d", d)
    positive_integer("count", count, least=2)
    if not 0 <= real_number("margin", margin) <= 1:
        raise InvalidInput(f"margin is {margin!r}, expected a number from 0 to 1.")
    teacher = torch.randn(count, d, generator=generator, dtype=torch.float64)
    teacher = teacher / teacher.norm(dim=1, keepdim=True)
    kept = torch.empty(0, d, dtype=torch.float64)
    for _ in range(_ROUNDS):
        drawn = torch.randn(4 * n, d, generator=generator, dtype=torch.float64)
        best = (drawn @ teacher.T).topk(2, 1).values
        kept = torch.cat([kept, drawn[best[:, 0] - best[:, 1] >= margin]])
        if len(kept) >= n:
            break
    else:
        raise not_drawn(
            f"{n} points of dimension {d} at a margin of {margin:g} for {count} classes",
            4 * n * _ROUNDS,
            "Take a smaller margin, fewer classes or more dimensions.",
        )
    X = kept[:n]
    return SeveralClasses(X, (X @ teacher.T).argmax(1), teacher)
