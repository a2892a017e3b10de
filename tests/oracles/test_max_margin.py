import math

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from ibcore.dynamics.log_time import flow
from ibcore.losses import Exponential
from ibcore.models import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput, NotSeparable

ONES = [1.0, 1.0]


def least_distance(signed):
    """argmin |w|^2 subject to signed @ w >= 1 by Lawson and Hanson's reduction to
    nonnegative least squares.
    """
    system = np.vstack([signed.T, np.ones(len(signed))])
    target = np.zeros(len(system))
    target[-1] = 1
    residual = system @ nnls(system, target, maxiter=1000)[0] - target
    return -residual[:-1] / residual[-1]


def test_two_points():
    solution = max_margin([[1.0, 2.0], [-2.0, 1.0]], [1, -1])
    signed = np.array([[1.0, 2.0], [2.0, -1.0]])
    np.testing.assert_allclose(
        solution.primal, np.linalg.solve(signed, ONES), atol=1e-12
    )
    assert solution.margin == pytest.approx(
        1 / math.hypot(*np.linalg.solve(signed, ONES))
    )
    assert solution.support.tolist() == [True, True]


def test_one_support_vector():
    solution = max_margin([[3.0, 4.0], [9.0, 12.5]], ONES)
    np.testing.assert_allclose(solution.primal, [3 / 25, 4 / 25], atol=1e-12)
    assert solution.support.tolist() == [True, False]
    assert solution.margin == pytest.approx(5)


def test_orthogonal_rows():
    norms = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64)
    rows = (
        norms[:, None]
        * torch.linalg.qr(
            torch.randn(
                5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64
            )
        ).Q[:3]
    )
    labels = torch.tensor([1.0, -1.0, 1.0])
    solution = max_margin(labels[:, None] * rows, labels)
    torch.testing.assert_close(
        solution.primal, (rows / norms.square()[:, None]).sum(0), rtol=1e-10, atol=1e-12
    )
    torch.testing.assert_close(solution.dual, 1 / norms.square(), rtol=1e-10, atol=0)


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_nonnegative_least_squares(seed):
    n, d = [(10, 3), (30, 5), (20, 15), (15, 40)][seed % 4]
    problem = planted_margin(n, d, 0.1, torch.Generator().manual_seed(seed))
    solution, signed = max_margin(problem.X, problem.y), problem.signed
    expected = torch.from_numpy(least_distance(signed.numpy()))
    assert float((solution.primal - expected).norm() / expected.norm()) < 1e-9
    margins = signed @ solution.primal
    assert solution.gap < 1e-10
    assert solution.violation < 1e-10
    assert float(solution.dual.min()) >= 0
    assert (
        float((solution.dual * (margins - 1)).abs().max() / solution.dual.max()) < 1e-9
    )
    torch.testing.assert_close(
        signed.T @ solution.dual, solution.primal, rtol=1e-10, atol=1e-12
    )
    assert solution.margin == pytest.approx(
        float((margins / solution.primal.norm()).min()), rel=1e-9
    )


def test_duplicated_rows_are_degenerate_and_solved():
    problem = planted_margin(10, 3, 0.2, torch.Generator().manual_seed(3))
    once = max_margin(problem.X, problem.y)
    twice = max_margin(torch.cat([problem.X] * 2), torch.cat([problem.y] * 2))
    torch.testing.assert_close(twice.primal, once.primal, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(
        twice.dual[:10] + twice.dual[10:], once.dual, rtol=1e-7, atol=1e-9
    )
    assert twice.gap < 1e-10


def test_scale_of_the_data_scales_the_solution():
    problem = planted_margin(10, 3, 0.2, torch.Generator().manual_seed(4))
    plain, large = (
        max_margin(problem.X, problem.y),
        max_margin(1e4 * problem.X, problem.y),
    )
    torch.testing.assert_close(large.primal * 1e4, plain.primal, rtol=1e-8, atol=0)


def measured_decay(rows, log_times):
    """Rate r of |w(t) - w(inf)| ~ t^-r in the remainder w - w_hat log t of gradient
    flow.
    """
    y = torch.ones(len(rows), dtype=torch.float64)
    w_hat = max_margin(rows, y).primal
    stops = torch.tensor([*log_times, 60.0], dtype=torch.float64)
    run = flow(
        Linear(rows),
        Exponential(),
        torch.zeros(1, rows.shape[1], dtype=torch.float64),
        log_time=stops,
        tolerance=1e-10,
    )
    remainder = run.theta[:, 0] - stops[:, None] * w_hat
    distances = (remainder[:2] - remainder[2]).norm(dim=-1)
    return -math.log(float(distances[1] / distances[0])) / (log_times[1] - log_times[0])


@pytest.mark.parametrize(
    ("rows", "log_times"),
    [
        ([[1.0, 0.4], [1.0, -0.8]], (6.0, 12.0)),
        ([[1.0, 0.0], [1.5, 0.3]], (8.0, 14.0)),
    ],
    ids=["relaxation on the support", "slack off the support"],
)
def test_rate_is_that_of_the_remainder_of_the_flow(rows, log_times):
    rows = torch.tensor(rows, dtype=torch.float64)
    rate = max_margin(rows, torch.ones(2)).rate
    assert 0.05 < rate < 0.9
    assert measured_decay(rows, log_times) == pytest.approx(rate, rel=0.05)


def test_inseparable_data_are_refused_with_a_remedy():
    with pytest.raises(
        NotSeparable, match=r"2 of 3 points.*column of ones.*nonseparable_limit"
    ):
        max_margin([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]], [1, -1, 1])


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[1.0], [2.0]], [0, 1], "2 \\* y - 1"),
        ([[1.0], [math.nan]], [1, -1], "NaN"),
        ([[1.0], [2.0]], [1], "one label a row"),
        ([1.0, 2.0], [1, -1], "2 dimension"),
        ([], [], "dimension"),
        (torch.zeros(0, 3), torch.zeros(0), "empty"),
        ([[0.0, 0.0]], [1], "every row of X is zero"),
        ([["a"]], [1], "no array of numbers"),
    ],
)
def test_bad_input_is_refused(X, y, message):
    with pytest.raises(InvalidInput, match=message):
        max_margin(X, y)


@pytest.mark.parametrize("unit", [1e-310, 1e-160, 1e160, 1e300])
def test_units_in_which_the_dual_cannot_be_written_are_refused(unit):
    rows = torch.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=torch.float64)
    with pytest.raises(InvalidInput, match="outside the range of double"):
        max_margin(unit * rows, torch.ones(2))
