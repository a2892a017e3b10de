"""Curves through a few points: polynomials and networks fitted to them, and the explorers that show them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.square_flow import SquareFlow, square_flow
from ibcore.explore import Choice, Explorer, explore
from ibcore.figures.introduction import CurvePicture, draw_curves, draw_fit
from ibcore.figures.style import figure
from ibcore.measures.roughness import roughness
from ibcore.models.hinges import connect_the_dots
from ibcore.models.polynomial import legendre_features, mean_squares
from ibcore.models.two_layer import TwoLayerReLU, zero_output_start
from ibcore.oracles.kernels import kernel_interpolant, output_layer_kernel
from ibcore.oracles.least_squares import minimum_norm
from ibcore.oracles.roughness import least_roughness
from ibcore.problems.curves import (
    CUBIC,
    Points,
    cubic,
    cubic_points,
    scattered_points,
    zigzag,
)
from ibcore.threads import threads
from ibcore.validation import InvalidInput, positive_integer, positive_number

LABEL_NOISE = 0.3
FIT = 1e-8
GRID = 401


@dataclass(frozen=True)
class PolynomialFit:
    """Least-squares polynomials of one degree on B data sets: Legendre coefficients (B, degree + 1), errors (B,).

    test: mean square error on a new noisy label at a uniform point of [-1, 1], noise included.
    """

    coefficients: Tensor
    train: Tensor
    test: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Values at x (k,) of all B polynomials, (B, k)."""
        return (
            self.coefficients @ legendre_features(x, self.coefficients.shape[-1] - 1).mT
        )


@threads()
def fit_polynomial(
    data: Points, degree: int, *, noise: float = LABEL_NOISE
) -> PolynomialFit:
    """Least squares; among many solutions the one of least sum_k ((k + 1) c_k)^2.

    That is where gradient descent from zero on the features P_k/(k + 1) ends.
    """
    weights = 1 / (torch.arange(degree + 1, dtype=torch.float64) + 1)
    features = legendre_features(data.x, degree)
    coefficients = minimum_norm(features * weights, data.y).weights * weights
    train = ((features @ coefficients[..., None])[..., 0] - data.y).square().mean(-1)
    error = torch.zeros(len(data.x), max(degree + 1, len(CUBIC)), dtype=torch.float64)
    error[:, : degree + 1] = coefficients
    error[:, : len(CUBIC)] -= torch.tensor(CUBIC, dtype=torch.float64)
    risk = (error.square() * mean_squares(error.shape[-1] - 1)).sum(-1)
    return PolynomialFit(coefficients, train, risk + noise**2)


@dataclass(frozen=True)
class CurveFit:
    """Networks trained on B data sets.

    ratio (B,): roughness on [x_1, x_n] over the least roughness of a function through the points.
    certified (B,): the same with the most added that a loss above zero can have saved, |c|_2 (n L)^(1/2)
    for the certificate c of the least roughness; at least 1 for every function.
    fits (B,): False for a network that did not fit. Its ratio says nothing about interpolants.
    """

    points: Points
    network: TwoLayerReLU
    start: Tensor
    flow: SquareFlow
    ratio: Tensor
    certified: Tensor

    @property
    def fits(self) -> Tensor:
        return self.flow.fits

    def on_grid(self, count: int = GRID) -> Tensor:
        """Values on `count` equispaced inputs from x_1 to x_n, (B, count)."""
        return self.network.on(self.points.grid(count)[..., None]).outputs(
            self.flow.theta
        )


