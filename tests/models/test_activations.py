"""Activations: derivatives by autograd, homogeneity, largest slopes."""

from __future__ import annotations

import math

import pytest
import torch

from ibcore.models.activations import ACTIVATIONS, LeakyReLU, RightReLU
from ibcore.validation import InvalidInput

ALL = [*ACTIVATIONS.values(), LeakyReLU(0.3), RightReLU()]
POINTS = torch.linspace(-12, 12, 8001).double()[
    1::2
]  # 0 and +-sqrt 2 are not among them

every_activation = pytest.mark.parametrize("phi", ALL, ids=lambda phi: phi.name)


@every_activation
def test_derivatives_are_those_of_autograd(phi):
    z = POINTS.clone().requires_grad_()
    (slope,) = torch.autograd.grad(phi.value(z).sum(), z, create_graph=True)
    torch.testing.assert_close(phi.slope(POINTS), slope.detach())
    bent = torch.zeros_like(z)
    if slope.requires_grad:
        (bent,) = torch.autograd.grad(slope.sum(), z)
    torch.testing.assert_close(phi.curvature(POINTS), bent)


@every_activation
def test_the_slope_from_the_value_is_the_slope(phi):
    known = phi.slope_at(POINTS, phi.value(POINTS)).double()
    torch.testing.assert_close(known, phi.slope(POINTS), rtol=1e-9, atol=1e-12)


@every_activation
def test_lipschitz_is_the_largest_slope(phi):
    largest = float(phi.slope(POINTS).abs().max())
    assert largest <= phi.lipschitz + 1e-12
    assert largest > 0.999 * phi.lipschitz or phi.lipschitz == math.inf


@every_activation
def test_a_degree_is_homogeneity(phi):
    scaled = phi.value(3 * POINTS)
    if phi.degree is None:
        assert not torch.allclose(scaled, 3 * phi.value(POINTS))
    else:
        torch.testing.assert_close(scaled, 3**phi.degree * phi.value(POINTS))


def test_slopes_at_the_kink():
    zero = torch.zeros(1).double()
    assert [float(phi.slope(zero)) for phi in (LeakyReLU(0.3), RightReLU())] == [0.3, 1]


def test_equal_activations_are_equal():
    assert LeakyReLU(0.3) == LeakyReLU(0.3) != LeakyReLU(0.2)


@pytest.mark.parametrize("leak", [-0.1, 1.5, math.nan])
def test_a_leak_outside_the_unit_interval_is_refused(leak):
    with pytest.raises(InvalidInput, match="leak"):
        LeakyReLU(leak)
