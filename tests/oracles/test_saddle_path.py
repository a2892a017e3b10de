import itertools

import numpy as np
import pytest
import torch

from ibcore.oracles.basis_pursuit import basis_pursuit
from ibcore.oracles.saddle_path import saddle_path
from ibcore.validation import InvalidInput


def problem(seed, n=5, d=8):
    rng = np.random.default_rng(1600120 + seed)
    return rng.normal(size=(n, d)), rng.normal(size=n)


def least_by_enumeration(X, y, s):
    """The beta of least loss with the signs of s where |s| = 1, over all supports."""
    at = np.flatnonzero(np.abs(s) > 1 - 1e-9)
    best, found = np.inf, None
    for size in range(len(at) + 1):
        for used in itertools.combinations(at, size):
            beta = np.zeros(len(s))
            if used:
                beta[list(used)] = np.linalg.lstsq(X[:, used], y, rcond=None)[0]
            loss = np.sum((X @ beta - y) ** 2)
            if (beta * s >= 0).all() and loss < best - 1e-12:
                best, found = loss, beta
    return found


@pytest.mark.parametrize("seed", range(6))
def test_every_saddle_is_the_best_of_all_supports(seed):
    X, y = problem(seed)
    path = saddle_path(X, y)
    for s, beta in zip(path.positions[1:], path.saddles[1:], strict=True):
        found = least_by_enumeration(X, y, s.numpy())
        np.testing.assert_allclose(beta, found, atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_positions_move_along_the_slopes_and_stay_within_bounds(seed):
    path = saddle_path(*problem(seed))
    waits = torch.cat([path.times[:1], path.times.diff()])
    moved = path.positions[:-1] + waits[:, None] * path.slopes[:-1]
    torch.testing.assert_close(moved, path.positions[1:], rtol=0, atol=1e-12)
    assert float(path.positions.abs().max()) <= 1
    hit = path.positions[1:].gather(1, path.arrived[:, None])
    assert bool((hit.abs() == 1).all())
    assert float(path.violation.max()) < 1e-12


@pytest.mark.parametrize("seed", range(6))
def test_it_ends_at_the_least_l1_interpolant(seed):
    X, y = problem(seed)
    end = saddle_path(X, y).saddles[-1]
    torch.testing.assert_close(end, basis_pursuit(X, y).primal, rtol=0, atol=1e-9)


def test_with_more_equations_than_unknowns_it_ends_at_least_squares():
    X, y = problem(7, n=12, d=3)
    expected = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose(saddle_path(X, y).saddles[-1], expected, atol=1e-9)


def test_coordinates_can_be_given_up_again():
    paths = [saddle_path(*problem(seed)) for seed in range(12)]
    lost = [((p.saddles[:-1] != 0) & (p.saddles[1:] == 0)).any() for p in paths]
    assert any(lost)
    assert not all(lost)


def test_units():
    X, y = problem(8)
    plain, other = saddle_path(X, y), saddle_path(1e3 * X, 1e-5 * y)
    torch.testing.assert_close(other.times, plain.times * 1e2, rtol=1e-9, atol=0)
    torch.testing.assert_close(
        other.saddles, plain.saddles * 1e-8, rtol=1e-9, atol=1e-20
    )


def test_nothing_to_fit_is_refused():
    with pytest.raises(InvalidInput, match="orthogonal"):
        saddle_path([[1.0, 2.0], [1.0, 2.0]], [1.0, -1.0])
