import pytest
import torch

from ibcore.dynamics.objective import Objective
from ibcore.losses import Square
from ibcore.models.activations import RELU, Identity, LeakyReLU, Sigmoid, Softplus, Tanh
from ibcore.models.network import Network
from ibcore.models.neuron import HiddenNeuron, Neuron, balanced_to, leaky_mean_square
from ibcore.validation import InvalidInput

ACTIVATIONS = [Tanh(), Softplus(), Sigmoid(), Identity(), RELU, LeakyReLU(0.3)]
KINDS = [Neuron, HiddenNeuron]
DERIVATIVES = ("jacobian", "pullback", "hessian")


def _case(kind, activation):
    generator = torch.Generator().manual_seed(3)
    model = kind(torch.randn(4, 3, generator=generator).double(), activation)
    return model, *(
        torch.randn(2, size, generator=generator).double()
        for size in (model.dimension, 4)
    )


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.name)
@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_are_those_of_autograd(kind, activation):
    model, theta, weights = _case(kind, activation)
    for b in range(2):
        rows = torch.autograd.functional.jacobian(
            lambda t: model.outputs(t[None])[0], theta[b]
        )
        bend = torch.autograd.functional.hessian(
            lambda t, b=b: model.outputs(t[None])[0] @ weights[b], theta[b]
        )
        torch.testing.assert_close(model.jacobian(theta)[b], rows)
        torch.testing.assert_close(model.pullback(theta, weights)[b], weights[b] @ rows)
        torch.testing.assert_close(model.hessian(theta, weights)[b], bend)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.name)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_network_of_one_neuron(kind, activation):
    model, theta, weights = _case(kind, activation)
    torch.testing.assert_close(model.outputs(theta), Network.outputs(model, theta))
    for name in DERIVATIVES:
        given = (theta,) if name == "jacobian" else (theta, weights)
        found, expected = getattr(model, name), getattr(Network, name)
        torch.testing.assert_close(found(*given), expected(model, *given))


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.name)
def test_no_slope_exceeds_the_lipschitz_constant(activation):
    z = torch.linspace(-6, 6, 1001).double()
    assert (
        activation.lipschitz * (1 - 1e-2)
        <= float(activation.slope(z).max())
        <= activation.lipschitz * (1 + 1e-12)
    )


def test_the_paced_objective_of_members_is_their_mean_square_with_its_gradient():
    X, y = _normal(3, 4, 3), _normal(3, 4)
    theta, members = _normal(2, 4), torch.tensor([2, 0])
    for inputs, targets in ((X, y), (X[0], y[0])):
        model = HiddenNeuron(inputs, LeakyReLU(0.2))
        shared = inputs.ndim == 2
        whole = Objective(model, Square(), targets, shared).select(members).at(theta)
        loss, gradient, _ = leaky_mean_square(model, targets)(theta, members)
        torch.testing.assert_close(loss.log(), whole.log_loss)
        torch.testing.assert_close(-gradient, whole.slope[0])


def _normal(*shape):
    generator = torch.Generator().manual_seed(1114001)
    return torch.randn(shape, generator=generator).double()


def test_no_eigenvalue_of_the_hessian_exceeds_the_bound_on_curvature():
    model, theta, y = _case(HiddenNeuron, LeakyReLU(0.5))
    bound = leaky_mean_square(model, y)(theta, torch.arange(2))[2]
    rows, rest = model.jacobian(theta), model.outputs(theta) - y
    curvature = (
        torch.linalg.eigvalsh((rows.mT @ rows + model.hessian(theta, rest)) * 2 / 4)
        .abs()
        .amax(-1)
    )
    assert bool((curvature <= bound).all())
    assert bool((curvature >= bound / 20).all())


def test_the_bound_is_attained_where_only_the_outer_weight_bends_the_loss():
    """At a = 0 and y = 0 the Hessian is (2/n) sum_i sigma(z_i)^2 along a, and zero
    elsewhere.
    """
    X = torch.tensor([[1.0, 2.0], [0.5, -1.0], [2.0, 0.0]]).double()
    w = torch.tensor([1.5, -0.5]).double()
    theta = torch.cat([w, torch.zeros(1).double()])[None]
    model = HiddenNeuron(X, LeakyReLU(0.5))
    bound = leaky_mean_square(model, [0.0] * 3)(theta, torch.arange(1))[2]
    torch.testing.assert_close(
        bound, LeakyReLU(0.5).value(X @ w).square().sum()[None] * 2 / 3
    )


def test_the_hidden_neuron_starts_with_the_imbalance_asked_for():
    w = torch.tensor([[3.0, 4.0], [0.6, 0.8]]).double()
    theta = balanced_to(
        w, torch.tensor([-9.0, 0.0]).double(), torch.tensor([1.0, -1.0]).double()
    )
    torch.testing.assert_close(theta[:, 2], torch.tensor([4.0, -1.0]).double())
    model = HiddenNeuron(torch.eye(2).double(), Identity())
    torch.testing.assert_close(
        model.imbalance(theta), torch.tensor([-9.0, 0.0]).double()
    )
    torch.testing.assert_close(model.product(theta), theta[:, 2:] * w)


def test_the_gradient_of_leaky_relu_keeps_the_imbalance():
    """a da/dt - w.dw/dt = 0 for any weights of the outputs, since sigma(z) = sigma'(z)
    z.
    """
    model, theta, weights = _case(HiddenNeuron, LeakyReLU(0.2))
    push = model.pullback(theta, weights)
    torch.testing.assert_close(
        theta[:, -1] * push[:, -1], (theta[:, :-1] * push[:, :-1]).sum(-1)
    )


def test_what_cannot_be_is_refused():
    with pytest.raises(InvalidInput, match="leak is -0"):
        LeakyReLU(-0.1)
    with pytest.raises(InvalidInput, match="below its least value"):
        balanced_to(
            torch.ones(1, 2).double(),
            torch.tensor([-3.0]).double(),
            torch.ones(1).double(),
        )
    with pytest.raises(InvalidInput, match="expected"):
        Neuron(torch.ones(3), Tanh())


def test_the_least_imbalance_leaves_no_outer_weight():
    weights = torch.tensor([[3.0, 4.0], [0.0, 0.0]]).double()
    sign = torch.tensor([1.0, -1.0]).double()
    theta = balanced_to(weights, torch.tensor([-25.0, 0.0]).double(), sign)
    assert theta.tolist() == [[3, 4, 0], [0, 0, 0]]
    theta = balanced_to(weights, torch.tensor([-9.0, 4.0]).double(), sign)
    assert theta.tolist() == [[3, 4, 4], [0, 0, -2]]
