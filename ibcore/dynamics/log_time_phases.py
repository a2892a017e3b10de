"""The phases of a flow in log-time: which step is taken, of which order, and how finely
it meets a stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ibcore.dynamics.protocols import Model, TailLoss
from ibcore.dynamics.prox_linear import prox_linear_step
from ibcore.dynamics.runge_kutta import explicit_step, rosenbrock_step
from ibcore.dynamics.scaled_field import (
    Point,
)
from ibcore.dynamics.tableaus import DORMAND_PRINCE_8, RODAS_4


class Step(Protocol):
    """New parameters (B, P), their error over the tolerance (B,), and evaluations, for
    steps h (B,).
    """

    def __call__(
        self, model: Model, loss: TailLoss, start: Point, h: Tensor, tolerance: float, /
    ) -> tuple[Tensor, Tensor, int]: ...


@dataclass(frozen=True)
class Phase:
    """A method with its order. A `coarse` one steps over many e-folds of the loss at
    once.

    The time of a coarse step lies in its last e-folds, whatever came before, so that no
    error of log t is estimated; its progress towards a stop is interpolated
    geometrically, and it meets the stop to 1e-3.
    """

    step: Step
    order: int
    coarse: bool = False

    @property
    def growth(self) -> float:
        """How much the next step may be longer."""
        return 3.0 if self.coarse else 6.0

    @property
    def landing(self) -> float:
        """Relative distance at which a stop counts as met."""
        return 1e-3 if self.coarse else 1e-10


EXPLICIT = Phase(explicit_step, DORMAND_PRINCE_8.order)


ROSENBROCK = Phase(rosenbrock_step, RODAS_4.order)


PROX_LINEAR = Phase(prox_linear_step, 2, coarse=True)
