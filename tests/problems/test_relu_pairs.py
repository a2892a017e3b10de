import itertools

import numpy as np
import pytest

from ibcore.problems.relu_pairs import Shape, chain, pair, placed
from ibcore.validation import InvalidInput


def fits(data, w):
    return np.abs(np.maximum(data.X @ w, 0) - data.y).max() < 1e-9 * (
        1 + np.abs(data.y).max()
    )


def test_both_sets_of_a_pair_are_fitted_by_the_same_weights():
    shape = Shape(tilt=0.7)
    bound = (shape.height * shape.kappa - 1) / shape.tilt
    for data in pair(shape):
        assert fits(data, np.array([1, shape.height, bound]))
        assert fits(data, np.array([1, shape.height, -5]))
        assert not fits(data, np.array([1, shape.height, bound + 1e-3]))


@pytest.mark.parametrize("dimension", [3, 6])
def test_a_placed_pair_is_fitted_by_base_and_by_base_plus_rise(dimension):
    rng = np.random.default_rng(dimension)
    base, rise = rng.normal(size=(2, dimension))
    rise -= (rise @ base) / (base @ base) * base
    for data in pair(Shape()):
        moved = placed(data, 2.0, base, rise)
        assert moved.X.shape == (3, dimension)
        assert fits(moved, base)
        assert fits(moved, base + 3 * rise)
        assert np.linalg.norm(moved.X, axis=1) == pytest.approx(
            np.linalg.norm(data.X, axis=1)
        )


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1, 0, 0], [0, 2, 0]),
        ([1, 2, -1], [-3, -6, 3.3]),
        ([0, 0, 3], [0, 0, -1]),
        ([1, 1, 1], [2, 2, 2]),
        ([1, 0, 0, 0, 1], [0.3, 1, -1, 0, 0]),
    ],
)
def test_chains_arrive_by_orthogonal_steps_of_bounded_angle(a, b):
    points = chain(a, b, 0.3)
    np.testing.assert_allclose(points[[0, -1]], [a, b], atol=1e-12)
    for one, other in itertools.pairwise(points):
        low, high = sorted((one, other), key=np.linalg.norm)
        assert (high - low) @ low == pytest.approx(0, abs=1e-12 * (high @ high))
        assert (
            0
            < np.linalg.norm(high - low)
            <= np.tan(0.3) * np.linalg.norm(low) * (1 + 1e-9)
        )


def test_a_chain_of_no_length_has_one_vector():
    assert chain([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0.3).shape == (1, 3)


def test_bad_shapes_are_refused():
    with pytest.raises(InvalidInput, match="above 1"):
        Shape(height=1.0, kappa=0.9)
    with pytest.raises(InvalidInput, match="on at first"):
        Shape(fast=0.01, slow=1.0)
    with pytest.raises(InvalidInput, match="orthogonal"):
        placed(pair(Shape())[0], 2.0, [1.0, 0, 0], [1.0, 1, 0])
    with pytest.raises(InvalidInput, match="nonzero"):
        chain([0.0, 0, 0], [1.0, 0, 0], 0.3)
