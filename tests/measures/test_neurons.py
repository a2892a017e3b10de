"""What neurons do on points, counted by hand and against least squares."""

import numpy as np
import pytest
import torch

from ibcore.measures.neurons import disagreement, linear_share, masses, oddness_defect
from tests.cases import normal


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


def test_disagreement_is_the_share_of_pairs_that_a_flip_would_mend():
    """Of each sign and point the smaller of both camps, over all pairs."""
    z, positive = normal(7, 5, seed=1), torch.tensor([True, False, True, True, False])
    pairs = 0
    for row in z:
        for sign in (True, False):
            on = sum(
                float(v) > 0 for v, s in zip(row, positive, strict=True) if s == sign
            )
            pairs += min(on, int((positive == sign).sum()) - on)
    assert float(disagreement(z, positive)) == pytest.approx(pairs / 35)
    assert float(disagreement(z.abs(), positive)) == 0
    torch.testing.assert_close(disagreement(z, ~positive), disagreement(z, positive))


def test_a_neuron_at_zero_is_off():
    z = torch.tensor([[0.0, -1.0, 1.0]])
    assert float(disagreement(z, torch.tensor([True, True, False]))) == 0


@pytest.mark.parametrize("shape", [(30,), (4, 30)])
def test_the_linear_share_is_that_of_least_squares(shape):
    x, f = normal(30, 3, seed=2), normal(*shape, seed=3)
    found = linear_share(x, f)
    for share, one in zip(found.reshape(-1), f.reshape(-1, 30), strict=True):
        rest = np.linalg.lstsq(x.numpy(), one.numpy(), rcond=None)[1]
        assert 1 - float(share) == pytest.approx(rest[0] / float(one @ one))


def test_even_functions_are_on_one_side_and_a_value_of_zero_is_below():
    f = torch.tensor([[1.0, -2.0, 0.0], [1.0, 2.0, 3.0]])
    assert oddness_defect(f, f).tolist() == [1, 1]
    assert oddness_defect(f, -f).tolist() == pytest.approx([1 / 3, 0])


def test_masses_do_not_change_with_the_scale_between_layers():
    a, w = normal(2, 5, seed=4), normal(2, 5, 3, seed=5)
    c = normal(2, 5, seed=6).exp()
    torch.testing.assert_close(masses(a * c, w / c[..., None]), masses(a, w))
    assert bool((masses(a, w) > 0).all())
