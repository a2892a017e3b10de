import numpy as np
import pytest
import torch
from hypothesis import given
from scipy.optimize import linprog, minimize

from ibcore.oracles.matrix_entropy import entropy_minimum, noise_exponent
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


def gaussian(seed, *shape):
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def symmetric(seed, count, size):
    G = gaussian(seed, count, size, size)
    return (G + G.mT) / 2


def observed(A, seed):
    root = gaussian(seed, A.shape[1], A.shape[1])
    return torch.einsum("nab,ab->n", A, root @ root.mT)


@pytest.mark.parametrize("size", [4, 7])
def test_the_solutions_fit_and_have_the_form_of_the_dual(size):
    A, scales = symmetric(0, 3, size), (1.0, 1e-2, 1e-5)
    y = observed(A, 1)
    found = entropy_minimum(A, y, scales)
    assert float(found.residual.max()) < 1e-12
    form = torch.linalg.matrix_exp(torch.einsum("kn,nab->kab", found.dual, A))
    powers = torch.tensor(scales, dtype=torch.float64)[:, None, None] ** 2
    torch.testing.assert_close(found.matrix, powers * form, rtol=1e-9, atol=1e-9)


def test_one_observation_of_the_trace_has_a_closed_form():
    found = entropy_minimum(torch.eye(3).double()[None], [6.0], [0.5])
    torch.testing.assert_close(found.matrix[0], 2 * torch.eye(3).double())


def test_diagonal_observations_minimize_the_entropy_of_a_vector():
    x, truth = gaussian(2, 2, 5), gaussian(3, 5).abs()
    y = x @ truth
    found = entropy_minimum(torch.diag_embed(x), y, [0.3])
    rows, start = x.numpy(), truth.numpy()
    null = np.linalg.svd(rows)[2][2:].T

    def objective(free):
        vector = start + null @ free
        return (
            np.sum(vector * np.log(vector / 0.09) - vector)
            if vector.min() > 0
            else np.inf
        )

    best = minimize(
        objective,
        np.zeros(3),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 4000},
    )
    np.testing.assert_allclose(
        np.diag(found.matrix[0].numpy()), start + null @ best.x, atol=1e-4
    )


def test_no_other_matrix_that_fits_has_less_entropy():
    A = symmetric(4, 2, 2)
    found = entropy_minimum(A, observed(A, 5), [0.7]).matrix[0].numpy()
    free = np.linalg.svd(
        np.stack([[a[0, 0], 2 * a[0, 1], a[1, 1]] for a in A.numpy()])
    )[2][2]
    along = np.array([[free[0], free[1]], [free[1], free[2]]])

    def objective(share):
        values = np.linalg.eigvalsh(found + share * along)
        return np.sum(values * np.log(values) - values) - np.log(0.49) * values.sum()

    assert objective(0) < min(objective(1e-3), objective(-1e-3))


def test_the_trace_falls_with_the_scale_to_the_linear_program():
    x = gaussian(6, 3, 6)
    y = x @ gaussian(7, 6).abs()
    traces = [
        float(W.trace())
        for W in entropy_minimum(
            torch.diag_embed(x), y, [1, 0.1, 1e-2, 1e-4, 1e-8]
        ).matrix
    ]
    least = linprog(np.ones(6), A_eq=x.numpy(), b_eq=y.numpy()).fun
    assert sorted(traces, reverse=True) == traces
    assert traces[-1] == pytest.approx(least, rel=1e-3)
    assert traces[-1] >= least * (1 - 1e-9)


def test_the_noise_exponent_is_two_less_twice_the_ratio_of_eigenvalues():
    A = torch.diag_embed(torch.tensor([[4.0, 2.0, 1.0]], dtype=torch.float64))
    assert noise_exponent(A, [1.0], 1) == pytest.approx(1)
    assert noise_exponent(A, [1.0], 2) == pytest.approx(1)
    steps = noise_exponent(A, [1.0], 1, step_size=0.1)
    assert steps == pytest.approx(2 * (1 - np.log(1.8) / np.log(2.6)))
    assert noise_exponent(A, [1.0], 1, step_size=1e-7) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(
    "broken",
    [
        lambda: entropy_minimum(gaussian(0, 1, 3, 3), [1.0], [1.0]),
        lambda: entropy_minimum(symmetric(0, 2, 3), [1.0], [1.0]),
        lambda: entropy_minimum(symmetric(0, 1, 3), [1.0], [0.1, 1.0]),
        lambda: entropy_minimum(symmetric(0, 1, 3), [1.0], [0.0]),
        lambda: entropy_minimum(symmetric(0, 1, 3), [1.0], []),
        lambda: entropy_minimum(torch.eye(3).double()[None], [-1.0], [1.0]),
        lambda: noise_exponent(torch.eye(3).double()[None], [1.0], 3),
        lambda: noise_exponent(torch.eye(3).double()[None], [-1.0], 1),
    ],
)
def test_bad_input_is_refused(broken):
    with pytest.raises(InvalidInput):
        broken()


@few
@given(a=FACTORS, b=FACTORS, r=FACTORS)
def test_units_of_matrices_targets_and_scale_do_not_matter(a, b, r):
    A, unit = symmetric(0, 3, 4), b / a
    y, row = observed(A, 1), torch.tensor([1.0, r, 1.0], dtype=torch.float64)
    scales = (1.0, 1e-2, 1e-5)
    base = entropy_minimum(A, y, scales)
    seen, told = a * row[:, None, None] * A, b * row * y
    found = entropy_minimum(seen, told, [scale * unit**0.5 for scale in scales])
    torch.testing.assert_close(found.matrix / unit, base.matrix, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(found.dual * a * row, base.dual, rtol=1e-7, atol=1e-7)
    assert float(found.residual.max()) < 1e-12
    for step in (0.0, 0.01):
        assert noise_exponent(a * A, b * y, 1, step / (a * b)) == pytest.approx(
            noise_exponent(A, y, 1, step), rel=1e-10
        )


def test_targets_of_zero_are_fitted_by_the_start_where_it_fits():
    A = torch.diag_embed(torch.tensor([[1.0, -1.0]], dtype=torch.float64))
    found = entropy_minimum(A, [0.0], [0.5])
    torch.testing.assert_close(found.matrix[0], 0.25 * torch.eye(2).double())
    assert float(found.residual) < 1e-15


@pytest.mark.parametrize("unit", [1e-12, 1.0])
def test_matrices_that_are_not_symmetric_are_told_in_every_unit(unit):
    with pytest.raises(InvalidInput, match="not symmetric"):
        entropy_minimum(unit * gaussian(0, 1, 3, 3), [1.0], [1.0])


def test_a_step_size_that_is_none_and_shapes_are_refused():
    A = symmetric(0, 2, 3)
    with pytest.raises(InvalidInput, match="step_size"):
        noise_exponent(A, [1.0, 2.0], 1, -0.1)
    with pytest.raises(InvalidInput, match="targets"):
        noise_exponent(A, [1.0], 1)
    signs = torch.diag_embed(torch.tensor([[1.0, -2.0]], dtype=torch.float64))
    with pytest.raises(InvalidInput, match="changes its sign"):
        noise_exponent(signs, [1.0], 1, 1.0)
