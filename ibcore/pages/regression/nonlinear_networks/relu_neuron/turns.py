"""The family of data sets on which the weights walk half around the shortest ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ibcore.oracles.least_interpolant import least_interpolant
from ibcore.oracles.relu_flow import turned_ratio
from ibcore.pages.regression.nonlinear_networks.relu_neuron.runs import end
from ibcore.problems.relu_pairs import NeuronData
from ibcore.problems.relu_turns import turning_data, uneven_turns

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Turns:
    """A random member: data, angles (N,), reach r, and the shortest weights (3,)."""

    data: NeuronData
    angles: Array
    reach: float
    shortest: Array

    @classmethod
    def drawn(cls, count: int, seed: int) -> Turns:
        """`count` points of label 0 by angles that vary by 10 %, in any orientation.

        r is uniform in [15, 25].
        """
        draw = torch.Generator().manual_seed(seed)
        angles = uneven_turns(count, 0.1, draw)
        reach, facing = (
            float(v) for v in torch.rand(2, generator=draw, dtype=torch.float64)
        )
        reach = 15 + 10 * reach
        data = turning_data(angles, reach=reach, facing=2 * np.pi * facing)
        shortest = least_interpolant(data.X, data.y).weights
        return cls(data, angles, reach, shortest)

    def predicted(self, behind: float = 0.0) -> float:
        """The `ratio` by projections."""
        return turned_ratio(self.angles, self.reach, behind)

    def ratio(self, behind: float = 0.0) -> float:
        """|w_inf| / |w*| of the flow from w = -`behind` z; NaN where it did not end."""
        start = -behind * self.shortest * (self.data.X[0] == 0)
        w = end(self.data, tolerance=1e-6, misfit=1e-8, start=start)
        return float(np.linalg.norm(w) / np.linalg.norm(self.shortest))
