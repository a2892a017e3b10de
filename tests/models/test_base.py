"""What every model on data asks of its data."""

import numpy as np
import pandas as pd
import pytest
import torch

from ibcore.models import Linear
from ibcore.models.activations import LeakyReLU, SquaredReLU, Tanh
from ibcore.models.base import Model
from ibcore.models.convolutional import Convolutional
from ibcore.models.deep_linear import DeepLinear
from ibcore.models.diagonal import Diagonal
from ibcore.models.margins import Margins
from ibcore.models.matrix_factorization import factorization
from ibcore.models.network import Network
from ibcore.models.neuron import HiddenNeuron, Neuron
from ibcore.models.observations import Entries, Sensing
from ibcore.models.random_features import RandomFourier
from ibcore.models.square_fields import TwoFilters
from ibcore.models.two_layer import TwoLayerReLU
from ibcore.models.unshared_diagonal import UnsharedDiagonal
from ibcore.validation import InvalidInput
from tests.cases import CASES, inputs, parameters

X = np.array([[2.0, 1.0, 3.0], [-1.0, -2.0, 0.5]])
MODELS = {
    "linear": Linear,
    "diagonal": Diagonal,
    "unshared": UnsharedDiagonal,
    "convolutional": Convolutional,
    "deep": lambda inputs: DeepLinear(inputs, (2,)),
    "two layers": lambda inputs: Network(inputs, (2,), SquaredReLU(), biases=False),
    "hidden": lambda inputs: Network(
        inputs, (2,), SquaredReLU(), biases=False, output=np.ones(2)
    ),
    "ReLU": lambda inputs: TwoLayerReLU(inputs, 2),
    "neuron": lambda inputs: Neuron(inputs, Tanh()),
    "hidden neuron": lambda inputs: HiddenNeuron(inputs, Tanh()),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", [pd.DataFrame, np.asarray, np.ndarray.tolist])
def test_any_array_gives_the_same_outputs_as_a_tensor(name, kind):
    ours, same = MODELS[name](kind(X)), MODELS[name](torch.tensor(X))
    theta = torch.linspace(-1, 1, same.dimension, dtype=torch.float64)[None]
    assert torch.equal(ours.outputs(theta), same.outputs(theta))
    assert ours.like.dtype == torch.float64


@pytest.mark.parametrize("name", MODELS)
def test_bad_inputs_are_refused_before_work_starts(name):
    for bad, words in (
        (np.where(X == 3, np.nan, X), "NaN"),
        (X[0], r"expected \(n, d\)"),
        (X * 1j, "complex"),
        (torch.tensor(X).to_sparse(), "to_dense"),
    ):
        with pytest.raises(InvalidInput, match=words):
            MODELS[name](bad)


@pytest.mark.parametrize("name", MODELS)
def test_single_precision_stays(name):
    assert MODELS[name](X.astype(np.float32)).like.dtype == torch.float32


def test_options_that_are_no_numbers_are_refused():
    for make in (
        lambda: Convolutional(X, kernel=True),
        lambda: Convolutional(X, kernel=4),
        lambda: Diagonal(X, depth=True),
        lambda: LeakyReLU(np.nan),
        lambda: Linear(X, offset=np.nan),
        lambda: Linear(X, offset=np.ones(3)),
    ):
        with pytest.raises(InvalidInput):
            make()
    assert Convolutional(X, kernel=np.int64(2)).dimension == 5


def test_margins_ask_for_labels_and_know_their_predictor():
    margins = Margins(Linear(X.astype(np.float32)), pd.Series([1, -1]))
    assert margins.labels.dtype == torch.float32
    assert margins.dimension == 3
    for bad in ([0, 1], [True, False], np.array(["a", "b"])):
        with pytest.raises(InvalidInput):
            Margins(Linear(X), bad)


def test_observations_take_arrays():
    seen = Entries(np.array([0, 1]), pd.Series([1, 1]), (np.int64(2), 2))
    assert factorization(seen, 2).like.dtype == torch.float64
    assert Sensing(np.ones((2, 2, 2), dtype=np.float32)).like.dtype == torch.float32
    with pytest.raises(InvalidInput, match="NaN"):
        Sensing(np.full((2, 2, 2), np.nan))
    with pytest.raises(InvalidInput, match="rows have shape"):
        Entries([0.5], [1], (2, 2))


def test_inputs_that_require_gradients_are_taken():
    inputs = torch.tensor(X, requires_grad=True)
    pair = TwoFilters.on(inputs, torch.ones(2, dtype=torch.float64))
    plain = TwoFilters.on(X, np.ones(2))
    theta = np.linspace(-1, 1, 6)
    np.testing.assert_array_equal(pair.descent(theta), plain.descent(theta))


def test_features_and_phases_belong_together():
    with pytest.raises(InvalidInput, match=r"expected \(d, N\) and \(N,\)"):
        RandomFourier(np.ones((2, 3)), np.ones(2))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_parts_of_the_data_have_their_parts_of_the_outputs(name, shared):
    """Of members and of examples, the same for all or each member its own."""
    model = CASES[name].build(inputs(shared=shared))
    theta = parameters(model)
    full = model.outputs(theta)
    members = torch.tensor([2, 0])
    torch.testing.assert_close(
        model.select(members).outputs(theta[members]), full[members]
    )
    rows = torch.tensor([4, 1])
    torch.testing.assert_close(model.minibatch(rows).outputs(theta), full[:, rows])
    each = torch.tensor([[0, 1], [5, 2], [3, 3]])
    expected = torch.stack([full[b, each[b]] for b in range(3)])
    torch.testing.assert_close(model.minibatch(each).outputs(theta), expected)


class Waves(Model):
    """f_i = sin(x_i.theta), of which nothing but the outputs is told."""

    x = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]]).double()

    def outputs(self, theta):
        return torch.sin(theta @ self.x.T)


def test_derivatives_of_a_model_that_tells_its_outputs_alone():
    theta = torch.linspace(-1, 2, 12).reshape(4, 3).double()
    weights = torch.linspace(1, 3, 8).reshape(4, 2).double()
    model, z = Waves(), theta @ Waves.x.T
    rows = torch.cos(z)[..., None] * Waves.x
    torch.testing.assert_close(model.jacobian(theta), rows)
    pulled = (weights[..., None] * rows).sum(1)
    torch.testing.assert_close(model.pullback(theta, weights), pulled)
    bent = -weights * torch.sin(z)
    expected = torch.einsum("bi,ip,iq->bpq", bent, Waves.x, Waves.x)
    torch.testing.assert_close(model.hessian(theta, weights), expected)
