"""What the claims on simple predictors share, and a training of none of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.log_time import flow
from ibcore.losses import Exponential
from ibcore.measures import sin_angle
from ibcore.measures.neurons import linear_share
from ibcore.models.margins import Margins
from ibcore.models.network import Network, of_neurons
from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.oracles.neural_agreement import AgreementLimit
from ibcore.problems.separable import Classification
from ibcore.validation import binary_data

SMALL = 1e-3  # size of the start
WIDTH = 20


def random_start(setting: Setting, count: int, dimension: int, purpose: str) -> Tensor:
    """Standard normal parameters (count, dimension)."""
    seeds = setting.seeds(count, purpose)
    rows = [_normal(torch.Generator().manual_seed(seed), dimension) for seed in seeds]
    return torch.stack(rows).to(setting.device)


def fresh_points(setting: Setting, count: int, features: int) -> Tensor:
    """Standard normal inputs (count, features) on which no network was trained."""
    generator = torch.Generator().manual_seed(setting.seeds(1, "fresh points")[0])
    return _normal(generator, count, features).to(setting.device)


def _normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def own_points(X: object, y: object) -> Classification:
    """A reader's inputs (n, d), of root mean square 1 then, and labels y (n,)."""
    inputs, labels = binary_data(X, y)
    inputs, labels = inputs.double(), labels.double()
    size = inputs.square().mean().sqrt()
    return Classification(inputs / size if size > 0 else inputs, labels)


def precisions(solutions: Sequence[MaxMargin | AgreementLimit]) -> Tensor:
    """Relative gaps and violations of N programs, (2 N,)."""
    sizes = [size for best in solutions for size in (best.gap, best.violation)]
    return torch.tensor(sizes, dtype=torch.float64)


def linear_shares(inputs: Tensor, outputs: Tensor) -> Tensor:
    """`linear_share` of `outputs` (B, k), NaN where they are not finite, (B,)."""
    known = outputs.isfinite().all(-1)
    shares = outputs.new_full(known.shape, torch.nan)
    if bool(known.any()):
        shares[known] = linear_share(inputs, outputs[known])
    return shares


def class_sines(
    data: Classification,
    width: int,
    log_loss: Sequence[float],
    generator: torch.Generator,
) -> dict[int, Tensor]:
    """sin of the angle of each neuron to the max margin classifier of its class alone.

    Gradient flow of a two-layer ReLU network from a balanced start of size 1e-3, to the
    K losses of `log_loss`. Returns (K, width / 2) for +1, whose neurons have positive
    output weights, and for -1.
    """
    net = Network(data.X, (width,), "relu", biases=False)
    w = SMALL * _normal(generator, width, net.features)
    signs = torch.ones(width, dtype=torch.float64)
    signs[1::2] = -1
    start = of_neurons(w.norm(dim=-1) * signs, w)[None]
    run = flow(Margins(net, data.y), Exponential(), start, log_loss=log_loss)
    weights = torch.stack([net.neurons(theta[0])[1] for theta in run.theta])
    found = {}
    for sign in (1, -1):
        points = data.X[data.y == sign]
        best = max_margin(points, torch.ones(len(points)).double()).primal
        found[sign] = sin_angle(weights[:, signs == sign], best)
    return found
