"""The predicted approach to the minimizer against two points where it is known in
closed form.
"""

from __future__ import annotations

import math

import torch

from ibcore.oracles.separability import minimizer_drift, nonseparable_limit


def test_two_opposed_points_and_one_separable_one():
    X = torch.tensor(
        [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.5, 2.0]], dtype=torch.float64
    )
    y = torch.tensor([1.0, 1.0, -1.0, 1.0], dtype=torch.float64)
    limit = nonseparable_limit(X, y)
    drift = minimizer_drift(X, y, limit, torch.tensor([0.25], dtype=torch.float64))
    v = math.log(2)
    curvature = 3 / 4 * (1 / (1 + math.exp(v))) * (1 / (1 + math.exp(-v)))
    torch.testing.assert_close(
        limit.minimizer, torch.tensor([v, 0.0], dtype=torch.float64), atol=1e-12, rtol=0
    )
    expected = torch.tensor([0.25 * 0.5 / curvature, 0.0], dtype=torch.float64)
    torch.testing.assert_close(drift, expected, atol=1e-12, rtol=0)
