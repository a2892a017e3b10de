import numpy as np
import pytest
import torch
from hypothesis import given
from scipy.linalg import null_space
from scipy.optimize import minimize

from ibcore.oracles.fourier_margin import fourier_norm
from ibcore.oracles.fourier_regression import (
    even_interpolant,
    even_potential,
    fourier_interpolant,
    radial_stationarity,
)
from ibcore.oracles.q_alpha import q_minimizer
from ibcore.problems.spectra import spectral_regression
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


def problem(*, even=True, n=4, d=12, seed=0):
    return spectral_regression(n, d, 2, torch.Generator().manual_seed(seed), even=even)


def impulse(d, alpha):
    u = torch.zeros(d, dtype=torch.float64)
    u[0] = alpha
    return u, torch.zeros_like(u)


@pytest.mark.parametrize("even", [True, False])
def test_one_point_puts_everything_on_its_largest_frequency(even):
    data = problem(even=even, n=1, seed=3)
    found = fourier_interpolant(data.X, data.y)
    sizes = torch.fft.rfft(data.X[0], norm="ortho").abs().sort(descending=True).values
    assert found.value == pytest.approx(
        abs(float(data.y[0])) / float(sizes[0]), rel=1e-7
    )
    assert found.slack == pytest.approx(1 - float(sizes[1] / sizes[0]), rel=1e-5)
    assert abs(found.gap) < 1e-7
    assert found.used in (1, 2)


@pytest.mark.parametrize("even", [True, False])
def test_no_interpolant_has_a_smaller_norm(even):
    data = problem(even=even)
    found = fourier_interpolant(data.X, data.y)
    moves = torch.from_numpy(null_space(data.X.numpy()))
    generator = torch.Generator().manual_seed(5)
    for size in (1e-3, 0.1, 1.0):
        step = size * torch.randn(
            50, moves.shape[1], generator=generator, dtype=torch.float64
        )
        assert float(
            fourier_norm(found.primal + step @ moves.T).min()
        ) >= found.value * (1 - 1e-7)
    assert float(fourier_norm(data.beta)) >= found.value * (1 - 1e-7)


def test_the_slack_is_the_best_of_all_dual_solutions():
    data = problem()
    found = fourier_interpolant(data.X, data.y)
    assert 1 > found.slack > 0
    assert float(
        torch.fft.fft(data.X.T @ found.dual, norm="ortho").abs().max()
    ) == pytest.approx(1)


def test_the_minimizer_agrees_with_quasi_newton_on_the_interpolants():
    data = problem()
    d = data.X.shape[1]
    layers = 0.4 * torch.randn(
        2, d, generator=torch.Generator().manual_seed(7), dtype=torch.float64
    )
    potential = even_potential(*layers)
    found = even_interpolant(data.X, data.y, potential)
    c, r0 = potential.c.numpy(), potential.r0.numpy()
    least, moves = (
        (np.linalg.pinv(data.X.numpy()) @ data.y.numpy()),
        null_space(data.X.numpy()),
    )

    def value(at):
        r = np.fft.fft(least + moves @ at).real
        slopes = np.arcsinh(r / c) - np.arcsinh(r0 / c)
        gradient = moves.T @ np.fft.fft(slopes).real
        return np.sum(
            r * np.arcsinh(r / c) - np.hypot(r, c) - r * np.arcsinh(r0 / c)
        ), gradient

    best = minimize(
        value, np.zeros(moves.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-9}
    ).x
    np.testing.assert_allclose(
        np.fft.fft(least + moves @ best).real,
        torch.fft.fft(found.primal).real.numpy(),
        rtol=1e-6,
        atol=1e-6,
    )
    assert max(found.residual, found.stationarity) < 1e-12
    torch.testing.assert_close(
        torch.fft.fft(found.primal).imag, torch.fft.fft(layers).prod(0).imag
    )


def test_from_an_impulse_it_is_the_minimizer_of_a_diagonal_network_on_the_spectra():
    data = problem(seed=2)
    found = even_interpolant(data.X, data.y, even_potential(*impulse(12, 0.03)))
    diagonal = q_minimizer(
        torch.fft.fft(data.X).real / data.X.shape[1], data.y, 0.03**2 / 2
    )
    torch.testing.assert_close(
        torch.fft.fft(found.primal).real, diagonal.primal, rtol=1e-8, atol=1e-10
    )


