import numpy as np
import pytest
import torch

from ibcore.oracles import path_norm
from ibcore.oracles.roughness import least_roughness, least_roughness_program
from ibcore.problems.curves import Points, scattered_points
from ibcore.validation import InvalidInput


@pytest.fixture
def data():
    """Six plain data sets and six that are nearly a steep line."""
    drawn = scattered_points(12, 6, torch.Generator().manual_seed(3))
    tilt = torch.tensor([0.0, 2.0]).double().repeat_interleave(6)[:, None]
    size = torch.tensor([1.0, 0.15]).double().repeat_interleave(6)[:, None]
    return Points(drawn.x, size * drawn.y + tilt * drawn.x)


def test_three_points_by_hand():
    least = path_norm.least_path_norm([0.0, 1.0, 3.0], [0.0, 2.0, 0.0])
    assert float(least.variation) == 3.0
    assert float(least.tilt) == 1.0
    assert float(least.value) == 3.0
    assert least.pattern.tolist() == [-1.0, 0.0]


def test_a_line_costs_its_slope():
    """relu(x - x_1) costs 1, and V = 0 and D = 2 give (0 + 2)/2."""
    least = path_norm.least_path_norm([0.0, 1.0, 2.0, 4.0], [1.0, 2.0, 3.0, 5.0])
    assert float(least.value) == pytest.approx(1.0)


def test_the_closed_form_is_the_optimum_of_the_program(data):
    least = path_norm.least_path_norm(data.x, data.y)
    assert bool((least.tilt.abs() > least.variation)[6:].any())
    for x, y, value in zip(data.x, data.y, least.value, strict=True):
        program = path_norm.path_norm_program(x, y)
        assert program.cost == pytest.approx(float(value), rel=1e-7)
        assert program.error <= 1e-7


def test_where_the_variation_decides_it_is_the_roughness(data):
    least = path_norm.least_path_norm(data.x[:6], data.y[:6])
    rough = least_roughness(data.x[:6], data.y[:6])
    torch.testing.assert_close(least.variation, rough.value)
    torch.testing.assert_close(least.certificate, rough.certificate)
    program = least_roughness_program(data.x[0], data.y[0])
    assert program.value == pytest.approx(float(least.value[0]), rel=1e-6)


def test_the_certificate_is_feasible_and_gives_the_value(data):
    least = path_norm.least_path_norm(data.x, data.y)
    c = least.certificate
    torch.testing.assert_close((c * data.y).sum(-1), least.value)
    assert float(c.sum(-1).abs().max()) < 1e-12
    for x, weights in zip(data.x.numpy(), c.numpy(), strict=True):
        assert np.abs(weights @ path_norm.features(x)).max() <= 1 + 1e-12


def test_the_penalized_minimum_agrees_with_its_program(data):
    for strength in (1e-3, 3e-4):
        closed = path_norm.penalized(data.x, data.y, strength)
        assert bool(closed.exact.any())
        for k in closed.exact.nonzero()[:, 0].tolist():
            program = path_norm.path_norm_program(data.x[k], data.y[k], strength)
            assert program.cost == pytest.approx(float(closed.cost[k]), rel=1e-6)
            assert program.loss == pytest.approx(float(closed.loss[k]), rel=1e-5)


def test_a_penalty_that_turns_a_bend_is_not_exact(data):
    strong = path_norm.penalized(data.x, data.y, 1.0)
    assert not bool(strong.exact.any())
    program = path_norm.path_norm_program(data.x[0], data.y[0], 0.05)
    closed = path_norm.penalized(data.x[0], data.y[0], 0.05)
    assert abs(program.cost / float(closed.cost) - 1) > 1e-3


def test_the_range_in_the_middle_agrees_with_linear_programs(data):
    plain = [k for k in range(6) if path_norm_is_plain(data, k)][:3]
    for k in plain:
        x, y = data.x[k], data.y[k]
        found = path_norm.least_range(x, y)
        middle = ((y[1:] + y[:-1]) / 2).numpy()
        below, above = path_norm.middle_range(x, y).numpy()
        np.testing.assert_allclose(found.low - middle, below, atol=1e-6)
        np.testing.assert_allclose(found.high - middle, above, atol=1e-6)


def path_norm_is_plain(data, k):
    least = path_norm.least_path_norm(data.x[k], data.y[k])
    return float(least.tilt.abs()) < float(least.variation)


def test_a_convex_corner_can_be_cut_by_hand():
    """Slopes -1, 0, 1: the lines of the neighbors meet half a gap below the middle one."""
    below, above = path_norm.middle_range([0.0, 1.0, 2.0, 3.0], [1.0, 0.0, 0.0, 1.0])
    assert below.tolist() == [0.0, -0.5, 0.0]
    assert above.tolist() == [0.0, 0.0, 0.0]


def test_scalings(data):
    least = path_norm.least_path_norm(data.x, data.y)
    moved = path_norm.least_path_norm(4 * data.x + 1, 3 * data.y - 2)
    torch.testing.assert_close(moved.value, 0.75 * least.value)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([0.0, 1.0], [0.0, 1.0]),
        ([0.0, 0.0, 1.0], [0.0, 1.0, 2.0]),
        ([0.0, 1.0, 2.0], [0.0, float("nan"), 1.0]),
        ([0.0, 1.0, 2.0], [0.0, 1.0]),
    ],
)
def test_bad_points_are_refused(x, y):
    with pytest.raises(InvalidInput):
        path_norm.least_path_norm(x, y)


def test_programs_take_one_data_set_and_a_strength_above_zero(data):
    with pytest.raises(InvalidInput, match="one by one"):
        path_norm.path_norm_program(data.x, data.y)
    with pytest.raises(InvalidInput, match="strength"):
        path_norm.penalized(data.x, data.y, -1.0)
