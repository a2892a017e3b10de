"""The modified support vector machine of leaky ReLU networks whose neurons agree on the
training points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.oracles.max_margin import certify, quadratic_program
from ibcore.oracles.separability import separating_direction
from ibcore.threads import threads
from ibcore.validation import binary_data, positive_number


@dataclass(frozen=True)
class AgreementLimit:
    """Solution of the program of `agreement_limit`, float64 on the CPU.

    plus, minus: (d,), the common directions of the neurons with positive and with
    negative output weight.
    gap: relative difference of primal and dual value.      violation: max(0, 1 -
    smallest margin).
    consistent: the activation at the solution has the slopes that the program assumed.
    """

    plus: Tensor
    minus: Tensor
    gap: float
    violation: float
    consistent: bool

    def outputs(self, X: Tensor, slope_below: float) -> Tensor:
        """phi(w_plus.x) - phi(w_minus.x) at every row of `X` (k, d), (k,)."""
        value = [
            torch.where(z > 0, z, slope_below * z)
            for z in (X @ self.plus.to(X), X @ self.minus.to(X))
        ]
        return value[0] - value[1]


@threads()
def agreement_limit(
    X: object,
    y: object,
    slope_below: float,
    *,
    active_plus: object = None,
    active_minus: object = None,
) -> AgreementLimit:
    """min |w_plus|^2 + |w_minus|^2 subject to y_i (g_i w_plus.x_i - h_i w_minus.x_i) >=
    1.

    g_i is 1 where `active_plus` (n,) holds and `slope_below` elsewhere; h_i likewise
    from `active_minus`. By default positive neurons are active exactly on the points
    labeled +1, negative ones on the others: the perfect agreement of Sarussi, Brutzkus
    and Globerson (2021). The program is that of gradient flow on a linear model whose
    two blocks of features are g_i x_i and -h_i x_i.

    Equivariant under a common factor s of X: plus / s, minus / s; the rest stays.
    Raises `InvalidInput` for malformed data, where the margin is not resolved, and
    where no such pair of vectors fits the labels.
    """
    inputs, labels = binary_data(X, y)
    positive_number("slope_below", slope_below)
    data, signs = (
        inputs.detach().cpu().double().numpy(),
        labels.detach().cpu().double().numpy(),
    )
    plus = signs > 0 if active_plus is None else np.asarray(active_plus, dtype=bool)
    minus = signs < 0 if active_minus is None else np.asarray(active_minus, dtype=bool)
    g, h = (np.where(active, 1.0, slope_below) for active in (plus, minus))
    rows = signs[:, None] * np.hstack([g[:, None] * data, -h[:, None] * data])
    separating_direction(
        rows,
        "no pair of vectors fits the labels with these activation patterns",
        "Pass linearly separable data, or the patterns of a network that classifies "
        "them.",
    )
    best, d = certify(rows, quadratic_program(rows)), data.shape[1]
    w_plus, w_minus = best.primal[:d], best.primal[d:]
    consistent = bool(
        (
            ((data @ w_plus.numpy() > 0) == plus)
            & ((data @ w_minus.numpy() > 0) == minus)
        ).all()
    )
    return AgreementLimit(w_plus, w_minus, best.gap, best.violation, consistent)
