import math

import torch

from ibcore.measures.brackets import brackets
from ibcore.models.base import Model
from ibcore.models.deep_linear import DeepLinear
from ibcore.models.diagonal import Diagonal
from ibcore.models.matrix_factorization import SymmetricFactorization
from ibcore.models.observations import Sensing


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_quadratic_forms_have_the_bracket_of_their_matrices():
    forms = normal(3, 5, 5)
    forms = (forms + forms.mT) / 2
    theta = normal(5, seed=1)
    found = brackets(SymmetricFactorization(Sensing(forms), 1), theta)
    for i, j in ((0, 1), (2, 0)):
        expected = 4 * (forms[j] @ forms[i] - forms[i] @ forms[j]) @ theta
        torch.testing.assert_close(found.vectors[i, j], expected)
        torch.testing.assert_close(
            found.seen[i, j], 2 * torch.einsum("kpq,q,p->k", forms, theta, expected)
        )


def test_automatic_differentiation_sees_the_same_brackets():
    class Plain(Model):
        def outputs(self, theta):
            return network.outputs(theta)

    network = DeepLinear(torch.eye(3, dtype=torch.float64), (2,))
    theta = normal(8, seed=2)
    closed, automatic = brackets(network, theta), brackets(Plain(), theta)
    torch.testing.assert_close(closed.vectors, automatic.vectors)
    assert closed.size > 0.1


def test_a_neuron_turns_its_inputs():
    theta = normal(4, seed=3)
    found = brackets(DeepLinear(torch.eye(3, dtype=torch.float64), (1,)), theta)
    v, a = theta[:3], theta[3]
    expected = torch.stack([-a * v[1], a * v[0], 0 * a])
    torch.testing.assert_close(found.seen[0, 1], expected)


def test_coordinates_that_share_nothing_commute_and_a_linear_map_has_no_measure():
    eye = torch.eye(3, dtype=torch.float64)
    assert brackets(Diagonal(eye, 3), normal(6, seed=4)).size == 0
    assert math.isnan(brackets(Diagonal(eye, 1), normal(6, seed=5)).size)
