import numpy as np
import pytest
import torch

from ibcore.oracles.bregman_projection import program
from ibcore.oracles.commuting import of_layers, of_powers, of_squares
from ibcore.oracles.matrix_entropy import entropy_minimum
from ibcore.oracles.q_alpha import q_alpha_minimizer
from ibcore.potentials import Entropy, Hypentropy
from ibcore.validation import InvalidInput

POTENTIALS = {
    "2": of_powers(0.3, 2),
    "3": of_powers(0.5, 3),
    "4": of_powers(0.6, 4),
    "layers": of_layers(0.5, 0.1),
    "squares": of_squares(0.4),
}


def data(seed, positive):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(3, 6, generator=generator, dtype=torch.float64)
    w = torch.randn(6, generator=generator, dtype=torch.float64)
    return X, X @ (w.abs() if positive else w)


def points(name):
    w = torch.linspace(-2, 2, 9, dtype=torch.float64)
    return w.exp() if name == "squares" else w


@pytest.mark.parametrize("name", POTENTIALS)
def test_slope_and_mirror_map_belong_together(name):
    potential, w = POTENTIALS[name], points(name)
    xi = potential.dual(w)
    torch.testing.assert_close(potential.primal(xi), w, rtol=1e-9, atol=1e-10)
    step = 1e-5
    ahead, behind = (potential.value((w + s)[:, None]) for s in (step, -step))
    torch.testing.assert_close((ahead - behind) / (2 * step), xi, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", POTENTIALS)
def test_the_potential_is_zero_at_the_start_and_positive_elsewhere(name):
    potential = POTENTIALS[name]
    start = potential.primal(torch.zeros(3, dtype=torch.float64))
    assert float(potential.value(start).abs()) < 1e-14
    assert float(potential.value(start + 0.1)) > 0


@pytest.mark.parametrize("name", POTENTIALS)
def test_the_minimizer_fits_and_is_stationary(name):
    X, y = data(1, name == "squares")
    best = POTENTIALS[name].minimizer(X, y)
    assert best.error < 1e-11
    torch.testing.assert_close(X @ best.w, y)
    xi = POTENTIALS[name].dual(best.w)
    torch.testing.assert_close(xi @ torch.linalg.pinv(X) @ X, xi)


@pytest.mark.parametrize("seed", range(3))
def test_programs_as_they_are_stated(seed):
    X, y = data(seed, positive=False)
    zero = torch.zeros(6, dtype=torch.float64)
    for potential, scale in ((of_powers(0.3, 2), 0.18), (of_layers(0.5, 0.1), 0.26)):
        solved = program(X, y, zero, Hypentropy(scale))[0]
        np.testing.assert_allclose(potential.minimizer(X, y).w, solved, atol=1e-4)
    X, y = data(seed, positive=True)
    solved = program(X, y, zero + 0.16, Entropy())[0]
    np.testing.assert_allclose(of_squares(0.4).minimizer(X, y).w, solved, atol=1e-4)


def test_powers_and_squares_agree_with_the_solvers_of_their_pages():
    X, y = data(4, positive=False)
    for depth, alpha in ((2, 0.3), (3, 0.5)):
        other = q_alpha_minimizer(X, y, alpha, depth).primal
        torch.testing.assert_close(of_powers(alpha, depth).minimizer(X, y).w, other)
    X, y = data(5, positive=True)
    matrix = entropy_minimum(torch.diag_embed(X), y, [0.4]).matrix[0]
    torch.testing.assert_close(
        of_squares(0.4).minimizer(X, y).w, matrix.diagonal(), rtol=1e-8, atol=1e-10
    )


def test_where_no_positive_vector_fits():
    X = torch.ones(1, 3, dtype=torch.float64)
    with pytest.raises(InvalidInput):
        of_squares(0.4).minimizer(X, -X[:, 0])
