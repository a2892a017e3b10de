import numpy as np
import pytest
import torch
from hypothesis import given

from ibcore.oracles.bregman_projection import (
    bregman_projection,
    divergence,
    program,
)
from ibcore.oracles.least_squares import minimum_norm
from ibcore.potentials import Entropy, Hypentropy, PNorm
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few

POTENTIALS = (
    PNorm(1.1),
    PNorm(1.5),
    PNorm(3.0),
    PNorm(10.0),
    Hypentropy(1.0),
    Hypentropy(1e-4),
    Hypentropy(1e-8),
)


def problem(seed, n=8, d=24):
    generator = torch.Generator().manual_seed(seed)
    X, w, start = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((n, d), (d,), (d,))
    )
    return X, w, start / 2


@pytest.mark.parametrize("from_zero", [False, True])
@pytest.mark.parametrize(
    "psi", POTENTIALS, ids=lambda psi: f"{type(psi).__name__} {vars(psi)}"
)
def test_certificates(psi, from_zero):
    for seed in range(3):
        X, w, start = problem(seed)
        found = bregman_projection(
            X, X @ w, torch.zeros_like(start) if from_zero else start, psi
        )
        assert found.residual < 1e-13
        assert found.outside < 1e-12
        assert abs(found.gap) < 1e-13


@pytest.mark.parametrize(
    "psi", [PNorm(1.5), PNorm(3.0), Hypentropy(1.0), Hypentropy(1e-3)]
)
def test_agrees_with_the_program_as_stated(psi):
    X, w, start = problem(5)
    found, (conic, least) = (
        bregman_projection(X, X @ w, start, psi),
        program(X, X @ w, start, psi),
    )
    assert float((found.w - conic).norm() / found.w.norm()) < 1e-5
    assert least == pytest.approx(divergence(found.w, start, psi), rel=1e-7, abs=1e-8)


def test_entropy_agrees_with_the_program_and_stays_positive():
    X, w, start = problem(6)
    found = bregman_projection(X, X @ w.abs(), start.abs() + 0.1, Entropy())
    conic, _ = program(X, X @ w.abs(), start.abs() + 0.1, Entropy())
    assert float(found.w.min()) > 0
    assert float((found.w - conic).norm() / found.w.norm()) < 1e-5


def test_p_of_two_is_the_closest_interpolant():
    X, w, start = problem(7)
    found = bregman_projection(X, X @ w, start, PNorm(2.0))
    torch.testing.assert_close(
        found.w,
        start + minimum_norm(X, X @ (w - start)).weights,
        rtol=1e-12,
        atol=1e-12,
    )


def test_hypentropy_goes_from_least_euclidean_to_least_l1_norm():
    X, w, _ = problem(8)
    y, zero = X @ w, torch.zeros(24, dtype=torch.float64)
    wide = bregman_projection(X, y, zero, Hypentropy(1e4)).w
    torch.testing.assert_close(wide, minimum_norm(X, y).weights, rtol=0, atol=1e-7)
    sizes = [
        float(bregman_projection(X, y, zero, Hypentropy(b)).w.abs().sum())
        for b in (1e2, 1, 1e-2, 1e-4, 1e-8)
    ]
    assert sizes == sorted(sizes, reverse=True)


def test_one_row_in_closed_form():
    """min |w|_p^p subject to a.w = b has w_i proportional to sign(a_i) |a_i|^(1/(p-1))."""
    a = torch.tensor([[2.0, -1.0, 0.5]], dtype=torch.float64)
    for p in (1.2, 3.0):
        shape = a[0].sign() * a[0].abs() ** (1 / (p - 1))
        found = bregman_projection(
            a, torch.ones(1).double(), torch.zeros(3).double(), PNorm(p)
        )
        torch.testing.assert_close(
            found.w, shape / (a[0] @ shape), rtol=1e-10, atol=1e-12
        )


def test_no_other_interpolant_has_a_smaller_divergence():
    X, w, start = problem(9)
    psi = Hypentropy(0.1)
    best = bregman_projection(X, X @ w, start, psi).w
    kernel = torch.from_numpy(np.linalg.svd(X.numpy())[2][8:].T.copy())
    moves = kernel @ torch.randn(
        16, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    least = divergence(best, start, psi)
    assert all(
        divergence(best + size * move, start, psi) > least
        for move in moves.T
        for size in (1e-3, 1.0)
    )


def test_bad_input_is_refused():
    X, w, start = problem(1)
    y = X @ w
    with pytest.raises(InvalidInput, match="above 1"):
        PNorm(1.0)
    with pytest.raises(InvalidInput, match="positive entries"):
        bregman_projection(X, y, start, Entropy())
    with pytest.raises(InvalidInput, match="dependent"):
        bregman_projection(
            torch.cat([X, X[:1]]), torch.cat([y, y[:1]]), start, PNorm(2.0)
        )
    with pytest.raises(InvalidInput, match="one target a row"):
        bregman_projection(X, y, start[:-1], PNorm(2.0))
    with pytest.raises(InvalidInput, match="no interpolant in the domain"):
        bregman_projection(X.abs(), -y.abs(), start.abs() + 0.1, Entropy())


@pytest.mark.parametrize("name", ["p = 1.5", "p = 3", "hypentropy", "entropy"])
@few
@given(a=FACTORS, b=FACTORS, r=FACTORS)
def test_units_of_data_start_and_one_equation_do_not_matter(name, a, b, r):
    X, w, start = problem(2, 3, 7)
    unit = b / a
    before, after = {
        "p = 1.5": (PNorm(1.5), PNorm(1.5)),
        "p = 3": (PNorm(3.0), PNorm(3.0)),
        "hypentropy": (Hypentropy(0.1), Hypentropy(0.1 * unit)),
        "entropy": (Entropy(), Entropy()),
    }[name]
    w, start = (w.abs(), start.abs() + 0.1) if name == "entropy" else (w, start)
    row = torch.ones(3, dtype=torch.float64)
    row[1] = r
    base = bregman_projection(X, X @ w, start, before)
    found = bregman_projection(
        a * row[:, None] * X, b * row * (X @ w), unit * start, after
    )
    torch.testing.assert_close(found.w / unit, base.w, rtol=1e-8, atol=1e-10)
    assert max(found.residual, found.outside, abs(found.gap)) < 1e-12
    slope = (after.mirror(found.w) - after.mirror(unit * start)).numpy()
    pull = (found.dual @ (a * row[:, None] * X)).numpy()
    np.testing.assert_allclose(pull, slope, rtol=1e-7, atol=1e-8 * abs(slope).max())


def test_targets_of_zero_have_an_answer():
    X, _, start = problem(3)
    found = bregman_projection(X, torch.zeros(8).double(), start, PNorm(2.0))
    expected = start - minimum_norm(X, X @ start).weights
    torch.testing.assert_close(found.w, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(
        bregman_projection(X, X @ start, start, PNorm(3.0)).w, start
    )


def test_a_column_of_targets_is_refused():
    X, w, start = problem(1)
    with pytest.raises(InvalidInput, match="expected \\(8,\\)"):
        bregman_projection(X, (X @ w)[:, None], start, PNorm(2.0))
