"""The judgments of the claims on the geometry of optimizers, on made-up measurements."""

import math

import pytest
import torch

from ibcore.pages.since.optimizer_geometry.claims.adam_linf_margin import (
    turned,
    with_epsilon,
    without_epsilon,
)
from ibcore.pages.since.optimizer_geometry.claims.decoupled_decay_constraint import (
    at_the_barrier,
    at_the_constraint,
    below_frank_wolfe,
    coupled,
    proved_of_the_norm,
)
from ibcore.pages.since.optimizer_geometry.claims.mirror_flow_horizon import (
    another_horizon,
    as_proved,
    by_duality,
    how_close,
    in_columns,
)
from ibcore.pages.since.optimizer_geometry.claims.muon_spectral_margin import (
    above_the_bound,
    by_entries,
    in_own_norms,
    short_of_orthogonal,
)
from ibcore.pages.since.optimizer_geometry.claims.muon_spectral_margin import (
    in_columns as best_in_columns,
)
from tests.conformance import falls


def full(value, *shape):
    return torch.full(shape, value).double()


def poisoned(values, place, members=1):
    lost = values.clone()
    lost[place].view(-1)[:members] = math.nan
    return lost


@pytest.mark.parametrize(
    ("control", "good"),
    [
        (with_epsilon, 1.0),
        (by_entries, 1.0),
        (coupled, 0.0),
        (another_horizon, 0.0),
    ],
)
def test_a_control_can_come_out_either_way(control, good):
    assert not control(full(good, 8)).refuted
    assert control(full(0.5, 8)).refuted
    assert not control(full(math.nan, 8)).refuted


def test_adam_without_epsilon():
    good = (full(0.8, 8), full(0.98, 9, 8), full(1.0, 9, 8), full(0.7, 8))
    assert falls(without_epsilon(*good)) == []
    lost = [poisoned(good[0], 0), poisoned(good[1], -1), good[2], poisoned(good[3], 2)]
    assert falls(without_epsilon(*lost)) == [0, 1, 3]
    deficits = poisoned(good[2], -1, 5)
    assert falls(without_epsilon(good[0], good[1], deficits, good[3])) == [2]
    few = poisoned(good[2], -1, 2)
    assert falls(without_epsilon(good[0], good[1], few, good[3])) == []
    assert falls(without_epsilon(1.1 * good[0] / 0.8, *good[1:])) == [0]


def test_adam_with_epsilon_turns_on_nearly_all_data():
    falling = torch.linspace(1.0, 0.9, 9)[:, None].expand(9, 8).double()
    assert turned(falling).holds
    assert not turned(falling.flip(0)).holds
    assert not turned(poisoned(falling.clone(), -1, 5)).holds


def test_six_methods_in_their_own_norms():
    own, bounds = full(0.98, 6, 8), full(0.7, 3, 8)
    assert falls(in_own_norms(own)) == []
    assert above_the_bound(own[:3], bounds).holds
    assert not above_the_bound(own[:3], poisoned(bounds, 1)).holds
    assert not above_the_bound(own[:3], bounds + 0.3).holds
    for method, which in ((0, [1]), (2, [1]), (3, [3]), (5, [3]), (4, [])):
        assert falls(in_own_norms(poisoned(own, method))) == which
    assert falls(in_own_norms(0.95 * own)) == [0, 2]
    assert short_of_orthogonal(own[3], own[4] - 0.1).holds
    assert not short_of_orthogonal(own[3], poisoned(own - 0.1, 4, 5)[4]).holds


def test_the_best_of_each_column():
    late = full(0.9, 6, 8, 3)
    for method, norm in ((0, 0), (1, 1), (2, 2)):
        late[method, :, norm] = 0.97
    late[3, :, 0] = late[5, :, 2] = 0.85
    assert falls(best_in_columns(late)) == []
    for norm in range(3):
        worse = late.clone()
        worse[norm, :5, norm] = 0.8
        assert falls(best_in_columns(worse)) == [norm]
        lost = late.clone()
        lost[norm, :5, norm] = math.nan
        assert falls(best_in_columns(lost)) == [norm]


def test_the_law_of_the_norm():
    vectors, matrices = full(1.0, 2, 8), full(0.9999, 2, 8)
    assert falls(proved_of_the_norm(vectors, matrices)) == []
    assert falls(proved_of_the_norm(1.001 * vectors, matrices)) == [0]
    assert falls(proved_of_the_norm(vectors, 0.99 * matrices)) == [1]
    assert falls(proved_of_the_norm(vectors, poisoned(matrices, 1))) == [0, 1]
    assert below_frank_wolfe(full(0.5, 16)).holds
    assert not below_frank_wolfe(poisoned(full(0.5, 16), slice(3, 4))).holds
    assert not below_frank_wolfe(full(1.1, 16)).holds


def test_distances_from_the_minimizers():
    vectors, matrices = full(1e-4, 7, 8), full(1e-4, 2, 8)
    assert falls(at_the_constraint(vectors, matrices)) == []
    for row, which in ((0, [0]), (1, [0]), (2, [1]), (3, [])):
        assert falls(at_the_constraint(poisoned(vectors, row), matrices)) == which
    assert falls(at_the_constraint(vectors, poisoned(matrices, 1))) == [2]
    barrier = vectors[3:6]
    assert falls(at_the_barrier(barrier)) == []
    for row in range(3):
        assert falls(at_the_barrier(poisoned(barrier, row))) == [row]
        late = barrier.clone()
        late[row, 4] = 0.05
        assert falls(at_the_barrier(late)) == [row]


def test_gaps_of_three_potentials():
    own, proved = full(1e-3, 2, 3, 8), full(0.1, 3, 8)
    sizes = full(1.0, 2, 3, 8)
    assert falls(as_proved(own[1], proved)) == []
    assert falls(how_close(own, sizes)) == []
    for k in range(3):
        assert falls(as_proved(poisoned(own[1], k), proved)) == [k]
        assert falls(as_proved(own[1], poisoned(proved, k))) == [k]
    for k, which in ((0, [0]), (1, [2]), (2, [3])):
        late = own.clone()
        late[1, k, 3] = math.nan
        assert falls(how_close(late, sizes)) == which
    late = own.clone()
    late[0, 0, :5] = math.nan
    assert falls(how_close(late, sizes)) == [1]
    assert by_duality(own[1], 2 * own[1]).holds
    assert not by_duality(own[1], own[1] / 2).holds
    assert not by_duality(own[1], poisoned(own[1], 2)).holds


def test_each_norm_is_won_by_its_potential():
    gaps = full(0.2, 3, 8, 3)
    for k in range(3):
        gaps[k, :, k] = 0.01
    assert falls(in_columns(gaps)) == []
    for k in range(3):
        worse = gaps.clone()
        worse[k, 3, k] = 0.3
        assert falls(in_columns(worse)) == [k]
        worse[k, 3, k] = math.nan
        assert falls(in_columns(worse)) == [k]
