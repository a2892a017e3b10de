"""Signals, what theory says of the spectrum that is learned, and two filters
trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.models.convolutional import Convolutional
from ibcore.oracles.equations import refuse_dependent_rows
from ibcore.oracles.fourier_margin import fourier_norm
from ibcore.oracles.fourier_regression import (
    EvenInterpolant,
    FourierInterpolant,
    even_interpolant,
    even_potential,
    fourier_interpolant,
)
from ibcore.problems.spectra import SpectralRegression, spectral_regression
from ibcore.threads import threads
from ibcore.validation import InvalidInput, regression_data

SIGNALS, LENGTH, USED = 4, 16, 2
SLACK = 0.3  # least dual slack: the excess falls like alpha^(2 slack)
LEAST = 0.1  # least size of a used frequency over the largest: weaker ones bend curves
LONGEST = 100  # of a reader's own signals
_EVEN = 1e-10


@dataclass(frozen=True)
class SpectralCase:
    """A problem with its Fourier-l1 interpolant and its least-norm interpolant (d,)."""

    problem: SpectralRegression
    sparse: FourierInterpolant
    dense: Tensor

    @classmethod
    def of(cls, problem: SpectralRegression) -> SpectralCase:
        return cls(
            problem,
            fourier_interpolant(problem.X, problem.y),
            torch.linalg.pinv(problem.X) @ problem.y,
        )

    @property
    def resolved(self) -> bool:
        """The limit of small scales is within reach."""
        return self.sparse.slack >= SLACK and self.sparse.least >= LEAST

    def excess(self, beta: Tensor) -> Tensor:
        """Fourier-l1 norm of `beta` (..., d) over the least one, less 1, (...,)."""
        return fourier_norm(beta) / self.sparse.value - 1


def spectral_case(generator: torch.Generator, *, even: bool) -> SpectralCase | None:
    """A drawn problem; None for an even one whose limit is not within reach."""
    case = SpectralCase.of(
        spectral_regression(SIGNALS, LENGTH, USED, generator, even=even)
    )
    return case if not even or case.resolved else None


def own_case(X: object, y: object) -> SpectralCase:
    """A reader's even signals X (n, d) and y (n,), in units of root mean square one and
    a least l1 spectrum of largest entry one.

    Raises `InvalidInput` for signals that are not even, longer than 100, dependent, or
    enough to determine the predictor, for y = 0, and where the limit is out of reach.
    """
    inputs, targets = regression_data(X, y, single=True)
    inputs, targets = inputs.double().cpu(), targets.double().cpu()
    n, d = inputs.shape
    if not (n <= d // 2 and d <= LONGEST):
        raise InvalidInput(
            f"X has shape {(n, d)}, expected at most half as many rows as columns, and "
            f"at most {LONGEST} of these."
        )
    mirror = inputs.flip(1).roll(1, 1)
    if float((inputs - mirror).abs().max()) > _EVEN * float(inputs.abs().max()):
        raise InvalidInput(
            "X has rows that are not even, x_j = x_(-j mod d). Continue them by their "
            "mirror image: ibcore.problems.spectra.mirrored(X)."
        )
    refuse_dependent_rows(inputs.numpy())
    inputs = inputs / inputs.square().mean().sqrt()
    beta = fourier_interpolant(inputs, targets).primal
    size = torch.fft.fft(beta, norm="ortho").abs().max()
    case = SpectralCase.of(
        SpectralRegression(inputs, targets / size, beta / size),
    )
    if not case.resolved:
        raise InvalidInput(
            f"the dual slack of X and y is {case.sparse.slack:.2g} and the weakest "
            f"used frequency {case.sparse.least:.2g} of the strongest, expected at "
            f"least {SLACK:g} and {LEAST:g}: else the limit of small scales is out of "
            "reach. Leave out or add a signal."
        )
    return case


def impulse(length: int, alpha: float) -> Tensor:
    """Layers u = alpha e_0 and v = 0, (2 d,): all frequencies of u start at alpha."""
    start = torch.zeros(2 * length, dtype=torch.float64)
    start[0] = alpha
    return start


def convolved(
    problem: SpectralRegression,
    start: Tensor,
    *,
    tolerance: float = 1e-11,
    target_loss: float = 1e-23,
) -> Tensor:
    """beta (d,) of the network whose filters flowed from `start` (2 d,) to zero loss.

    Raises `RuntimeError` where they did not get there.
    """
    net = Convolutional(problem.X)
    run = stiff_flow(
        net, problem.y, start, tolerance=tolerance, target_loss=target_loss
    )
    if not run.complete:
        raise RuntimeError(
            f"filters of size {float(start.abs().max()):.2g}: {run.status}"
        )
    return net.coefficients(run.state)


def predicted(problem: SpectralRegression, start: Tensor) -> EvenInterpolant:
    """The minimizer of the potential that the start (2 d,) gives on even inputs."""
    return even_interpolant(problem.X, problem.y, even_potential(*start.chunk(2)))


@threads()
def predicted_excess(case: SpectralCase, scales: Sequence[float]) -> Tensor:
    """Excess of the minimizers for layers (alpha e_0, 0), one for each scale, (K,)."""
    length = case.problem.X.shape[1]
    betas = [predicted(case.problem, impulse(length, one)).primal for one in scales]
    return case.excess(torch.stack(betas))
