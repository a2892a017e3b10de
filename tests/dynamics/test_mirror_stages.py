"""Stages of mirror flow: Bregman proximal points."""

from __future__ import annotations

import math

import cvxpy as cp
import numpy as np
import pytest
import torch

from ibcore.dynamics.mirror_stages import (
    MirrorState,
    _exactness,
    dual_stage,
    largest,
    primal_stage,
)
from ibcore.losses import Exponential, Logistic
from ibcore.models import Linear
from ibcore.potentials import power_mirror, power_unmirror
from ibcore.problems.separable import planted_margin

ORDERS = [1.1, 1.3, 2, 3, 5, 10]


def rows(seed, n=6, d=4):
    return planted_margin(n, d, 0.2, torch.Generator().manual_seed(seed)).signed


def solved(signed, p, base, c=0.5, loss=None):
    """The stage from a uniform guess, one member."""
    order, weight = (torch.full((1, 1), float(v)).double() for v in (p, c))
    n = len(signed)
    uniform = torch.full((1, n), -math.log(n), dtype=torch.float64)
    guess = MirrorState(
        power_unmirror(base[None], order),
        base[None],
        uniform,
        torch.zeros(1, n).double(),
    )
    solve = dual_stage if p < 2 else primal_stage
    return solve(
        Linear(signed), loss or Exponential(), order, base[None], weight, guess
    )


@pytest.mark.parametrize("p", ORDERS)
def test_a_stage_is_the_bregman_proximal_point(p):
    signed = rows(2)
    base, c = 0.05 * signed.sum(0), 0.5
    order = torch.full((1, 1), float(p), dtype=torch.float64)
    stage = solved(signed, p, base, c)
    assert bool(stage.solved.all())
    w = cp.Variable(4)
    power = cp.sum(cp.power(cp.abs(w), p, approx=False)) / p
    problem = cp.Problem(
        cp.Minimize(power - base.numpy() @ w + c * cp.log_sum_exp(-signed.numpy() @ w))
    )
    problem.solve(solver=cp.CLARABEL)
    np.testing.assert_allclose(stage.theta[0], w.value, rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(
        power_mirror(stage.theta, order) - c * stage.field, base[None], atol=1e-5
    )


@pytest.mark.parametrize("loss", [Exponential(), Logistic()])
@pytest.mark.parametrize("p", ORDERS)
def test_a_stage_solves_its_equation(p, loss):
    """grad psi(theta) = base + c sum_i p_i z_i with the weights at theta itself; Newton
    ends where theta and p change by 1e-8.
    """
    signed = rows(3)
    base = 0.05 * signed.sum(0)
    stage = solved(signed, p, base, loss=loss)
    margins = stage.theta @ signed.T
    weights = torch.softmax(loss.log_slope(margins), -1)
    torch.testing.assert_close(stage.weights, weights, rtol=0, atol=1e-8)
    torch.testing.assert_close(
        power_mirror(stage.theta, p), base + 0.5 * weights @ signed, rtol=0, atol=2e-7
    )


@pytest.mark.parametrize("signs", [[-1.0, 1.0, -1.0, -1.0], [-1.0] * 4])
@pytest.mark.parametrize("p", ORDERS)
def test_a_stage_does_not_know_the_signs_of_the_coordinates(p, signs):
    signed = rows(4).abs()
    base = 0.05 * signed.sum(0)
    flips = torch.tensor(signs).double()
    found, mirrored = solved(signed, p, base), solved(signed * flips, p, base * flips)
    torch.testing.assert_close(mirrored.theta, found.theta * flips)
    torch.testing.assert_close(mirrored.weights, found.weights)


@pytest.mark.parametrize("p", [1.1, 2.0, 5.0])
def test_the_mirror_map_and_its_inverse(p):
    z = torch.tensor([[-2.0, -0.1, 0.0, 0.3, 4.0]]).double()
    torch.testing.assert_close(power_mirror(power_unmirror(z, p), p), z)
    assert power_mirror(torch.tensor([[-2.0]]).double(), 3.0).tolist() == [[-4.0]]
    assert largest(z).tolist() == [[4.0]]
    assert largest(-z[:, :2]).tolist() == [[2.0]]


def test_weights_are_known_to_1e_10_or_to_the_rounding_of_large_margins():
    """Margins 3 theta_1 - 4 theta_2 of size 1 and 1e9, each known to 8 epsilons."""
    theta = torch.tensor([[1.0, 0.5], [1e9, -1e9]]).double()
    rows = torch.tensor([[[3.0, -4.0], [0.1, 0.1]]]).double().expand(2, 2, 2)
    found = _exactness(rows, theta, torch.ones(2, 2).double())
    eps = torch.finfo(torch.float64).eps
    assert found[:, 0].tolist() == pytest.approx([1e-10, 8 * eps * 7e9])
