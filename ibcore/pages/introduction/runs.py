"""Curves through a few points: polynomials and networks fitted to them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.square_flow import SquareFlow, square_flow
from ibcore.measures.roughness import roughness
from ibcore.models.hinges import connect_the_dots
from ibcore.models.polynomial import legendre_features, mean_squares
from ibcore.models.two_layer import TwoLayerReLU, zero_output_start
from ibcore.oracles.least_squares import minimum_norm
from ibcore.oracles.roughness import least_roughness
from ibcore.problems.curves import CUBIC, Points, scattered_points, zigzag
from ibcore.threads import threads
from ibcore.validation import InvalidInput, positive_integer, positive_number

LABEL_NOISE = 0.3
FIT = 1e-8
GRID = 401


def seeded(setting: Setting, purpose: str) -> torch.Generator:
    """Randomness for one purpose of a claim."""
    return torch.Generator().manual_seed(setting.seeds(1, purpose)[0])


@dataclass(frozen=True)
class PolynomialFit:
    """Least-squares polynomials of one degree on B data sets, and their errors (B,).

    coefficients: of Legendre polynomials, (B, degree + 1).
    test: mean square error on a new noisy label at a uniform point of [-1, 1].
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

    ratio (B,): roughness on [x_1, x_n] over the least roughness of a function through
    the points.
    certified (B,): the same with the most added that a loss above zero can have saved,
    |c|_2 (n L)^(1/2) for the certificate c of the least roughness; at least 1 always.
    fits (B,): False for a network that did not fit. Its ratio says nothing about
    interpolants.
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
    """Gradient flow of a network on each data set, until its mean square loss is 1e-8.

    Output weights start at zero, the others normal with variance `scale` R/sqrt(width),
    R the least roughness: output weights of the same size would make a function rougher
    than needed by a factor of the order of `scale`. `start` (B, P) replaces that start;
    `options` go to `square_flow`.

    Raises `InvalidInput` for a width or scale that is not positive, and for points on a
    line, which need no roughness at all.
    """
    least = least_roughness(points.x, points.y)
    if not bool((least.value > 0).all()):
        raise InvalidInput(
            "the points of a data set lie on a line, expected some that do not: the "
            "least roughness is 0 and nothing can be compared with it. Change a label."
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
    """The wiggly interpolants of the same networks, and gradient flow from near them.

    built_loss, built_ratio: of the interpolants, (B,).
    loss: (B,), after the perturbation.      refit: where the flow led from there.
    """

    built_loss: Tensor
    built_ratio: Tensor
    loss: Tensor
    refit: CurveFit


def start_wiggly(
    fit: CurveFit,
    generator: torch.Generator,
    *,
    perturbation: float = 0.03,
    **options: Any,
) -> WigglyStart:
    """Rewrite the first neurons of each start into a zigzag, perturb it, train again.

    The zigzag goes through the points and up and down between them. Every weight is
    multiplied by 1 + `perturbation` N(0, 1); `options` go to `square_flow`.
    """
    points, polygon = fit.points, zigzag(fit.points)
    built = connect_the_dots(fit.start, polygon.x, polygon.y)
    shape = len(built), 3, fit.network.width
    noise = torch.randn(shape, generator=generator, dtype=built.dtype)
    noise = noise.flip(1).flatten(1).to(built)  # output weights are drawn first
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
        loss[0],
        rough / least_roughness(points.x, points.y).value,
        loss[1],
        refit,
    )


def shown_points() -> Points:
    """The eight points of the explorers: independent normal labels, drawn once."""
    return scattered_points(1, 8, torch.Generator().manual_seed(1))
