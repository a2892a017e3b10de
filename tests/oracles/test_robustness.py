import itertools
import math

import pytest
import torch

from ibcore.measures.kkt import clarke_kkt
from ibcore.measures.robustness import Neurons, certified_margins, norms_to_flip
from ibcore.oracles import robustness as oracle
from ibcore.problems.near_orthogonal import near_orthogonal, two_classes
from ibcore.validation import InvalidInput


def universal_norms(net, X, y, d):
    total = (y[..., None] * X).sum(1)
    e = (
        -y[..., None]
        * (total / torch.linalg.vector_norm(total, dim=-1, keepdim=True))[:, None]
    )
    return norms_to_flip(net, X, y, e) / math.sqrt(d / X.shape[1])


@pytest.mark.parametrize("block", [1, 2, 5, 10])
def test_block_networks_are_kkt_points_and_flip_as_derived(block):
    X, y = near_orthogonal([1], 20, 60, exactly=True)
    a, w = oracle.block_network(X, y, 60, block)
    assert a.shape == (1, 20 // block)
    found = clarke_kkt(a[0], w[0], X[0], y[0])
    assert (
        found.residual < 2e-4
    )  # kinks are solved for by a quadratic program with a tolerance
    assert found.complementarity < 1e-8
    net = Neurons(a, torch.zeros_like(a), w)
    torch.testing.assert_close(y * net.outputs(X), torch.ones_like(y))
    norms = universal_norms(net, X, y, 60)
    torch.testing.assert_close(norms, torch.full_like(y, oracle.block_norm(20, block)))


def test_the_ends_of_the_range_are_attained():
    bound = oracle.orthogonal_bound(two_classes(2, 20))
    torch.testing.assert_close(bound, torch.full_like(bound, oracle.block_norm(20, 1)))
    assert oracle.block_norm(20, 10) == 1


def test_unequal_classes_count_the_others():
    y = torch.tensor([[1.0, 1.0, 1.0, -1.0]]).double()
    assert oracle.others(y).tolist() == [[1, 1, 1, 3]]
    assert oracle.orthogonal_bound(y).tolist() == [[2, 2, 2, 1]]


def test_blocks_that_do_not_fit_are_refused():
    X, y = near_orthogonal([1], 20, 60, exactly=True)
    with pytest.raises(InvalidInput, match="block is 3"):
        oracle.block_network(X, y, 60, 3)
    with pytest.raises(InvalidInput, match="equally large"):
        oracle.block_network(X, torch.ones_like(y), 60, 5)


def test_the_near_bound_tends_to_the_orthogonal_one_and_ends_at_a_third():
    X, y = near_orthogonal([2], 10, 500, exactly=True)
    rho, bound = oracle.near_bound(X, y, 500, biases=False)
    assert float(rho) < 1e-12
    torch.testing.assert_close(bound, torch.full_like(bound, 2.0))
    with_biases = oracle.near_bound(X, y, 500)
    assert float(with_biases[0]) == pytest.approx(10 / 500)
    assert 2 < float(with_biases[1][0, 0]) < 2.3
    X, y = near_orthogonal([2], 10, 50)
    rho, bound = oracle.near_bound(X, y, 50)
    assert float(rho) > 1 / 3
    assert bool(bound.isinf().all())


def test_the_robust_network_has_margins_of_one_and_the_radius_it_states():
    X, y = near_orthogonal([3, 4], 12, 300)
    a, b, w, radius = oracle.robust_network(X, y, 300)
    net = Neurons(a, b, w)
    torch.testing.assert_close(y * net.outputs(X), torch.ones_like(y))
    assert bool((certified_margins(net, X, y, radius * (1 - 1e-9)) > 0).all())
    back = X * (1 - radius / math.sqrt(300))[:, None, None]
    torch.testing.assert_close(
        net.outputs(back), torch.zeros_like(y), rtol=0, atol=1e-9
    )
    assert bool((radius > 0.35 * math.sqrt(300)).all())


def test_the_largest_product_leaves_out_the_lengths():
    X = torch.tensor([[[2.0, 0.0], [1.0, -2.0], [0.0, 1.0]]]).double()
    assert oracle.largest_products(X).tolist() == [2.0]


def test_the_share_is_that_of_the_normal_component():
    norms = torch.tensor([[3.0, 6.0]]).double()
    expected = torch.special.ndtr(torch.tensor([-1.0, -2.0]).double()).mean()
    found = oracle.random_share(norms, 3 * math.sqrt(400), 400)
    torch.testing.assert_close(found, expected[None])


def test_the_near_bound_of_three_points_by_hand():
    """The largest product is 2 of d = 100, with labels 1, 1, -1: of the other label
    there are 1, 1 and 2. Biases add 1 to every product and to d.
    """
    X = torch.tensor([[[8.0, 0.0], [0.25, 8.0], [0.0, -0.125]]]).double()
    y = torch.tensor([[1.0, 1.0, -1.0]]).double()
    assert oracle.largest_products(X).tolist() == [2.0]
    for biases, rho, width in ((False, 0.06, 1.0), (True, 0.09, 1.01)):
        found, bound = oracle.near_bound(X, y, 100, biases=biases)
        assert float(found) == pytest.approx(rho)
        factor = math.sqrt(1 + rho) / (1 - rho)
        expected = [(3 * width + 2 * rho) * factor] * 2
        expected.append((1.5 * width + 2 * rho) * factor)
        assert bound[0].tolist() == pytest.approx(expected)


def test_the_near_bound_grows_up_to_a_third():
    X = torch.tensor([[[10.0, 0.0], [0.0, 10.0], [0.0, 0.0]]]).double()
    y = torch.tensor([[1.0, 1.0, -1.0]]).double()
    bounds = [oracle.near_bound(X, y, d)[1][0, 0] for d in (900, 90, 10, 9, 8)]
    assert all(one < two for one, two in itertools.pairwise(bounds[:3]))
    assert [math.isinf(b) for b in bounds] == [False, False, False, True, True]
