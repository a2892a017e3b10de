"""The linear predictor: sums over features, offsets, and parts of its data."""

import pytest
import torch
from torch.func import jacrev, vmap

from ibcore.models.linear import Linear
from ibcore.validation import InvalidInput
from tests.cases import normal

SHARED, OWN = normal(5, 3, seed=1), normal(4, 5, 3, seed=2)
THETA, WEIGHTS = normal(4, 3, seed=3), normal(4, 5, seed=4)
OFFSETS = {"none": 0.0, "one": 1.0, "number": -2.0, "shared": normal(5, seed=5)}
OFFSETS["own"] = normal(4, 5, seed=6)


MODELS = [
    pytest.param(Linear(inputs, offset), id=f"{inputs.ndim} {name}")
    for inputs in (SHARED, OWN)
    for name, offset in OFFSETS.items()
]


@pytest.mark.parametrize("model", MODELS)
def test_outputs_are_sums_over_features_and_the_offset(model):
    found = model.outputs(THETA)
    assert found.shape == (4, 5)
    for b in range(4):
        rows = model.inputs if model.inputs.ndim == 2 else model.inputs[b]
        shift = torch.as_tensor(model.offset).double().expand(4, 5)[b]
        for i in range(5):
            exact = float(sum(rows[i, j] * THETA[b, j] for j in range(3)) + shift[i])
            assert float(found[b, i]) == pytest.approx(exact)


@pytest.mark.parametrize("model", MODELS)
def test_derivatives_do_not_depend_on_the_parameters(model):
    assert model.linear
    assert model.dimension == 3
    jacobian = model.jacobian(THETA)
    for b in range(4):
        one = model.select(torch.tensor([b]))
        expected = vmap(jacrev(lambda w, one=one: one.outputs(w[None])[0]))(
            THETA[b : b + 1]
        )
        torch.testing.assert_close(jacobian[b : b + 1], expected)
    torch.testing.assert_close(
        model.pullback(7 * THETA, WEIGHTS),
        torch.einsum("bn,bnd->bd", WEIGHTS, jacobian),
    )


@pytest.mark.parametrize("model", MODELS)
def test_parts_of_the_data_have_their_parts_of_the_outputs(model):
    full = model.outputs(THETA)
    members = torch.tensor([3, 1])
    torch.testing.assert_close(
        model.select(members).outputs(THETA[members]), full[members]
    )
    rows = torch.tensor([4, 0])
    torch.testing.assert_close(model.minibatch(rows).outputs(THETA), full[:, rows])
    each = torch.tensor([[0, 1], [2, 3], [4, 0], [1, 1]])
    if model.inputs.ndim == 2 and torch.as_tensor(model.offset).ndim < 2:
        each = each[:1].expand(4, 2)
    torch.testing.assert_close(
        model.minibatch(each).outputs(THETA), full.gather(1, each)
    )


@pytest.mark.parametrize(
    ("inputs", "offset", "words"),
    [
        (SHARED, normal(4, seed=0), "4 entries.*5 inputs"),
        (SHARED, [float("nan")] * 5, "offset"),
        (SHARED, float("nan"), "offset"),
        (SHARED[0], 0.0, "inputs"),
    ],
)
def test_an_offset_that_does_not_fit_is_refused(inputs, offset, words):
    with pytest.raises(InvalidInput, match=words):
        Linear(inputs, offset)
