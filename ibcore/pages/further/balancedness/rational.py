"""Descent in rational numbers, where nothing is rounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor

from ibcore.dynamics import explicit
from ibcore.dynamics.objective import FunctionObjective
from ibcore.dynamics.paces import constant


def exact_step(
    rows: list[list[Fraction]],
    out: list[Fraction],
    inputs: list[list[Fraction]],
    labels: list[Fraction],
    step: Fraction,
) -> tuple[list[Fraction], list[Fraction]]:
    """One step of descent of sum_j a_j max(0, w_j . x) in fractions: what a_j^2 -
    |w_j|^2 changes by, and the theory.

    rows: w_j.      out: a_j.      The loss is the mean of the squared residuals.
    """
    received = [[_dot(w, x) for w in rows] for x in inputs]
    active = [[z if z > 0 else Fraction(0) for z in line] for line in received]
    push = [
        2 * (_dot(out, line) - y) / len(labels)
        for line, y in zip(active, labels, strict=True)
    ]
    changes, predicted = [], []
    for j, (w, a) in enumerate(zip(rows, out, strict=True)):
        on = [p * (line[j] > 0) for p, line in zip(push, received, strict=True)]
        turn = [a * _dot(on, [x[k] for x in inputs]) for k in range(len(w))]
        lift = _dot(push, [line[j] for line in active])
        moved = [v - step * g for v, g in zip(w, turn, strict=True)]
        after = (a - step * lift) ** 2 - _dot(moved, moved)
        changes.append(after - (a**2 - _dot(w, w)))
        predicted.append(step**2 * (lift**2 - _dot(turn, turn)))
    return changes, predicted


def _dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    pairs = zip(left, right, strict=True)
    return sum((a * b for a, b in pairs), Fraction(0))


def product_descent(start: tuple[float, float], step: float, count: int) -> Tensor:
    """Iterates (count + 1, 2) of descent on (u v - 1)^2 from (u, v)."""

    def values(theta: Tensor, _members: Tensor) -> tuple[Tensor, Tensor]:
        apart = theta.prod(-1) - 1
        return apart.square(), 2 * apart[:, None] * theta.flip(-1)

    run = explicit.descend(
        FunctionObjective(values),
        torch.tensor([start], dtype=torch.float64),
        constant(step),
        steps=range(count + 1),
        max_seconds=math.inf,
    )
    return run.theta[:, 0]
