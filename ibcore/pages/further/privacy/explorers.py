"""Six digits, what an attacker makes of the parameters, and two baselines."""

from __future__ import annotations

import functools

import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import Tensor

from ibcore.figures import figure
from ibcore.measures.reconstruction import distances, random_points
from ibcore.pages.further.privacy.figures import plot_digits
from ibcore.pages.further.privacy.runs import (
    CLOSE,
    FEW,
    Group,
    attack,
    drawn,
    group,
    noisy,
    random_signs,
    train,
)

EXPLORED_OUTPUTS = (1, 2, 4, 6, 8, 10)
EXPLORED_NOISES = (0.1, 0.01, 0.001, 1e-4, 0.0)
_SEED = 4


@functools.cache
def explored(outputs: int) -> tuple[Group, Tensor]:
    """One network with so many outputs on the same six digits, and its parameters."""
    digits = drawn([_SEED], torch.device("cpu")).few
    generators = [torch.Generator().manual_seed(_SEED)]
    signs = random_signs(FEW[0], outputs, generators)
    problem = group(digits.inputs, digits.held, signs, generators)
    return problem, train(problem)


def shown(points: Tensor) -> Tensor:
    """Points (n, 64) as ink from 0 to 1: the mean digit added, what is longer than a
    digit shortened to one.
    """
    pixels = torch.from_numpy(load_digits(return_X_y=True)[0])
    unit = 8 * pixels.var(0).mean().sqrt()
    lengths = points.norm(dim=-1, keepdim=True)
    return (points * (1.2 / lengths.clamp_min(1.2)) * unit + pixels.mean(0)) / 16


def explore_outputs(outputs: int, noise: float) -> tuple[Figure, str]:
    """The attack on a network with so many outputs, with noise of this relative size on
    its parameters.
    """
    problem, theta = explored(outputs)
    theta = noisy(theta, noise, seed=2)
    points, held = problem.inputs[0], problem.held[0]
    found = attack(problem, theta, len(points))[0].points
    chance, _ = random_points(
        problem.layers(theta)[0], len(held), torch.Generator().manual_seed(3)
    )
    rows = {"trained on": points}
    for name, choice in (
        ("attacker", found),
        ("held-out", held),
        ("random", chance),
    ):
        rows[name] = choice[torch.cdist(points, choice).argmin(1)]
    fig, ax = figure(width=5.2, height=3.6)
    plot_digits(ax, {name: shown(images).numpy() for name, images in rows.items()})
    gaps = distances(points, found)
    return fig, _sentence(outputs, noise, gaps, distances(points, held))


def _sentence(outputs: int, noise: float, gaps: Tensor, held: Tensor) -> str:
    count = "one output" if outputs == 1 else f"{outputs} outputs"
    blur = f"noise of {100 * noise:g} % on the parameters" if noise else "no noise"
    middle = float(gaps.median())
    error = f"{100 * middle:.2g} %" if middle > 1e-5 else "less than 0.001 %"
    if middle > 1:
        error = "larger than the digit itself"
    return (
        f"A network with {count}, {blur}: {int((gaps < CLOSE).sum())} of {len(gaps)} "
        f"digits are found within one percent. The attacker's error is {error} in the "
        f"median, that of the nearest of {100} other digits "
        f"{100 * float(held.median()):.0f} %."
    )
