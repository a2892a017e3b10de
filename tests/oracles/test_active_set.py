"""The shortest vector under inequalities: against every active set, with certificates."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore.oracles.active_set import EPS, shortest_vector
from tests.oracles.scalings import few


def unit_rows(seed, n, d, shift=0.0):
    rows = np.random.default_rng(seed).normal(size=(n, d)) + shift
    return rows / np.linalg.norm(rows, axis=1)[:, None]


def of_all_active_sets(rows, heights):
    """The shortest w among those of all sets of rows that are met with equality."""
    n, d = rows.shape
    best = None
    for size in range(1, min(n, d) + 1):
        for active in itertools.combinations(range(n), size):
            part = list(active)
            w = np.linalg.pinv(rows[part]) @ heights[part]
            if (rows @ w >= heights - 1e-9).all():
                best = w if best is None or w @ w < best @ best else best
    return best


def certified(found, rows, heights):
    """The conditions of Karush, Kuhn and Tucker, which prove w the shortest."""
    size = np.linalg.norm(found.w)
    assert found.finished
    assert found.alternative is None
    assert (found.weights >= 0).all()
    assert rows.T @ found.weights == pytest.approx(found.w, abs=1e-12 * size)
    slack = rows @ found.w - heights
    assert slack.min() >= -1e-13 * size
    assert np.abs(slack[found.weights > 0]).max() <= 1e-12 * size


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("n", "d"), [(4, 6), (6, 3), (7, 2)])
def test_no_active_set_has_a_shorter_one(n, d, seed):
    rows = unit_rows(seed, n, d, shift=1.0)
    heights = 0.5 + np.random.default_rng(seed + 100).random(n)
    found = shortest_vector(rows, heights, np.zeros(n))
    expected = of_all_active_sets(rows, heights)
    if expected is None:
        assert found.alternative is not None
        return
    certified(found, rows, heights)
    np.testing.assert_allclose(found.w, expected, atol=1e-10)


@pytest.mark.parametrize("n", [3, 8, 20])
def test_where_no_vector_exists_weights_prove_it(n):
    """A^T c = 0 with c >= 0 and c not 0: then c.(A w) = 0 for all w, and not above."""
    rows = unit_rows(n, n, 2)
    rows[-1] = -rows[:-1].sum(0) / np.linalg.norm(rows[:-1].sum(0))
    found = shortest_vector(rows, np.ones(n), np.zeros(n))
    c = found.alternative
    assert found.finished
    assert (c >= 0).all()
    assert c.max() > 0
    assert np.linalg.norm(rows.T @ c) <= 1e-13 * c.sum()


def test_opposite_rows_of_other_heights_meet_nowhere():
    rows = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    for start in np.eye(3):
        found = shortest_vector(rows, np.array([1.0, 2.0, 1.0]), start)
        assert found.alternative[2] == 0
        assert found.alternative[0] == pytest.approx(found.alternative[1])


@few
@given(seed=st.integers(0, 10_000), where=st.integers(0, 10_000))
def test_the_answer_does_not_depend_on_the_guess(seed, where):
    rows, heights = unit_rows(seed, 9, 4, shift=0.8), np.ones(9)
    guess = np.random.default_rng(where).random(9) * 5
    guess[np.random.default_rng(where).random(9) < 0.5] = 0
    first, other = (
        shortest_vector(rows, heights, start) for start in (np.zeros(9), guess)
    )
    assert (first.alternative is None) == (other.alternative is None)
    if first.alternative is None:
        certified(other, rows, heights)
        np.testing.assert_allclose(first.w, other.w, atol=1e-11)


def test_repeated_and_dependent_rows_share_their_weight():
    rows = np.array([[1.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0], [0.6, 0.8, 0]])
    heights = np.array([1.0, 1.0, 1.0, 1.4])
    for start in (np.zeros(4), np.ones(4), np.array([2.0, 0.5, 0, 3])):
        found = shortest_vector(rows, heights, start)
        certified(found, rows, heights)
        np.testing.assert_allclose(found.w, [1, 1, 0], atol=1e-13)


def test_a_common_height_scales_the_answer():
    rows = unit_rows(3, 8, 5, shift=1.0)
    base = shortest_vector(rows, np.ones(8), np.zeros(8))
    for factor in (2.0**-40, 2.0**40):
        found = shortest_vector(rows, np.full(8, factor), np.zeros(8))
        np.testing.assert_allclose(found.w / factor, base.w, atol=1e-12)
        np.testing.assert_allclose(found.weights / factor, base.weights, atol=1e-12)


def test_rows_in_another_frame_turn_the_answer():
    rows = unit_rows(4, 8, 5, shift=1.0)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
    base = shortest_vector(rows, np.ones(8), np.zeros(8))
    found = shortest_vector(rows @ turn, np.ones(8), np.zeros(8))
    np.testing.assert_allclose(found.w, base.w @ turn, atol=1e-12)


def test_rows_that_differ_by_noise_count_as_dependent():
    """Two nearly opposite rows: with their error 1e-6 no w is known to exist, without
    it there is one, far out.
    """
    tilt = 1e-7
    rows = np.array([[1.0, tilt], [-1.0, tilt]]) / np.hypot(1, tilt)
    exact = shortest_vector(rows, np.ones(2), np.zeros(2), EPS)
    np.testing.assert_allclose(exact.w * tilt, [0, 1], atol=1e-6)
    noisy = shortest_vector(rows, np.ones(2), np.zeros(2), 1e-6)
    assert noisy.alternative == pytest.approx([1, 1])


def test_one_row_is_met_at_its_height():
    found = shortest_vector(np.array([[0.6, 0.8]]), np.array([2.0]), np.zeros(1))
    np.testing.assert_allclose(found.w, [1.2, 1.6])
    assert found.weights == pytest.approx([2])
