import math

import numpy as np
import pytest

from ibcore.oracles.statistical_dimension import _beyond, sparse_dimension
from ibcore.validation import InvalidInput


def test_the_mean_square_beyond_a_threshold_is_that_of_normal_numbers():
    g = np.abs(np.random.default_rng(1295010).standard_normal(10**6))
    for tau in (0.0, 0.7, 2.0):
        sample = np.maximum(g - tau, 0) ** 2
        error = sample.std() / math.sqrt(len(g))
        assert _beyond(tau) == pytest.approx(sample.mean(), abs=5 * error)


def test_it_is_the_least_of_its_function():
    k, d = 5, 100
    taus = np.linspace(0, 5, 20001)
    values = [k * (1 + tau**2) + (d - k) * _beyond(tau) for tau in taus]
    assert sparse_dimension(k, d) == pytest.approx(min(values), rel=1e-6)


def test_it_lies_between_the_sparsity_and_the_dimension():
    found = [sparse_dimension(k, 100) for k in (1, 5, 20, 50, 99, 100)]
    assert found == sorted(found)
    assert all(k < value for k, value in zip((1, 5, 20, 50), found, strict=False))
    assert found[-1] == pytest.approx(100, abs=1e-6)


@pytest.mark.parametrize(("k", "d"), [(1, 50), (5, 100), (10, 200), (20, 400)])
def test_it_is_below_the_number_of_samples_that_is_known_to_be_enough(k, d):
    """2 k log(d/k) + 5 k / 4 (Chandrasekaran et al.

    2012) bounds the same mean square.
    """
    assert sparse_dimension(k, d) < 2 * k * math.log(d / k) + 5 * k / 4


def test_bad_input_is_refused():
    with pytest.raises(InvalidInput, match="at most the size"):
        sparse_dimension(4, 3)
    with pytest.raises(InvalidInput):
        sparse_dimension(0, 3)
