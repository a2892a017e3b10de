"""A small completion at several depths and sizes of the start."""

from __future__ import annotations

import functools

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.figures import figure
from ibcore.oracles.nuclear_minimization import nuclear_completion
from ibcore.pages.regression.matrix_factorization.greedy_low_rank.figures import (
    plot_growth,
    plot_spectra,
)
from ibcore.pages.regression.matrix_factorization.greedy_low_rank.runs import complete
from ibcore.problems.planted_low_rank import gaussian_product, revealed_entries

DEPTHS = (1, 2, 3, 4)
SIZES = (1.0, 1e-2, 1e-4, 1e-6)  # of the product at the start
SIZE, RANK, SHARE = 12, 2, 0.55
STOPS = tuple(sorted({round(10 ** (k / 14)) for k in range(1, 45)}))


@functools.cache
def hidden_matrix() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The matrix of the explorer with largest singular value 1, the places observed,
    and its completion of least nuclear norm.
    """
    generator = torch.Generator().manual_seed(0)
    truth = gaussian_product(SIZE, RANK, generator)
    truth = truth / torch.linalg.matrix_norm(truth, 2)
    rows, columns = revealed_entries(SIZE, SHARE, generator)
    least = nuclear_completion(rows, columns, truth[rows, columns], (SIZE, SIZE))
    return truth, rows, columns, least.matrix


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


def explore_completion(depth: int, size: float) -> tuple[Figure, str]:
    """Singular values in training, and in the end beside those of the truth."""
    truth, _, _, nuclear = hidden_matrix()
    path = trained(depth)[:, SIZES.index(size)]
    values = torch.linalg.svdvals(path)
    risen = torch.linalg.svdvals(truth)[:RANK].numpy()
    spectra = {
        "truth": risen,
        "nuclear": torch.linalg.svdvals(nuclear).numpy(),
        "descent": values[-1].numpy(),
    }
    fig, (left, right) = figure(2, height=3.2, width=7.0)
    plot_growth(left, STOPS, values.numpy(), risen)
    plot_spectra(right, spectra)
    error, other = (
        float((W - truth).norm() / truth.norm()) for W in (path[-1], nuclear)
    )
    return fig, (
        f"Depth {depth}, a start of size {size:g}: relative error {error:.1g}. The "
        f"completion of least nuclear norm has {other:.1g}."
    )
