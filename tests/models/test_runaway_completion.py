from itertools import pairwise

import numpy as np
import pytest
import torch

from ibcore.dynamics.complex_step import complex_jacobian
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.stiff_flow import integrate
from ibcore.losses import Square
from ibcore.models.matrix_factorization import factorization
from ibcore.models.observations import Entries
from ibcore.models.runaway_completion import (
    COLUMNS,
    ROWS,
    TARGETS,
    RawWeights,
    Reduced,
    balanced_layers,
    balanced_rotations,
    loss,
    product,
)
from ibcore.validation import InvalidInput

MATRIX = np.array([[0.3, 0.05], [0.05, 0.1]])


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_the_field_is_that_of_the_deep_factorization(depth):
    model = factorization(
        Entries(torch.tensor(ROWS), torch.tensor(COLUMNS), (2, 2)), depth
    )
    theta = torch.randn(
        3,
        4 * depth,
        generator=torch.Generator().manual_seed(depth),
        dtype=torch.float64,
    )
    point = Objective(model, Square(), torch.tensor(TARGETS).double()).at(theta)
    np.testing.assert_allclose(
        RawWeights(depth).field(theta.numpy()),
        point.slope[0].numpy(),
        rtol=1e-12,
        atol=1e-14,
    )
    np.testing.assert_allclose(
        loss(product(theta.numpy().reshape(3, depth, 2, 2))),
        point.log_loss.exp().numpy(),
        rtol=1e-12,
    )


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("sign", [1, -1])
def test_balanced_layers_multiply_to_the_matrix_and_are_balanced(depth, sign):
    values, basis = np.linalg.eigh(MATRIX)
    matrix = basis * (values * [sign, 1]) @ basis.T
    layers = balanced_layers(matrix, depth)
    np.testing.assert_allclose(product(layers), matrix, atol=1e-15)
    for low, high in pairwise(layers):
        np.testing.assert_allclose(high.T @ high, low @ low.T, atol=1e-15)
    assert RawWeights(depth).signs(layers.ravel()) == sign


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
@pytest.mark.parametrize("turn", [1, -1])
def test_layers_of_a_matrix_that_is_not_symmetric_are_balanced_rotations(depth, turn):
    matrix = np.array([[0.1, turn * 0.9], [turn * 0.002, 0.05]])
    layers = balanced_rotations(matrix, depth)
    np.testing.assert_allclose(product(layers), matrix, atol=1e-15)
    for low, high in pairwise(layers):
        np.testing.assert_allclose(high.T @ high, low @ low.T, atol=1e-15)
    assert RawWeights(depth).signs(layers.ravel()) == 1


def test_a_determinant_that_is_not_positive_is_refused():
    with pytest.raises(InvalidInput, match="positive determinant"):
        balanced_rotations([[0.1, 0.9], [0.2, 0.05]], 2)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_reduced_coordinates_agree_with_the_raw_weights(depth):
    """Entries and determinant of the product of raw weights, over a time in which W_11
    grows twentyfold.
    """
    times = [0.5, 2.0, 10.0]
    raw, reduced = RawWeights(depth), Reduced(depth)
    layers = torch.from_numpy(balanced_layers(MATRIX, depth).ravel())
    run = integrate(
        raw.field, complex_jacobian(raw.field), layers, times=times, tolerance=1e-11
    )
    log_run = integrate(
        reduced.field,
        complex_jacobian(reduced.field),
        reduced.start(MATRIX),
        times=[float(np.log1p(t)) for t in times],
        tolerance=1e-11,
    )
    matrices = product(run.path.numpy().reshape(3, depth, 2, 2))
    w11, miss, w22 = reduced.entries(log_run.path.numpy())
    for found, expected in (
        (w11, matrices[:, 0, 0]),
        (1 + miss, matrices[:, 0, 1]),
        (1 + miss, matrices[:, 1, 0]),
        (w22, matrices[:, 1, 1]),
        (reduced.loss(log_run.path.numpy()), loss(matrices)),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    values = np.linalg.svd(matrices, compute_uv=False)
    np.testing.assert_allclose(
        reduced.log_ratio(log_run.path.numpy()),
        np.log(values[:, 1] / values[:, 0]),
        rtol=1e-6,
    )


def test_starts_without_reduced_coordinates_are_refused():
    with pytest.raises(InvalidInput, match="two different"):
        Reduced(2).start(0.1 * np.eye(2))
    with pytest.raises(InvalidInput, match="symmetric"):
        balanced_layers([[1.0, 2.0], [0.0, 1.0]], 2)
    with pytest.raises(InvalidInput, match="singular"):
        balanced_layers([[1.0, 1.0], [1.0, 1.0]], 2)


@pytest.mark.parametrize("depth", [2, 3])
def test_a_positive_determinant_alone_does_not_drive_the_loss_to_zero(depth):
    """From ((0, p), (-q, 0)) the diagonal stays zero, q decreases to zero and the loss
    tends to 1/3.
    """
    raw, start = RawWeights(depth), balanced_rotations([[0.0, 0.5], [-0.3, 0.0]], depth)
    run = integrate(
        raw.field,
        complex_jacobian(raw.field),
        torch.from_numpy(start.ravel()),
        times=[1.0, 4.0, 12.0],
        tolerance=1e-10,
    )
    path = product(run.path.numpy().reshape(3, depth, 2, 2))
    assert np.abs(path[:, [0, 1], [0, 1]]).max() < 1e-12
    assert (np.diff(path[:, 1, 0]) > 0).all()
    assert path[-1, 1, 0] < 0
    assert (loss(path) > 1 / 3).all()
    assert loss(path[-1]) == pytest.approx(1 / 3, abs=0.01)