def test_the_limits_are_the_least_l2_and_the_least_l1_norm():
    data = problem(seed=1)
    dense, sparse = (
        torch.linalg.pinv(data.X) @ data.y,
        fourier_interpolant(data.X, data.y),
    )
    large, small = (
        even_interpolant(data.X, data.y, even_potential(*impulse(12, alpha)))
        for alpha in (1e3, 1e-6)
    )
    torch.testing.assert_close(large.primal, dense, rtol=1e-6, atol=1e-8)
    assert float(fourier_norm(small.primal)) < sparse.value * 1.02


def test_the_radial_function_is_the_same_on_even_inputs_only():
    even, generic = problem(), problem(even=False)
    found = even_interpolant(even.X, even.y, even_potential(*impulse(12, 0.1)))
    assert radial_stationarity(even.X, found.primal, 0.1**2 / 2) < 1e-12
    assert radial_stationarity(generic.X, generic.beta, 0.1**2 / 2) > 1e-3


def test_what_has_no_answer_is_refused():
    even, generic = problem(), problem(even=False)
    with pytest.raises(InvalidInput, match="not even"):
        even_interpolant(generic.X, generic.y, even_potential(*impulse(12, 1.0)))
    with pytest.raises(InvalidInput, match="starts balanced"):
        even_potential(impulse(12, 1.0)[0], impulse(12, 1.0)[0])
    with pytest.raises(InvalidInput, match="same number"):
        even_potential(impulse(12, 1.0)[0], impulse(11, 1.0)[0])
    with pytest.raises(InvalidInput, match="frequencies"):
        even_interpolant(even.X, even.y, even_potential(*impulse(10, 1.0)))
    with pytest.raises(InvalidInput, match="zero"):
        fourier_interpolant(even.X, 0 * even.y)


@few
@given(a=FACTORS, b=FACTORS, r=FACTORS)
def test_units_of_inputs_targets_and_one_equation_do_not_matter(a, b, r):
    data, unit = problem(), b / a
    row = torch.ones(4, dtype=torch.float64)
    row[0] = r
    X, y = a * row[:, None] * data.X, b * row * data.y
    base, found = fourier_interpolant(data.X, data.y), fourier_interpolant(X, y)
    assert found.value / unit == pytest.approx(base.value, rel=1e-6)
    assert found.slack == pytest.approx(base.slack, abs=1e-5)
    assert max(abs(found.gap), found.residual) < 1e-7
    assert float(found.dual @ y) == pytest.approx(found.value, rel=1e-6)
    layers = 0.4 * torch.randn(
        2, 12, generator=torch.Generator().manual_seed(7), dtype=torch.float64
    )
    one, other = (
        even_interpolant(*parts, even_potential(*(size**0.5 * layers)))
        for parts, size in (((data.X, data.y), 1.0), ((X, y), unit))
    )
    torch.testing.assert_close(other.primal / unit, one.primal, rtol=1e-9, atol=1e-11)
    assert max(other.residual, other.stationarity) < 1e-11
    assert radial_stationarity(X, unit * data.beta, unit) == pytest.approx(
        radial_stationarity(data.X, data.beta, 1.0), rel=1e-9, abs=1e-12
    )


def test_implied_equations_are_allowed_and_contradictions_are_not():
    data = problem()
    X, y = torch.cat([data.X, data.X[:1]]), torch.cat([data.y, data.y[:1]])
    found = fourier_interpolant(X, y)
    assert found.value == pytest.approx(
        fourier_interpolant(data.X, data.y).value, rel=1e-7
    )
    with pytest.raises(InvalidInput, match="no solution"):
        fourier_interpolant(X, torch.cat([data.y, data.y[:1] + 1]))
    with pytest.raises(InvalidInput, match="linearly dependent"):
        even_interpolant(X, y, even_potential(*impulse(12, 1.0)))
    with pytest.raises(InvalidInput, match="expected \\(4,\\)"):
        fourier_interpolant(data.X, data.y[:, None])


def test_layers_that_balance_up_to_rounding_start_balanced():
    """u^ and v^ are equal at every frequency, but for the rounding of the transform."""
    u = problem(even=False).X[0]
    u = (u + u.flip(0).roll(1)) / 2
    for unit in (1e-12, 1.0, 1e12):
        with pytest.raises(InvalidInput, match="starts balanced"):
            even_potential(unit * u, unit * (u + 1e-17))


def test_targets_of_zero_have_an_answer_from_a_start_that_is_not_even():
    data = problem()
    layers = 0.4 * torch.randn(
        2, 12, generator=torch.Generator().manual_seed(7), dtype=torch.float64
    )
    found = even_interpolant(data.X, 0 * data.y, even_potential(*layers))
    torch.testing.assert_close(data.X @ found.primal, 0 * data.y, atol=1e-11, rtol=0)
