"""Data with fewer examples than dimensions: what they fit, and what they leave open."""

import pytest
import torch

from ibcore.problems.interpolation import Interpolation, isotropic_interpolation
from ibcore.validation import InvalidInput


def test_null_directions_are_unit_vectors_that_the_data_do_not_see():
    generator = torch.Generator().manual_seed(2)
    data = isotropic_interpolation(4, 12, generator)
    v = data.null_directions(5000, generator)
    assert float((data.X @ v.T).abs().max()) < 1e-12
    torch.testing.assert_close(v.norm(dim=-1), torch.ones(5000).double())
    spread = v.T @ v / 5000 * 8
    kernel = torch.eye(12).double() - data.X.T @ torch.linalg.solve(
        data.X @ data.X.T, data.X
    )
    assert float((spread - kernel).abs().max()) < 0.1


def test_the_positive_problem_has_a_positive_interpolant_and_start():
    data = Interpolation.stack(
        [
            isotropic_interpolation(3, 7, torch.Generator().manual_seed(s))
            for s in (0, 1)
        ]
    )
    case = data.positive()
    torch.testing.assert_close(case.outputs(case.truth), case.y)
    assert float(torch.minimum(case.truth, case.start).min()) > 0
    torch.testing.assert_close(data.outputs(data.truth), data.y)


def test_data_that_leave_nothing_open_are_refused():
    with pytest.raises(InvalidInput, match="n < d"):
        isotropic_interpolation(5, 5, torch.Generator())


def test_truths_have_length_one_and_starts_a_half_in_the_mean_square():
    data = isotropic_interpolation(10, 40_000, torch.Generator().manual_seed(3))
    assert float(data.truth.norm()) == pytest.approx(1)
    assert float(data.start.square().sum()) == pytest.approx(1 / 4, rel=0.04)
    assert float(data.X.square().mean()) == pytest.approx(1, rel=0.02)
    assert abs(float(data.truth @ data.start)) < 0.02


def test_the_positive_problem_takes_absolute_values_and_a_start_off_zero():
    data = isotropic_interpolation(3, 7, torch.Generator().manual_seed(4))
    case = data.positive()
    assert torch.equal(case.X, data.X)
    torch.testing.assert_close(case.truth, data.truth.abs())
    torch.testing.assert_close(
        case.start - data.start.abs(), torch.full((7,), 0.1).double()
    )
    moved = case.to(torch.device("cpu"))
    assert torch.equal(moved.start, case.start)
