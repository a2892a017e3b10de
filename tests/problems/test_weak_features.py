import math

import pytest
import torch

from ibcore.problems.weak_features import WeakFeatures, equally_weak, prescient
from ibcore.validation import InvalidInput


@pytest.mark.parametrize(
    "problem", [equally_weak(50, noise=0.1), prescient(50, noise=0.1)]
)
def test_signal_is_split_between_used_and_unused(problem):
    assert problem.signal(50) == pytest.approx((1.0, 0.0))
    assert sum(problem.signal(17)) == pytest.approx(1.0)


def test_weak_features_share_the_signal_evenly_and_prescient_ones_do_not():
    assert equally_weak(50, noise=0.0).signal(10)[0] == pytest.approx(0.2)
    assert prescient(50, noise=0.0).signal(10)[0] > 0.9


def test_labels_have_the_variance_of_signal_and_noise():
    generator = torch.Generator().manual_seed(0)
    problem = equally_weak(10, noise=0.5)
    X = problem.inputs(2000, 10, generator)
    assert X.shape == (10, 2000, 10)
    assert float(problem.labels(X, generator).var()) == pytest.approx(1.25, rel=0.05)


def test_same_generator_same_data():
    problem = equally_weak(4, noise=0.5)
    draws = [problem.inputs(3, 2, torch.Generator().manual_seed(7)) for _ in range(2)]
    assert torch.equal(*draws)


def test_bad_input_is_refused():
    with pytest.raises(InvalidInput, match="noise is -1"):
        equally_weak(3, noise=-1)
    with pytest.raises(InvalidInput, match="NaN or infinite"):
        WeakFeatures(torch.tensor([math.nan]), 0.0)
    with pytest.raises(InvalidInput, match="used is 4"):
        equally_weak(3, noise=0.0).signal(4)
    with pytest.raises(InvalidInput, match="features is 0"):
        prescient(0, noise=0.0)


def test_without_a_word_the_coefficients_fall_like_one_over_the_rank():
    beta = prescient(4, noise=0.0).beta
    assert (beta[0] / beta).tolist() == pytest.approx([1, 2, 3, 4])
