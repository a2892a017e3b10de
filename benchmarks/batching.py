"""One batch of problems against a loop over them, the same problems and the same code.

The gain is the overhead of dispatching small operations; on large problems there is
none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Logistic
from ibcore.models import Linear
from ibcore.problems.separable import planted_margin


def run() -> Iterator[str]:
    """Ratios for 64 problems of three sizes."""
    for n, d in ((8, 3), (20, 10), (50, 100)):
        signed = torch.stack(
            [
                planted_margin(n, d, 0.1, torch.Generator().manual_seed(k)).signed
                for k in range(64)
            ]
        )
        start = torch.zeros(64, d, dtype=torch.float64)
        began = time.perf_counter()
        flow(Linear(signed), Logistic(), start, log_loss=-1e6)
        descend(
            Objective(Linear(signed), Logistic()), start, constant(0.1), steps=[500]
        )
        batched = time.perf_counter() - began
        began = time.perf_counter()
        for k in range(8):
            flow(Linear(signed[k]), Logistic(), start[:1], log_loss=-1e6)
            one = Objective(Linear(signed[k]), Logistic())
            descend(one, start[:1], constant(0.1), steps=[500])
        looped = 8 * (time.perf_counter() - began)
        yield f"n = {n}, d = {d}: a loop takes {looped / batched:.1f} x the time of the batch"
