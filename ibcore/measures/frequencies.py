"""How the power of a vector is spread over the frequencies of the discrete Fourier
transform.
"""

from __future__ import annotations

import torch
from torch import Tensor


def power_shares(vectors: Tensor) -> Tensor:
    """Shares of |v|^2 at the frequencies 0, 1, ..., floor(p / 2) of real vectors (...,
    p), (..., floor(p / 2) + 1).

    A frequency k stands for k and -k. A vector of zeros has NaN.
    """
    p = vectors.shape[-1]
    power = torch.fft.rfft(vectors, dim=-1).abs().square()
    power[..., 1 : (p + 1) // 2] *= 2
    return power / power.sum(-1, keepdim=True)
