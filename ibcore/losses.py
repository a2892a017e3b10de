"""Losses as value, log-value and log-slope, so that nothing underflows however small
the loss.

Every empirical loss in this package is the mean over the training set, (1/n) sum_i l_i,
and time is the time of gradient flow on that mean. The square loss has no factor 1/2: l
= (f - y)^2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import logsigmoid

from ibcore.validation import InvalidInput, positive_integer, positive_number

_TAIL = 30.0  # beyond this margin log(1 + e^-m) = e^-m to double precision


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x) to double precision; PyTorch's default replaces it by x from x = 20
    on, wrong by 2e-9 there.
    """
    return functional.softplus(x, threshold=40.0)


class Loss:
    """The mean loss L of outputs f, (B, n) or (B, n, K), against targets, which
    training needs in three forms.
    """

    def mean(self, outputs: Tensor, targets: Tensor | None) -> Tensor:
        """L, (B,), to be differentiated."""
        raise NotImplementedError

    def log_mean(self, outputs: Tensor, targets: Tensor | None) -> Tensor:
        """log L, (B,), however small L is."""
        raise NotImplementedError

    def pull(self, outputs: Tensor, targets: Tensor | None) -> tuple[Tensor, Tensor]:
        """Weights of the outputs' shape and log of their unit, (B,) or (): -dL/df =
        exp(log_unit) weights.
        """
        raise NotImplementedError


