import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from ibcore.oracles.quasi_norm import quasi_norm_minimizers
from ibcore.problems.sparse_margin import sparse_teacher
from ibcore.validation import InvalidInput, NotSeparable


def test_one_point_has_one_minimizer_on_each_axis_with_a_part_in_it():
    found = quasi_norm_minimizers([[2.0, -4.0, 0.0]], 0.5)
    assert found.vertices.tolist() == [[0.0, -0.25, 0.0], [0.5, 0.0, 0.0]]
    torch.testing.assert_close(found.values, torch.tensor([0.25, 0.5]).double())
    assert found.systems == 3


@pytest.fixture(scope="module")
def data():
    return sparse_teacher(6, 4, 2, 0.1, torch.Generator().manual_seed(0)).signed


@pytest.mark.parametrize("power", [2 / 3, 1 / 2])
def test_conditions_of_optimality(data, power):
    found = quasi_norm_minimizers(data, power)
    assert found.residual < 1e-10
    assert found.systems == math.comb(10, 4) - 1
    assert bool((found.vertices @ data.T >= 1 - 1e-9).all())
    assert bool((found.values.diff() >= 0).all())


@pytest.mark.parametrize("power", [2 / 3, 1 / 2])
def test_every_minimizer_is_a_strict_one_and_other_vertices_are_not(data, power):
    """Feasible points near a listed vertex cost more; along an edge of any other
    feasible vertex one costs less.
    """
    found = quasi_norm_minimizers(data, power).vertices
    generator = torch.Generator().manual_seed(1)
    listed = 0
    for vertex, edges in _feasible_vertices(data):
        moves = 1e-6 * edges
        if bool(((found - vertex).abs().amax(1) < 1e-9).any()):
            listed += 1
            some = torch.rand(5000, 4, generator=generator) < 0.6
            moves = torch.cat(
                [moves, 1e-5 * some * torch.randn(5000, 4, generator=generator)]
            )
        around = vertex + moves
        around = around[(around @ data.T >= 1 - 1e-12).all(1)]
        cheaper = bool(
            ((around.abs() ** power).sum(1) < (vertex.abs() ** power).sum()).any()
        )
        assert cheaper != bool(((found - vertex).abs().amax(1) < 1e-9).any())
    assert listed == len(found)


def _feasible_vertices(rows):
    """Feasible basic solutions, each with its edges, along which one active margin
    grows.
    """
    n, d = rows.shape
    for size in range(1, d + 1):
        for on, active in itertools.product(
            itertools.combinations(range(d), size),
            itertools.combinations(range(n), size),
        ):
            inverse = torch.linalg.inv(rows[list(active)][:, list(on)])
            beta, edges = torch.zeros(d).double(), torch.zeros(size, d).double()
            beta[list(on)], edges[:, list(on)] = inverse.sum(1), inverse.T
            if float((rows @ beta).min()) >= 1 - 1e-9:
                yield beta, edges


def test_a_local_solver_ends_at_listed_points(data):
    """SLSQP on the smooth form min |u|^2 + |v|^2 s.t.

    A (u^3 - v^3) >= 1 finds nothing better than the best one.
    """
    rows, rng = data.numpy(), np.random.default_rng(0)
    found = quasi_norm_minimizers(data, 2 / 3)
    values = []
    for _ in range(10):
        out = minimize(
            lambda z: z @ z,
            rng.exponential(size=8),
            jac=lambda z: 2 * z,
            method="SLSQP",
            constraints={
                "type": "ineq",
                "fun": lambda z: rows @ (z[:4] ** 3 - z[4:] ** 3) - 1,
            },
            options={"maxiter": 300, "ftol": 1e-12},
        )
        if out.success and (rows @ (out.x[:4] ** 3 - out.x[4:] ** 3)).min() > 1 - 1e-6:
            values.append(out.fun)
    best = float(found.values[0]) ** (2 / 3)
    assert min(values) == pytest.approx(best, rel=1e-4)


@pytest.mark.parametrize(
    ("rows", "power", "error"),
    [
        ([[1.0, 0.0]], 1.0, InvalidInput),
        ([[1.0], [-1.0]], 0.5, NotSeparable),
        (torch.eye(40), 0.5, InvalidInput),
    ],
)
def test_bad_input_is_refused(rows, power, error):
    with pytest.raises(error):
        quasi_norm_minimizers(rows, power)
