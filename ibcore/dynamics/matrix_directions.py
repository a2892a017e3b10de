"""Direction maps that see a gradient as a matrix, or a mean of gradients, and weight
decay beside any map.

The conventions are those of `ibcore.dynamics.directions`: a gradient is a vector of
moderate size and the logarithm of its unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ibcore.dynamics.directions import Direction, State
from ibcore.dynamics.members import select
from ibcore.validation import InvalidInput, positive_integer, real_number

# Of Muon's five steps x -> a x + b x^3 + c x^5 (Jordan et al. 2024, read in its code).
QUINTIC = (3.4445, -4.7750, 2.0315)
CUBIC = (1.5, -0.5, 0.0)


@dataclass(frozen=True)
class Schatten:
    """Normalized steepest descent in a Schatten norm, of length eta, of matrices with
    so many `rows`.

    p: inf for the spectral norm, where the step is eta U V^T of the negative gradient U
    S V^T (spectral descent, or Muon without momentum); 2 for the Frobenius norm; 1 for
    the nuclear norm, where it is eta u v^T of the first singular pair.
    Parameters hold a matrix row by row. Source: Fan, Schmidt and Thrampoulidis 2025.
    """

    p: float
    rows: int

    def __post_init__(self) -> None:
        if self.p not in (1, 2, math.inf):
            raise InvalidInput(f"p is {self.p!r}, expected 1, 2 or math.inf.")
        positive_integer("rows", self.rows)

    def begin(self, theta: Tensor) -> State:
        _as_matrices(theta, self.rows)
        return ()

    def __call__(
        self,
        slope: Tensor,
        log_scale: Tensor,  # noqa: ARG002
        log_step: Tensor,
        state: State,
    ) -> tuple[Tensor, State]:
        unit = self._unit(_as_matrices(slope, self.rows)).flatten(1)
        return torch.exp(log_step).unsqueeze(-1) * unit, state

    def _unit(self, slope: Tensor) -> Tensor:
        """The steepest matrix of Schatten norm 1."""
        if self.p == 2:
            return slope / torch.linalg.matrix_norm(slope, keepdim=True)
        U, _, Vh = torch.linalg.svd(slope, full_matrices=False)
        if self.p == 1:
            return U[..., :1] @ Vh[..., :1, :]
        return U @ Vh

    def select(self, state: State, members: Tensor) -> tuple[Schatten, State]:  # noqa: ARG002
        return self, state


@dataclass(frozen=True)
class NewtonSchulz:
    """As `Schatten(inf, rows)`, with U V^T approximated by Muon's five quintic steps
    and `cubic` further steps x -> 1.5 x - 0.5 x^3.

    The five steps bring singular values of the gradient, over its Frobenius norm, to
    about 0.7 to 1.2, unless they are tiny, and not to 1; the cubic steps, which
    converge, do the rest.
    """

    rows: int
    cubic: int = 0

    def __post_init__(self) -> None:
        positive_integer("rows", self.rows)
        positive_integer("cubic", self.cubic, least=0)

    def begin(self, theta: Tensor) -> State:
        _as_matrices(theta, self.rows)
        return ()

    def __call__(
        self,
        slope: Tensor,
        log_scale: Tensor,  # noqa: ARG002
        log_step: Tensor,
        state: State,
    ) -> tuple[Tensor, State]:
        unit = self.polar(_as_matrices(slope, self.rows)).flatten(1)
        return torch.exp(log_step).unsqueeze(-1) * unit, state

    def polar(self, slope: Tensor) -> Tensor:
        """U f(S) V^T for matrices U S V^T (B, r, c); f is what the steps make of a
        singular value.
        """
        x = slope / torch.linalg.matrix_norm(slope, keepdim=True)
        tall = x.shape[-2] > x.shape[-1]
        x = x.mT if tall else x
        for a, b, c in (QUINTIC,) * 5 + (CUBIC,) * self.cubic:
            square = x @ x.mT
            x = a * x + (b * square + c * square @ square) @ x
        return x.mT if tall else x

    def select(self, state: State, members: Tensor) -> tuple[NewtonSchulz, State]:  # noqa: ARG002
        return self, state


@dataclass(frozen=True)
class Smoothed:
    """`direction` of a mean m <- beta m + (1 - beta) g of the gradients.

    blend: without one the direction sees the new mean, as in Signum (of the sign map)
    and in Muon (of `Schatten(inf, rows)`); with one it sees blend m + (1 - blend) g,
    the old mean, as in Lion, blend 0.9 and beta 0.99.
    For maps that do not depend on the length of the gradient: they see the mean in a
    unit of its own.
    """

    direction: Direction
    beta: float = 0.9
    blend: float | None = None

    def __post_init__(self) -> None:
        for name in ("beta", "blend"):
            value = getattr(self, name)
            if value is not None and not 0 <= real_number(name, value) < 1:
                raise InvalidInput(
                    f"{name} is {value!r}, expected a number from 0 up to but not "
                    "including 1."
                )

    def begin(self, theta: Tensor) -> State:
        unit = theta.new_full((len(theta),), -torch.inf)
        return torch.zeros_like(theta), unit, self.direction.begin(theta)

    def __call__(
        self, slope: Tensor, log_scale: Tensor, log_step: Tensor, state: State
    ) -> tuple[Tensor, State]:
        mean, unit, inner = state
        fading = math.log(self.beta) if self.beta else -math.inf
        new = torch.maximum(unit + fading, log_scale)
        now = torch.exp(log_scale - new).unsqueeze(-1) * slope
        old = torch.exp(unit - new).unsqueeze(-1) * mean
        mean = torch.lerp(now, old, self.beta)
        seen = mean if self.blend is None else torch.lerp(now, old, self.blend)
        update, inner = self.direction(seen, new, log_step, inner)
        return update, (mean, new, inner)

    def select(self, state: State, members: Tensor) -> tuple[Smoothed, State]:
        mean, unit, inner = state
        direction, kept = self.direction.select(inner, members)
        part = select((mean, unit), members)
        return Smoothed(direction, self.beta, self.blend), (*part, kept)


@dataclass(frozen=True)
class Decoupled:
    """The steps of `direction` and decoupled weight decay: theta <- (1 - eta decay)
    theta + step (Loshchilov and Hutter 2019).

    Of Adam it makes AdamW. The map keeps count of theta.
    """

    direction: Direction
    decay: float

    def __post_init__(self) -> None:
        if not 0 <= real_number("decay", self.decay) < math.inf:
            raise InvalidInput(
                f"decay is {self.decay!r}, expected a finite number of at least 0."
            )

    def begin(self, theta: Tensor) -> State:
        return theta, self.direction.begin(theta)

    def __call__(
        self, slope: Tensor, log_scale: Tensor, log_step: Tensor, state: State
    ) -> tuple[Tensor, State]:
        theta, inner = state
        step, inner = self.direction(slope, log_scale, log_step, inner)
        shrunk = self.decay * torch.exp(log_step).unsqueeze(-1) * theta
        return step - shrunk, (theta + step - shrunk, inner)

    def select(self, state: State, members: Tensor) -> tuple[Decoupled, State]:
        theta, inner = state
        direction, kept = self.direction.select(inner, members)
        return Decoupled(direction, self.decay), (theta[members], kept)


def _as_matrices(flat: Tensor, rows: int) -> Any:
    """(B, rows, P / rows) of parameters (B, P)."""
    if flat.shape[-1] % rows:
        raise InvalidInput(
            f"a parameter vector of {flat.shape[-1]} entries is no matrix of {rows} "
            "rows."
        )
    return flat.unflatten(-1, (rows, -1))
