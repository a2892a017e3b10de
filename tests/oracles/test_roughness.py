import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ibcore.oracles.roughness import (
    certificate_bound,
    least_roughness,
    least_roughness_program,
)
from ibcore.problems.curves import scattered_points, sine_points
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


@pytest.fixture(params=[scattered_points, sine_points])
def data(request):
    return request.param(6, 8, torch.Generator().manual_seed(11))


def test_a_corner_by_hand():
    least = least_roughness([0.0, 1.0, 3.0], [0.0, 2.0, 0.0])
    assert float(least.value) == 3.0
    assert least.slopes.tolist() == [2.0, -1.0]


def test_points_on_a_line_need_no_bend():
    assert (
        float(least_roughness([-1.0, 0.5, 2.0, 3.0], [0.0, 1.5, 3.0, 4.0]).value) == 0.0
    )


def test_closed_form_is_the_optimum_of_the_linear_program(data):
    least = least_roughness(data.x, data.y)
    for value, x, y in zip(least.value, data.x, data.y, strict=True):
        program = least_roughness_program(x, y)
        assert program.residual < 1e-7
        assert program.gap < 1e-7
        assert abs(program.value - float(value)) < 1e-6 * float(value)


def test_certificate_proves_the_value(data):
    least = least_roughness(data.x, data.y)
    c = least.certificate
    torch.testing.assert_close((c * data.y).sum(-1), least.value)
    assert float(certificate_bound(c, data.x).max()) <= 1 + 1e-9
    torch.testing.assert_close(
        c.sum(-1), torch.zeros(6, dtype=torch.float64), atol=1e-9, rtol=0
    )
    torch.testing.assert_close(
        (c * data.x).sum(-1), torch.zeros(6, dtype=torch.float64), atol=1e-9, rtol=0
    )


def test_certificate_bounds_the_roughness_of_other_functions(data):
    c = least_roughness(data.x, data.y).certificate
    grid = torch.linspace(-1, 1, 20_001, dtype=torch.float64)
    variation = torch.cos(9 * grid).diff().div(grid.diff()).diff().abs().sum()
    assert bool(((c * torch.cos(9 * data.x)).sum(-1) <= variation).all())


def test_a_false_certificate_is_noticed(data):
    c = 1.1 * least_roughness(data.x, data.y).certificate
    assert float(certificate_bound(c, data.x).min()) > 1.05


def test_allowing_more_bends_does_not_help():
    x, y = torch.tensor([0.0, 1.0, 2.0, 4.0]), torch.tensor([0.0, 1.0, 0.0, 0.5])
    values = [least_roughness_program(x, y, between=k).value for k in (0, 3, 20)]
    assert np.ptp(values) < 1e-6


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([0.0, 1.0], [0.0, 1.0], "at least 3"),
        ([0.0, 1.0, 1.0], [0.0, 1.0, 2.0], "increase"),
        ([2.0, 1.0, 0.0], [0.0, 1.0, 2.0], "increase"),
        ([0.0, 1.0, 2.0], [0.0, 1.0], "same shape"),
        ([0.0, float("nan"), 2.0], [0.0, 1.0, 2.0], "NaN"),
    ],
)
def test_bad_points_are_refused(x, y, message):
    with pytest.raises(InvalidInput, match=message):
        least_roughness(x, y)


def test_the_program_takes_one_data_set(data):
    with pytest.raises(InvalidInput, match="one by one"):
        least_roughness_program(data.x, data.y)


@few
@given(a=FACTORS, b=FACTORS, shift=st.floats(-10, 10), line=st.floats(-10, 10))
def test_units_shifts_and_lines_do_not_matter(a, b, shift, line):
    x, y = np.array([0.0, 1.0, 2.0, 4.0]), np.array([0.0, 1.0, 0.0, 0.5])
    moved, bent = a * (x + shift), b * (y + line * x + shift)
    base = float(least_roughness(x, y).value)
    least = least_roughness(moved, bent)
    assert float(least.value) * a / b == pytest.approx(base, rel=1e-11)
    assert float(certificate_bound(least.certificate, moved)) <= 1 + 1e-9
    program = least_roughness_program(moved, bent)
    assert program.value * a / b == pytest.approx(base, rel=1e-6)
    assert max(program.gap, program.residual) < 1e-6
    assert moved[0] < program.positions[0] < program.positions[-1] < moved[-1]


def test_points_on_a_line_need_no_bend_in_the_program():
    for unit in (1e-12, 1.0, 1e12):
        flat = least_roughness_program([0.0, 1.0, 2.0], [unit, 2 * unit, 3 * unit])
        assert flat.value == flat.gap == flat.residual == 0
        assert not flat.jumps.any()


def test_a_negative_number_of_bends_is_refused():
    with pytest.raises(InvalidInput, match="between is -1"):
        least_roughness_program([0.0, 1.0, 2.0], [0.0, 1.0, 0.0], between=-1)


@pytest.mark.parametrize("between", [0, 1, 3])
def test_bends_divide_every_gap_into_equal_parts(between):
    x, y = torch.tensor([-1.0, 0.0, 0.5, 4.0]).double(), torch.tensor([0.0, 1, 0, 3])
    places = least_roughness_program(x, y.double(), between=between).positions
    parts = np.diff(np.concatenate([[-1.0], places, [4.0]]))
    expected = np.repeat([1.0, 0.5, 3.5], between + 1) / (between + 1)
    np.testing.assert_allclose(parts, expected, atol=1e-12)
