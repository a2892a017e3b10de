"""The separable dual against equations whose solution was planted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ibcore.oracles.separable_dual import Sinh, dual_root


@dataclass(frozen=True)
class Cube:
    """h(z) = z^3, whose second derivative over the first has no bound."""

    def value(self, z):
        return z**3

    def slope(self, z):
        return 3 * z**2

    def share(self, _z, _move):
        return None


@pytest.fixture
def planted():
    generator = np.random.default_rng(3)
    A, nu = generator.normal(size=(4, 11)), generator.normal(size=4)
    return A, 3 * nu, generator.uniform(0.5, 2, size=11), generator.normal(size=11)


@pytest.mark.parametrize("link", [Sinh(), Cube()])
def test_the_planted_dual_is_found(planted, link):
    A, nu, scale, offset = planted
    y = A @ (scale * link.value(offset + nu @ A))
    found = dual_root(A, y, link, np.zeros(4), scale=scale, offset=offset, patience=3)
    assert found.residual < 1e-14
    np.testing.assert_allclose(found.point, nu, rtol=1e-9)


def test_the_residual_is_relative_to_the_size(planted):
    A, nu, scale, _ = planted
    y = A @ (scale * np.sinh(nu @ A))
    found = dual_root(A, y, Sinh(), np.zeros(4), scale=scale, most=0)
    assert found.residual == pytest.approx(1)
    found = dual_root(A, y, Sinh(), np.zeros(4), scale=scale, most=0, size=1.0)
    assert found.residual == pytest.approx(np.linalg.norm(y))


def test_equations_that_contradict_end_without_a_warning():
    A = np.array([[1.0, 0.0], [1.0, 0.0]])
    found = dual_root(A, np.array([1.0, 2.0]), Sinh(), np.zeros(2))
    assert 0.1 < found.residual < 1


def test_a_start_beyond_doubles_is_given_back():
    found = dual_root(np.eye(2), np.ones(2), Sinh(), np.array([0.0, 1e4]))
    assert found.steps == 0
    assert found.point.tolist() == [0, 1e4]
