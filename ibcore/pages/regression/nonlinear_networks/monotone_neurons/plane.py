"""One hidden neuron in the plane, where its path and its solutions can be drawn."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.models.activations import LeakyReLU
from ibcore.models.neuron import HiddenNeuron, balanced_to
from ibcore.oracles.neuron import inverse_leaky, least_regularizer
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.runs import LEAK

INPUT, TARGET = (1.0, 0.4), 2.0


@dataclass(frozen=True)
class PlaneRun:
    """A path of u (K, 2), w(0), the minimizer of Q and the shortest solution.

    error: of the end of the path against the minimizer, relative.
    """

    path: Tensor
    start: Tensor
    best: Tensor
    shortest: Tensor
    error: float


@functools.cache
def trained(imbalance: float, angle: int) -> PlaneRun:
    """Gradient flow of a sigma(w.x) on one example from u(0) of length 1 and a(0) > 0.

    The angle of u(0) is in degrees. The imbalance delta >= 0 says how u(0) = a w is
    split: a^2 = (delta + sqrt(delta^2 + 4)) / 2.
    """
    X = torch.tensor([INPUT], dtype=torch.float64)
    y = torch.tensor([TARGET], dtype=torch.float64)
    delta = torch.tensor([imbalance], dtype=torch.float64)
    model = HiddenNeuron(X, LeakyReLU(LEAK))
    turn = math.radians(angle)
    u = torch.tensor([[math.cos(turn), math.sin(turn)]], dtype=torch.float64)
    w = u / math.sqrt((imbalance + math.sqrt(imbalance**2 + 4)) / 2)
    start = balanced_to(w, delta, torch.ones_like(delta))
    times = np.geomspace(1e-4, 60, 120).tolist()
    run = stiff_flow(model, y, start[0], target_loss=0, times=times, tolerance=1e-10)
    z = inverse_leaky(y, LEAK)
    best = least_regularizer(X[None], z[None], model.imbalance(start), w).u[0]
    path = torch.cat([model.product(start), model.product(run.path)])
    error = float((path[-1] - best).norm() / best.norm())
    return PlaneRun(path, w[0], best, X[0] * z / X[0].square().sum(), error)
