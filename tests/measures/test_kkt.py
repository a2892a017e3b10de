import math

import pytest
import torch
from scipy.optimize import lsq_linear

from ibcore.measures.kkt import clarke_kkt, kkt
from ibcore.models.activations import LeakyReLU
from ibcore.models.margins import Margins
from ibcore.models.network import Network, of_neurons
from ibcore.oracles.max_margin import max_margin
from ibcore.validation import InvalidInput


def linear_problem():
    X = torch.randn(6, 9, generator=torch.Generator().manual_seed(0)).double()
    y = torch.tensor([1.0, 1, 1, -1, -1, -1]).double()
    return X, y, y[:, None] * X


@pytest.mark.parametrize("scale", [1.0, 1e-3, 40.0])
def test_a_support_vector_machine_is_a_kkt_point_with_its_duals(scale):
    X, y, signed = linear_problem()
    best = max_margin(X, y)
    found = kkt(scale * best.primal, scale * signed @ best.primal, signed)
    assert found.residual < 1e-10
    assert found.complementarity < 1e-10
    torch.testing.assert_close(
        found.multipliers, scale * best.dual, rtol=1e-6, atol=1e-9 * scale
    )


def test_a_margin_without_gradient_has_no_multiplier():
    _, _, signed = linear_problem()
    theta = signed[0]
    rows = torch.stack([signed[0], torch.zeros(9).double()])
    values = torch.ones(2).double()
    found = kkt(theta, values, rows)
    assert found.residual < 1e-14
    torch.testing.assert_close(found.multipliers, torch.tensor([1.0, 0.0]).double())


def test_residual_agrees_with_another_solver_and_ignores_scale():
    X, y, signed = linear_problem()
    theta = max_margin(X, y).primal + 0.1 * signed.mean(0)
    values = signed @ theta
    found, other = (
        kkt(theta, values, signed, active=1e9),
        kkt(7 * theta, 7 * values, signed, active=1e9),
    )
    reference = lsq_linear(signed.T.numpy(), theta.numpy(), (0, math.inf), tol=1e-13)
    assert found.residual == pytest.approx(
        math.sqrt(2 * reference.cost) / float(theta.norm()), abs=1e-8
    )
    assert (other.residual, other.complementarity) == pytest.approx(
        (found.residual, found.complementarity)
    )
    expected = found.multipliers @ (values - values.min()) / theta.square().sum()
    assert found.complementarity == pytest.approx(float(expected), rel=1e-12)


def on_kinks(c, nudge=1e-9):
    """A KKT point by hand: unit inputs with x_1.x_2 = c, labels +1 and -1, each neuron
    orthogonal to the other's input.

    w_1 = lambda (x_1 - g x_2) with the slope g = c and lambda = (1 - c^2)^(-1/2); the
    nudge closes both gates.
    """
    X = torch.tensor([[1.0, 0.0], [c, math.sqrt(1 - c * c)]], dtype=torch.float64)
    w = (X - c * X.flip(0)) / math.sqrt(1 - c * c) - nudge * X.flip(0)
    return torch.tensor([1.0, -1.0]).double(), w, X, torch.tensor([1.0, -1.0]).double()


@pytest.mark.parametrize("c", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("slope_below", [0.0, 0.2])
def test_a_point_on_kinks_in_closed_form(c, slope_below):
    found = clarke_kkt(*on_kinks(c), slope_below=slope_below)
    assert found.residual < 1e-6
    assert -1e-9 <= found.gap < 1e-5
    assert sorted(map(tuple, found.kinks.tolist())) == [(0, 1), (1, 0)]
    torch.testing.assert_close(
        found.gates, torch.full((2,), c).double(), rtol=0, atol=1e-4
    )
    torch.testing.assert_close(
        found.multipliers,
        torch.full((2,), (1 - c * c) ** -0.5).double(),
        rtol=1e-4,
        atol=0,
    )


def test_the_naive_residual_of_that_point_in_closed_form():
    c = 0.6
    found = clarke_kkt(*on_kinks(c))
    assert found.naive.residual == pytest.approx(
        math.sqrt(c * c / (2 - c * c)), abs=1e-7
    )


def test_a_slope_out_of_reach_leaves_a_residual():
    assert clarke_kkt(*on_kinks(0.3), slope_below=0.6).residual > 0.1


def test_off_kinks_both_residuals_agree():
    generator = torch.Generator().manual_seed(3)
    X = torch.randn(4, 3, generator=generator).double()
    net = Network(X, (6,), LeakyReLU(0.1), biases=False)
    a, w = (
        torch.randn(6, generator=generator).double(),
        torch.randn(6, 3, generator=generator).double(),
    )
    y = torch.sign(net.outputs(of_neurons(a, w)[None])[0])
    model = Margins(net, y)
    theta = of_neurons(a, w)
    direct = kkt(
        theta, model.outputs(theta[None])[0], model.jacobian(theta[None])[0], active=5.0
    )
    found = clarke_kkt(a, w, X, y, slope_below=0.1, active=5.0, kink=1e-12)
    assert len(found.kinks) == 0
    assert found.naive.residual == pytest.approx(direct.residual, abs=1e-10)
    assert found.residual == pytest.approx(direct.residual, abs=1e-6)


def test_bad_input_is_refused():
    X, y, signed = linear_problem()
    theta = max_margin(X, y).primal
    with pytest.raises(InvalidInput, match="smallest margin is -1"):
        kkt(theta, -torch.ones(6).double(), signed)
    with pytest.raises(InvalidInput, match="one gradient a margin"):
        kkt(theta, torch.ones(5).double(), signed)
    a, w, X, y = on_kinks(0.5)
    with pytest.raises(InvalidInput, match="slope_below"):
        clarke_kkt(a, w, X, y, slope_below=1.0)
    with pytest.raises(InvalidInput, match="shapes"):
        clarke_kkt(a, w[:, :1], X, y)


def test_a_margin_with_a_zero_gradient_has_no_say():
    X, y, signed = linear_problem()
    theta = max_margin(X, y).primal
    values, zero = signed @ theta, torch.zeros(1, 9, dtype=torch.float64)
    plain = kkt(theta, values, signed)
    more = kkt(
        theta, torch.cat([values, values.min()[None]]), torch.cat([signed, zero])
    )
    assert more.residual == pytest.approx(plain.residual, abs=1e-12)
    assert float(more.multipliers[-1]) == 0


def test_constraints_are_active_up_to_and_with_the_share_that_is_given():
    rows = torch.eye(3).double()
    margins = torch.tensor([2.0, 3.0, 3.125]).double()
    found = kkt(margins, margins, rows, active=0.5)
    assert found.active.tolist() == [True, True, False]
    assert kkt(margins, margins, rows, active=0.25).active.tolist() == [
        True,
        False,
        False,
    ]
