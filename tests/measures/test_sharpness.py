"""Eigenvalues from products alone, against dense matrices; their bounds, and traces."""

from __future__ import annotations

import math

import pytest
import torch

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Square
from ibcore.measures.sharpness import (
    Sharpness,
    exact_trace,
    largest_eigenvalues,
    smallest_eigenvalues,
    trace,
)
from ibcore.models.network import Network
from ibcore.problems.curves import chebyshev_points
from ibcore.validation import InvalidInput


def matrices(spectra, seed=1130101):
    """Symmetric matrices (B, P, P) with these eigenvalues (B, P) in random bases."""
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn(*spectra.shape, spectra.shape[-1], generator=generator)
    basis = torch.linalg.qr(draw.double())[0]
    return basis @ torch.diag_embed(spectra) @ basis.mT


def times(matrix):
    return lambda vector: (matrix @ vector[..., None])[..., 0]


def start(members, size, seed=1130102):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(members, size, generator=generator).double()


def dense(objective, theta):
    """The largest Hessian eigenvalue of one member, theta (P,)."""
    hessian = torch.autograd.functional.hessian(
        lambda point: objective.mean(point[None])[0], theta
    )
    return float(torch.linalg.eigvalsh(hessian)[-1])


RANDOM = torch.randn(6, 60, generator=torch.Generator().manual_seed(1130103)).double()


@pytest.mark.parametrize("count", [1, 3])
def test_both_ends_of_random_spectra(count):
    product, rising = times(matrices(RANDOM)), RANDOM.sort(-1).values
    top = largest_eigenvalues(product, start(6, 60), count=count, tolerance=1e-7)
    low = smallest_eigenvalues(product, start(6, 60), count=count, tolerance=1e-7)
    scale = RANDOM.abs().amax(-1, keepdim=True)
    assert float(((top.values - rising.flip(-1)[:, :count]) / scale).abs().max()) < 1e-9
    assert float(((low.values - rising[:, :count]) / scale).abs().max()) < 1e-9
    assert bool(top.converged.all())
    assert bool(low.converged.all())


@pytest.mark.parametrize("most", [5, 10, 20, 30])
def test_an_eigenvalue_lies_within_the_residual_of_each_value(most):
    matrix = matrices(RANDOM)
    found = largest_eigenvalues(times(matrix), start(6, 60), count=3, most=most)
    again = (matrix @ found.vectors.mT).mT - found.values[..., None] * found.vectors
    norms = torch.linalg.vector_norm(again, dim=-1)
    torch.testing.assert_close(norms, found.residuals, rtol=1e-6, atol=1e-12)
    distance = (found.values[..., None] - RANDOM[:, None]).abs().amin(-1)
    assert bool((distance <= found.residuals + 1e-13).all())
    assert bool((found.errors <= found.residuals).all())
    lengths = torch.linalg.vector_norm(found.vectors, dim=-1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))


def test_a_space_that_is_invariant_early_is_exact_and_left():
    """Three distinct eigenvalues of one matrix, one of the other: the iteration cannot
    go on from its start.
    """
    spectra = torch.tensor([[3.0, 3.0, 1.0, -5.0], [0.0, 0.0, 0.0, 0.0]]).double()
    found = largest_eigenvalues(times(matrices(spectra)), start(2, 4), count=2)
    expected = torch.tensor([[3.0, 1.0], [0.0, 0.0]]).double()
    torch.testing.assert_close(found.values, expected, rtol=0, atol=1e-7)
    assert bool(found.converged.all())
    gram = found.vectors @ found.vectors.mT
    torch.testing.assert_close(gram, torch.eye(2).double().expand(2, 2, 2))


