"""Random convex problems with known smoothness constants: least squares and logistic
regression.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ibcore.validation import positive_integer


@dataclass(frozen=True)
class ConvexProblems:
    """B mean losses f(w) = (1/n) sum_i f_i(w) of linear predictors: inputs X (B, n, d),
    targets y (B, n).

    f_i(w) = (w.x_i - y_i)^2, or log(1 + exp(-y_i w.x_i)) with labels -1 and +1 where
    `logistic` is true.
    """

    X: Tensor
    y: Tensor
    logistic: bool

    @property
    def smoothness(self) -> Tensor:
        """Lambda, the Lipschitz constant of grad f, (B,): c |X|_2^2 / n, c = 2 or 1/4."""
        return (
            self._curvature
            * torch.linalg.matrix_norm(self.X, 2).square()
            / self.X.shape[-2]
        )

    @property
    def example_smoothness(self) -> Tensor:
        """The largest Lipschitz constant of a grad f_i, (B,): c max_i |x_i|^2."""
        return self._curvature * self.X.square().sum(-1).amax(-1)

    @property
    def _curvature(self) -> float:
        return 0.25 if self.logistic else 2.0

    def loss(self, w: Tensor) -> Tensor:
        """f at w (B, ..., d), (B, ...)."""
        outputs = (
            w.flatten(1, -2) @ self.X.mT if w.ndim > 2 else (w[:, None] @ self.X.mT)
        )
        y = self.y[:, None]
        values = (
            softplus(-y * outputs, threshold=40.0)
            if self.logistic
            else (outputs - y).square()
        )
        return values.mean(-1).reshape(w.shape[:-1])

    def variance(self, w: Tensor) -> Tensor:
        """E_i |grad f_i(w)|^2 at w (B, d), (B,): at the minimizer, the variance of a
        stochastic gradient.
        """
        outputs, y = (self.X @ w[..., None])[..., 0], self.y
        slopes = torch.sigmoid(-y * outputs) if self.logistic else 2 * (outputs - y)
        return (slopes.square() * self.X.square().sum(-1)).mean(-1)


def random_problem(
    n: int,
    d: int,
    generator: torch.Generator,
    *,
    logistic: bool,
    decay: float = 1.0,
    noise: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """Inputs (n, d) with independent Gaussian entries of variance j^-decay in column j,
    and targets (n,).

    The targets are x_i.w plus Gaussian noise of standard deviation `noise`, or labels
    that are +1 with probability 1 / (1 + exp(-x_i.w)), for a standard normal w.
    """
    positive_integer("n", n), positive_integer("d", d)
    scales = torch.arange(1, d + 1, dtype=torch.float64) ** (-decay / 2)
    X = torch.randn(n, d, generator=generator, dtype=torch.float64) * scales
    outputs = X @ torch.randn(d, generator=generator, dtype=torch.float64)
    if not logistic:
        return X, outputs + noise * torch.randn(
            n, generator=generator, dtype=torch.float64
        )
    coin = torch.rand(n, generator=generator, dtype=torch.float64)
    return X, torch.where(coin < torch.sigmoid(outputs), 1.0, -1.0).double()
