import math

import pytest
import torch
from scipy.stats import binom

from ibcore.oracles.pac_bayes import (
    binary_divergence,
    gaussian_divergence,
    largest_error,
    pac_bayes_bound,
)
from ibcore.validation import InvalidInput


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_divergence_of_coins():
    q, p = numbers(0.0, 0.25, 0.5, 1.0), numbers(0.5, 0.25, 0.25, 0.5)
    expected = [math.log(2), 0, 0.5 * math.log(2) + 0.5 * math.log(2 / 3), math.log(2)]
    assert binary_divergence(q, p).tolist() == pytest.approx(expected)
    assert binary_divergence(numbers(0.5), numbers(1.0)).isinf().all()


def test_the_largest_error_is_an_inverse_from_above():
    q = numbers(0.0, 0.1, 0.6, 0.9)
    p = largest_error(q, 0.2)
    assert bool((p > q).all())
    assert binary_divergence(q, p).tolist() == pytest.approx([0.2] * 4, rel=1e-9)
    assert float(largest_error(numbers(0.0), 0.2)) == pytest.approx(1 - math.exp(-0.2))
    assert float(largest_error(numbers(0.3), math.inf)) == 1
    assert float(largest_error(numbers(1.0), 0.1)) == 1


def test_what_is_not_known_is_no_bound():
    assert largest_error(numbers(math.nan), 0.1).isnan().all()
    assert largest_error(numbers(0.1), math.nan).isnan().all()
    assert pac_bayes_bound(numbers(0.1), 9, numbers(math.nan), 9, 0.1).isnan().all()


def test_divergence_of_normal_weights_against_pytorch():
    mean, prior = torch.randn(2, 7, generator=torch.Generator().manual_seed(1)).double()
    first, second = (torch.distributions.Normal(m, 0.3) for m in (mean, prior))
    expected = torch.distributions.kl_divergence(first, second).sum()
    assert float(gaussian_divergence(mean, prior, 0.3)) == pytest.approx(
        float(expected)
    )


@pytest.mark.parametrize("error", [0.05, 0.4, 0.9])
def test_without_choice_the_bound_fails_as_rarely_as_it_says(error):
    """A single classifier, KL = 0: exact probability over the binomial law that the
    bound is below the error.
    """
    n = 50
    counts = torch.arange(n + 1).double()
    bounds = largest_error(counts / n, math.log(2 * math.sqrt(n) / 0.1) / n)
    failing = counts[bounds < error].numpy()
    assert binom.pmf(failing, n, error).sum() <= 0.1


def test_the_lemma_of_the_proof():
    """E exp(n kl) <= 2 sqrt(n) for binomial errors."""
    for n in (8, 40, 200):
        for error in (0.01, 0.3, 0.5):
            counts = torch.arange(n + 1).double()
            kl = binary_divergence(counts / n, torch.full_like(counts, error))
            logs = torch.from_numpy(binom.logpmf(counts.numpy(), n, error)) + n * kl
            assert float(logs.exp().sum()) <= 2 * math.sqrt(n)


def test_bounds_grow_with_divergence_and_fall_with_examples_and_draws():
    base = float(pac_bayes_bound(numbers(0.2), 400, numbers(100.0), 800, 0.05))
    assert float(pac_bayes_bound(numbers(0.2), 400, numbers(200.0), 800, 0.05)) > base
    assert float(pac_bayes_bound(numbers(0.2), 400, numbers(100.0), 1600, 0.05)) < base
    assert float(pac_bayes_bound(numbers(0.2), 4000, numbers(100.0), 800, 0.05)) < base
    with pytest.raises(InvalidInput):
        pac_bayes_bound(numbers(0.2), 400, numbers(100.0), 800, 1.0)
