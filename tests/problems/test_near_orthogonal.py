import math

import pytest
import torch

from ibcore.problems.near_orthogonal import (
    coordinates,
    in_their_span,
    near_orthogonal,
    two_classes,
)
from ibcore.validation import InvalidInput


@pytest.mark.parametrize("exactly", [False, True])
def test_inputs_have_their_length_and_two_classes(exactly):
    X, y = near_orthogonal([1, 2], 6, 50, exactly=exactly)
    lengths = torch.linalg.vector_norm(X, dim=-1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, math.sqrt(50)))
    assert y.tolist() == [[1, -1] * 3] * 2
    products = X @ X.mT - 50 * torch.eye(6).double()
    assert (float(products.abs().max()) < 1e-9) == exactly
    torch.testing.assert_close(near_orthogonal([2], 6, 50, exactly=exactly)[0][0], X[1])


def test_coordinates_keep_all_products():
    X, _ = near_orthogonal([3], 6, 50)
    inner, basis = in_their_span(X)
    torch.testing.assert_close(inner @ inner.mT, X @ X.mT)
    torch.testing.assert_close(inner @ basis.mT, X)
    torch.testing.assert_close(basis.mT @ basis, torch.eye(6).double()[None])


def test_coordinates_that_are_drawn_have_the_products_of_uniform_inputs():
    """x_i.x_k / d has mean 0 and variance 1/d; its fourth moment is 3 / (d (d + 2))."""
    n, d = 4, 10
    rows = coordinates(range(4000), n, d)
    products = rows @ rows.mT / d
    torch.testing.assert_close(
        products.diagonal(dim1=1, dim2=2), torch.ones(4000, n).double()
    )
    for i, k in ((1, 0), (3, 0), (3, 2)):
        entry = products[:, i, k]
        assert abs(float(entry.mean())) < 5 / math.sqrt(4000 * d)
        assert float(entry.square().mean()) == pytest.approx(1 / d, rel=0.12)
        assert float(entry.pow(4).mean()) == pytest.approx(3 / (d * (d + 2)), rel=0.25)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(InvalidInput, match="even"):
        two_classes(2, 5)
    with pytest.raises(InvalidInput, match="at most d"):
        near_orthogonal([1], 6, 5, exactly=True)
    with pytest.raises(InvalidInput, match="at most d"):
        coordinates([1], 6, 5)
