"""What theory says about the test risk of least squares on weak Gaussian features."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ibcore.validation import InvalidInput, positive_integer


def weak_features_risk(
    samples: int,
    used: int,
    signal_used: float,
    signal_unused: float,
    noise_variance: float,
) -> float:
    """Expected squared test error of minimum-norm least squares.

    With n `samples`, `used` = p of D features, and v = |b_Tc|^2 + sigma^2,
    the variance of a label given the used features, it is
    v (1 + p/(n-p-1)) for p <= n-2, infinite for n-1 <= p <= n+1, and
    |b_T|^2 (1 - n/p) + v (1 + n/(p-n-1)) for p >= n+2
    (Belkin, Hsu and Xu 2020, Gaussian model, for v > 0 and p >= 1).
    Without features it is v. Where v = 0 nothing is amplified, and what
    is left is |b_T|^2 (1 - n/p) for p >= n and 0 below, without a peak.

    signal_used, signal_unused: |b_T|^2 and |b_Tc|^2.
    Raises `InvalidInput` for negative energies.
    """
    n = positive_integer("samples", samples)
    p = positive_integer("used", used, least=0)
    _energies(signal_used, signal_unused, noise_variance)
    v = signal_unused + noise_variance
    unseen = signal_used * (1 - n / p) if p > n else 0.0
    if v == 0 or p == 0:
        return unseen + v
    if n - 1 <= p <= n + 1:
        return math.inf
    return unseen + v * (1 + min(n, p) / (abs(p - n) - 1))


def weak_features_spread(
    samples: int,
    used: int,
    signal_used: float,
    signal_unused: float,
    noise_variance: float,
) -> float:
    """Standard deviation over training inputs of the risk given them, label noise
    averaged out.

    Infinite within three of the threshold, if p >= 1 and v > 0. The trace of the
    inverse of a k x k Wishart matrix with k + m degrees of freedom has variance 2k
    (k+m-1) / (m (m-1)^2 (m-3)), from the second moments of the inverse Wishart law; the
    part of a fixed vector outside a random n-dimensional subspace of R^p is a
    Beta((p-n)/2, n/2) share of its energy, independent of that trace.
    """
    n, p = positive_integer("samples", samples), positive_integer("used", used, least=0)
    _energies(signal_used, signal_unused, noise_variance)
    size, gap = min(n, p), abs(p - n)
    v = signal_unused + noise_variance
    variance = 0.0
    if v > 0 and p > 0:
        if gap <= 3:
            return math.inf
        variance = (
            v**2 * 2 * size * (size + gap - 1) / (gap * (gap - 1) ** 2 * (gap - 3))
        )
    if p > n:
        variance += signal_used**2 * n * (p - n) / (p**2 * (p / 2 + 1))
    return math.sqrt(variance)


def _energies(*energies: float) -> None:
    if not all(math.isfinite(energy) and energy >= 0 for energy in energies):
        raise InvalidInput(
            f"signal and noise energies are {energies}, expected finite numbers of 0 "
            "or more. Pass squared norms and a variance."
        )


@dataclass(frozen=True)
class RiskParts:
    """Where the expected squared test error of minimum-norm least squares comes from;
    the parts add up to it.

    bias: |E w - beta|^2 with E w the mean of the weights over training sets, unused
    features having weight 0.
    inputs: variance of the weights from which inputs are drawn.      labels: variance
    from the labels, given them.
    noise: the variance of a fresh label, which nobody can predict.
    """

    bias: float
    inputs: float
    labels: float
    noise: float

    @property
    def total(self) -> float:
        return self.bias + self.inputs + self.labels + self.noise


def weak_features_parts(
    samples: int,
    used: int,
    signal_used: float,
    signal_unused: float,
    noise_variance: float,
) -> RiskParts:
    """Bias and variance of minimum-norm least squares, as in `weak_features_risk`.

    With s = min(1, n/p), the mean of the projection on the row space is s I, so the
    bias is |b_Tc|^2 + (1 - s)^2 |b_T|^2 and the inputs add s (1 - s) |b_T|^2. Labels
    add v min(n, p) / (|p - n| - 1).
    """
    risk = weak_features_risk(samples, used, signal_used, signal_unused, noise_variance)
    seen = min(1.0, samples / used) if used else 1.0
    unseen = (1 - seen) * signal_used
    labels = risk - unseen - signal_unused - noise_variance
    return RiskParts(
        signal_unused + (1 - seen) * unseen, seen * unseen, labels, noise_variance
    )


def bias_errors(samples: int, used: int, repetitions: int) -> tuple[float, float]:
    """Standard errors of squared bias and of variance from inputs, as `split_bias`
    estimates them, for |b_T| = 1.

    Of P b with P the projection on a random n-dimensional subspace of R^p, p > n, with
    s = n/p: b . P b has mean s and variance 2 s (1 - s) / (p + 2) (Beta), and what is
    left of s (1 - s) is spread evenly over p - 1 directions. To first order the
    estimates are linear in the mean of b . P b, with slopes 2 (1 - s) and 1 - 2 s; the
    product of the two halves' errors has variance 4 tr C^2 / N^2 with C the covariance
    of P b.
    """
    n, p = positive_integer("samples", samples), positive_integer("used", used)
    draws = positive_integer("repetitions", repetitions, least=2)
    if p <= n:
        raise InvalidInput(f"used is {p}, expected more than the {n} samples.")
    s = n / p
    along = 2 * s * (1 - s) / (p + 2)
    across = s * (1 - s) - along
    product = 4 * (along**2 + across**2 / (p - 1)) / draws**2
    return (
        math.sqrt(4 * (1 - s) ** 2 * along / draws + product),
        math.sqrt((1 - 2 * s) ** 2 * along / draws + product),
    )
