"""What measurements are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ibcore.validation import InvalidInput

Numbers = float | Sequence[float] | np.ndarray | torch.Tensor


RELATIONS = {"equals": "=", "at_most": "<=", "at_least": ">="}


@dataclass(frozen=True)
class Bar:
    """What measurements are compared with: one number, or one a member."""

    relation: str
    predicted: np.ndarray
    tolerance: np.ndarray

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> tuple[Bar, dict[str, Any]]:
        """The bar among `options`, and the other options."""
        rest = dict(options)
        named = [name for name in RELATIONS if name in rest]
        if len(named) != 1:
            raise InvalidInput("a check needs one of equals=, at_most= and at_least=.")
        predicted = array_of(rest.pop(named[0])).astype(float)
        atol, rtol = rest.pop("atol", 0.0), rest.pop("rtol", 0.0)
        if named[0] != "equals" and (atol or rtol):
            raise InvalidInput(
                "atol and rtol go with equals=; put the slack into the bar."
            )
        return cls(
            RELATIONS[named[0]], predicted, atol + rtol * np.abs(predicted)
        ), rest

    def excess(self, measured: np.ndarray) -> np.ndarray:
        """How far beyond the bar each measurement is: not above 0 where it is met, NaN
        where it is not known.
        """
        if self.relation == "<=":
            return measured - self.predicted
        if self.relation == ">=":
            return self.predicted - measured
        return np.abs(measured - self.predicted) - self.tolerance

    def widened(self, factor: float) -> Bar:
        """A bar `factor` times as wide."""
        if self.relation == "=":
            return Bar("=", self.predicted, self.tolerance * factor)
        above = self.relation == "<="
        factors = np.where((self.predicted >= 0) == above, factor, 1 / factor)
        return Bar(self.relation, self.predicted * factors, self.tolerance)

    def options(self) -> dict[str, Any]:
        """The options from which `of` makes this bar."""
        name = next(
            name for name, relation in RELATIONS.items() if relation == self.relation
        )
        return {name: self.predicted} | (
            {"atol": self.tolerance} if self.relation == "=" else {}
        )


def array_of(values: Numbers) -> np.ndarray:
    """`values` as a NumPy array of one dimension."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    return np.asarray(values).reshape(-1)
