"""The spectrum of a convolutional network between sparse and dense, and deeper fully connected ones, for the page."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.stiff_flow import integrate, stiff_flow
from ibcore.figures.convolutional_and_fully_connected import (
    draw_spectrum,
    draw_transition,
)
from ibcore.figures.style import figure
from ibcore.models.deep_linear import DeepLinear, random_start
from ibcore.models.filter_pair import FilterPair
from ibcore.oracles.fourier_margin import fourier_norm
from ibcore.oracles.fourier_regression import (
    FourierInterpolant,
    even_interpolant,
    even_potential,
    fourier_interpolant,
)
from ibcore.problems.spectra import SpectralRegression, spectral_regression
from ibcore.threads import threads

KINDS = ("even", "generic")
SCALES = (10.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.001)
_SEEDS = {"even": 2, "generic": 5}
_SHAPE = (4, 16, 2)


@functools.cache
def example(kind: str) -> tuple[SpectralRegression, FourierInterpolant]:
    """Four signals of length 16 of the kind, and the interpolant whose spectrum has the least l1 norm."""
    problem = spectral_regression(
        *_SHAPE, torch.Generator().manual_seed(_SEEDS[kind]), even=kind == "even"
    )
    return problem, fourier_interpolant(problem.X, problem.y)


def impulse(length: int, alpha: float) -> Tensor:
    """Layers u = alpha e_0 and v = 0, (2 d,)."""
    start = torch.zeros(2 * length, dtype=torch.float64)
    start[0] = alpha
    return start


@functools.cache
def predictor(kind: str, alpha: float) -> Tensor:
    """beta (d,) at the end of the flow from the impulse of size alpha."""
    problem, _ = example(kind)
    pair = FilterPair(problem.X, problem.y)
    run = integrate(
        pair.field,
        pair.curvature,
        impulse(problem.X.shape[1], alpha),
        tolerance=1e-8,
        done=lambda theta: pair.loss(theta) <= 1e-20,
    )
    return torch.from_numpy(pair.coefficients(run.state.numpy()))


def excess(kind: str, alpha: float) -> float:
    """Fourier-l1 norm of the network's predictor over the least one, less 1."""
    return float(fourier_norm(predictor(kind, alpha))) / example(kind)[1].value - 1


def draw_example(kind: str, alpha: float) -> tuple[Figure, str]:
    """The spectrum between the two limits, beside its excess over the least l1 norm at all scales."""
    problem, sparse = example(kind)
    beta, dense = predictor(kind, alpha), torch.linalg.pinv(problem.X) @ problem.y
    fig, (left, right) = figure(2, height=3.2)
    draw_spectrum(
        left,
        *(
            torch.fft.rfft(row, norm="ortho").abs().numpy()
            for row in (beta, sparse.primal, dense)
        ),
    )
    curves = {
        name: torch.tensor([excess(name, scale) for scale in SCALES]).numpy()
        for name in KINDS
    }
    draw_transition(
        right, torch.tensor(SCALES, dtype=torch.float64).numpy(), curves, kind, alpha
    )
    above = (
        100 * excess(kind, alpha),
        100 * max(0.0, float(beta.norm() / dense.norm()) - 1),
    )
    return fig, (
        f"Inputs {kind}, scale {alpha:g}: the l1 norm of the spectrum is {above[0]:.2g} % above the least "
        f"possible, the l2 norm {above[1]:.1f} %."
    )


@threads()
def predicted_excess(
    X: Tensor, y: Tensor, least: float, scales: Sequence[float]
) -> Tensor:
    """Excess of the predicted minimizers for layers (alpha e_0, 0), one for each scale, (K,)."""
    betas = torch.stack(
        [
            even_interpolant(
                X, y, even_potential(*impulse(X.shape[1], alpha).chunk(2))
            ).primal
            for alpha in scales
        ]
    )
    return fourier_norm(betas) / least - 1


@threads()
def deeper(depth: int, scales: Sequence[float]) -> list[tuple[float, float]]:
    """A fully connected network of `depth` on five points in ten dimensions: scale and relative distance to X^+ y."""
    generator = torch.Generator().manual_seed(depth)
    X, y = (
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((5, 10), (5,))
    )
    model, best = DeepLinear(X, (6,) * (depth - 1)), torch.linalg.pinv(X) @ y
    start = random_start(model, 1, 1.0, generator)[0]
    ends = [
        stiff_flow(model, y, scale * start, tolerance=1e-8, target_loss=1e-20).state
        for scale in scales
    ]
    return [
        (scale, float((model.end_to_end(end) - best).norm() / best.norm()))
        for scale, end in zip(scales, ends, strict=True)
    ]