class MarginLoss(Loss):
    """A decreasing loss of the margin m = y f(x), by methods that map margins to the
    same shape.

    Its outputs are margins, which hold the labels; it takes no targets.
    """

    def log_value(self, margins: Tensor) -> Tensor:
        """log l(m)."""
        raise NotImplementedError

    def log_slope(self, margins: Tensor) -> Tensor:
        """log(-l'(m))."""
        raise NotImplementedError

    def log_slope_rate(self, margins: Tensor) -> Tensor:
        """d/dm log(-l'(m)), which is negative."""
        raise NotImplementedError

    def mean(self, outputs: Tensor, targets: Tensor | None = None) -> Tensor:
        return self.log_mean(outputs, targets).exp()

    def log_mean(self, outputs: Tensor, targets: Tensor | None = None) -> Tensor:  # noqa: ARG002
        return log_mean(self.log_value(outputs))

    def pull(
        self,
        outputs: Tensor,
        targets: Tensor | None = None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        log_slopes = self.log_slope(outputs)
        peak = log_slopes.amax(-1, keepdim=True)
        weights = torch.exp(log_slopes - peak)
        return weights, peak[:, 0] - math.log(outputs.shape[-1])


@dataclass(frozen=True)
class Exponential(MarginLoss):
    """The exponential loss l(m) = e^-m of margins (B, n); its mean over the examples is
    what training minimizes.

    `log_mean(margins)` is log L, (B,), however small L is.

    >>> import torch
    >>> from ibcore import Exponential
    >>> Exponential().log_mean(torch.full((1, 3), 1e6)).item()
    -1000000.0
    """

    def log_value(self, margins: Tensor) -> Tensor:
        return -margins

    def log_slope(self, margins: Tensor) -> Tensor:
        return -margins

    def log_slope_rate(self, margins: Tensor) -> Tensor:
        return -torch.ones_like(margins)


@dataclass(frozen=True)
class Logistic(MarginLoss):
    """The logistic loss l(m) = log(1 + e^-m) of margins (B, n); its mean over the
    examples is what training minimizes.

    `log_mean(margins)` is log L, (B,), however small L is.

    >>> import torch
    >>> from ibcore import Logistic
    >>> margins = torch.tensor([[0.0], [1e6]]).double()
    >>> Logistic().log_mean(margins)  # log log 2, and that of e^-1000000
    tensor([-3.6651e-01, -1.0000e+06], dtype=torch.float64)
    """

    def log_value(self, margins: Tensor) -> Tensor:
        head = torch.log(softplus(-margins.clamp(max=_TAIL)))
        return torch.where(margins >= _TAIL, -margins, head)

    def log_slope(self, margins: Tensor) -> Tensor:
        return logsigmoid(-margins)

    def log_slope_rate(self, margins: Tensor) -> Tensor:
        return -torch.sigmoid(margins)


@dataclass(frozen=True)
class PolynomialTail(MarginLoss):
    """l(m) = (1 + log(1 + e^m))^-a: decreasing and smooth, with the tail m^-a instead
    of e^-m.
    """

    power: float = 1.0

    def __post_init__(self) -> None:
        positive_number("power", self.power)

    def log_value(self, margins: Tensor) -> Tensor:
        return -self.power * torch.log1p(softplus(margins))

    def log_slope(self, margins: Tensor) -> Tensor:
        base = torch.log1p(softplus(margins))
        return (
            torch.log(margins.new_tensor(self.power))
            - (self.power + 1) * base
            + logsigmoid(margins)
        )

    def log_slope_rate(self, margins: Tensor) -> Tensor:
        return torch.sigmoid(-margins) - (self.power + 1) * torch.sigmoid(margins) / (
            1 + softplus(margins)
        )


@dataclass(frozen=True)
class ConvexTail(MarginLoss):
    """l(m) = exp(-a asinh(m / 2)), which is m^-a for large margins, |m|^a for large
    negative ones, convex if a >= 1.
    """

    power: float = 1.0

    def __post_init__(self) -> None:
        positive_number("power", self.power)

    def log_value(self, margins: Tensor) -> Tensor:
        return -self.power * torch.asinh(margins / 2)

    def log_slope(self, margins: Tensor) -> Tensor:
        return (
            math.log(self.power)
            - self.power * torch.asinh(margins / 2)
            - torch.log(margins.square() + 4) / 2
        )

    def log_slope_rate(self, margins: Tensor) -> Tensor:
        squared = margins.square() + 4
        return -self.power / torch.sqrt(squared) - margins / squared


@dataclass(frozen=True)
class CrossEntropy(MarginLoss):
    """log(1 + sum_k e^-m_ik) for every example i, over its margins m_ik against the
    `rivals` K - 1 other classes.

    The margins of an example stand side by side, (..., n (K - 1)), and their values are
    one an example, (..., n). Slopes are multiplied by K - 1, so that the mean over all
    margins is the mean over examples of the sum over rivals. They are coupled:
    `log_slope_rate` is the diagonal of `log_slope_jacobian`.
    """

    rivals: int

    def __post_init__(self) -> None:
        positive_integer("rivals", self.rivals)

    def _total(self, margins: Tensor) -> Tensor:
        """log(1 + sum_k e^-m_ik), (..., n, 1)."""
        grouped = margins.unflatten(-1, (-1, self.rivals))
        return torch.logsumexp(
            torch.cat([torch.zeros_like(grouped[..., :1]), -grouped], -1),
            -1,
            keepdim=True,
        )

    def log_value(self, margins: Tensor) -> Tensor:
        rivals = torch.logsumexp(-margins.unflatten(-1, (-1, self.rivals)), -1)
        return torch.where(
            rivals <= -_TAIL, rivals, torch.log(softplus(rivals.clamp_min(-_TAIL)))
        )

    def log_slope(self, margins: Tensor) -> Tensor:
        total = self._total(margins).expand(*margins.shape[:-1], -1, self.rivals)
        return torch.log(margins.new_tensor(self.rivals)) - margins - total.flatten(-2)

    def log_slope_rate(self, margins: Tensor) -> Tensor:
        return (
            torch.exp(
                self.log_slope(margins) - torch.log(margins.new_tensor(self.rivals))
            )
            - 1
        )

    def log_slope_jacobian(self, margins: Tensor) -> Tensor:
        """d log_slope_i / d m_j, (..., N, N) for N margins."""
        q = self.log_slope_rate(margins) + 1
        index = torch.arange(margins.shape[-1], device=margins.device)
        example = index // self.rivals
        same = (example[:, None] == example).to(margins)
        identity = torch.eye(len(index)).to(margins)
        return same * q[..., None, :] - identity


@dataclass(frozen=True)
class Square(Loss):
    """The square loss (f - y)^2 against targets of the outputs' shape, (B, n) or
    (B, n, K), summed over the K outputs of an example and averaged over the examples.

    There is no factor 1/2. Raises `InvalidInput` where the targets are missing.

    >>> import torch
    >>> from ibcore import Square
    >>> Square().mean(torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 1.0]])).item()
    2.0
    """

    def mean(self, outputs: Tensor, targets: Tensor | None) -> Tensor:
        squares = (outputs - _given(targets)).square()
        return (squares.sum(-1) if squares.ndim == 3 else squares).mean(-1)

    def log_mean(self, outputs: Tensor, targets: Tensor | None) -> Tensor:
        return self.mean(outputs, targets).log()

    def pull(self, outputs: Tensor, targets: Tensor | None) -> tuple[Tensor, Tensor]:
        weights = (_given(targets) - outputs) * (2 / outputs.shape[1])
        return weights, weights.new_zeros(())


@dataclass(frozen=True)
class LogCosh(Loss):
    """log cosh(f - y) against targets of the outputs' shape, (B, n)."""

    def mean(self, outputs: Tensor, targets: Tensor | None) -> Tensor:
        rest = outputs - _given(targets)
        return (softplus(2 * rest) - rest - math.log(2)).mean(-1)

    def log_mean(self, outputs: Tensor, targets: Tensor | None) -> Tensor:
        return self.mean(outputs, targets).log()

    def pull(self, outputs: Tensor, targets: Tensor | None) -> tuple[Tensor, Tensor]:
        slopes = torch.tanh(_given(targets) - outputs) / outputs.shape[1]
        return slopes, slopes.new_zeros(())


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    """-log softmax(f)_y of logits (B, n, K) against classes (n,) or (B, n), int64."""

    def mean(self, outputs: Tensor, targets: Tensor | None) -> Tensor:
        return softplus(self._rivals(outputs, targets).logsumexp(-1)).mean(-1)

    def log_mean(self, outputs: Tensor, targets: Tensor | None) -> Tensor:
        rivals = self._rivals(outputs, targets).logsumexp(-1)
        head = torch.log(softplus(rivals.clamp_min(-_TAIL)))
        return log_mean(torch.where(rivals <= -_TAIL, rivals, head))

    def pull(self, outputs: Tensor, targets: Tensor | None) -> tuple[Tensor, Tensor]:
        rivals = self._rivals(outputs, targets)
        log_shares = rivals - softplus(rivals.logsumexp(-1, keepdim=True))
        peak = log_shares.amax((-1, -2), keepdim=True)
        shares = torch.exp(log_shares - peak)
        own = shares.sum(-1, keepdim=True)
        weights = (-shares).scatter_add(-1, self._index(outputs, targets), own)
        return weights, peak[:, 0, 0] - math.log(outputs.shape[1])

    def _rivals(self, outputs: Tensor, targets: Tensor | None) -> Tensor:
        """Logits minus that of the example's class, -inf at the class itself, (B, n,
        K).
        """
        index = self._index(outputs, targets)
        lead = outputs - outputs.gather(-1, index)
        return lead.scatter(-1, index, -torch.inf)

    @staticmethod
    def _index(outputs: Tensor, targets: Tensor | None) -> Tensor:
        return _given(targets).expand(outputs.shape[:2])[..., None]


def _given(targets: Tensor | None) -> Tensor:
    if targets is None:
        raise InvalidInput("targets is None; this loss needs targets to compare with.")
    return targets


def log_mean(log_values: Tensor) -> Tensor:
    """log of the mean of exp(log_values) over the last dimension, without under- or
    overflow.
    """
    return torch.logsumexp(log_values, -1) - math.log(log_values.shape[-1])


def mean_square(residuals: Tensor) -> Tensor:
    """(1/n) sum_i r_i^2 over the last dimension."""
    return residuals.square().mean(-1)
