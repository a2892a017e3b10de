import pytest
import torch
from torch.autograd.functional import hessian, jacobian

from ibcore.dynamics.objective import Objective
from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.losses import Square
from ibcore.models.matrix_factorization import (
    DeepFactorization,
    SymmetricFactorization,
    factorization,
    gaussian_start,
    identity_start,
)
from ibcore.models.observations import Entries, Sensing
from ibcore.validation import InvalidInput


def gaussian(seed, *shape):
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


RECTANGLE = Sensing(gaussian(0, 5, 3, 4))
SQUARE = Sensing(gaussian(1, 5, 3, 3))
EACH = Sensing(gaussian(2, 2, 5, 3, 3))
SEEN = Entries(torch.tensor([0, 1, 2, 2]), torch.tensor([3, 0, 1, 3]), (3, 4))
SEEN_EACH = Entries(
    torch.tensor([[0, 1], [2, 2]]), torch.tensor([[1, 1], [0, 2]]), (3, 3)
)
MODELS = {
    "depth 1": DeepFactorization(RECTANGLE),
    "depth 2": factorization(RECTANGLE, 2),
    "depth 3": DeepFactorization(RECTANGLE, (2, 5)),
    "depth 4": factorization(EACH, 4),
    "completion": factorization(SEEN, 3),
    "completions": factorization(SEEN_EACH, 2),
    "symmetric": SymmetricFactorization(SQUARE),
    "symmetric, narrow": SymmetricFactorization(EACH, rank=2),
    "symmetric, entries": SymmetricFactorization(SEEN_EACH),
}


def written_out(model, theta):
    """The outputs (n,) of each member by the definition: the trace of A_i^T times the
    product of the factors.
    """
    if isinstance(model, SymmetricFactorization):
        factor = theta.reshape(-1, *model.shape)
        product = torch.einsum("zab,zcb->zac", factor, factor)
    else:
        pieces, at = [], 0
        for rows, columns in model.shapes:
            pieces.append(theta[:, at : at + rows * columns].reshape(-1, rows, columns))
            at += rows * columns
        product = pieces[0]
        for piece in pieces[1:]:
            product = torch.einsum("zab,zbc->zac", piece, product)
    matrices = model.observations.dense()
    return torch.einsum(
        "znab,zab->zn", matrices.expand(len(theta), *matrices.shape[-3:]), product
    )


@pytest.mark.parametrize("name", MODELS)
def test_closed_forms_agree_with_autograd_through_the_definition(name):
    model = MODELS[name]
    theta = gaussian(3, 2, model.dimension)
    weights = gaussian(4, 2, model.outputs(theta).shape[1])

    def alone(index):
        return lambda point: written_out(model, torch.stack([point, point]))[index]

    outputs = written_out(model, theta)
    rows = torch.stack([jacobian(alone(i), theta[i]) for i in range(2)])
    curvature = torch.stack(
        [
            hessian(lambda point, i=i: alone(i)(point) @ weights[i], theta[i])
            for i in range(2)
        ]
    )
    torch.testing.assert_close(model.outputs(theta), outputs)
    torch.testing.assert_close(model.jacobian(theta), rows)
    torch.testing.assert_close(
        model.pullback(theta, weights), (weights[:, None] @ rows)[:, 0]
    )
    torch.testing.assert_close(model.hessian(theta, weights), curvature)


@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_homogeneous_and_observe_the_product(name):
    model = MODELS[name]
    theta = gaussian(5, 2, model.dimension)
    torch.testing.assert_close(
        model.outputs(3 * theta), 3**model.degree * model.outputs(theta)
    )
    torch.testing.assert_close(
        model.observations.read(model.product(theta)), model.outputs(theta)
    )
    assert model.linear == (model.degree == 1)


def test_entries_are_a_special_case_of_sensing():
    dense = Sensing(SEEN.dense())
    theta, weights = gaussian(6, 2, 24), gaussian(7, 2, 4)
    torch.testing.assert_close(
        factorization(SEEN, 2).outputs(theta[:, :21]),
        factorization(dense, 2).outputs(theta[:, :21]),
    )
    torch.testing.assert_close(SEEN.spread(weights), dense.spread(weights))


def test_members_of_the_batch_can_be_taken_out():
    theta = gaussian(8, 2, 9)
    for observations in (EACH, SEEN_EACH, SQUARE):
        model = SymmetricFactorization(observations)
        chosen = torch.tensor([1])
        torch.testing.assert_close(
            SymmetricFactorization(observations.of(chosen)).outputs(theta[1:]),
            model.outputs(theta)[1:],
        )


def test_identity_starts_have_the_scale_to_the_depth():
    scales = torch.tensor([0.5, 0.1], dtype=torch.float64)
    for model, power in (
        (factorization(EACH, 3), 3),
        (SymmetricFactorization(EACH), 2),
    ):
        product = model.product(identity_start(model, scales))
        torch.testing.assert_close(
            product, scales[:, None, None] ** power * torch.eye(3).double()
        )


def test_gaussian_starts_have_their_scale_and_repeat():
    model = DeepFactorization(RECTANGLE, (400,))
    first, again = (
        gaussian_start(model, 3, 0.2, torch.Generator().manual_seed(1))
        for _ in range(2)
    )
    assert first.equal(again)
    for layer in model.matrices(first):
        assert float(layer.std() * layer.shape[-1] ** 0.5) == pytest.approx(
            0.2, rel=0.05
        )


@pytest.mark.parametrize(
    "model", [factorization(SQUARE, 2), SymmetricFactorization(SQUARE)]
)
def test_the_stiff_flow_fits_the_observations(model):
    truth = gaussian(9, 3, 1)
    targets = SQUARE.read((truth @ truth.mT)[None])[0]
    run = stiff_flow(
        model,
        targets,
        gaussian_start(model, 1, 0.5, torch.Generator().manual_seed(2))[0],
    )
    assert run.complete
    torch.testing.assert_close(
        model.outputs(run.state[None])[0], targets, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_square_objective_has_the_gradient_of_autograd(name):
    model = MODELS[name]
    theta = gaussian(10, 2, model.dimension)
    targets = gaussian(11, 2, model.outputs(theta).shape[1])
    found = Objective(model, Square(), targets, shared=False).at(theta)
    point = theta.clone().requires_grad_()
    expected = (written_out(model, point) - targets).square().mean(-1)
    torch.testing.assert_close(found.log_loss, expected.detach().log())
    torch.testing.assert_close(
        -found.slope[0], torch.autograd.grad(expected.sum(), point)[0]
    )


@pytest.mark.parametrize(
    "broken",
    [
        lambda: Sensing(torch.zeros(3, 3)),
        lambda: Entries(torch.tensor([0, 1]), torch.tensor([0]), (2, 2)),
        lambda: Entries(torch.tensor([2]), torch.tensor([0]), (2, 2)),
        lambda: Entries(torch.tensor([0.0]), torch.tensor([0.0]), (2, 2)),
        lambda: SymmetricFactorization(RECTANGLE),
        lambda: SymmetricFactorization(SQUARE, rank=0),
        lambda: DeepFactorization(SQUARE, (0,)),
        lambda: factorization(SQUARE, 0),
        lambda: gaussian_start(factorization(SQUARE, 2), 1, 0.0, torch.Generator()),
    ],
)
def test_bad_input_is_refused(broken):
    with pytest.raises(InvalidInput):
        broken()
