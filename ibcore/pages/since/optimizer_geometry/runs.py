"""What the claims on the geometry of optimizers share, and what a reader calls."""

from __future__ import annotations

import numpy as np


def last_stops(steps: int, eighths: int) -> list[int]:
    """Numbers of steps up to `steps`, eight a decade, over the last `eighths` eighths
    of a decade.
    """
    return np.unique(
        [round(steps * 10 ** (k / 8)) for k in range(-eighths, 1)]
    ).tolist()
