"""Candidates for training points on parameters that are made, not trained; ranks,
neurons and distances.
"""

from __future__ import annotations

import pytest
import torch

from ibcore.measures.reconstruction import (
    Layers,
    candidates,
    distances,
    distinct_neurons,
    numerical_rank,
    outside,
    random_points,
    row_space,
)


def made(n=4, d=9, outputs=6, width=30, seed=3):
    """Points (n, d), and parameters whose row spaces they span, without any training."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator).double()

    points = normal(n, d) / d**0.5
    below = normal(width, n) @ torch.cat([points, torch.ones(n, 1).double()], 1)
    inner, shift = below[:, :-1], below[:, -1]
    hidden = torch.tanh(points @ inner.T + shift)
    above = normal(outputs, n) @ torch.cat([hidden, torch.ones(n, 1).double()], 1)
    return points, Layers(inner, shift, above[:, :-1], above[:, -1])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_points_are_found_in_parameters_that_were_never_trained(seed):
    points, layers = made(seed=seed)
    found = candidates(layers, torch.Generator().manual_seed(0))
    assert found.rank == found.outer_rank == 4
    assert float(distances(points, found.points).max()) < 1e-6
    assert float(found.residuals.max()) < 1e-8
    assert bool((found.residuals.diff() >= 0).all())


def test_fewer_outputs_than_points_leave_nothing_to_find():
    points, layers = made(outputs=2)
    found = candidates(layers, torch.Generator().manual_seed(0))
    assert found.outer_rank == 2
    assert float(distances(points, found.points).min()) > 0.01


def test_one_point_is_read_off_directly():
    points, layers = made(n=1)
    found = candidates(layers, torch.Generator().manual_seed(0))
    torch.testing.assert_close(found.points, points)


def test_an_attacker_may_know_the_number_of_points():
    points, layers = made()
    told = candidates(layers, torch.Generator().manual_seed(0), points=4)
    torch.testing.assert_close(
        told.points, candidates(layers, torch.Generator().manual_seed(0)).points
    )
    assert len(points) == told.rank


@pytest.mark.parametrize(
    ("values", "rank"),
    [
        ([3, 2, 1, 1e-9], 3),
        ([1, 1e-8, 1e-9], 1),
        ([2, 1, 0.5], 3),
        ([2], 1),
        ([1, 0], 1),
    ],
)
def test_the_rank_is_where_the_largest_gap_is(values, rank):
    assert numerical_rank(torch.tensor(values).double()) == rank


def test_neurons_count_once_up_to_their_sign_and_silent_ones_not():
    _, layers = made(width=3)
    index = [0, 1, 2, 1, 0]
    signs = torch.tensor([1.0, 1, 1, -1, 1]).double()
    inner = torch.cat([layers.inner[index] * signs[:, None], torch.zeros(1, 9)])
    shift = torch.cat([layers.shift[index] * signs, torch.zeros(1)])
    outer = torch.cat([layers.outer[:, index] * signs, torch.zeros(6, 1)], 1)
    assert distinct_neurons(Layers(inner, shift, outer, layers.top)) == 3


@pytest.mark.parametrize(("size", "count"), [(1e-4, 3), (0.5e-4, 2)])
def test_neurons_far_shorter_than_the_longest_are_silent(size, count):
    inner = torch.tensor([[1.0, 0.0], [0.0, 1.0], [size, -size]]).double()
    nothing = torch.zeros(1, 3).double()
    layers = Layers(inner, nothing[0], nothing, nothing[:, 0])
    assert distinct_neurons(layers) == count


def test_random_points_lie_in_the_row_space():
    _, layers = made()
    points, rank = random_points(layers, 20, torch.Generator().manual_seed(1))
    basis, _ = row_space(layers.below)
    ones = torch.ones(20, 1).double()
    assert rank == 4
    assert float(outside(torch.cat([points, ones], 1), basis).norm(dim=-1).max()) < 1e-9


def test_distances_without_candidates_are_infinite():
    points = torch.ones(2, 3).double()
    assert bool(distances(points, points[:0]).isinf().all())
    assert distances(points, 2 * points).tolist() == [1, 1]


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_neurons_are_counted_in_units_of_the_longest(unit):
    inner = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2e-4, 0.0], [5e-5, -5e-5]]).double()
    nothing = torch.zeros(1, 4).double()
    layers = Layers(unit * inner, nothing[0], nothing, nothing[:, 0])
    assert distinct_neurons(layers) == 3
