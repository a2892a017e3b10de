"""What the page proves of the smallest margin, and a check that two claims share."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ibcore.evidence import Check
from ibcore.pages.classification.logistic_regression.runs import Batch


def allowance(n: int) -> float:
    """log(2^n - 1): how far the smallest margin may be below gamma |w| on the flow."""
    return n * math.log(2) + math.log1p(-(2.0**-n))


def normalized_margins(batch: Batch, thetas: Tensor) -> Tensor:
    """Smallest margins of parameters (K, B, d) over their lengths, (K, B)."""
    outputs = torch.einsum("bnd,kbd->kbn", batch.signed, thetas)
    return outputs.amin(-1) / torch.linalg.vector_norm(thetas, dim=-1)


def deficits(batch: Batch, thetas: Tensor) -> Tensor:
    """(gamma |w| - smallest margin) / log(2^n - 1) of states (K, B, d), (K, B)."""
    lengths = torch.linalg.vector_norm(thetas, dim=-1)
    gaps = batch.gamma - normalized_margins(batch, thetas)
    return lengths * gaps / allowance(batch.signed.shape[1])


def gap_shares(batch: Batch, thetas: Tensor, log_times: Tensor) -> Tensor:
    """Relative margin gaps of states (K, B, d) over their bound at K late times, (K,
    B).

    The bound is log(2^n - 1) / (log t - log n - log(1 + |w_hat|^2 log(t)^2 / 2)); n L,
    which the page subtracts as well, is below rounding at these times.
    """
    n, u = batch.signed.shape[1], log_times.to(thetas)[:, None]
    grown = u - math.log(n) - torch.log1p(u.square() / (2 * batch.gamma.square()))
    gaps = 1 - normalized_margins(batch, thetas) / batch.gamma
    return gaps * grown / allowance(n)


def settled(constants: Tensor) -> Check:
    """The share of problems whose sin * log t, (K, N), has settled."""
    least = constants.amin(0)
    return Check.share(
        "sin * log t constant to 1 %, log t from 1e3 to 1e6",
        (constants.amax(0) - least) / least,
        at_most=0.01,
        least=0.9,
        tag="observed",
        math=r"$\sin\angle \cdot \log t$ constant to 1 %, $\log t$ from $10^3$ to "
        "$10^6$",
        reason=r"$t^{-\kappa} < e^{-5}$ from the start of the window; the theorem "
        "names no time by which the constant settles",
    )
