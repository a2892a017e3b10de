import math

import pytest
import torch

from ibcore.measures.layers import (
    imbalance_size,
    imbalances,
    misalignments,
    neuron_imbalances,
    second_value_bounds,
    singular_pairs,
)


def layers(batch=3, sizes=(4, 5, 3, 1)):
    generator = torch.Generator().manual_seed(1)
    shapes = zip(sizes[1:], sizes[:-1], strict=True)
    return [
        torch.randn(batch, rows, columns, generator=generator, dtype=torch.float64)
        for rows, columns in shapes
    ]


def test_imbalances_by_hand():
    first, second = torch.tensor([[1.0, 2.0]]).double(), torch.tensor([[3.0]]).double()
    (gap,) = imbalances([first, second])
    assert float(gap) == 9 - 5
    assert float(imbalance_size([first, second])) == 4


def test_second_values_are_within_their_bounds_which_some_networks_attain():
    network = layers()
    _, second = singular_pairs(network)
    assert bool((second[:, :-1] <= second_value_bounds(network) + 1e-12).all())
    attained = [
        torch.diag(torch.tensor([5.0, 2.0])).double(),
        torch.tensor([[5.0, 0.0]]).double(),
    ]
    assert float(second_value_bounds(attained)) == pytest.approx(2)
    assert float(singular_pairs(attained)[1][0]) == pytest.approx(2)


@pytest.mark.parametrize("last", [3.0, 5.0])
def test_a_balanced_layer_or_a_larger_one_above_leaves_one_direction(last):
    first = torch.diag(torch.tensor([3.0, 0.0])).double()
    second = torch.tensor([[last, 0.0]]).double()
    assert float(second_value_bounds([first, second])) == 0


def test_singular_pairs_agree_with_the_eigenvalues_of_the_gram_matrix():
    network = layers()
    first, second = singular_pairs(network)
    for j, layer in enumerate(network[:-1]):
        eigenvalues = torch.linalg.eigvalsh(layer @ layer.mT)
        torch.testing.assert_close(first[:, j], eigenvalues[:, -1].sqrt())
        torch.testing.assert_close(second[:, j], eigenvalues[:, -2].sqrt())
    assert bool((second[:, -1] == 0).all())


def test_misalignment_of_rotated_axes_is_the_sine_of_the_angle():
    for angle in (0.0, 1e-9, 0.3, math.pi / 2, math.pi):
        into = torch.tensor([[math.cos(angle), math.sin(angle)]]).double()
        below = torch.tensor([[3.0, 0.0], [0.0, 1.0]]).double()
        assert float(misalignments([below, 2 * into])) == pytest.approx(
            abs(math.sin(angle)), abs=1e-15, rel=1e-7
        )


def test_a_member_without_numbers_leaves_the_others_theirs():
    some = layers()
    expected = (*singular_pairs(some), misalignments(some))
    some[1][2, 0, 0] = math.nan
    found = (*singular_pairs(some), misalignments(some))
    for whole, part in zip(expected, found, strict=True):
        lost = part.isnan().any(-1)
        assert lost.tolist() == [False, False, True]
        assert bool(part[2].isnan().all())
        assert torch.equal(part[~lost], whole[~lost])


def test_imbalances_of_neurons_by_hand():
    first = torch.tensor([[1.0, 2.0], [0.0, 3.0]])
    second = torch.tensor([[2.0, 1.0], [1.0, 1.0]])
    shift = torch.tensor([1.0, 2.0])
    gaps = neuron_imbalances([first, second])
    assert gaps.tolist() == [5 - 5, 2 - 9]
    assert gaps.tolist() == imbalances([first, second])[0].diagonal().tolist()
    assert neuron_imbalances([first, second], [shift, None]).tolist() == [-1, -11]
    assert neuron_imbalances([first, second], degree=2.0).tolist() == [5, -5]
