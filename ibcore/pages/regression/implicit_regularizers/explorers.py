"""One pair of equations, several parametrizations, and weights that should not matter."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.figures import figure
from ibcore.pages.regression.implicit_regularizers.figures import plot_ends, plot_paths
from ibcore.pages.regression.implicit_regularizers.runs import (
    ANGLE,
    Parametrization,
    Problem,
    connected,
    flow,
    neuron,
    plain,
    powers,
    turned,
)

X = torch.tensor([[1.0, 0.6, -0.3], [-0.2, 0.7, 1.0]], dtype=torch.float64)
Y = torch.tensor([1.0, 0.6], dtype=torch.float64)
RATIOS = (0.01, 0.1, 1.0, 10.0, 100.0)
_TIMES = torch.logspace(-2.5, 3, 111).tolist()
_SAME = 1e-5  # ends closer than this are called the same

_KINDS: dict[str, Callable[[torch.Generator], Parametrization]] = {
    "w itself": lambda _: plain(3),
    "u² - v²": lambda _: powers(3, 2, 0.4),
    "one hidden neuron": lambda g: neuron(3, g),
    "four hidden neurons": lambda g: connected(3, 4, 0.4, g),
    "u · Tu - v · Tv": lambda g: turned(3, 0.1, ANGLE, g),
}
PARAMETRIZATIONS = tuple(_KINDS)


@dataclass(frozen=True)
class Followed:
    """Paths (K, 3) of training for every ratio of the weights, and ends (R, 3)."""

    paths: tuple[Tensor, ...]
    ends: Tensor

    @property
    def spread(self) -> float:
        """The largest distance between two ends."""
        return float(torch.cdist(self.ends, self.ends).max())


@functools.cache
def followed(kind: str) -> Followed:
    """Gradient flow of a parametrization at all ratios of the weights."""
    start = _KINDS[kind](torch.Generator().manual_seed(4))
    paths, ends = [], []
    for ratio in RATIOS:
        weights = torch.tensor([ratio**0.5, ratio**-0.5], dtype=torch.float64)
        run = flow(Problem(start, X, Y).weighted(weights), _TIMES, tolerance=1e-9)
        first = start.coordinates.outputs(start.start[None])
        seen = run.path[run.path.isfinite().all(-1)]
        paths.append(_thinned(torch.cat([first, seen, run.w[None]])))
        ends.append(run.w)
    return Followed(tuple(paths), torch.stack(ends))


def _thinned(path: Tensor) -> Tensor:
    """The points of a path (K, 3) that are a twenty-fourth of its length or more apart,
    its ends among them.
    """
    along = path.diff(dim=0).norm(dim=-1).cumsum(0)
    marks = (along / along[-1].clamp(min=1e-300) * 24).floor()
    kept = torch.cat([torch.ones(1, dtype=torch.bool), marks.diff() > 0])
    return torch.cat([path[:1], path[1:][kept], path[-1:]])


def explore_weights(kind: str, ratio: float) -> tuple[Figure, str]:
    """Training with this ratio of the weights of two examples, beside the other ratios."""
    found, chosen = followed(kind), RATIOS.index(ratio)
    nearest = torch.linalg.pinv(X) @ Y
    along = torch.linalg.svd(X)[2][2]
    ends = nearest + torch.tensor([[-2.0], [2.0]], dtype=torch.float64) * along
    places = (found.ends - nearest) @ along
    fig, (left, right) = figure(2, height=3.4)
    plot_paths(
        left, [path[:, :2].numpy() for path in found.paths], ends[:, :2].numpy(), chosen
    )
    plot_ends(right, torch.tensor(RATIOS).numpy(), places.numpy(), chosen, 1.2)
    left.set(xlim=(-0.5, 1.5), ylim=(-0.5, 1.5))
    verdict = (
        "All five weightings end at this point"
        if found.spread < _SAME
        else f"The five weightings end up to {found.spread:.2f} apart"
    )
    shown = ", ".join(f"{round(x, 2) + 0.0:.2f}" for x in found.ends[chosen].tolist())
    return fig, (
        f"{kind}, weights of the examples {_words(ratio)}: training ends at w = "
        f"({shown}). {verdict}."
    )


def _words(ratio: float) -> str:
    return f"{ratio:g} to 1" if ratio >= 1 else f"1 to {1 / ratio:g}"
