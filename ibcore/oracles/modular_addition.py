"""The largest margin of networks of squares on addition modulo an odd p, and networks
that attain it.

Morwani, Edelman, Oncescu, Zhao and Kakade (2024); bound and construction are proved on
the page. A network f(a, b)_c = sum_j w_jc (u_ja + v_jb)^2 with N = sum_j |(u_j, v_j,
w_j)|^3 has margins f_(a + b) - f_c of at most `largest_margin(p)` N.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, positive_integer


def odd(p: int) -> int:
    """p, which has to be odd and at least 3."""
    if positive_integer("p", p, least=3) % 2 == 0:
        raise InvalidInput(f"p is {p}, expected an odd number.")
    return p


def largest_margin(p: int) -> float:
    """sqrt(2 / 27) / (sqrt(p) (p - 1)), for odd p.

    >>> from ibcore.oracles.modular_addition import largest_margin
    >>> round(largest_margin(3) ** 2 * 162, 12)
    1.0
    """
    return math.sqrt(2 / 27) / (math.sqrt(odd(p)) * (p - 1))


def largest_network(p: int) -> Tensor:
    """Neurons (4 (p - 1), 3, p) whose least margin is `largest_margin`, with N = 1.

    For every frequency k = 1, ..., (p - 1) / 2 eight neurons u = cos(k a + phi), v =
    cos(k b + psi), w = cos(k c + phi + psi), angles in units of 2 pi / p; phi and psi
    run over the multiples of pi / 2, of which those that differ by pi in both phases
    are one neuron.
    """
    angles = 2 * math.pi / odd(p) * torch.arange(p, dtype=torch.float64)
    quarters = [math.pi / 2 * step for step in range(4)]
    pairs = itertools.product(quarters[:2], quarters)
    phases = torch.tensor([(a, b, a + b) for a, b in pairs], dtype=torch.float64)
    rows = [torch.cos(k * angles + phases[..., None]) for k in range(1, (p + 1) // 2)]
    neurons = torch.cat(rows)
    return neurons / neurons.flatten(1).norm(dim=1).pow(3).sum().pow(1 / 3)


def share_under_names(names: Tensor) -> float:
    """The largest share of its power that a cosine of one frequency can have at one
    frequency, after its places a have been called names(a).

    names: (p,), a permutation. The share is a quadratic form in the two numbers that
    fix phase and size, so that its maximum is an eigenvalue of a 2 x 2 matrix.
    """
    p = odd(len(names))
    places = 2 * math.pi / p * torch.arange(p, dtype=torch.float64)
    rates = torch.arange(1, (p + 1) // 2, dtype=torch.float64)
    waves = torch.stack(
        [torch.cos(rates[:, None] * places), torch.sin(rates[:, None] * places)], -1
    )
    waves = waves * math.sqrt(2 / p)  # orthonormal columns, (k, p, 2)
    moved = torch.empty_like(waves)
    moved[:, names] = waves
    overlaps = torch.einsum("kpi,lpj->klij", waves, moved)
    return float(torch.linalg.matrix_norm(overlaps, 2).amax() ** 2)
