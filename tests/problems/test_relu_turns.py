"""Data for one ReLU neuron: the weights that fit them, and where they are drawn."""

import math

import numpy as np
import pytest
import torch

from ibcore.problems.relu_turns import (
    even_turns,
    plane_pair,
    teacher_batch,
    turning_data,
    uneven_turns,
)
from ibcore.validation import InvalidInput


def fits(data, w):
    return np.abs(np.maximum(data.X @ w, 0) - data.y).max() < 1e-9 * (
        1 + np.abs(data.y).max()
    )


def test_uneven_turns_keep_their_sum():
    turns = uneven_turns(9, 0.1, torch.Generator().manual_seed(0))
    assert turns.sum() == pytest.approx(even_turns(9).sum())
    assert np.abs(turns / even_turns(9) - 1).max() < 0.22


def test_turning_points_ask_for_half_planes_around_the_least_weights():
    data = turning_data(even_turns(6), reach=5.0)
    least = np.array([1, 5.0, 0])
    assert fits(data, least)
    assert data.X[1:] @ least == pytest.approx(np.zeros(6), abs=1e-12)
    assert np.diff(np.log((data.X[1:, 1:] ** 2).sum(1))) == pytest.approx(-np.log(1000))


@pytest.mark.parametrize("seed", range(3))
def test_pairs_of_the_plane_share_their_interval(seed):
    one, other = plane_pair(torch.Generator().manual_seed(seed))
    direction = one.X[0] / np.linalg.norm(one.X[0])
    level = one.y[0] / (one.X[0] @ direction)
    grid = np.linspace(-2, 2, 401)
    allowed = [
        [
            fits(
                data, level * (direction + s * np.array([-direction[1], direction[0]]))
            )
            for s in grid
        ]
        for data in (one, other)
    ]
    assert allowed[0] == allowed[1]
    assert 0 < sum(allowed[0]) < 401


def test_teachers_leave_no_problem_without_a_positive_label():
    X, y = teacher_batch(500, 2, 3, torch.Generator().manual_seed(0))
    assert X.shape == (500, 2, 3)
    assert bool((y.max(1).values > 0).all())


@pytest.mark.parametrize("count", [2, 3, 10])
def test_even_turns_stop_half_a_share_of_the_last_before_a_half_turn(count):
    turns = even_turns(count)
    assert turns.shape == (count,)
    assert len(set(turns.tolist())) == 1
    assert math.pi - turns.sum() == pytest.approx(math.pi / (2 * count))


def test_factors_of_uneven_turns_fill_their_range():
    turns = uneven_turns(5000, 0.3, torch.Generator().manual_seed(1))
    factors = turns / turns.mean()
    assert [factors.min(), factors.max()] == pytest.approx([0.7, 1.3], abs=0.01)
    assert factors.std() == pytest.approx(0.3 / math.sqrt(3), rel=0.05)
    assert turns.sum() == pytest.approx(math.pi * (1 - 1 / 10_000))


def test_half_planes_turn_by_the_angles_that_are_given():
    phi, reach, ratio, facing = [0.5, 0.9, 0.8], 7.0, 25.0, 0.4
    data = turning_data(phi, reach=reach, separation=ratio, facing=facing)
    assert data.y.tolist() == [data.X[0, 0], 0, 0, 0]
    assert data.X[0].tolist() == pytest.approx([3 * reach * math.sqrt(ratio), 0, 0])
    normals = -data.X[1:, 1:]
    sizes = np.linalg.norm(normals, axis=1)
    assert sizes.tolist() == pytest.approx([1, 1 / 5, 1 / 25])
    angles = np.arctan2(normals[:, 1], normals[:, 0]) - facing
    expected = [math.pi / 2 - 0.5, math.pi / 2 - 1.4, math.pi / 2 - 2.2]
    assert angles.tolist() == pytest.approx(expected)
    z = reach * np.array([math.cos(facing), math.sin(facing)])
    assert data.X[1:] @ np.array([1, *z]) == pytest.approx(np.zeros(3), abs=1e-12)


def test_facing_turns_the_data_around_the_first_axis():
    plain, turned = (turning_data(even_turns(4), facing=f) for f in (0.0, 0.9))
    c, s = math.cos(0.9), math.sin(0.9)
    turn = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    np.testing.assert_allclose(plain.X @ turn, turned.X, atol=1e-12)
    np.testing.assert_array_equal(plain.y, turned.y)


