import math

import pytest
import torch

from ibcore.oracles.large_steps import average_bound, stable_factor


def test_the_bound_of_the_mean_loss_is_that_of_its_comparison():
    """(|v|^2 / (2 eta k) + L(v_1) with L(v_1) <= 1/M, for v of length (log M + eta / 2)
    / gamma.
    """
    gamma, size, steps = (torch.tensor(x).double() for x in (0.2, 3.0, 400.0))
    whole = 0.04 * 3 * 400
    length = (math.log(whole) + 1.5) / 0.2
    expected = length**2 / (2 * 3 * 400) + 1 / whole
    assert float(average_bound(gamma, size, steps)) == pytest.approx(expected)
    assert float(average_bound(gamma, size, torch.tensor(1.0))) == math.inf


@pytest.mark.parametrize(("level", "factor"), [(1.0, 5.0053), (0.25, 1.4598)])
def test_the_factor_of_the_stable_phase(level, factor):
    assert stable_factor(level) == pytest.approx(factor, rel=1e-4)
    assert stable_factor(1e-9) == pytest.approx(1)


def test_one_point_is_as_fast_as_the_factor_says():
    """A single input of length gamma: L' = -gamma^2 eta q^2."""
    margin, gamma, size, start = 0.0, 0.5, 2.0, None
    for step in range(20_000):
        loss = math.log1p(math.exp(-margin))
        if start is None and size * loss <= 0.01:
            start = step
        margin += size * gamma**2 / (1 + math.exp(margin))
    scaled = gamma**2 * size * (20_000 - start) * math.log1p(math.exp(-margin))
    assert 0.97 < scaled <= stable_factor(0.01)
