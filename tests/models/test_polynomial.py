import numpy as np
import pytest
import torch
from numpy.polynomial import legendre

from ibcore.models.polynomial import legendre_features, mean_squares
from ibcore.validation import InvalidInput


@pytest.mark.parametrize("degree", [0, 1, 2, 30])
def test_recurrence_agrees_with_numpy(degree):
    x = torch.linspace(-1, 1, 50, dtype=torch.float64)
    np.testing.assert_allclose(
        legendre_features(x, degree), legendre.legvander(x.numpy(), degree), atol=1e-12
    )


def test_mean_squares_agree_with_quadrature():
    nodes, weights = (torch.from_numpy(a) for a in legendre.leggauss(20))
    features = legendre_features(nodes, 9)
    torch.testing.assert_close((weights / 2) @ features.square(), mean_squares(9))


def test_negative_degree_is_refused():
    with pytest.raises(InvalidInput, match="degree"):
        legendre_features(torch.zeros(3), -1)
