"""Least nuclear norm of a completion: Newton's method on the dual barrier against SCS
and Clarabel through CVXPY.

Every route gets the same entries of a random d x d matrix of rank 2 and the same
certificate: its matrix is moved to the nearest one that fits, its dual variables are
scaled to be feasible, and the relative gap is what it reached. SCS runs at its default
tolerance and at 1e-9, with an iteration limit. The conic solvers pay for the setup by
CVXPY.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median

import torch

from ibcore.models.observations import Entries
from ibcore.oracles.nuclear_minimization import (
    NuclearMinimum,
    nuclear_completion,
    nuclear_program,
)

SIZES = (8, 16, 24)
SEEDS = range(3)
RANK, SHARE = 2, 0.45


def run() -> Iterator[str]:
    """For each size the ratios of time and of certified gap, medians over three
    matrices.
    """
    for size in SIZES:
        rows = [_compare(size, seed) for seed in SEEDS]
        ours = median(row["Newton"][1] for row in rows)
        parts = []
        for name in ("SCS", "SCS at 1e-9", "Clarabel"):
            times = median(row[name][0] / row["Newton"][0] for row in rows)
            parts.append(
                f"{name} takes {times:.3g} x the time to a gap of "
                f"{median(row[name][1] for row in rows):.0e}"
            )
        yield f"completion of {size} x {size}, gap {ours:.0e} reached: " + ", ".join(
            parts
        )


def _compare(size: int, seed: int) -> dict[str, tuple[float, float]]:
    generator = torch.Generator().manual_seed(seed)
    left, right = (
        torch.randn(size, RANK, generator=generator, dtype=torch.float64)
        for _ in range(2)
    )
    seen = torch.randperm(size * size, generator=generator)[
        : round(SHARE * size * size)
    ]
    rows, columns = seen // size, seen % size
    y = (left @ right.mT)[rows, columns]
    matrices = Entries(rows, columns, (size, size)).dense()
    routes: dict[str, Callable[[], NuclearMinimum]] = {
        "Newton": lambda: nuclear_completion(rows, columns, y, (size, size)),
        "SCS": lambda: nuclear_program(matrices, y, solver="SCS"),
        "SCS at 1e-9": lambda: nuclear_program(
            matrices, y, solver="SCS", eps_abs=1e-9, eps_rel=1e-9, max_iters=50_000
        ),
        "Clarabel": lambda: nuclear_program(matrices, y, solver="CLARABEL"),
    }
    return {name: _timed(route) for name, route in routes.items()}


def _timed(route: Callable[[], NuclearMinimum]) -> tuple[float, float]:
    began = time.perf_counter()
    found = route()
    return time.perf_counter() - began, found.gap