@threads()
def fit_points(
    points: Points,
    width: int,
    scale: float,
    generator: torch.Generator,
    *,
    start: Tensor | None = None,
    tolerance: float = 0.05,
    **options: Any,
) -> CurveFit:
    """Gradient flow of a network of `width` neurons on each data set, until its mean square loss is 1e-8.

    Output weights start at zero, the others normal with variance `scale` R/sqrt(width), R the least
    roughness: output weights of the same size would make a function rougher than needed by a factor of the
    order of `scale`. `start` (B, P) replaces that start; `options` go to `square_flow`.

    Raises `InvalidInput` for a width or scale that is not positive, and for points on a line, which
    need no roughness at all.
    """
    least = least_roughness(points.x, points.y)
    if not bool((least.value > 0).all()):
        raise InvalidInput(
            "the points of a data set lie on a line, expected some that do not: the least roughness is "
            "0 and nothing can be compared with it. Change a label."
        )
    if start is None:
        deviation = (
            positive_number("scale", scale)
            * least.value
            / math.sqrt(positive_integer("width", width))
        ).sqrt()
        start = zero_output_start(width, 1, deviation.cpu(), generator).to(
            points.x.device
        )
    network = TwoLayerReLU(points.inputs, width)
    flow = square_flow(
        network, start, points.y, target_loss=FIT, tolerance=tolerance, **options
    )
    found = roughness(*network.kinks(flow.theta), points.x[:, 0], points.x[:, -1])
    saved = least.certificate.norm(dim=-1) * (points.x.shape[-1] * flow.loss).sqrt()
    return CurveFit(
        points, network, start, flow, found / least.value, (found + saved) / least.value
    )


@dataclass(frozen=True)
class WigglyStart:
    """The wiggly interpolant of the same networks, and gradient flow from it after a perturbation.

    built (B, P), built_loss (B,), built_ratio (B,): the interpolant. loss (B,): after the perturbation.
    refit: where the flow led from there.
    """

    built: Tensor
    built_loss: Tensor
    built_ratio: Tensor
    loss: Tensor
    refit: CurveFit

    def stays_wiggly(self) -> Tensor:
        """Roughness of the refits over the least, (B,); NaN unless the start left the data and was refitted."""
        return self.refit.ratio.where((self.loss > 1e-2) & self.refit.fits, math.nan)


def start_wiggly(
    fit: CurveFit,
    generator: torch.Generator,
    *,
    perturbation: float = 0.03,
    **options: Any,
) -> WigglyStart:
    """Rewrite the first neurons of each start into a zigzag through the points, perturb every weight, train again.

    Weights are multiplied by 1 + `perturbation` N(0, 1); `options` go to `square_flow`.
    """
    points, polygon = fit.points, zigzag(fit.points)
    built = connect_the_dots(fit.start, polygon.x, polygon.y)
    noise = torch.randn(built.shape, generator=generator, dtype=built.dtype).to(built)
    perturbed = built * (1 + perturbation * noise)
    loss = [
        (fit.network.outputs(theta) - points.y).square().mean(-1)
        for theta in (built, perturbed)
    ]
    rough = roughness(*fit.network.kinks(built), points.x[:, 0], points.x[:, -1])
    refit = fit_points(
        points, fit.network.width, math.nan, generator, start=perturbed, **options
    )
    return WigglyStart(
        built,
        loss[0],
        rough / least_roughness(points.x, points.y).value,
        loss[1],
        refit,
    )


# --- Explorers ------------------------------------------------------------------------------------------

DEGREES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 30, 60)


def explore_degree() -> Explorer:
    """Least-squares polynomials through ten noisy points of a cubic, over their degree."""
    return explore(
        draw_degree,
        title="How high a degree for ten noisy points?",
        degree=Choice("Degree of the polynomial", list(DEGREES), start=2),
        sample=Choice("Training set", [1, 2]),
    )


