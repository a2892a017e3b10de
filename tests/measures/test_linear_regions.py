import pytest
import torch

from ibcore.measures.linear_regions import merged_kinks, neuron_kinks, region_counts
from ibcore.validation import InvalidInput


def test_kinks_are_those_of_the_second_difference():
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(6, generator=generator, dtype=torch.float64)
    w = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    w[5, 0] = 0
    positions, jumps = neuron_kinks(a, w)
    grid = torch.linspace(-3, 3, 6001, dtype=torch.float64)
    f = (grid[:, None] * w[:, 0] + w[:, 1]).relu() @ a
    bends = f.diff().diff() / 1e-3
    inside = (positions > -3) & (positions < 3)
    for position, jump in zip(positions[inside], jumps[inside], strict=True):
        near = (grid[1:-1] - position).abs() < 2.5e-3
        assert float(bends[near].sum()) == pytest.approx(float(jump), abs=1e-9)
    assert positions[5] == torch.inf
    assert jumps[5] == 0


def test_kinks_that_cancel_leave_no_region():
    positions = torch.tensor([0.0, 0.001, 0.5, 2.0]).double()
    kinks = merged_kinks(
        positions, torch.tensor([1.0, -1.0, 2.0, 1.0]).double(), -1, 1, 0.01
    )
    assert kinks.regions(1e-3) == 2
    assert (
        merged_kinks(positions, torch.ones(4).double(), -1, 1, 1e-4).regions(1e-3) == 4
    )


def test_dense_kinks_do_not_chain_into_one_group():
    positions = torch.linspace(0.005, 0.995, 100, dtype=torch.float64)
    kinks = merged_kinks(
        positions, torch.linspace(1, 1.1, 100, dtype=torch.float64), 0, 1, 0.095
    )
    assert len(kinks.positions) == 10
    assert float(kinks.spread.max()) <= 0.095
    assert region_counts(kinks).tolist() == [11, 11, 11]
    both = merged_kinks(
        positions, torch.ones(100).double() - 0.5 * (positions - 0.5).abs(), 0, 1, 0.095
    )
    assert float(both.spread.max()) <= 0.19
    assert bool((both.positions.diff() > 0).all())


def test_a_small_kink_does_not_split_a_pair():
    positions = torch.tensor([-0.4, 0.0, 0.2]).double()
    kinks = merged_kinks(positions, torch.tensor([1e-6, 1.0, 0.5]).double(), -1, 1, 0.3)
    assert kinks.regions(1e-3) == 2
    assert float(kinks.jumps.max()) == 1.5


def test_no_kink_is_one_region():
    assert (
        merged_kinks(torch.tensor([5.0]), torch.tensor([1.0]), -1, 1, 0.1).regions(0.1)
        == 1
    )
    with pytest.raises(InvalidInput, match="radius"):
        merged_kinks(torch.tensor([0.0]), torch.tensor([1.0]), -1, 1, 0)


def test_close_kinks_become_one_at_their_center_of_mass():
    positions = torch.tensor([0.0, 0.25, 2.0]).double()
    kinks = merged_kinks(positions, torch.tensor([-1.0, 3.0, 5.0]).double(), -1, 3, 0.5)
    assert kinks.positions.tolist() == [0.1875, 2.0]
    assert kinks.jumps.tolist() == [2.0, 5.0]
    assert kinks.spread.tolist() == [0.25, 0.0]
