import math

import pytest
import torch

from ibcore.models.table_network import TableNetwork, group_norm, table_margins
from ibcore.oracles import modular_addition as oracle
from ibcore.problems.latin_squares import addition
from ibcore.validation import InvalidInput


def least(neurons):
    """The least margin over the cubed norm of neurons (..., m, 3, p), (...)."""
    p = neurons.shape[-1]
    net = TableNetwork(p, neurons.shape[-3])
    margins = table_margins(net.outputs(neurons.flatten(-3)), addition(p))
    return margins / group_norm(neurons)[..., None] ** 3


@pytest.mark.parametrize("p", [3, 5, 7, 9, 13])
def test_the_construction_attains_the_largest_margin_at_every_pair(p):
    neurons = oracle.largest_network(p)
    assert neurons.shape == (4 * (p - 1), 3, p)
    margins = least(neurons[None])
    expected = torch.full_like(margins, oracle.largest_margin(p))
    torch.testing.assert_close(margins, expected, rtol=1e-12, atol=0)
    assert abs(float(group_norm(neurons)) - 1) < 1e-12


def test_no_random_network_and_no_neighbor_exceeds_it():
    generator = torch.Generator().manual_seed(1600103)
    best = oracle.largest_network(5)
    noise = torch.randn(400, 16, 3, 5, generator=generator, dtype=torch.float64)
    near = best + noise * torch.logspace(-4, 0, 400).double()[:, None, None, None]
    for neurons in (noise, near):
        assert bool((least(neurons).amin(-1) < oracle.largest_margin(5)).all())


def test_names_move_power_as_a_search_over_phases_says():
    generator = torch.Generator().manual_seed(1600104)
    p, phases = 7, torch.linspace(0, math.pi, 721, dtype=torch.float64)
    for _ in range(4):
        names = torch.randperm(p, generator=generator)
        places = 2 * math.pi / p * torch.arange(p, dtype=torch.float64)
        found = 0.0
        for k in (1, 2, 3):
            waves = torch.cos(k * places + phases[:, None])
            moved = torch.empty_like(waves)
            moved[:, names] = waves
            power = torch.fft.rfft(moved, dim=-1).abs().square()[:, 1:]
            found = max(found, float((power / power.sum(-1, keepdim=True)).amax()))
        assert oracle.share_under_names(names) == pytest.approx(found, abs=1e-4)


def test_affine_names_move_nothing():
    assert oracle.share_under_names((3 * torch.arange(7) + 1) % 7) == pytest.approx(1)


def test_even_numbers_are_refused():
    with pytest.raises(InvalidInput, match="odd"):
        oracle.largest_margin(6)
