"""Random features and trained networks on handwritten digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics import paces
from ibcore.dynamics.directions import Adam
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.losses import Square
from ibcore.measures.risk import classification_error, one_hot_mean_square
from ibcore.models.random_features import draw_fourier
from ibcore.models.two_layer import TwoLayerReLU, zero_output_start
from ibcore.oracles.fourier_limit import gaussian_kernel
from ibcore.oracles.least_squares import minimum_norm, ridge
from ibcore.problems.digit_parity import parity_splits
from ibcore.problems.digits import CLASSES, DigitsSplit, digits_split
from ibcore.threads import threads

DIGITS = 1797
LENGTH_SCALE = 8.0  # sqrt(64): the kernel is e^-1/2 where the mean squared difference of a pixel is 1
CORRUPTIONS = (0.0, 0.1, 0.2)
PENALTY = 2.5e-4


@dataclass(frozen=True)
class FeatureCurves:
    """Random Fourier features of least norm on splits of the digits.

    counts: (counts,) numbers of features.      samples: digits for training.
    error, square, norm, fit: (corruptions, splits, counts) share of test digits
    misclassified, test square loss on one-hot labels, |a|_2, and training residual over
    |y|. ridge: (splits, counts) error with the penalty at label noise 0.1. kernel:
    (corruptions, splits) error of the limit of infinitely many features.
    """

    counts: Tensor
    samples: int
    error: Tensor
    square: Tensor
    norm: Tensor
    fit: Tensor
    ridge: Tensor
    kernel: Tensor

    @property
    def threshold(self) -> int:
        """The place at which there are as many features as digits for training."""
        return self.counts.tolist().index(self.samples)


def feature_curves(
    setting: Setting, train: int, counts: Sequence[int], splits: int
) -> FeatureCurves:
    """Fit `splits` splits of the digits; all other digits are for testing."""
    names = ("error", "square", "norm", "fit", "ridge")
    rows: dict[str, list[Tensor]] = {name: [] for name in (*names, "kernel")}
    for seed in setting.seeds(splits, "digits"):
        data = [_digits(train, seed, corruption, setting) for corruption in CORRUPTIONS]
        model = draw_fourier(
            64,
            max(counts),
            LENGTH_SCALE,
            torch.Generator().manual_seed(seed + 1),
            device=setting.device,
        )
        seen, fresh = model.features(data[0].X_train), model.features(data[0].X_test)
        cells = [
            _fit_digits(model.rescaled(seen, count), model.rescaled(fresh, count), data)
            for count in counts
        ]
        for name in names:
            rows[name].append(torch.stack([cell[name] for cell in cells], -1).cpu())
        rows["kernel"].append(_limit_error(data).cpu())
    kernel = torch.stack(rows.pop("kernel"), -1)
    curves = {name: torch.stack(parts, -2) for name, parts in rows.items()}
    return FeatureCurves(torch.tensor(counts), train, **curves, kernel=kernel)


def _digits(train: int, seed: int, corruption: float, setting: Setting) -> DigitsSplit:
    """The same digits for every corruption; all that are not for training are for
    testing.
    """
    generator = torch.Generator().manual_seed(seed)
    return digits_split(
        train, DIGITS - train, generator, corruption, device=setting.device
    )


def _fit_digits(
    seen: Tensor, fresh: Tensor, data: Sequence[DigitsSplit]
) -> dict[str, Tensor]:
    """Features of training and test digits, fitted to each set of labels at once."""
    targets, truth = _targets(data), data[0].y_test
    weights = minimum_norm(seen, targets).weights
    scores = _by_corruption(fresh @ weights)
    rest = _by_corruption(seen @ weights - targets)
    penalized = ridge(seen, targets[:, CLASSES : 2 * CLASSES], PENALTY)
    return {
        "error": classification_error(scores, truth),
        "square": one_hot_mean_square(scores, truth),
        "norm": torch.linalg.matrix_norm(_by_corruption(weights)),
        "fit": torch.linalg.matrix_norm(rest) / math.sqrt(len(seen)),
        "ridge": classification_error(fresh @ penalized, truth),
    }


def _limit_error(data: Sequence[DigitsSplit]) -> Tensor:
    """Test error of the interpolant of least norm for the kernel of infinitely many
    features, (corruptions,).
    """
    kernel, X = gaussian_kernel(LENGTH_SCALE), data[0].X_train
    scores = (
        kernel(data[0].X_test, X) @ minimum_norm(kernel(X, X), _targets(data)).weights
    )
    return classification_error(_by_corruption(scores), data[0].y_test)


def _targets(data: Sequence[DigitsSplit]) -> Tensor:
    """One-hot labels of every corruption side by side, (n, corruptions * classes)."""
    return torch.cat(
        [torch.nn.functional.one_hot(part.y_train, CLASSES) for part in data], -1
    ).double()


def _by_corruption(columns: Tensor) -> Tensor:
    """(k, corruptions * classes) as (corruptions, k, classes)."""
    return columns.unflatten(-1, (-1, CLASSES)).movedim(-2, 0)


@dataclass(frozen=True)
class NetworkCurves:
    """Two-layer ReLU networks trained by Adam on even against odd digits.

    widths, parameters: (widths,).      samples: digits for training.
    train, test: (widths, splits) mean square loss on the training labels and on true
    test labels.      error: (widths, splits) share of test digits misclassified.
    """

    widths: Tensor
    parameters: Tensor
    samples: int
    train: Tensor
    test: Tensor
    error: Tensor


@threads()
def network_curves(
    setting: Setting,
    widths: Sequence[int],
    splits: int,
    steps: int,
    *,
    train: int = 200,
    corruption: float = 0.2,
) -> NetworkCurves:
    """Train all splits of one width at once, one width after the other."""
    generator = torch.Generator().manual_seed(
        setting.seeds(1, f"networks {corruption}")[0]
    )
    data = parity_splits(
        splits, train, 1000, 16, generator, corruption, device=setting.device
    )
    rows: dict[str, list[Tensor]] = {"train": [], "test": [], "error": []}
    models = [TwoLayerReLU(data.X_train, width) for width in widths]
    for model in models:
        start = zero_output_start(
            model.width,
            model.features,
            torch.ones(splits, dtype=torch.float64),
            generator,
        )
        found = descend(
            Objective(model, Square(), data.y_train, shared=False),
            start.to(setting.device),
            paces.Cosine(0.03, steps),
            log_loss=[math.log(1e-6)],
            direction=Adam(),
            max_steps=steps,
        )
        scores = model.on(data.X_test).outputs(found.last)
        rows["train"].append(found.last_log_loss.exp().cpu())
        rows["test"].append((scores - data.y_test).square().mean(-1).cpu())
        rows["error"].append((scores * data.y_test <= 0).double().mean(-1).cpu())
    parameters = torch.tensor([model.dimension for model in models])
    curves = {name: torch.stack(parts) for name, parts in rows.items()}
    return NetworkCurves(torch.tensor(widths), parameters, train, **curves)
