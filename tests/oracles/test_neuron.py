import cvxpy as cp
import pytest
import torch
from hypothesis import given

from ibcore.models.activations import LeakyReLU, Sigmoid, Softplus, Tanh
from ibcore.oracles.neuron import (
    inverse,
    inverse_leaky,
    least_regularizer,
    nearest_solution,
    regularizer,
    regularizer_gradient,
)
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


def _batch(count=4, n=3, d=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(*size, generator=generator).double()
        for size in ((count, n, d), (count, n), (count, d))
    )


@pytest.mark.parametrize(
    ("name", "sigma"),
    [("tanh", Tanh()), ("sigmoid", Sigmoid()), ("softplus", Softplus())],
)
def test_the_inverse_undoes_the_activation(name, sigma):
    z = torch.linspace(-4, 4, 33).double()
    torch.testing.assert_close(inverse(name, sigma.value(z)), z)


def test_the_inverse_of_the_leaky_relu_undoes_it():
    z = torch.linspace(-4, 4, 33).double()
    torch.testing.assert_close(inverse_leaky(LeakyReLU(0.3).value(z), 0.3), z)


def test_targets_out_of_range_and_relu_have_no_inverse():
    with pytest.raises(InvalidInput, match="open range of tanh"):
        inverse("tanh", [0.2, 1.0])
    with pytest.raises(InvalidInput, match="ReLU has no inverse"):
        inverse_leaky([1.0], 0.0)


def test_the_nearest_solution_is_the_projection_that_cvxpy_finds():
    X, z, start = _batch()
    w = cp.Variable(6)
    program = cp.Problem(
        cp.Minimize(cp.sum_squares(w - start[0].numpy())),
        [X[0].numpy() @ w == z[0].numpy()],
    )
    program.solve(solver=cp.CLARABEL)
    torch.testing.assert_close(
        nearest_solution(X, z, start)[0], torch.from_numpy(w.value), atol=1e-7, rtol=0
    )


@pytest.mark.parametrize("imbalance", [-2.0, 0.0, 3.0])
def test_the_gradient_of_the_regularizer_is_the_weight_less_its_start(imbalance):
    """grad Q = u/|a| - tilt, against autograd of the closed form; |u|/|a| = |w| solves
    a^2 - |w|^2 = delta.
    """
    _, _, u = _batch()
    _, _, tilt = _batch(seed=1)
    delta = torch.full((4,), imbalance).double()
    slope = torch.autograd.functional.jacobian(
        lambda v: regularizer(v, delta, tilt).sum(), u
    )
    torch.testing.assert_close(regularizer_gradient(u, delta, tilt), slope)
    w = regularizer_gradient(u, delta, torch.zeros_like(tilt)).norm(dim=-1)
    torch.testing.assert_close((u.norm(dim=-1) / w) ** 2 - w**2, delta)


@pytest.mark.parametrize("imbalance", [-2.0, 0.0, 3.0, 100.0])
def test_the_minimizer_is_certified_and_nothing_nearby_is_better(imbalance):
    X, z, tilt = _batch()
    delta = torch.full((4,), imbalance).double()
    best = least_regularizer(X, z, delta, tilt)
    assert float(torch.maximum(best.stationarity, best.residual).max()) < 1e-12
    free = torch.linalg.svd(X)[2][:, 3:]
    value = regularizer(best.u, delta, tilt)
    for step in (1e-2, 1.0):
        for row in range(3):
            for sign in (-1, 1):
                assert bool(
                    (
                        regularizer(best.u + sign * step * free[:, row], delta, tilt)
                        > value
                    ).all()
                )


def test_without_tilt_the_minimizer_is_the_shortest_solution():
    X, z, _ = _batch()
    best = least_regularizer(
        X, z, torch.tensor([-1.0, 0.0, 1.0, 10.0]).double(), torch.zeros(4, 6).double()
    )
    torch.testing.assert_close(best.u, (torch.linalg.pinv(X) @ z[..., None])[..., 0])


def test_a_large_imbalance_makes_q_a_square():
    """delta -> infinity: Q -> |u|^2 / (2 sqrt delta) - tilt.u, nearest to sqrt(delta)
    tilt.
    """
    X, z, tilt = _batch()
    delta = torch.full((4,), 1e10).double()
    best = least_regularizer(X, z, delta, tilt / 1e5)
    torch.testing.assert_close(
        best.u, nearest_solution(X, z, tilt), rtol=1e-7, atol=1e-7
    )


def test_zero_targets_and_wrong_shapes_are_refused():
    X, z, tilt = _batch()
    with pytest.raises(InvalidInput, match="rows of zeros"):
        least_regularizer(X, 0 * z, torch.ones(4).double(), tilt)
    with pytest.raises(InvalidInput, match="expected \\(B, n, d\\)"):
        least_regularizer(X, z, torch.ones(3).double(), tilt)


@few
@given(a=FACTORS, b=FACTORS, r=FACTORS)
def test_units_of_inputs_targets_and_one_equation_do_not_matter(a, b, r):
    X, z, tilt = _batch()
    row, unit = torch.tensor([1.0, r, 1.0], dtype=torch.float64), b / a
    delta = torch.tensor([-2.0, 0.0, 1.0, 3.0], dtype=torch.float64)
    base = least_regularizer(X, z, delta, tilt)
    found = least_regularizer(
        a * row[:, None] * X, b * row * z, delta * unit, tilt * unit**0.5
    )
    torch.testing.assert_close(found.u / unit, base.u, rtol=1e-8, atol=1e-10)
    assert float(torch.maximum(found.stationarity, found.residual).max()) < 1e-11
    torch.testing.assert_close(
        nearest_solution(a * X, b * z, unit * tilt) / unit, nearest_solution(X, z, tilt)
    )


def test_as_many_equations_as_unknowns_leave_one_solution():
    X, z, tilt = _batch(n=4, d=4)
    best = least_regularizer(X, z, torch.ones(4).double(), tilt)
    torch.testing.assert_close((X @ best.u[..., None])[..., 0], z)


def test_dependent_rows_and_wrong_shapes_are_refused():
    X, z, tilt = _batch()
    X[2, 1] = 2 * X[2, 0]
    with pytest.raises(InvalidInput, match="linearly dependent"):
        least_regularizer(X, z, torch.ones(4).double(), tilt)
    tall, goals, _ = _batch(n=7)
    with pytest.raises(InvalidInput, match="rows of X"):
        least_regularizer(tall, goals, torch.ones(4).double(), tilt)
    with pytest.raises(InvalidInput, match=r"z \(4, 2\)"):
        nearest_solution(X, z[:, :2], tilt)


@pytest.mark.parametrize("delta", [-2.0, -0.01, 0.0, 0.3, 50.0])
def test_it_is_two_thirds_of_the_form_of_azulay_et_al(delta):
    """(r^2 - (d/2)(d/2 + s)) sqrt(s - d/2) / r with s = sqrt(r^2 + d^2/4), as recalled
    from the paper.
    """
    r = torch.linspace(0.05, 6, 40, dtype=torch.float64)
    s = torch.sqrt(r**2 + delta**2 / 4)
    form = (r**2 - delta / 2 * (delta / 2 + s)) * torch.sqrt(s - delta / 2) / r
    zero, imbalance = torch.zeros(40, 1).double(), torch.full((40,), delta).double()
    found = regularizer(r[:, None], imbalance, zero)
    torch.testing.assert_close(found, 2 / 3 * form, rtol=1e-7, atol=1e-7)
