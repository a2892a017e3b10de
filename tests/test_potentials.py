"""Potentials against their own derivatives, and in other units."""

from __future__ import annotations

import pytest
import torch

from ibcore.potentials import Entropy, Hypentropy, PNorm, hypentropy
from ibcore.validation import InvalidInput

POTENTIALS = [PNorm(1.5), PNorm(3.0), Hypentropy(0.1), Entropy()]
W = torch.tensor([0.3, 1.0, 2.5], dtype=torch.float64)


@pytest.mark.parametrize("psi", POTENTIALS)
def test_mirror_and_curvature_are_derivatives_and_there_is_a_way_back(psi):
    w = W.clone().requires_grad_()
    (slope,) = torch.autograd.grad(psi.value(w).sum(), w, create_graph=True)
    torch.testing.assert_close(psi.mirror(w), slope)
    (bend,) = torch.autograd.grad(slope.sum(), w)
    torch.testing.assert_close(psi.curvature(w), bend)
    torch.testing.assert_close(psi.unmirror(psi.mirror(w)), w)


@pytest.mark.parametrize("psi", POTENTIALS[:3])
def test_even_potentials_have_odd_mirrors(psi):
    assert torch.equal(psi.value(-W), psi.value(W))
    assert torch.equal(psi.mirror(-W), -psi.mirror(W))
    assert torch.equal(psi.unmirror(-W), -psi.unmirror(W))
    assert psi.mirror(torch.zeros(1)).tolist() == [0]


@pytest.mark.parametrize("psi", POTENTIALS)
def test_in_units_gradients_differ_by_the_number_said(psi):
    size = 8.0
    scaled, slope = psi.in_units(size)
    moved = psi.mirror(W) - psi.mirror(2 * W)
    there = scaled.mirror(W / size) - scaled.mirror(2 * W / size)
    torch.testing.assert_close(slope * there, moved)


def test_the_hypentropy_is_zero_at_zero_and_does_not_cancel():
    tiny = torch.tensor([0.0, 1e-9], dtype=torch.float64)
    torch.testing.assert_close(
        hypentropy(tiny, 2.0), tiny**2 / 4, rtol=1e-12, atol=1e-40
    )
    beta = torch.tensor([[0.1], [2.0]], dtype=torch.float64)
    plain = W * torch.asinh(W / beta) - (W**2 + beta**2).sqrt() + beta
    torch.testing.assert_close(hypentropy(W, beta), plain)


def test_what_is_no_potential_is_refused():
    for wrong in (1.0, -2.0, float("nan")):
        with pytest.raises(InvalidInput):
            PNorm(wrong)
    with pytest.raises(InvalidInput, match="beta"):
        Hypentropy(0.0)
