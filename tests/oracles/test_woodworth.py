import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.optimize import LinearConstraint, minimize

from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.oracles.woodworth import (
    guaranteed_l1_ratio,
    stationarity_residual,
    woodworth,
    woodworth_max_margin,
)
from ibcore.problems.sparse_margin import planted_l1
from ibcore.validation import InvalidInput, NotSeparable


@pytest.fixture(scope="module")
def data():
    return planted_l1(6, 3, (0.3, 0.6, 1.0, 1.0), 0.3, torch.Generator().manual_seed(0))


def test_one_coordinate_in_closed_form():
    solution = woodworth_max_margin([[2.0]], [1.0], 6.0)
    assert float(solution.primal) == pytest.approx(3)
    assert float(solution.dual) == pytest.approx(math.asinh(1.5) / 2)


def test_the_function_by_quadrature_and_at_both_ends():
    beta = torch.tensor([[3.0, -1.0]]).double()
    grid = torch.linspace(0, 1, 20001).double()
    integral = sum(
        torch.trapezoid(torch.asinh(b * grid / (2 * 0.25)) * b, grid) for b in beta[0]
    )
    assert float(woodworth(beta, 0.5)) == pytest.approx(float(integral), rel=1e-7)
    assert float(woodworth(beta, 1e3)) == pytest.approx(10 / (4 * 1e6), rel=1e-6)
    assert float(woodworth(beta, 1e-20)) / (4 * math.log(1e40)) == pytest.approx(
        1, abs=0.02
    )


@pytest.mark.parametrize("ratio", [1e-3, 1.0, 300.0])
def test_certificate_and_a_general_solver(data, ratio):
    solution = woodworth_max_margin(data.X, data.y, ratio)
    assert solution.gap < 1e-10
    assert solution.violation < 1e-10
    rows = data.signed.numpy()
    torch.testing.assert_close(
        solution.primal, 2 * torch.sinh(solution.dual @ data.signed)
    )
    start = norm_max_margin(data.X, data.y, 2).primal.numpy() * ratio
    other = minimize(
        lambda b: float(woodworth(torch.from_numpy(b), 1.0)) / ratio,
        start,
        method="SLSQP",
        jac=lambda b: np.arcsinh(b / 2) / ratio,
        constraints=LinearConstraint(rows, lb=ratio),
        options={"maxiter": 500, "ftol": 1e-13},
    )
    assert float(woodworth(solution.primal, 1.0)) / ratio == pytest.approx(
        other.fun, rel=1e-5
    )


def test_small_ratios_give_the_l2_direction_and_large_ones_the_l1_value(data):
    small, large = (
        woodworth_max_margin(data.X, data.y, ratio).primal for ratio in (1e-4, 1e8)
    )
    l2 = norm_max_margin(data.X, data.y, 2).primal
    torch.testing.assert_close(small / small.norm(), l2 / l2.norm(), rtol=0, atol=1e-5)
    assert float(large.abs().sum()) / 1e8 == pytest.approx(
        float(data.primal.abs().sum()), rel=1e-2
    )


def test_stationarity_residual_sees_the_cone_of_the_data(data):
    weights = torch.rand(3, 6, generator=torch.Generator().manual_seed(1)).double()
    beta = 2 * 0.7**2 * torch.sinh(weights @ data.signed)
    residual, dual = stationarity_residual(
        data.signed, torch.cat([beta, -beta[:1]]), 0.7
    )
    assert float(residual[:3].max()) < 1e-12
    torch.testing.assert_close(dual[:3], weights)
    assert float(residual[3]) > 0.5


def test_bad_input_is_refused():
    with pytest.raises(InvalidInput, match="ratio"):
        woodworth_max_margin([[1.0]], [1.0], 0.0)
    with pytest.raises(NotSeparable):
        woodworth_max_margin([[1.0], [-1.0]], [1.0, 1.0], 1.0)


def test_a_predictor_without_numbers_has_no_residual(data):
    beta = torch.ones(2, data.X.shape[1], dtype=torch.float64)
    beta[0, 0] = math.nan
    residuals, duals = stationarity_residual(data.signed, beta, 1.0)
    assert residuals.isnan().tolist() == [True, False]
    assert duals.isnan().any(-1).tolist() == [True, False]


LATE_SECOND = np.array([[0.8, 0.1], [0.5, 0.9]])


