"""The shortest vector under inequalities: against every active set, with certificates."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore.oracles.active_set import (
    EPS,
    _kernel,
    _on_active,
    _rank,
    _small,
    _towards,
    _until_zero,
    shortest_vector,
)
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


def test_moving_along_a_kernel_keeps_the_vector_and_ends_at_the_first_zero():
    """Rows a, b, a + b: u + t (1, 1, -1) until the third is gone."""
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 5.0]])
    u, c = np.array([0.5, 2.0, 0.75, 3.0]), np.array([1.0, 1.0, -1.0])
    active = np.array([0, 1, 2, 3])
    moved, left, blocked = _until_zero(u, active, c, 1e-12)
    assert blocked
    assert moved.tolist() == [1.25, 2.75, 0, 3]
    assert left.tolist() == [0, 1, 3]
    np.testing.assert_allclose(rows.T @ moved, rows.T @ u)
    back, left, _ = _until_zero(u, active, -2 * c, 1e-12)
    assert back.tolist() == [0, 1.5, 1.25, 3]
    assert left.tolist() == [1, 2, 3]
    assert u.tolist() == [0.5, 2.0, 0.75, 3.0]
    same, left, blocked = _until_zero(u, active, np.abs(c), 1e-12)
    assert (same.tolist(), left.tolist(), blocked) == (u.tolist(), [0, 1, 2, 3], False)
    assert not _until_zero(u, active, np.array([1.0, 1.0, -1e-13]), 1e-12)[2]


def test_a_step_towards_a_maximum_ends_where_a_variable_leaves():
    """From (2, 1, 4) towards (-2, 3, 2) by a half, where the first is zero."""
    u, active = np.array([2.0, 9.0, 1.0, 4.0]), np.array([0, 2, 3])
    moved, left = _towards(u, active, np.array([-2.0, 3.0, 2.0]))
    assert moved.tolist() == [0, 9, 2, 3]
    assert left.tolist() == [2, 3]
    moved, left = _towards(u, active, np.array([-2.0, -3.0, 2.0]))
    assert moved.tolist() == pytest.approx([1, 9, 0, 3.5])
    assert left.tolist() == [0, 3]
    moved, left = _towards(u, active, np.array([1.0, 0.0, 8.0]))
    assert moved.tolist() == [1, 9, 0, 8]
    assert left.tolist() == [0, 3]
    new = np.array([0.0, 9.0, 1.0, 4.0])
    moved, left = _towards(new, active, np.array([0.0, 3.0, 2.0]))
    assert moved.tolist()[0] == 0
    assert left.tolist() == [2, 3]


def test_a_kernel_combines_columns_to_zero():
    columns = np.array([[1.0, 2.0, 4.0, 9.0], [0.0, 3.0, -3.0, 1.0]])
    c = _kernel(columns, 2)
    assert c[-1] == 1
    np.testing.assert_allclose(columns[:, :3] @ c, [0, 0], atol=1e-15)


def test_a_rank_counts_what_stands_out_of_the_noise():
    r = np.diag([8.0, -1.0, 1e-3, 0.0])
    assert [_rank(r, noise) for noise in (1e-2, 1e-3, 1e-4)] == [2, 2, 3]
    assert _rank(2.0**40 * r, 1e-2) == 2


def test_the_maximum_on_active_rows_is_refined():
    """Rows that are close to each other: w meets its heights to rounding."""
    rows = np.array([[1.0, 0.0, 0.0], [1.0, 1e-7, 0.0], [1.0, 0.0, 1e-6]])
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    heights = np.array([1.0, 1.0 + 1e-8, 0.7])
    q, r = np.linalg.qr(rows.T)
    u, w = _on_active(rows, heights, q, r)
    np.testing.assert_allclose(rows @ w, heights, rtol=0, atol=1e-15 * abs(w).max())
    np.testing.assert_allclose(rows.T @ u, w, atol=1e-8 * abs(w).max())


def test_what_is_small_is_so_beside_the_largest_of_many():
    c = np.array([3.0, -8.0, 1.0])
    assert _small(c, 1e-10) == pytest.approx(2 * _small(c / 2, 1e-10))
    assert _small(c, 2e-10) == pytest.approx(2 * _small(c, 1e-10))
    assert _small(np.tile(c, 4), 1e-10) == pytest.approx(4 * _small(c, 1e-10))
    assert EPS * 8 < _small(c, EPS) < 1e-10
