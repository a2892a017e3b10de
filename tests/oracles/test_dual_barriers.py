"""Barriers against automatic differentiation of log det, maps against their sums."""

import numpy as np
import pytest
import torch
from torch.func import jacrev

from ibcore.oracles.dual_barriers import (
    DensePlaces,
    EntryPlaces,
    Semidefinite,
    Spectral,
)

RNG = np.random.default_rng(0)
ROWS, COLUMNS = np.array([0, 2, 1, 2]), np.array([1, 0, 3, 3])


def of_entries(rows, columns, shape):
    matrices = np.zeros((len(rows), *shape))
    matrices[np.arange(len(rows)), rows, columns] = 1
    return matrices


DENSE = RNG.normal(size=(4, 3, 4))
SYMMETRIC = RNG.normal(size=(4, 3, 3))
SYMMETRIC = SYMMETRIC + SYMMETRIC.transpose(0, 2, 1)
PLACES = {
    "dense": (DensePlaces(DENSE), DENSE),
    "entries": (
        EntryPlaces(ROWS, COLUMNS, (3, 4)),
        of_entries(ROWS, COLUMNS, (3, 4)),
    ),
}
SQUARE = {
    "symmetric": (DensePlaces(SYMMETRIC), SYMMETRIC),
    "diagonal": (
        EntryPlaces(np.arange(3), np.arange(3), (3, 3)),
        of_entries(np.arange(3), np.arange(3), (3, 3)),
    ),
}


@pytest.fixture(params=PLACES)
def case(request):
    return PLACES[request.param]


def test_maps_are_inner_products_and_sums(case):
    places, A = case
    W, weights = RNG.normal(size=(3, 4)), RNG.normal(size=4)
    np.testing.assert_allclose(places.read(W), [(a * W).sum() for a in A])
    expected = sum(v * a for v, a in zip(weights, A, strict=True))
    np.testing.assert_allclose(places.spread(weights), expected)


def test_the_fit_is_the_nearest_matrix_with_these_observations(case):
    places, A = case
    W, y = RNG.normal(size=(3, 4)), RNG.normal(size=4)
    fitted = places.fit(W, y)
    np.testing.assert_allclose(places.read(fitted), y, atol=1e-13)
    change = (fitted - W).ravel()
    rows = A.reshape(4, -1)
    along = rows.T @ np.linalg.lstsq(rows.T, change, rcond=None)[0]
    np.testing.assert_allclose(along, change, atol=1e-12)


def test_pairs_and_crossed_are_traces(case):
    places, A = case
    left, right = RNG.normal(size=(3, 3)), RNG.normal(size=(4, 4))
    middle = RNG.normal(size=(3, 4))
    left, right = left + left.T, right + right.T
    pairs = [[np.trace((left @ a @ right).T @ b) for b in A] for a in A]
    np.testing.assert_allclose(places.pairs(left, right), pairs)
    crossed = [[np.trace((middle @ a.T @ middle).T @ b) for b in A] for a in A]
    np.testing.assert_allclose(places.crossed(middle), crossed)


def log_det(A, *, semidefinite):
    A = torch.from_numpy(A)

    def value(dual):
        G = torch.einsum("i,ipq->pq", dual, A)
        inner = G if semidefinite else G.mT @ G
        return -torch.linalg.slogdet(torch.eye(len(inner)).double() - inner)[1]

    return value


@pytest.mark.parametrize("name", [*PLACES, *SQUARE])
def test_values_and_derivatives_are_those_of_log_det(name):
    places, A = {**PLACES, **SQUARE}[name]
    barrier = Semidefinite if name in SQUARE else Spectral
    dual = np.random.default_rng(1).normal(size=len(A))
    dual *= 0.7 / np.linalg.norm(places.spread(dual), 2)
    value = log_det(A, semidefinite=name in SQUARE)
    at = torch.from_numpy(dual)
    found = barrier(places, dual)
    gradient, curvature = found.derivatives()
    assert found.inside
    assert found.value == pytest.approx(float(value(at)))
    np.testing.assert_allclose(gradient, jacrev(value)(at), atol=1e-12)
    np.testing.assert_allclose(curvature, jacrev(jacrev(value))(at), atol=1e-12)
    step = np.random.default_rng(2).normal(size=len(A))
    primal = found.primal(0.3, step)
    np.testing.assert_allclose(
        places.read(primal), 0.3 * (gradient + curvature @ step), atol=1e-12
    )


@pytest.mark.parametrize("name", [*PLACES, *SQUARE])
def test_inside_ends_where_the_matrix_reaches_one(name):
    places, A = {**PLACES, **SQUARE}[name]
    barrier = Semidefinite if name in SQUARE else Spectral
    dual = np.random.default_rng(3).normal(size=len(A))
    G = places.spread(dual)
    largest = np.linalg.eigvalsh(G)[-1] if name in SQUARE else np.linalg.norm(G, 2)
    dual = dual / largest
    assert barrier(places, 0.999 * dual).inside
    beyond = barrier(places, 1.001 * dual)
    assert not beyond.inside
    assert np.isfinite(beyond.value)
    values = [barrier(places, s * dual).value for s in (0.0, 0.9, 0.99, 1 - 1e-9)]
    assert values[0] == pytest.approx(0, abs=1e-14)
    assert values == sorted(values)


def test_at_no_dual_the_primal_is_twice_the_step_spread_out():
    """G = 0: -log det(I - G^T G) is |G|^2 to second order, and -log det(I - G) adds
    the trace.
    """
    for places, A in PLACES.values():
        found = Spectral(places, np.zeros(4))
        gradient, curvature = found.derivatives()
        rows = A.reshape(4, -1)
        np.testing.assert_allclose(gradient, np.zeros(4))
        np.testing.assert_allclose(curvature, 2 * rows @ rows.T, atol=1e-13)
    places, A = SQUARE["symmetric"]
    gradient, _ = Semidefinite(places, np.zeros(4)).derivatives()
    np.testing.assert_allclose(gradient, np.trace(A, axis1=1, axis2=2), atol=1e-13)


def test_on_the_edge_a_barrier_is_not_inside():
    for barrier in (Spectral, Semidefinite):
        places = SQUARE["diagonal"][0]
        assert not barrier(places, np.array([1.0, 0.5, -0.5])).inside
    assert Semidefinite(SQUARE["diagonal"][0], np.array([0.5, -3.0, 0.0])).inside
