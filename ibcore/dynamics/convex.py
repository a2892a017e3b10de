"""Gradient descent and averaged stochastic gradient descent, recorded along the way, on batches of problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ibcore.threads import threads
from ibcore.validation import InvalidInput


@threads()
def descent_path(
    gradient: Callable[[Tensor], Tensor],
    start: Tensor,
    step_size: Tensor,
    stops: Sequence[int],
) -> Tensor:
    """Iterates w_k of w <- w - eta grad f(w) after k steps, for k in `stops`: (K, B, d).

    gradient: (B, d) -> (B, d).      start: (B, d).      step_size: eta (B,).
    Raises `InvalidInput` for stops that do not rise or step sizes that are not positive.
    """
    _check(step_size, stops)
    w, wanted, path = start, set(stops), []
    for step in range(stops[-1] + 1):
        if step in wanted:
            path.append(w)
        if step < stops[-1]:
            w = w - step_size[:, None] * gradient(w)
    return torch.stack(path)


@dataclass(frozen=True)
class StochasticPath:
    """R runs on B problems at K stops: last iterates w_k and averages (w_0 + ... + w_(k-1)) / k, (K, B, R, d)."""

    last: Tensor
    average: Tensor


@threads()
def averaged_sgd(
    gradient: Callable[[Tensor, Tensor], Tensor],
    start: Tensor,
    step_size: Tensor,
    *,
    runs: int,
    examples: int,
    stops: Sequence[int],
    generator: torch.Generator,
) -> StochasticPath:
    """w <- w - eta grad f_i(w) with i uniform on the examples and drawn anew for every step and run.

    gradient: w (B, R, d) and indices (B, R) -> (B, R, d).      start: (B, d).      step_size: eta (B,).
    stops: rising, from 1 on.      generator: on the CPU.
    Raises `InvalidInput` for stops that do not rise from 1 on or step sizes that are not positive.
    """
    _check(step_size, stops, least=1)
    w = start[:, None].expand(-1, runs, -1).clone()
    total, eta, wanted = torch.zeros_like(w), step_size[:, None, None], set(stops)
    last, average = [], []
    for step in range(1, stops[-1] + 1):
        total += w
        rows = torch.randint(examples, w.shape[:2], generator=generator).to(w.device)
        w = w - eta * gradient(w, rows)
        if step in wanted:
            last.append(w)
            average.append(total / step)
    return StochasticPath(torch.stack(last), torch.stack(average))


def _check(step_size: Tensor, stops: Sequence[int], least: int = 0) -> None:
    if (
        not stops
        or stops[0] < least
        or any(later <= earlier for earlier, later in pairwise(stops))
    ):
        raise InvalidInput(
            f"stops are {list(stops)}, expected rising integers from {least} on."
        )
    if not bool(((step_size > 0) & step_size.isfinite()).all()):
        raise InvalidInput(
            f"step_size has the smallest entry {float(step_size.min()):g}, expected finite numbers above 0."
        )
