import math

import pytest
import torch

from ibcore.oracles.constrained_descent import (
    ball_minimizer,
    barrier_minimizer,
    frank_wolfe_bound,
    ridge_minimizer,
)

GENERATOR = torch.Generator().manual_seed(8)
X = torch.randn(9, 4, generator=GENERATOR, dtype=torch.float64)
Y = torch.randn(9, 3, generator=GENERATOR, dtype=torch.float64)


def test_with_orthonormal_inputs_the_minimizer_on_a_ball_is_a_projection():
    """Of the least-squares solution: on the box entry by entry, on the spectral ball
    singular value by singular value.
    """
    Q, _ = torch.linalg.qr(X)
    plain = Y.T @ Q
    box = ball_minimizer(Q, Y, 0.3, "max")
    torch.testing.assert_close(box.W, plain.clamp(-0.3, 0.3), rtol=0, atol=1e-5)
    U, S, Vh = torch.linalg.svd(plain, full_matrices=False)
    ball = ball_minimizer(Q, Y, 0.5, "spectral")
    expected = U * S.clamp(max=0.5) @ Vh
    torch.testing.assert_close(ball.W, expected, rtol=0, atol=1e-5)
    assert float(S.max()) > 0.5


@pytest.mark.parametrize("norm", ["max", "spectral"])
def test_inside_of_a_large_ball_it_is_least_squares(norm):
    found = ball_minimizer(X, Y, 10.0, norm)
    torch.testing.assert_close(found.W, torch.linalg.lstsq(X, Y).solution.T)
    assert abs(found.gap) < 1e-8


def test_the_barrier_of_one_weight_is_a_quadratic_equation():
    """2 (2 - w) = epsilon w / (1 - w) with L = (w - 2)^2, epsilon 2 and decay 1."""
    one, target = torch.ones(1, 1).double(), torch.tensor([2.0]).double()
    found, error = barrier_minimizer(one, target, 1.0, 2.0)
    w = float(found[0])
    assert 2 * (2 - w) * (1 - w) == pytest.approx(2 * w)
    assert error < 1e-10
    assert w == pytest.approx(2 - math.sqrt(2))


def test_between_the_box_and_ridge():
    y = Y[:, 0]
    box = ball_minimizer(X, Y[:, :1], 0.2, "max").W[0]
    small, _ = barrier_minimizer(X, y, 5.0, 1e-5)
    torch.testing.assert_close(small, box, rtol=0, atol=1e-3)
    large, _ = barrier_minimizer(X, y, 5.0, 1e4)
    ridge = ridge_minimizer(X, y, 5.0 * 1e4)
    torch.testing.assert_close(large, ridge, rtol=1e-2, atol=0)


def test_ridge_has_no_slope():
    y = Y[:, 0]
    w = ridge_minimizer(X, y, 0.7).requires_grad_()
    ((X @ w - y).square().mean() + 0.35 * w.square().sum()).backward()
    assert float(w.grad.abs().max()) < 1e-12


def test_the_classical_rate_of_frank_and_wolfe():
    """With a = 2 / (k + 2) the excess is at most 4 C / (k + 2)."""
    shares = 2 / (torch.arange(50).double() + 2)
    found = frank_wolfe_bound(shares, torch.tensor(100.0), torch.tensor(3.0))
    assert 0.3 * 12 / 52 < float(found) <= 12 / 52
