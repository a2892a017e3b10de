import math

import numpy as np
import pytest
import torch

from ibcore.oracles.variation_norm import (
    gated_norm,
    kinks,
    margin_bound,
    potential_peaks,
    variation_margin,
)
from ibcore.problems.plane import four_clusters, shallow_pair
from ibcore.validation import InvalidInput, NotSeparable


def circle(degrees):
    angles = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([angles.cos(), angles.sin()], -1)


def test_one_point_needs_one_neuron_along_it():
    best = variation_margin([[3.0, 4.0]], [-1.0])
    assert best.norm == pytest.approx(1 / 5, rel=1e-9)
    assert torch.allclose(
        best.directions, torch.tensor([[0.6, 0.8]], dtype=torch.float64), atol=1e-4
    )
    assert best.masses.sum() < 0


def test_the_pair_has_the_known_optimum():
    data = shallow_pair()
    assert variation_margin(data.X, data.y).margin == pytest.approx(
        math.sqrt(17) / 8, rel=1e-9
    )


def test_orthogonal_points_of_opposite_labels_cost_one_each():
    best = variation_margin(circle([0.0, 180.0]), torch.tensor([1.0, -1.0]))
    assert best.norm == pytest.approx(2, rel=1e-9)
    assert best.dual.tolist() == pytest.approx([1, 1], rel=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_the_program_over_gates_agrees_and_the_solution_is_feasible(seed):
    data = four_clusters(2, torch.Generator().manual_seed(seed))
    best = variation_margin(data.X, data.y)
    assert best.gap < 1e-8
    assert gated_norm(data.X, data.y) == pytest.approx(best.norm, rel=1e-7)
    outputs = (data.X @ best.directions.T).relu() @ best.masses
    assert float((data.y * outputs).min()) == pytest.approx(1, rel=1e-12)
    assert margin_bound(data.X, data.y, best.dual) == pytest.approx(
        best.margin, rel=1e-8
    )


def test_peaks_hold_the_maximum_over_a_fine_grid():
    data = four_clusters(3, torch.Generator().manual_seed(5))
    coefficients = np.random.default_rng(0).normal(size=12)
    angles = np.linspace(0, 2 * np.pi, 20_001)
    grid = (
        np.maximum(np.stack([np.cos(angles), np.sin(angles)], -1) @ data.X.numpy().T, 0)
        @ coefficients
    )
    peak = np.abs(potential_peaks(data.X.numpy(), coefficients)[1]).max()
    assert 0 <= peak - np.abs(grid).max() < 1e-6


def test_kinks_are_orthogonal_to_points():
    X = circle([10.0, 200.0]).numpy()
    assert np.degrees(kinks(X)).tolist() == pytest.approx([100, 110, 280, 290])


def test_any_weights_bound_the_margin_from_above():
    data = four_clusters(2, torch.Generator().manual_seed(1))
    best = variation_margin(data.X, data.y)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        weights = torch.rand(8, generator=generator).double()
        assert margin_bound(data.X, data.y, weights) >= best.margin


def test_distance_to_kinks_is_that_of_the_heavy_directions():
    data = shallow_pair()
    best = variation_margin(data.X, data.y)
    cosine = abs(-1 + 1 / 16) / (17 / 16)
    assert best.distance_to_kinks(data.X) == pytest.approx(cosine, rel=1e-6)


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        ([[1.0, 0.0, 0.0]], [1.0], "points of the plane"),
        ([[0.0, 0.0], [1.0, 0.0]], [1.0, 1.0], "origin"),
        ([[1.0, 0.0]], [2.0], "labels -1 and"),
    ],
)
def test_points_it_cannot_judge_are_refused(X, y, words):
    with pytest.raises(InvalidInput, match=words):
        variation_margin(X, y)


def test_two_labels_on_one_ray_are_refused():
    with pytest.raises(NotSeparable, match="append a constant"):
        variation_margin([[1.0, 0.0], [2.0, 0.0]], [1.0, -1.0])


def test_weights_of_another_length_or_sign_are_refused():
    data = shallow_pair()
    with pytest.raises(InvalidInput, match="one nonnegative"):
        margin_bound(data.X, data.y, [1.0])
    with pytest.raises(InvalidInput, match="one nonnegative"):
        margin_bound(data.X, data.y, [1.0, -1.0])


def test_the_rate_of_the_pair_is_one_and_rates_lie_in_the_unit_interval():
    pair = shallow_pair()
    assert variation_margin(pair.X, pair.y).rate(pair.X, pair.y) == pytest.approx(
        1, abs=1e-6
    )
    rates = []
    for seed in range(4):
        data = four_clusters(2, torch.Generator().manual_seed(seed))
        rates.append(variation_margin(data.X, data.y).rate(data.X, data.y))
    assert all(-1e-9 <= rate <= 1 + 1e-9 for rate in rates)
