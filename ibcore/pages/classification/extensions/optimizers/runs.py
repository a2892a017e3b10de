"""What the claims on optimizers share: margins, stops, and step sizes for blocks of
runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ibcore.dynamics.directions import Direction
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import Scheduled, constant
from ibcore.losses import Exponential
from ibcore.models import Linear
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.problems.separable import Classification
from ibcore.threads import threads

NORMS = (1.0, 2.0, math.inf)
NAMES = {1.0: "l1", 2.0: "l2", math.inf: "l_inf"}


def margins(signed: Tensor, w: Tensor) -> Tensor:
    """y_i w.x_i of parameters (..., d) on signed inputs (..., n, d), (..., n)."""
    return torch.einsum("...nd,...d->...n", signed, w)


def last_stops(steps: int, eighths: int) -> list[int]:
    """Numbers of steps up to `steps`, eight a decade, over the last `eighths` eighths
    of a decade.
    """
    return np.unique(
        [round(steps * 10 ** (k / 8)) for k in range(-eighths, 1)]
    ).tolist()


def in_blocks(
    sizes: Sequence[float], over_loss: Sequence[bool], rows: Tensor
) -> Scheduled:
    """One step size for each block of as many runs as `rows` has data sets."""
    each, scaled = (
        torch.tensor(values, device=rows.device).repeat_interleave(len(rows))
        for values in (sizes, over_loss)
    )
    return constant(each.to(rows), over_loss=scaled)


def step_lengths(pace: Scheduled, steps: int) -> Tensor:
    """exp(log_size(k)) for k below `steps`, (steps, ...)."""
    sizes = [torch.as_tensor(pace.log_size(k)) for k in range(steps)]
    return torch.stack(sizes).exp()


@threads()
def margin_gaps(
    data: Classification,
    optimizer: Direction,
    step_size: float,
    *,
    steps: int,
    over_loss: bool = True,
) -> dict[str, float]:
    """Relative margin gaps in l1, l2 and l_inf of what an optimizer finds on the
    reader's data from w = 0.
    """
    run = descend(
        Objective(Linear(data.signed), Exponential()),
        torch.zeros(1, data.X.shape[1], dtype=data.X.dtype),
        constant(step_size, over_loss=over_loss),
        steps=[steps],
        direction=optimizer,
        max_seconds=math.inf,
    )
    w = run.theta[0, 0]
    return {name: margin_gap(data, w, p) for p, name in NAMES.items()}


def margin_gap(data: Classification, w: Tensor, p: float) -> float:
    """1 - margin of w (d,) in l_p over the largest."""
    least = (data.signed @ w).min()
    own = float(least / torch.linalg.vector_norm(w, p))
    return 1 - own / norm_max_margin(data.X, data.y, p).margin
