"""Explorers of curves through a few points: polynomials and networks fitted to them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.explore import Choice, Explorer, explore
from ibcore.figures import figure
from ibcore.measures.roughness import roughness
from ibcore.models.two_layer import TwoLayerReLU
from ibcore.oracles.kernels import kernel_interpolant, output_layer_kernel
from ibcore.oracles.roughness import least_roughness
from ibcore.pages.introduction.figures import CurvePicture, plot_curves, plot_fit
from ibcore.pages.introduction.runs import (
    FIT,
    GRID,
    LABEL_NOISE,
    fit_points,
    fit_polynomial,
    shown_points,
    start_wiggly,
)
from ibcore.problems.curves import (
    Points,
    cubic,
    cubic_points,
    zigzag,
)

DEGREES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 30, 60)


def explore_degree(degree: int, sample: int) -> tuple[Figure, str]:
    """The fit of one degree to one of two training sets, with its errors."""
    data = cubic_points(2, 10, torch.Generator().manual_seed(0), noise=LABEL_NOISE)
    fit = fit_polynomial(data, degree)
    grid = torch.linspace(-1, 1, 161, dtype=torch.float64)
    row = sample - 1
    train, test = float(fit.train[row]), float(fit.test[row])
    fig, ax = figure(height=3.5)
    plot_fit(
        ax,
        data.x[row].numpy(),
        data.y[row].numpy(),
        grid.numpy(),
        fit(grid)[row].numpy(),
        cubic(grid).numpy(),
    )
    errors = f"training error {_error(train)}, test error {_error(test)}"
    ax.set_title(f"degree {degree}: {errors}")
    return (
        fig,
        f"Degree {degree} has {degree + 1} coefficients for 10 points: {errors}.",
    )


def _error(value: float) -> str:
    return "0" if value < 1e-12 else f"{value:.2g}"


STARTS = {"wiggly": 100.0, "small": 10.0, "large": 1000.0}
STARTS_IN_WORDS = {
    "wiggly": "wiggly weights, shaken",
    "small": "small random weights",
    "large": "large random weights",
}
LEVELS = (0.3, 0.1, 0.03, 0.01, 0.001, FIT)
SCALES = (0.01, 10.0, 30.0, 100.0, 1000.0)


def explore_training(start: str, progress: int) -> tuple[Figure, str]:
    """The network at the start (`progress` 0) or when its loss came below a level."""
    film = training_film(start)
    picture = _picture(film.points, film.states[progress], film.network)
    fig, ax = figure(height=3.7)
    plot_curves(ax, picture, label=f"network, {read_progress(progress)}")
    return fig, _training_sentence(
        start, progress, float(film.loss[progress]), float(film.ratio[progress])
    )


def _training_sentence(start: str, progress: int, loss: float, ratio: float) -> str:
    when = "before training" if progress == 0 else f"loss {loss:.1g}"
    begin = f"{STARTS_IN_WORDS[start].capitalize()}, {when}: the network"
    rough = f"{_times(ratio)} as rough as the least rough fit"
    if progress == len(LEVELS):
        return f"{begin} fits the points and is {rough}."
    if progress == 0 and start != "wiggly":
        return f"{begin} is zero everywhere and misses the points."
    return f"{begin} does not fit yet; it is {rough}."


@dataclass(frozen=True)
class Film:
    """States (levels + 1, P) of one network in training, and their losses.

    ratio: roughness over the least roughness, (levels + 1,).
    """

    points: Points
    network: TwoLayerReLU
    states: Tensor
    loss: Tensor
    ratio: Tensor


@cache
def training_film(start: str, *, width: int = 256) -> Film:
    """Train on `shown_points` from a start, keeping the states at `LEVELS`."""
    points, generator = shown_points(), torch.Generator().manual_seed(0)
    fit = fit_points(
        points, width, STARTS[start], generator, tolerance=0.1, levels=LEVELS
    )
    if start == "wiggly":
        fit = start_wiggly(
            fit, generator, perturbation=0.01, tolerance=0.1, levels=LEVELS
        ).refit
    states = torch.cat([fit.start, fit.flow.snapshots[:, 0]])
    loss = (fit.network.outputs(states) - points.y).square().mean(-1)
    bends = fit.network.kinks(states)
    rough = roughness(
        *bends, *(end.expand(len(states)) for end in (points.x[:, 0], points.x[:, -1]))
    )
    return Film(
        points,
        fit.network,
        states,
        loss,
        rough / least_roughness(points.x, points.y).value,
    )


def explore_initialization(scale: float, width: int) -> tuple[Figure, str]:
    """The network after training from random weights of this scale."""
    points = shown_points()
    steps = 300 if scale < 1 else 5000
    fit = fit_points(
        points,
        width,
        scale,
        torch.Generator().manual_seed(0),
        tolerance=0.1,
        max_steps=steps,
    )
    fits, ratio = bool(fit.fits), float(fit.ratio)
    fig, ax = figure(height=3.7)
    plot_curves(
        ax, _picture(points, fit.flow.theta[0], fit.network, kernel=True, fits=fits)
    )
    begin = f"Scale {scale:g}, width {width}: the network"
    if not fits:
        return fig, (
            f"{begin} did not fit. Its loss is still {float(fit.flow.loss):.2g}, so "
            "its shape says nothing about functions through the points."
        )
    grid = points.grid(GRID)[..., None]
    limit = kernel_interpolant(output_layer_kernel, points.inputs, points.y)(grid)
    off = float((fit.on_grid() - limit).abs().max())
    return fig, (
        f"{begin} fits the points, is {_times(ratio)} as rough as the least rough fit, "
        f"and is at most {off:.2g} away from the kernel interpolant."
    )


def _picture(
    points: Points,
    theta: Tensor,
    network: TwoLayerReLU,
    *,
    kernel: bool = False,
    fits: bool = True,
) -> CurvePicture:
    """The function of `theta` (P,) over reference functions through the points."""
    polygon = zigzag(points)
    grid = torch.cat([points.grid(141), polygon.x], -1).sort(-1).values
    references = {"wiggly, fits too": polygon, "least rough fit": points}
    if kernel:
        limit = kernel_interpolant(output_layer_kernel, points.inputs, points.y)
        references["kernel interpolant"] = Points(
            points.grid(141), limit(points.grid(141)[..., None])
        )
    values = network.on(grid[..., None]).outputs(theta[None])
    curves = {
        name: (line.x[0].numpy(), line.y[0].numpy())
        for name, line in references.items()
    }
    return CurvePicture(
        points.x[0].numpy(),
        points.y[0].numpy(),
        grid[0].numpy(),
        values[0].numpy(),
        curves,
        fits,
    )


def read_progress(progress: int) -> str:
    """How far training is, in words."""
    return "before training" if progress == 0 else f"loss {LEVELS[progress - 1]:g}"


def _times(ratio: float) -> str:
    return f"{ratio:.2f} times" if ratio < 10 else f"{ratio:.0f} times"


def smooth_or_wiggly() -> Explorer:
    """The explorer of the cover: a network of 256 neurons
    trained on eight points, watched while its loss falls.
    """
    progress = list(range(len(LEVELS) + 1))
    return explore(
        explore_training,
        title="Smooth or wiggly? Train a network on eight points",
        start=Choice(
            "Start", list(STARTS), start=2, format=STARTS_IN_WORDS.__getitem__
        ),
        progress=Choice("Training", progress, start=len(LEVELS), format=read_progress),
    )
