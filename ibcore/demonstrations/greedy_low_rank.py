"""A small completion at several depths and scales; how much must be observed until it is recovered."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.factor_descent import FactorRun, descend_factors
from ibcore.figures.greedy_low_rank import draw_growth, draw_spectra
from ibcore.figures.style import figure
from ibcore.models.observations import Entries
from ibcore.oracles.nuclear_minimization import nuclear_completion
from ibcore.problems.planted_low_rank import gaussian_product, revealed_entries
from ibcore.threads import threads

DEPTHS = (1, 2, 3, 4)
SIZES = (1.0, 1e-2, 1e-4, 1e-6)  # of the product at the start
SIZE, RANK, SHARE = 12, 2, 0.55
STOPS = tuple(sorted({round(10 ** (k / 14)) for k in range(1, 45)}))


@threads()
def complete(
    rows: Tensor,
    columns: Tensor,
    values: Tensor,
    size: int,
    *,
    depth: int,
    start: Tensor | float,
    stops: Sequence[int],
    seed: int = 0,
) -> FactorRun:
    """Completion of B (size, size) matrices from entries (B, n) by descent on layers of entries N(0, start^2/size).

    start: one number, or (B,).
    """
    seen, n = Entries(rows, columns, (size, size)), values.shape[-1]
    draw = torch.Generator().manual_seed(seed)
    scale = (
        torch.as_tensor(start, dtype=torch.float64).expand(len(values))[:, None, None]
        / size**0.5
    )
    layers = scale * torch.randn(
        depth, len(values), size, size, generator=draw, dtype=torch.float64
    )
    return descend_factors(
        lambda W: seen.spread(2 / n * (seen.read(W) - values)),
        layers,
        stops,
        safety=0.8,
    )


@functools.cache
def hidden_matrix() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The matrix of the explorer with largest singular value 1, the places observed, and its completion of least
    nuclear norm.
    """
    generator = torch.Generator().manual_seed(0)
    truth = gaussian_product(SIZE, RANK, generator)
    truth = truth / torch.linalg.matrix_norm(truth, 2)
    rows, columns = revealed_entries(SIZE, SHARE, generator)
    return (
        truth,
        rows,
        columns,
        nuclear_completion(rows, columns, truth[rows, columns], (SIZE, SIZE)).matrix,
    )


@functools.cache
def trained(depth: int) -> Tensor:
    """W at `STOPS` from a start of each of `SIZES`, (K, sizes, d, d)."""
    truth, rows, columns, _ = hidden_matrix()
    row, column, value = (
        part.expand(len(SIZES), -1) for part in (rows, columns, truth[rows, columns])
    )
    start = torch.tensor(SIZES, dtype=torch.float64) ** (1 / depth)
    return complete(
        row, column, value, SIZE, depth=depth, start=start, stops=STOPS
    ).products


def draw_completion(depth: int, size: float) -> tuple[Figure, str]:
    """Singular values while W is trained, and in the end beside those of the truth and of the least nuclear norm."""
    truth, _, _, nuclear = hidden_matrix()
    path = trained(depth)[:, SIZES.index(size)]
    values = torch.linalg.svdvals(path)
    fig, (left, right) = figure(2, height=3.2, width=7.0)
    draw_growth(left, STOPS, values.numpy(), torch.linalg.svdvals(truth)[:RANK].numpy())
    draw_spectra(
        right,
        {
            "truth": torch.linalg.svdvals(truth)[:RANK].numpy(),
            "nuclear": torch.linalg.svdvals(nuclear).numpy(),
            "descent": values[-1].numpy(),
        },
    )
    error, other = (
        float((W - truth).norm() / truth.norm()) for W in (path[-1], nuclear)
    )
    return fig, (
        f"Depth {depth}, a start of size {size:g}: relative error {error:.1g}. The "
        f"completion of least nuclear norm has {other:.1g}."
    )


@functools.cache
@threads()
def recovery(
    size: int, rank: int, shares: tuple[float, ...], count: int, steps: int
) -> dict[str, tuple[float, ...]]:
    """The share of `count` random matrices recovered to one percent, for each share of observed entries.

    By the least nuclear norm, and by `steps` steps of descent at depths 2 and 3.
    """
    found: dict[str, list[float]] = {"nuclear norm": [], "depth 2": [], "depth 3": []}
    for share in shares:
        draw = torch.Generator().manual_seed(round(1000 * share))
        truth = torch.stack([gaussian_product(size, rank, draw) for _ in range(count)])
        rows, columns = (
            torch.stack(part)
            for part in zip(
                *(revealed_entries(size, share, draw) for _ in truth), strict=True
            )
        )
        values = Entries(rows, columns, (size, size)).read(truth)
        guesses = {
            "nuclear norm": torch.stack(
                [
                    nuclear_completion(*parts, (size, size), tolerance=1e-5).matrix
                    for parts in zip(rows, columns, values, strict=True)
                ]
            )
        }
        for depth, start in ((2, 1e-6), (3, 0.05)):
            guesses[f"depth {depth}"] = complete(
                rows, columns, values, size, depth=depth, start=start, stops=(steps,)
            ).products[-1]
        for name, guess in guesses.items():
            error = torch.linalg.matrix_norm(guess - truth) / torch.linalg.matrix_norm(
                truth
            )
            found[name].append(float((error < 0.01).double().mean()))
    return {name: tuple(values) for name, values in found.items()}
