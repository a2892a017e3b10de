"""Problems of the page on convolutional networks, and gradient flow on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.trajectory import Trajectory, early_ends
from ibcore.losses import Exponential
from ibcore.models.convolutional import Convolutional
from ibcore.oracles.fourier_margin import FourierMargin, fourier_max_margin
from ibcore.problems.separable import Classification
from ibcore.problems.sparse_margin import wave_teacher
from ibcore.validation import binary_data

POINTS, FEATURES, FREQUENCIES = 12, 16, 2
MARGIN = 0.1
SPREAD = 0.3  # standard deviation of all weights at the start
LEVELS = (-1e6, -1e10)


@dataclass(frozen=True)
class Waves:
    """N data sets with their certified Fourier l1 max margin predictors, and S random
    starts on each.

    signed: rows y_i x_i, (N, n, d).      best: (N, d), of margin 1.      least: (N,),
    their Fourier l1 norms.
    certified: (N,), the relative gap of each program.      rates: (N,), exponents with
    which gaps should fall.
    full: starts (N, S, 2 d) with kernels of d entries.      single: (N, 1, 1 + d) with
    kernels of one.
    """

    signed: Tensor
    best: Tensor
    least: Tensor
    certified: Tensor
    rates: Tensor
    full: Tensor
    single: Tensor
    rejected: int

    @classmethod
    def draw(cls, setting: Setting, datasets: int, starts: int) -> Waves:
        """Data whose optimum is clear-cut."""
        kept, rejected = setting.draw(datasets, "fourier", _clear_cut_waves)
        return cls._started(kept, setting, starts, rejected)

    @classmethod
    def of(
        cls, pairs: Sequence[tuple[object, object]], setting: Setting, starts: int
    ) -> Waves:
        """Given data, in units of root mean square 1.

        Raises `InvalidInput` for malformed and `NotSeparable` for inseparable ones.
        """
        checked = [Classification(*binary_data(X, y)) for X, y in pairs]
        scaled = [_in_own_units(data) for data in checked]
        solved = [(data, fourier_max_margin(data.X, data.y)) for data in scaled]
        return cls._started(solved, setting, starts, 0)

    @classmethod
    def _started(
        cls,
        solved: Sequence[tuple[Classification, FourierMargin]],
        setting: Setting,
        starts: int,
        rejected: int,
    ) -> Waves:
        signed = torch.stack([data.signed for data, _ in solved])
        optima = [best for _, best in solved]
        features = signed.shape[-1]
        seeds = setting.seeds(len(solved), "fourier start")
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        return cls(
            signed,
            torch.stack([best.primal for best in optima]),
            signed.new_tensor([best.value for best in optima]),
            signed.new_tensor([abs(best.gap) for best in optima]),
            signed.new_tensor([best.rate for best in optima]),
            torch.stack([_normal(starts, 2 * features, one) for one in generators]),
            torch.stack([_normal(1, 1 + features, one) for one in generators]),
            rejected,
        )


def _in_own_units(data: Classification) -> Classification:
    size = data.X.square().mean().sqrt()
    return Classification(data.X / size if size > 0 else data.X, data.y)


def _clear_cut_waves(
    generator: torch.Generator,
) -> tuple[Classification, FourierMargin] | None:
    data = wave_teacher(POINTS, FEATURES, FREQUENCIES, MARGIN, generator)
    best = fourier_max_margin(data.X, data.y)
    return (data, best) if clear_cut(best) else None


def clear_cut(best: FourierMargin) -> bool:
    """Whether the gap of a Fourier optimum has to fall by the rate 0.3, with no dual
    variable that nearly vanishes.
    """
    return best.rate >= 0.3 and best.strictness >= 0.01


def _normal(starts: int, size: int, generator: torch.Generator) -> Tensor:
    return SPREAD * torch.randn(starts, size, generator=generator, dtype=torch.float64)


def train(
    waves: Waves, starts: Tensor, kernel: int | None, device: torch.device
) -> tuple[Tensor, tuple[str, ...]]:
    """Predictors over their least margins at `LEVELS`, (K, N, S, d), from starts (N, S,
    P); and why some broke down.
    """
    rows = waves.signed.repeat_interleave(starts.shape[1], 0).to(device)
    run = follow(rows, starts.flatten(0, 1).to(device), kernel, LEVELS)
    model = Convolutional(rows, kernel=kernel)
    found = normalized(model, run.theta).unflatten(1, starts.shape[:2])
    width = "of full width" if kernel is None else f"of {kernel}"
    return found, early_ends(f"kernels {width}", run)


def follow(
    rows: Tensor, start: Tensor, kernel: int | None, levels: Sequence[float]
) -> Trajectory:
    """Gradient flow on the exponential loss of signed inputs (n, d) or (B, n, d) from
    `start` (B, P).
    """
    model = Convolutional(rows, kernel=kernel)
    return flow(model, Exponential(), start, log_loss=levels, tolerance=1e-5)


def normalized(model: Convolutional, theta: Tensor) -> Tensor:
    """beta over its least margin, (K, B, d), of parameters (K, B, P)."""
    scaled = [
        model.coefficients(point) / model.outputs(point).amin(-1, keepdim=True)
        for point in theta
    ]
    return torch.stack(scaled)
