"""Which margin an optimizer makes large, on three classes in the plane."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.directions import Adam, Direction, Grouped, Steepest
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.matrix_directions import NewtonSchulz, Schatten, Smoothed
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import decaying
from ibcore.figures import figure
from ibcore.losses import CrossEntropy
from ibcore.models import Linear
from ibcore.oracles.matrix_margin import matrix_max_margin, matrix_norm
from ibcore.pages.since.optimizer_geometry.figures import plot_bars, plot_fan
from ibcore.problems.several_classes import SeveralClasses
from ibcore.threads import threads

NORMS = ("spectral", "Frobenius", "max")
WORDS = ("the spectral norm", "the Frobenius norm", "the largest entry")
_OWN = {
    "normalized gradient descent": 1,
    "sign descent": 2,
    "Signum": 2,
    "Adam, epsilon 0": 2,
    "Adam, epsilon 1e-8": 2,
    "spectral descent": 0,
    "Muon": 0,
    "Muon, five Newton-Schulz steps": 0,
}
OPTIMIZERS = tuple(_OWN)
DATA = ("as drawn", "turned by 45 degrees", "second coordinate tripled")
STEPS = (300, 3000)
_POINTS = (
    (-0.1, 1.9),
    (-0.5, 1.7),
    (-0.1, 2.6),
    (0.5, 2.2),
    (-2.6, -0.9),
    (-2.1, -1.6),
    (-2.9, -0.4),
    (-2.2, -0.8),
    (1.6, -0.9),
    (2.2, -1.4),
    (1.3, -1.5),
    (2.5, -0.6),
)


def three_classes(name: str) -> SeveralClasses:
    """Twelve points of three classes in the plane, as one of `DATA`."""
    X = torch.tensor(_POINTS, dtype=torch.float64)
    if name == DATA[1]:
        root = math.sqrt(0.5)
        X = X @ torch.tensor([[root, root], [-root, root]], dtype=torch.float64)
    if name == DATA[2]:
        X = X * torch.tensor([1.0, 3.0], dtype=torch.float64)
    y = torch.arange(3).repeat_interleave(4)
    return SeveralClasses(X, y, torch.zeros(3, 2, dtype=torch.float64))


@dataclass(frozen=True)
class Found:
    """Weights (2, M, 3, 2) of M optimizers at `STEPS`, their margins (2, M, 3) in three
    norms over the largest, and the weights (3, 3, 2) with the largest margin in each.
    """

    W: Tensor
    ratios: Tensor
    best: Tensor


def _maps() -> tuple[Direction, ...]:
    """The maps of `OPTIMIZERS`."""
    spectral, sign = Schatten(math.inf, 3), Steepest(math.inf, normalized=True)
    return (
        Schatten(2, 3),
        sign,
        Smoothed(sign, beta=0.9),
        Adam(0.9, 0.95, 0.0),
        Adam(0.9, 0.95, 1e-8),
        spectral,
        Smoothed(spectral, beta=0.95),
        Smoothed(NewtonSchulz(3), beta=0.95),
    )


@functools.cache
@threads()
def train(name: str) -> Found:
    """Every optimizer from 0 on the cross entropy, steps like 1 / sqrt(k)."""
    problem, M = three_classes(name), len(OPTIMIZERS)
    pairs = problem.pairs.expand(M, -1, -1)
    solutions = [matrix_max_margin(problem.X, problem.y, 3, norm) for norm in NORMS]
    longest = pairs[0].norm(dim=1).max()
    sizes = torch.where(torch.tensor([k == 2 for k in _OWN.values()]), 0.1, 0.2)
    run = descend(
        Objective(Linear(pairs), CrossEntropy(2)),
        torch.zeros(M, 6, dtype=torch.float64),
        decaying(sizes / longest, 0.5, over=300.0),
        steps=STEPS,
        direction=Grouped(tuple((one, 1) for one in _maps())),
        max_seconds=math.inf,
    )
    W = run.theta.unflatten(-1, (3, 2))
    least = torch.einsum("pe,kme->kmp", problem.pairs, run.theta).amin(-1)
    norms = torch.stack([matrix_norm(W, norm) for norm in NORMS], -1)
    largest = torch.tensor([one.margin for one in solutions], dtype=torch.float64)
    best = torch.stack([one.primal for one in solutions])
    return Found(W, least[..., None] / norms / largest, best)


def explore_margins(optimizer: str, data: str) -> tuple[Figure, str]:
    """The rule that an optimizer has found, and its margin in three norms."""
    found, problem, m = train(data), three_classes(data), OPTIMIZERS.index(optimizer)
    own = _OWN[optimizer]
    early, late = found.ratios[:, m]
    fig, (left, right) = figure(2, height=3.4)
    plot_fan(
        left,
        problem.X.numpy(),
        problem.y.numpy(),
        found.W[-1, m].numpy(),
        found.best[own].numpy(),
    )
    plot_bars(right, early.numpy(), late.numpy(), own)
    return fig, (
        f"{optimizer[0].upper()}{optimizer[1:]} after {STEPS[-1]:,} steps on the points "
        f"{data}: {float(late[0]):.2f} of the largest margin in {WORDS[0]}, "
        f"{float(late[1]):.2f} in {WORDS[1]}, {float(late[2]):.2f} in {WORDS[2]}. By the "
        f"theorem, it is {WORDS[own]} that tends to 1{_warning(optimizer)}."
    )


def _warning(optimizer: str) -> str:
    """Where the theorem is about another method."""
    if optimizer == "Adam, epsilon 1e-8":
        return " without epsilon"
    return " with an exact orthogonal factor" if "Newton" in optimizer else ""
