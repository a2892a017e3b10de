"""The 4 x 4 completion at every scale of the start."""

from __future__ import annotations

import functools

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ibcore.figures import figure
from ibcore.models.matrix_factorization import gaussian_start
from ibcore.oracles.nuclear_minimization import nuclear_completion
from ibcore.pages.regression.matrix_factorization.nuclear_norm.figures import (
    plot_matrix,
    plot_traces,
)
from ibcore.pages.regression.matrix_factorization.nuclear_norm.runs import (
    completed,
    completion_model,
)
from ibcore.problems.sensing import corner_completion

RATIOS = (0.5, 3.0)
SCALES = (1e-1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-14)


@functools.cache
def completions(ratio: float) -> tuple[NDArray[np.float64], float]:
    """W = U U^T (K, 4, 4) where the flow ends from one random start at each of
    `SCALES`; the least nuclear norm.
    """
    seen = corner_completion(ratio)
    model = completion_model(seen)
    unit = gaussian_start(model, 1, 1.0, torch.Generator().manual_seed(0))[0]
    ends = [completed(model, seen, scale * unit).state for scale in SCALES]
    least = nuclear_completion(seen.rows, seen.columns, seen.targets, seen.shape)
    return model.product(torch.stack(ends)).numpy(), least.value


def explore_completion(ratio: float, scale: float) -> tuple[Figure, str]:
    """The completed matrix beside its trace at all scales, this one marked."""
    chosen, seen = SCALES.index(scale), corner_completion(ratio)
    matrices, least = completions(ratio)
    values = np.linalg.eigvalsh(matrices[chosen])[::-1]
    fig, (left, right) = figure(2, height=3.1, width_ratios=(1, 1.25))
    plot_matrix(left, matrices[chosen], seen.rows.tolist(), seen.columns.tolist())
    plot_traces(
        right,
        np.array(SCALES),
        matrices.trace(axis1=1, axis2=2)[None],
        least,
        2 + 2 * ratio**2,
        chosen,
    )
    trace, share = values.sum(), 100 * values[1] / values[0]
    return fig, (
        f"R = {ratio:g}, start of scale {scale:.0e}: the trace is {trace:.4g}, "
        f"{trace / least:.3f} times the least nuclear norm; the second eigenvalue is "
        f"{_percent(share)} of the first."
    )


def _percent(share: float) -> str:
    return f"{share:.2g}%" if share > 1e-4 else "less than 0.0001%"
