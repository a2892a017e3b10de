"""The least number of pieces: attained by a zigzag, and fewer do not fit."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from ibcore.oracles.linear_regions import least_regions
from ibcore.problems.clusters import alternating_clusters
from ibcore.validation import InvalidInput


@pytest.mark.parametrize("changes", [1, 2, 5])
def test_least_regions_are_the_sign_changes(changes):
    data = alternating_clusters(changes, 3, torch.Generator().manual_seed(0))
    shuffled = torch.randperm(len(data.y), generator=torch.Generator().manual_seed(1))
    assert least_regions(data.x[shuffled], data.y[shuffled]) == changes
    assert float(data.x.abs().max()) <= 2
    borders = torch.nonzero(data.y.diff())[:, 0]
    assert float((data.x[borders + 1] - data.x[borders]).min()) >= data.gap


def test_one_label_needs_one_region_and_clashes_are_refused():
    assert least_regions([0.0, 1.0], [1.0, 1.0]) == 1
    with pytest.raises(InvalidInput, match="same place"):
        least_regions([0.0, 0.0], [1.0, -1.0])


def fits(x, y, corners):
    """Whether a continuous function with these corners separates, by a linear program."""
    features = np.array([np.ones_like(x), x, *(np.maximum(x - c, 0) for c in corners)])
    rows = -y[:, None] * features.T
    found = linprog(
        np.zeros(len(features)), A_ub=rows, b_ub=-np.ones(len(x)), bounds=(None, None)
    )
    return found.status == 0


@pytest.mark.parametrize("labels", list(itertools.product([1, -1], repeat=5)))
def test_so_many_pieces_fit_and_one_less_does_not(labels):
    """Corners at all places of a grid that is finer than the points."""
    x, y = np.array([-2.0, -1.0, 0.5, 1.0, 3.0]), np.array(labels, dtype=float)
    count = least_regions(x, y)
    places = np.arange(-2, 3.1, 0.25)
    assert any(fits(x, y, c) for c in itertools.combinations(places, count - 1))
    if count == 2:
        assert not fits(x, y, [])
    if count == 3:
        assert not any(fits(x, y, [c]) for c in places)


def test_it_does_not_depend_on_units_order_or_the_names_of_classes():
    x = [0.5, -2.0, 3.0, 0.7, 1.0, -1.0]
    y = [1.0, 1.0, -1.0, -1.0, 1.0, -1.0]
    assert least_regions(x, y) == 5
    assert least_regions([-1e6 * v + 7 for v in x], y) == 5
    assert least_regions(x[::-1], [-v for v in y[::-1]]) == 5


def test_points_of_one_label_may_lie_together():
    assert least_regions([0.0, 0.0, 1.0], [1.0, 1.0, -1.0]) == 1
    assert least_regions([0.0, 1.0, 1.0, 2.0], [1.0, -1.0, -1.0, 1.0]) == 2
    with pytest.raises(InvalidInput, match="same place"):
        least_regions([0.0, 1.0, 1.0], [1.0, 1.0, -1.0])