def draw_degree(degree: int, sample: int) -> tuple[Figure, str]:
    """The fit of one degree to one of two training sets, with its training and test errors."""
    data = cubic_points(2, 10, torch.Generator().manual_seed(0), noise=LABEL_NOISE)
    fit = fit_polynomial(data, degree)
    grid = torch.linspace(-1, 1, 161, dtype=torch.float64)
    row = sample - 1
    train, test = float(fit.train[row]), float(fit.test[row])
    fig, ax = figure(height=3.5)
    draw_fit(
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


def explore_smooth_or_wiggly() -> Explorer:
    """A network of 256 neurons trained on eight points from three starts, watched while its loss falls."""
    return explore(
        draw_training,
        title="Smooth or wiggly? Train a network on eight points",
        start=Choice(
            "Start", list(STARTS), start=2, format=STARTS_IN_WORDS.__getitem__
        ),
        progress=Choice(
            "Training",
            list(range(len(LEVELS) + 1)),
            start=len(LEVELS),
            format=_read_progress,
        ),
    )


def draw_training(start: str, progress: int) -> tuple[Figure, str]:
    """The network at the start (`progress` 0) or when its loss first was below a level of `LEVELS`."""
    film = training_film(start)
    picture = _picture(film.points, film.states[progress], film.network)
    fig, ax = figure(height=3.7)
    draw_curves(ax, picture, label=f"network, {_read_progress(progress)}")
    return fig, _training_sentence(
        start, progress, float(film.loss[progress]), float(film.ratio[progress])
    )


def _training_sentence(start: str, progress: int, loss: float, ratio: float) -> str:
    where = f"{STARTS_IN_WORDS[start].capitalize()}, {'before training' if progress == 0 else f'loss {loss:.1g}'}"
    if progress == len(LEVELS):
        return f"{where}: the network fits the points and is {_times(ratio)} as rough as the least rough fit."
    if progress == 0 and start != "wiggly":
        return f"{where}: the network is zero everywhere and misses the points."
    return f"{where}: the network does not fit yet; it is {_times(ratio)} as rough as the least rough fit."


@dataclass(frozen=True)
class Film:
    """States (levels + 1, P) of one network in training, their losses and roughness over the least roughness."""

    points: Points
    network: TwoLayerReLU
    states: Tensor
    loss: Tensor
    ratio: Tensor


@cache
def training_film(start: str, *, width: int = 256) -> Film:
    """Train on `shown_points` from a start of `STARTS`, keeping the states at `LEVELS`."""
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


def shown_points() -> Points:
    """The eight points of the explorers: independent normal labels, drawn once."""
    return scattered_points(1, 8, torch.Generator().manual_seed(1))


def explore_initialization() -> Explorer:
    """The trained network over the scale of its start and its width."""
    return explore(
        draw_initialization,
        title="What the scale of the start decides",
        scale=Choice("Scale of the start", list(SCALES), start=3),
        width=Choice("Width", [64, 256, 1024], start=1),
    )


def draw_initialization(scale: float, width: int) -> tuple[Figure, str]:
    """The network after training from random weights of this scale, or the attempt if it did not fit."""
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
    draw_curves(
        ax, _picture(points, fit.flow.theta[0], fit.network, kernel=True, fits=fits)
    )
    if not fits:
        return fig, (
            f"Scale {scale:g}, width {width}: the network did not fit. Its loss is still "
            f"{float(fit.flow.loss):.2g}, so its shape says nothing about functions through the points."
        )
    grid = points.grid(GRID)[..., None]
    limit = kernel_interpolant(output_layer_kernel, points.inputs, points.y)(grid)
    off = float((fit.on_grid() - limit).abs().max())
    return fig, (
        f"Scale {scale:g}, width {width}: the network fits the points, is {_times(ratio)} as rough as the "
        f"least rough fit, and is at most {off:.2g} away from the kernel interpolant."
    )


def _picture(
    points: Points,
    theta: Tensor,
    network: TwoLayerReLU,
    *,
    kernel: bool = False,
    fits: bool = True,
) -> CurvePicture:
    """The function of `theta` (P,) over the polygon, the zigzag and, with `kernel`, the kernel interpolant."""
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


def _read_progress(progress: int) -> str:
    return "before training" if progress == 0 else f"loss {LEVELS[progress - 1]:g}"


def _times(ratio: float) -> str:
    return f"{ratio:.2f} times" if ratio < 10 else f"{ratio:.0f} times"
