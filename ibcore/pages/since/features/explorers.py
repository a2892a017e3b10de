"""Weights of networks that learn a table of seven symbols, in Fourier space, while their
margin is maximized.
"""

from __future__ import annotations

import functools

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.figures import figure
from ibcore.oracles.modular_addition import largest_margin
from ibcore.pages.since.features.figures import plot_neuron, plot_shares
from ibcore.pages.since.features.tables import (
    Spectra,
    Tables,
    drawn_networks,
    maximized,
    normalized,
)
from ibcore.problems.latin_squares import addition, new_names, no_group, renamed

SYMBOLS = 7
TABLES = ("addition", "addition, renamed", "no group")
STEPS = (0, 15, 30, 60, 500)
_SEED = 7


@functools.cache
def _trained() -> tuple[Tables, Tensor]:
    """One network a table, and its parameters (K, 3, P) after the `STEPS`."""
    generator = torch.Generator().manual_seed(_SEED)
    plain = addition(SYMBOLS)
    names = new_names(SYMBOLS, generator)
    tables = [plain, renamed(plain, names), no_group(SYMBOLS, generator)]
    problem = drawn_networks(tables, [_SEED] * len(tables))
    return problem, maximized(problem, STEPS)


def explore_frequencies(table: str, steps: int) -> tuple[Figure, str]:
    """How the power of the neurons is divided among frequencies, and one of them."""
    problem, states = _trained()
    which = TABLES.index(table)
    theta = states[STEPS.index(steps)][which][None]
    margins = normalized(problem.net, theta, problem.tables[which][None])
    ratio = float(margins.amin()) / largest_margin(SYMBOLS)
    neurons = problem.net.neurons(theta)
    found = Spectra.of(neurons)
    shares, weights = found.shares[0].mean(1), found.weights[0]
    mean = float((weights * found.purity[0]).sum())
    heaviest = int(weights.argmax())
    frequency = int(shares[heaviest, 1:].argmax()) + 1
    fig, (left, right) = figure(2, height=3.6)
    plot_shares(left, shares.numpy(), weights.numpy(), f"{table}, step {steps}")
    plot_neuron(right, neurons[0, heaviest].numpy(), frequency)
    return fig, (
        f"{table.capitalize()}, after {steps} steps: the least margin is {ratio:.2f} "
        "times the largest possible on addition. Each bar is a neuron; colors are the "
        f"frequencies 1 to 3, gray is the constant part. On average {mean:.2f} of the "
        "power lies at a neuron's main frequency."
    )