@pytest.mark.parametrize(
    ("turns", "options", "words"),
    [
        ([1.0, 1.0, 1.2], {}, "between pi/2 and pi"),
        ([1.0, -0.1, 1.2], {}, "above 0"),
        ([0.4, 0.9], {}, "between pi/2"),
        ([1.2, 1.2], {"separation": 1.0}, "separation above 1"),
        ([1.2, 1.2], {"reach": 0.0}, "reach"),
    ],
)
def test_turns_that_go_too_far_or_back_are_refused(turns, options, words):
    with pytest.raises(InvalidInput, match=words):
        turning_data(turns, **options)


@pytest.mark.parametrize("seed", range(6))
def test_points_of_a_plane_pair_lie_where_they_should(seed):
    """In the frame of the first point: w = level (1, s), and 0 is the label of points
    that ask for low <= s or s <= high, at a first coordinate that is their margin.
    """
    for data in plane_pair(torch.Generator().manual_seed(seed)):
        lengths = np.linalg.norm(data.X[:2], axis=1)
        level = data.y[:2] / lengths
        assert level[0] == pytest.approx(level[1])
        assert 0.1 <= level[0] <= 10
        assert bool(((lengths >= 0.5) & (lengths <= 2)).all())
        assert data.y[2:].tolist() == [0] * 4
        e = data.X[0] / lengths[0]
        along, across = data.X @ e, data.X @ np.array([-e[1], e[0]])
        sizes = np.abs(across[2:])
        assert bool(((sizes >= 0.5) & (sizes <= 2)).all())
        ends = -along[2:] / across[2:]
        ends = ends * -np.sign(across[2])
        low, less, high, more = ends
        assert less <= low < high <= more
        assert low >= -1.5
        assert high - low >= 0.1
        assert high <= 1.5


def test_ends_of_plane_pairs_fill_their_range():
    lows, highs, levels = [], [], []
    generator = torch.Generator().manual_seed(7)
    for _ in range(400):
        data, _ = plane_pair(generator)
        e = data.X[0] / np.linalg.norm(data.X[0])
        along, across = data.X[2:] @ e, data.X[2:] @ np.array([-e[1], e[0]])
        ends = (along / across) * np.sign(across[0])
        lows.append(ends[0]), highs.append(ends[2])
        levels.append(math.log10(data.y[0] / np.linalg.norm(data.X[0])))
    assert np.mean(lows) == pytest.approx(-0.05, abs=0.13)
    assert [min(lows), max(lows)] == pytest.approx([-1.5, 1.4], abs=0.05)
    share = (np.array(highs) - lows - 0.1) / (1.4 - np.array(lows))
    assert np.mean(share) == pytest.approx(0.5, abs=0.06)
    assert [min(levels), max(levels)] == pytest.approx([-1, 1], abs=0.05)


def test_teachers_are_relu_neurons_on_gaussian_inputs():
    X, y = teacher_batch(300, 12, 2, torch.Generator().manual_seed(2))
    assert float(X.square().mean()) == pytest.approx(1, rel=0.06)
    assert bool((y >= 0).all())
    squares = []
    for inputs, targets in zip(X, y, strict=True):
        seen = targets > 0
        if int(seen.sum()) >= 2:
            w = torch.linalg.lstsq(inputs[seen], targets[seen, None]).solution[:, 0]
            torch.testing.assert_close((inputs @ w).relu(), targets)
            squares.append(float(w.square().sum()))
    assert len(squares) > 250
    assert np.mean(squares) == pytest.approx(2, rel=0.25)


@pytest.mark.parametrize("sizes", [(0, 2, 2), (2, 0, 2), (2, 2, 0)])
def test_teachers_without_data_are_refused(sizes):
    with pytest.raises(InvalidInput, match="is 0"):
        teacher_batch(*sizes, torch.Generator())


def test_turns_that_reach_beyond_a_quarter_without_half_of_the_first_are_taken():
    assert turning_data([0.02, 0.8, 0.8], separation=1.5).X.shape == (4, 3)
    with pytest.raises(InvalidInput, match="between pi/2"):
        turning_data([0.8, 0.8, 0.02])