def test_one_parameter():
    matrix = torch.tensor([[[2.0]], [[-7.0]]]).double()
    found = largest_eigenvalues(times(matrix), torch.ones(2, 1).double())
    assert found.values[:, 0].tolist() == [2.0, -7.0]
    assert found.errors[:, 0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("unit", [2.0**-400, 2.0**400])
def test_values_scale_with_the_matrix(unit):
    matrix = matrices(RANDOM)
    plain = largest_eigenvalues(times(matrix), start(6, 60))
    scaled = largest_eigenvalues(times(matrix * unit), start(6, 60) * unit)
    assert scaled.products == plain.products
    torch.testing.assert_close(
        scaled.values / unit, plain.values, rtol=1e-12, atol=1e-300
    )


def test_a_member_without_a_number_takes_nobody_with_it():
    matrix = matrices(RANDOM)
    matrix[2, 0, 0] = math.nan
    found = largest_eigenvalues(times(matrix), start(6, 60))
    assert found.values.isnan()[:, 0].tolist() == [k == 2 for k in range(6)]
    assert found.converged.tolist() == [k != 2 for k in range(6)]


def test_a_start_that_is_an_eigenvector_takes_one_product():
    matrix = torch.diag_embed(RANDOM)
    first = torch.nn.functional.one_hot(RANDOM.argmax(-1), RANDOM.shape[-1]).double()
    found = largest_eigenvalues(times(matrix), first)
    assert found.products == 1
    torch.testing.assert_close(found.values[:, 0], RANDOM.amax(-1))


def test_too_few_products_are_said():
    found = largest_eigenvalues(times(matrices(RANDOM)), start(6, 60), most=3)
    assert found.products == 3
    assert not bool(found.converged.any())


@pytest.mark.parametrize(
    ("vectors", "count", "message"),
    [
        (torch.zeros(2, 5), 1, "zero"),
        (torch.full((2, 5), torch.nan), 1, "not finite"),
        (torch.ones(2, 5), 6, "has 5"),
        (torch.ones(2, 5), 0, "count"),
    ],
)
def test_wrong_use_is_refused(vectors, count, message):
    with pytest.raises(InvalidInput, match=message):
        largest_eigenvalues(lambda vector: vector, vectors, count=count)


def test_the_trace_of_a_diagonal_matrix_is_exact_with_any_signs():
    matrix = torch.diag_embed(RANDOM)
    found = trace(times(matrix), RANDOM, 2, torch.Generator().manual_seed(1))
    torch.testing.assert_close(found.value, RANDOM.sum(-1))
    assert float(found.error.max()) < 1e-13


def test_the_error_of_the_trace_is_that_of_hutchinson():
    """400 estimates of 20 probes each: their spread is that of the formula, and their
    mean the trace.
    """
    matrix = matrices(RANDOM[:1]).expand(400, -1, -1)
    generator = torch.Generator().manual_seed(1130104)
    found = trace(times(matrix), RANDOM[:1].expand(400, -1), 20, generator)
    off = matrix[0].square().sum() - matrix[0].diagonal().square().sum()
    expected = float((2 * off / 20).sqrt())
    assert float(found.value.std()) == pytest.approx(expected, rel=4 / math.sqrt(800))
    assert float(found.error.square().mean().sqrt()) == pytest.approx(expected, rel=0.1)
    missed = (found.value.mean() - RANDOM[0].sum()).abs()
    assert float(missed) < 4 * expected / math.sqrt(400)
    two = trace(times(matrix), RANDOM[:1].expand(400, -1), 2, generator)
    assert float(two.value.std()) == pytest.approx(10**0.5 * expected, rel=0.2)
    with pytest.raises(InvalidInput, match="two probes"):
        trace(times(matrix), RANDOM, 1, generator)


class Quadratic:
    """An objective that knows nothing but its Hessians (B, P, P)."""

    def __init__(self, hessians):
        self.hessians = hessians

    def curvature(self, theta):
        copies = len(theta) // len(self.hessians)
        return times(self.hessians.repeat(copies, 1, 1))


@pytest.mark.parametrize("copies", [1, 2, 3, 50])
def test_the_exact_trace_is_the_sum_of_the_eigenvalues(copies):
    theta = torch.ones_like(RANDOM)
    found = exact_trace(Quadratic(matrices(RANDOM)), theta, copies)
    torch.testing.assert_close(found, RANDOM.sum(-1))
    theta[0, 1] = math.nan
    found = exact_trace(Quadratic(matrices(RANDOM)), theta, copies)
    assert found.isnan().tolist() == [True] + [False] * (len(RANDOM) - 1)


def test_sharpness_is_followed_to_five_digits_through_the_edge_of_stability():
    """Four networks, 2,000 steps, a call every 40: warm starts never lag behind the
    dense Hessian.
    """
    data = chebyshev_points(3, 20)
    objective = Objective(Network(data.inputs[0], (12, 12)), Square(), data.y[0])
    theta = objective.model.initial(4, torch.Generator().manual_seed(1130105))
    watch = Sharpness()
    run = descend(
        objective,
        theta,
        constant(0.2),
        steps=range(0, 2001, 40),
        watch={"sharpness": watch},
        max_seconds=math.inf,
    )
    watched = run.watched["sharpness"]
    assert bool((watched > 2 / 0.2).any())
    for stop in range(0, 51, 5):
        expected = torch.tensor([dense(objective, point) for point in run.theta[stop]])
        torch.testing.assert_close(watched[stop], expected.double(), rtol=1e-5, atol=0)
    assert watch.products < 12 * 51


def test_an_eigenvalue_that_overtakes_is_not_missed():
    """diag(2 - t, 1 + t): the other axis is the larger one from t = 1/2 on, and no
    product leads to it.
    """
    spectrum = torch.tensor([[2.0, 1.0, 0.0, 0.0]]).double()
    change = torch.tensor([[-1.0, 1.0, 0.0, 0.0]]).double()

    class Point:
        theta = torch.zeros(1, 4).double()

        def __init__(self, t):
            self.objective = self
            self.matrix = torch.diag_embed(spectrum + t * change)

        def curvature(self, _theta):
            return times(self.matrix)

    watch, members = Sharpness(), torch.arange(1)
    seen = [float(watch(Point(t / 10), members)) for t in range(11)]
    assert seen == pytest.approx([max(2 - t / 10, 1 + t / 10) for t in range(11)])


def test_a_larger_eigenvalue_close_by_is_not_missed():
    """A start with a hundredth of the leading eigenvector, beside an eigenvalue smaller
    by 2 %.
    """
    spectrum = torch.linspace(0, 1, 200).double()
    spectrum[-2:] = torch.tensor([1.96, 2.0]).double()
    matrix = torch.diag(spectrum)[None]
    blind = torch.full((1, 200), 0.1).double()
    blind[0, -1] = 1e-3
    found = largest_eigenvalues(times(matrix), blind)
    assert float(found.values[0, 0]) == pytest.approx(2.0, rel=1e-6)


def test_a_sharpness_that_takes_too_many_products_is_not_known():
    """Eigenvalues in a row are not told apart by three products."""
    data = chebyshev_points(3, 20)
    objective = Objective(Network(data.inputs[0], (12, 12)), Square(), data.y[0])
    theta = objective.model.initial(2, torch.Generator().manual_seed(1130107))
    point, members = objective.at(theta), torch.arange(2)
    few = Sharpness(most=3)
    assert few(point, members).isnan().all()
    assert few.products <= 2 * 3
    assert Sharpness()(point, members).isfinite().all()