def dual_path(signed, alpha, levels):
    """lambda (K, n) of the flow from u = v = alpha where the soft margin -log sum_i
    exp(-m_i) reaches `levels`.

    In the time sum(lambda) the flow is d lambda = softmax(-m), m = 2 alpha^2 A sinh(A^T
    lambda), for any alpha.
    """

    def state(dual):
        pull, shift = signed.T @ dual, 2 * math.log(alpha)
        up, down = np.exp(pull + shift), np.exp(-pull + shift)
        return signed @ (up - down), up + down

    def weights(dual):
        margins, _ = state(dual)
        raised = np.exp(margins.min() - margins)
        return raised / raised.sum(), margins.min() - math.log(raised.sum())

    def jacobian(_, dual):
        p, _ = weights(dual)
        inner = (signed * state(dual)[1]) @ signed.T
        return -(np.diag(p) - np.outer(p, p)) @ inner

    stops = [lambda _, dual, level=level: weights(dual)[1] - level for level in levels]
    stops[-1].terminal = True
    run = solve_ivp(
        lambda _, dual: weights(dual)[0],
        (0, 1e5),
        np.zeros(len(signed)),
        method="Radau",
        jac=jacobian,
        events=stops,
        rtol=1e-8,
        atol=1e-10,
    )
    duals = np.stack([found[0] for found in run.y_events])
    margins, sizes = zip(*(state(dual) for dual in duals), strict=True)
    return duals, np.stack(margins), np.stack(sizes)


def l1_shares(signed, alpha, levels):
    """Shares of the largest l1 margin at `levels` and what is proved of them from the
    first on, (K,) each.
    """
    _, margins, sizes = dual_path(signed, alpha, levels)
    betas = np.linalg.lstsq(signed, margins.T, rcond=None)[0].T
    best = norm_max_margin(signed, np.ones(len(signed)), 1).margin
    radii = torch.from_numpy(sizes.sum(1))
    proved = guaranteed_l1_ratio(
        radii[0],
        radii,
        torch.tensor(float(levels[0])),
        torch.tensor(alpha).double(),
        len(signed),
    )
    return margins.min(1) / np.abs(betas).sum(1) / best, proved.numpy()


@pytest.mark.parametrize("alpha", [1e-30, 1e-10, 1e-3, 0.1, 1.0, 10.0])
def test_the_proved_share_of_the_l1_margin_is_never_missed(alpha):
    levels = [max(1.0, alpha**2), 1e4, 1e6, 1e8]
    reached, proved = l1_shares(LATE_SECOND, alpha, levels)
    assert bool((reached[1:] >= proved[1:]).all())
    assert bool((np.diff(proved[1:]) > 0).all())
    if alpha >= 0.1:
        assert proved[-1] > 0.5
        assert reached[-1] > 0.999


def test_the_l1_limit_is_late_where_alpha_falls_fast():
    """The direction stays e_1 until log(1/L) is of order alpha^(-15/26), however large
    log(1/L) / alpha^2 is.
    """
    edge = 0.5 / (67 / 110)
    reached, proved = l1_shares(LATE_SECOND, 1e-30, [1.0, 1e4, 1e8])
    assert reached[1:] == pytest.approx(edge, abs=1e-6)
    assert bool((proved[1:] < edge).all())
    for alpha in (1e-6, 1e-8, 1e-10):
        onset = alpha ** (-15 / 26)
        before, after = l1_shares(LATE_SECOND, alpha, [1.0, onset / 10, onset * 10])[0][
            1:
        ]
        assert before == pytest.approx(edge, abs=0.05)
        assert after > 0.97


def test_the_l2_limit_at_small_accuracy_and_the_inequality_of_its_proof(data):
    signed = data.signed.numpy()
    margin = norm_max_margin(data.X, data.y, 2).margin
    missed = []
    for alpha in (10.0, 100.0, 1000.0):
        duals, margins, _ = dual_path(signed, alpha, [alpha])
        start = math.log(len(signed))
        assert alpha + start >= 2 * alpha**2 * margin**2 * duals.sum()
        beta = 2 * alpha**2 * np.sinh(duals[0] @ signed)
        missed.append(1 - margins.min() / np.linalg.norm(beta) / margin)
    assert missed[0] > 3 * missed[1] > 9 * missed[2]
    assert missed[2] < 0.01
