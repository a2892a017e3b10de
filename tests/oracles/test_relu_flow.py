import numpy as np
import pytest
import torch
from hypothesis import given
from scipy.integrate import solve_ivp

from ibcore.oracles.relu_flow import first_negative, neuron_flow, turned_ratio
from ibcore.problems.relu_pairs import Shape, pair
from ibcore.problems.relu_turns import even_turns
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


def test_without_kinks_it_is_the_linear_flow():
    X, y = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), np.array([2.0, 3.0])
    flow = neuron_flow(X, y)
    np.testing.assert_allclose(flow.limit, [1, 3, 0], atol=1e-14)
    assert len(flow.times) == 0


@pytest.mark.parametrize("seed", range(8))
def test_against_an_integrator(seed):
    rng = np.random.default_rng(seed)
    X, teacher = rng.normal(size=(6, 3)), rng.normal(size=3)
    y = np.maximum(X @ teacher, 0)

    def field(_, w):
        z = X @ w
        return -2 / 6 * ((z >= 0) * (z - y)) @ X

    pieces = neuron_flow(X, y)
    end = solve_ivp(
        field, (0, 1e9), np.zeros(3), method="LSODA", rtol=1e-9, atol=1e-11
    ).y[:, -1]
    np.testing.assert_allclose(pieces.limit, end, atol=1e-5)
    for w, before, after in zip(
        pieces.states[1:], pieces.active[:-1], pieces.active[1:], strict=True
    ):
        assert abs(X @ w)[before != after] == pytest.approx(0, abs=1e-12)


def test_known_limits_of_the_second_data_set():
    """Values found before by LSODA alone, at two tolerances that agree to 4e-10."""
    for shape, depth in (
        (Shape(3, 0.5, 1, 1.1, 1), 0.33818277),
        (Shape(10, 0.1, 1, 1.1, 1), 0.44454268),
        (Shape(4, 0.5, 1, 1.25, 1), 0.29791157),
    ):
        second = pair(shape)[1]
        np.testing.assert_allclose(
            neuron_flow(second.X, second.y).limit, [1, 1, -depth], atol=6e-9
        )


def test_a_short_dip_between_two_positive_stretches_is_found():
    """1 - 4.05 e + 4 e^2 with e = exp(-t) dips below 0 near e = 1/2 although it is
    positive at 0 and at infinity.
    """
    found = first_negative(1.0, np.array([-4.05, 4.0]), np.array([1.0, 2.0]))
    assert np.exp(-found) == pytest.approx(
        (4.05 + np.sqrt(4.05**2 - 16)) / 8, abs=1e-12
    )
    assert first_negative(1.0, np.array([-3.95, 4.0]), np.array([1.0, 2.0])) == np.inf


def test_two_turns_by_hand():
    """Two right angles less a bit: v keeps cos^2 of its length, z + v is a triangle."""
    turns = even_turns(2)
    shrunk = np.cos(turns[0]) ** 2
    side = np.hypot(1 + shrunk * np.cos(np.pi / 4), shrunk * np.sin(np.pi / 4))
    assert turned_ratio(turns, 1e6) == pytest.approx(side, rel=1e-9)


def test_from_behind_the_vector_that_turns_is_longer():
    turns = even_turns(8)
    one, two = (turned_ratio(turns, 1e6, behind) for behind in (0.0, 1.0))
    shrunk, angle = np.cos(turns).prod(), np.pi - turns.sum()
    for ratio, length in ((one, shrunk), (two, 2 * shrunk)):
        side = np.hypot(1 + length * np.cos(angle), length * np.sin(angle))
        assert ratio == pytest.approx(side, rel=1e-9)


def test_the_predicted_ratio_tends_to_two():
    ratios = [turned_ratio(even_turns(count), 1e6) for count in (4, 16, 64, 256, 4096)]
    assert ratios == sorted(ratios)
    assert 2 - ratios[-1] == pytest.approx(np.pi**2 / 2 / 4096, rel=0.01)


def test_bad_input_is_refused():
    with pytest.raises(InvalidInput, match="labels >= 0"):
        neuron_flow([[1.0, 0.0]], [-1.0])
    second = pair(Shape())[1]
    with pytest.raises(InvalidInput, match="more than 1 pieces"):
        neuron_flow(torch.from_numpy(second.X), second.y, max_pieces=1)


@few
@given(a=FACTORS, b=FACTORS)
def test_units_of_inputs_and_labels_stretch_weights_and_times(a, b):
    rng = np.random.default_rng(3)
    X, teacher, start = rng.normal(size=(6, 3)), rng.normal(size=3), rng.normal(size=3)
    y = np.maximum(X @ teacher, 0)
    for first in (None, start):
        base = neuron_flow(X, y, first)
        found = neuron_flow(a * X, b * y, None if first is None else first * b / a)
        np.testing.assert_allclose(found.limit * (a / b), base.limit, rtol=1e-7)
        np.testing.assert_allclose(found.times * a**2, base.times, rtol=1e-7)
        np.testing.assert_array_equal(found.active, base.active)


def test_labels_of_zero_stay_at_zero_and_wrong_starts_are_refused():
    X = [[1.0, 2.0], [0.5, -1.0]]
    assert not neuron_flow(X, [0.0, 0.0]).limit.any()
    with pytest.raises(InvalidInput, match="start has shape"):
        neuron_flow(X, [1.0, 0.0], [1.0])
    with pytest.raises(InvalidInput, match="NaN"):
        neuron_flow(X, [1.0, 0.0], [1.0, float("nan")])
    with pytest.raises(InvalidInput, match="expected \\(2,\\)"):
        neuron_flow(X, [[1.0], [0.0]])


def test_an_example_of_vardi_and_shamir_has_one_set_of_fits_and_many_limits():
    """(3, -1, 0), (4, 2, 0) with labels 16, 18 and (0, g, g) with label 0 ask for (5,
    -1, s), s <= 1, if g > 0.
    """
    ends = []
    for factor in (1.0, 2.0, 5.0, 20.0):
        X = np.array([[3.0, -1.0, 0.0], [4.0, 2.0, 0.0], [0.0, factor, factor]])
        ends.append(neuron_flow(X, [16.0, 18.0, 0.0]).limit)
        np.testing.assert_allclose(ends[-1][:2], [5, -1], atol=1e-12)
        assert ends[-1][2] < 0
    heights = np.array([end[2] for end in ends])
    assert (np.diff(heights) < -0.01).all() or (np.diff(heights) > 0.01).all()


@pytest.mark.parametrize(("fast", "slow"), [(0.05, 10.0), (1.0, 1.0), (1.01, 1.0)])
def test_where_the_third_point_is_off_at_first_it_stays_off(fast, slow):
    """fast^2 < height kappa slow^2, whichever of the two points is the longer one: the
    limit is (1, height, 0).
    """
    height, kappa = 2.0, 0.52
    assert fast**2 < height * kappa * slow**2
    X = np.array([[fast, 0.0, 0.0], [0.0, slow, 0.0], [1.0, -kappa, 0.5]])
    flow = neuron_flow(X, [fast, slow * height, 0.0])
    np.testing.assert_allclose(flow.limit, [1, height, 0], atol=1e-12)
    assert not flow.active[:, 2].any()
