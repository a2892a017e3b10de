"""Networks of squares on tables of binary operations: maximization of the normalized
margin, and what is read off the weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ibcore.dynamics.directions import Adam
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import FunctionObjective
from ibcore.dynamics.paces import Scheduled
from ibcore.measures.frequencies import power_shares
from ibcore.models.table_network import TableNetwork, group_norm, table_margins

NEURONS = 10  # m over p - 1; the theorem asks for 4
START, STEP = 0.3, 0.03
HEAT, COLDEST = 0.3, 1e-3  # temperature over the spread of margins, and the least one


@dataclass(frozen=True)
class Tables:
    """B networks at their start, each with the table that it is to learn.

    tables: (B, p, p).      start: (B, P).
    """

    net: TableNetwork
    tables: Tensor
    start: Tensor


def drawn_networks(tables: Sequence[Tensor], seeds: Sequence[int]) -> Tables:
    """Normal starts of standard deviation 0.3 for one table (p, p) a network."""
    p = len(tables[0])
    net = TableNetwork(p, NEURONS * (p - 1))
    starts = [
        START
        * torch.randn(
            net.dimension,
            generator=torch.Generator().manual_seed(seed),
            dtype=torch.float64,
        )
        for seed in seeds
    ]
    return Tables(net, torch.stack(list(tables)), torch.stack(starts))


def normalized(
    net: TableNetwork, theta: Tensor, tables: Tensor, *, plain: bool = False
) -> Tensor:
    """All margins over the cube of the norm of theta (B, P), (B, p^2 (p - 1)): the
    L_(2,3) norm, or the Euclidean one where `plain` is true.
    """
    size = theta.norm(dim=-1) if plain else group_norm(net.neurons(theta))
    return table_margins(net.outputs(theta), tables) / size[:, None] ** 3


def maximized(problem: Tables, stops: Sequence[int], *, plain: bool = False) -> Tensor:
    """Parameters (K, B, P) after these numbers of steps of Adam, the last of which ends
    the run.

    The objective is the smoothed least margin, -T log sum exp(-m / T). Its temperature
    T is a share of what the least margin is below the mean one, so that it falls as the
    margins become equal; the largest margin is not known to it. The step falls
    linearly.
    """
    run = descend(
        FunctionObjective(partial(_smoothed, problem, plain=plain)),
        problem.start,
        Scheduled(lambda step: math.log(STEP * (1 - step / stops[-1]))),
        steps=list(stops),
        direction=Adam(beta2=0.99),
        max_seconds=math.inf,
    )
    return run.theta


def _smoothed(
    problem: Tables, theta: Tensor, members: Tensor, *, plain: bool
) -> tuple[Tensor, Tensor]:
    """One minus the smoothed margin, in units of p^(-3/2), and its gradient."""
    unit = problem.net.size**-1.5
    tables = problem.tables[members]

    def total(point: Tensor) -> tuple[Tensor, Tensor]:
        margins = normalized(problem.net, point, tables, plain=plain) / unit
        spread = (margins.mean(-1) - margins.amin(-1)).detach()
        heat = (HEAT * spread).clamp_min(COLDEST)
        loss = 1 + heat * torch.logsumexp(-margins / heat[:, None], -1)
        return loss.sum(), loss.detach()

    gradient, loss = torch.func.grad(total, has_aux=True)(theta)
    return loss, gradient


@dataclass(frozen=True)
class Spectra:
    """Of B networks with m neurons: `shares` (B, m, 3, (p + 1) / 2) of the power of u,
    v, w at the frequencies from 0 on, and `weights` (B, m), |theta_j|^3 over their sum.
    """

    shares: Tensor
    weights: Tensor

    @classmethod
    def of(cls, neurons: Tensor) -> Spectra:
        """neurons: (B, m, 3, p)."""
        sizes = neurons.flatten(-2).norm(dim=-1) ** 3
        return cls(power_shares(neurons), sizes / sizes.sum(-1, keepdim=True))

    @property
    def purity(self) -> Tensor:
        """Largest share at one frequency that is not 0, the least of u, v and w, (B,
        m).
        """
        return self.shares[..., 1:].amax(-1).amin(-1)

    @property
    def common(self) -> Tensor:
        """Least share of u, v, w at the frequency that the neuron uses most, (B, m)."""
        return self.shares[..., 1:].amin(-2).amax(-1)

    @property
    def impurity(self) -> Tensor:
        """Weighted mean of 1 - sqrt(purity), (B,)."""
        return (self.weights * (1 - self.purity.sqrt())).sum(-1)

    @property
    def usage(self) -> Tensor:
        """Weight of the neurons of each frequency from 1 on, (B, (p - 1) / 2)."""
        share = self.shares.mean(-2)[..., 1:]
        own = share == share.amax(-1, keepdim=True)
        return (self.weights[..., None] * own).sum(-2)


def in_order(neurons: Tensor, names: Tensor) -> Tensor:
    """Neurons (B, m, 3, p) of renamed tables with their places in the order that the
    operation had before it was renamed with `names` (B, 3, p).
    """
    places = names[:, None].expand(-1, neurons.shape[1], -1, -1)
    return neurons.gather(-1, places)
