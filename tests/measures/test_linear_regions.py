import pytest
import torch

from ibcore.measures.linear_regions import merged_kinks, neuron_kinks, region_counts
from ibcore.measures.neurons import disagreement, linear_share, masses, oddness_defect
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


def test_disagreement_counts_the_minority():
    z = torch.tensor([[1.0, 1.0, -1.0, 1.0], [1.0, 1.0, 1.0, -1.0]])
    positive = torch.tensor([True, True, True, False])
    assert float(disagreement(z, positive)) == pytest.approx(1 / 8)
    assert float(disagreement(z[1:], positive)) == 0


def test_linear_functions_have_full_share_and_are_odd():
    x = torch.randn(
        200, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    w = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    assert float(linear_share(x, x @ w)) == pytest.approx(1, abs=1e-14)
    assert float(oddness_defect(x @ w, -x @ w)) == 0
    both = linear_share(
        torch.cat([x, -x]), torch.cat([x, -x]) @ w + torch.cat([x, -x]).norm(dim=1)
    )
    energy = (x @ w).square().mean() / (
        (x @ w).square().mean() + x.square().sum(1).mean()
    )
    assert float(both) == pytest.approx(float(energy))
    torch.testing.assert_close(
        masses(torch.tensor([2.0, -1.0]), torch.tensor([[3.0, 4.0], [0.0, 1.0]])),
        torch.tensor([10.0, 1.0]),
    )


def test_disagreement_of_a_batch_is_that_of_its_members():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(4, 5, 6, generator=generator).double()
    positive = torch.arange(6) < 3
    each = torch.stack([disagreement(member, positive) for member in z])
    assert torch.equal(disagreement(z, positive), each)
