"""Margin bounds of networks: norms tell true labels from random ones, and the bound itself is vacuous."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.dynamics.loss_scaled_momentum import descend_to_levels
from ibcore.evidence import Check, Control, Evidence, fraction
from ibcore.measures.complexity import frobenius_complexity, spectral_complexity
from ibcore.models.relu_layers import ReLULayers, multiclass_margins
from ibcore.problems.labelings import LABELINGS, labelings
from ibcore.threads import threads

LEVELS = (0.1, 0.01, 0.001)  # mean cross entropy at which a network is looked at
AT = 1  # the level of the comparison; random labels are also looked at one level deeper
STEP_SIZES = {2: 0.1, 3: 0.05}


@dataclass(frozen=True)
class Trained:
    """Networks of one depth: seeds S, labelings as in `LABELINGS` (3), levels of the loss K.

    margins: (K, S, 3, n).      spectral, frobenius: complexities (K, S, 3).      reached: every level was.
    leading: |X|_F R_A / (median margin * n), the leading term of the bound without constant and logarithms.
    """

    depth: int
    margins: Tensor
    spectral: Tensor
    frobenius: Tensor
    leading: Tensor
    reached: bool

    def normalized(self, complexity: str) -> Tensor:
        """Median margin over the complexity `spectral` or `frobenius`, (K, S, 3)."""
        return self.margins.median(-1).values / getattr(self, complexity)


@threads()
def train(setting: Setting, depth: int, seeds: int, n: int, width: int) -> Trained:
    """Train `seeds` triples of networks on the same digits under every labeling, each from its own start."""
    generator = torch.Generator().manual_seed(
        setting.seeds(1, f"margin bounds {depth}")[0]
    )
    data = labelings(seeds, n, generator)
    X, y = (part.flatten(0, 1).to(setting.device) for part in (data.X, data.y))
    net = ReLULayers((X.shape[-1], *[width] * (depth - 1), 10))
    begin = [
        matrix.to(setting.device)
        for matrix in net.initial(len(X), generator, dtype=X.dtype)
    ]
    run = descend_to_levels(
        lambda weights: net.loss_and_gradient(weights, X, y),
        begin,
        LEVELS,
        step_size=STEP_SIZES[depth],
    )
    shape = (len(LEVELS), seeds, len(LABELINGS))
    margins = (
        torch.stack([multiclass_margins(net.logits(w, X), y) for w in run.weights])
        .double()
        .cpu()
        .view(*shape, n)
    )
    spectral, frobenius = (
        torch.stack([measure([a.double() for a in w]) for w in run.weights])
        .cpu()
        .view(shape)
        for measure in (spectral_complexity, frobenius_complexity)
    )
    size = X.double().flatten(1).norm(dim=1).cpu().view(shape[1:])
    leading = size * spectral / (margins.median(-1).values * n)
    return Trained(depth, margins, spectral, frobenius, leading, run.reached)


@claim(
    kind="empirical",
    source="Bartlett, Foster and Telgarsky 2017 and Golowich, Rakhlin and Shamir 2018 (the complexities); the "
    "comparison is observed",
    statement="On handwritten digits, the margins of trained ReLU networks divided by the spectral complexity or by "
    "the product of Frobenius norms are smaller for random labels than for true ones, raw margins do not "
    "tell them apart, and the bound itself is vacuous.",
    quick={"seeds": 2, "n": 150, "width": 32},
    book={"seeds": 10, "n": 200, "width": 32},
    full={"seeds": 50, "n": 1500, "width": 256},
)
def network_margin_bounds(
    setting: Setting, *, seeds: int, n: int, width: int
) -> Evidence:
    """Median ratios of normalized margins, true over random labels, for two and three layers."""
    runs = [train(setting, depth, seeds, n, width) for depth in STEP_SIZES]
    checks: list[Check] = []
    for run in runs:
        layers = f"{run.depth} layers"
        for complexity in ("spectral", "frobenius"):
            shift = _ratio(run.normalized(complexity)[AT], "random")
            checks.append(
                fraction(
                    f"{layers}: share of seeds with true / random > 2, {complexity}",
                    int((shift > 2).sum()),
                    seeds,
                    at_least=0.9,
                )
            )
        medians = run.margins.median(-1).values
        later = medians[AT, :, 0] / medians[AT + 1, :, 2]
        checks += [
            Check.at_most(
                f"{layers}: raw margins, true / random trained to a tenth of the loss, median",
                float(later.median()),
                1.0,
            ),
            Check.at_least(
                f"{layers}: the same over the spectral complexity, least",
                float(
                    (later * run.spectral[AT + 1, :, 2] / run.spectral[AT, :, 0]).min()
                ),
                1.5,
            ),
            Check.at_least(
                f"{layers}: leading term of the bound, true labels, least (1 is vacuous)",
                float(run.leading[AT, :, 0].min()),
                1.0,
            ),
        ]
    checks.append(
        Check.at_least(
            "smallest raw margin at the comparison: every label is fitted",
            min(float(run.margins[AT].min()) for run in runs),
            0.0,
        )
    )
    shifts = torch.cat(
        [_ratio(run.normalized("spectral")[AT], "true again") for run in runs]
    )
    control = Control(
        "true labels against true labels: share of ratios outside (1/2, 2)",
        Check.at_most(
            "share", float(((shifts >= 2) | (shifts <= 0.5)).double().mean()), 0.1
        ),
    )
    notes: dict[str, float | int | str] = {
        "networks": 6 * seeds,
        "all reached the lowest loss": str(all(run.reached for run in runs)),
    }
    return Evidence(tuple(checks), control, {"runs": runs, "levels": LEVELS}, notes)


def _ratio(values: Tensor, other: str) -> Tensor:
    """True labels over the `other` labeling, (S,), of values (S, 3)."""
    return values[:, 0] / values[:, LABELINGS.index(other)]


@threads()
def shift_rows(run: Trained) -> list[tuple[str, str, NDArray[np.float64]]]:
    """Ratios of median margins (S,), true labels over the others, for every measure: (text, labeling, ratios)."""
    measures = {
        "spectral": run.normalized("spectral")[AT],
        "Frobenius": run.normalized("frobenius")[AT],
        "raw": run.margins.median(-1).values[AT],
    }
    return [
        (f"{name}, {other}", other, _ratio(values, other).numpy())
        for name, values in measures.items()
        for other in ("random", "true again")
    ]
