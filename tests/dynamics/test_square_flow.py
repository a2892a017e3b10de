from dataclasses import dataclass, replace

import pytest
import torch
from scipy.integrate import solve_ivp

from ibcore.dynamics import paces
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.square_flow import square_flow
from ibcore.dynamics.trajectory import step_limit, wall_limit
from ibcore.losses import Square
from ibcore.models.two_layer import TwoLayerReLU, zero_output_start
from ibcore.problems.curves import sine_points
from ibcore.validation import InvalidInput


@dataclass(frozen=True)
class LinearModel:
    features: torch.Tensor

    def outputs(self, theta):
        return (self.features @ theta[..., None])[..., 0]

    def jacobian(self, theta):
        return self.features.expand(len(theta), *self.features.shape[-2:])

    def select(self, members):
        return replace(self, features=self.features[members])


def linear(batch=3, samples=4, parameters=6):
    generator = torch.Generator().manual_seed(8)
    features = torch.randn(
        batch, samples, parameters, generator=generator, dtype=torch.float64
    )
    return LinearModel(features), torch.randn(
        batch, samples, generator=generator, dtype=torch.float64
    )


def network(scale, *, batch=3, width=40, seed=5):
    generator = torch.Generator().manual_seed(seed)
    data = sine_points(batch, 6, generator)
    theta = zero_output_start(
        width, 1, torch.full((batch,), scale, dtype=torch.float64), generator
    )
    return TwoLayerReLU(data.inputs, width), theta, data.y


def test_a_linear_model_follows_the_matrix_exponential():
    model, y = linear()
    out = square_flow(
        model, torch.zeros(3, 6, dtype=torch.float64), y, target_loss=1e-3
    )
    kernel = model.features @ model.features.mT
    expected = (
        torch.linalg.matrix_exp(-2 / 4 * kernel * out.time[:, None, None])
        @ -y[..., None]
    )
    torch.testing.assert_close(model.outputs(out.theta) - y, expected[..., 0])
    assert out.status == ("converged",) * 3
    torch.testing.assert_close(out.loss, expected[..., 0].square().mean(-1))


def test_a_linear_model_ends_at_the_least_norm_interpolant():
    model, y = linear()
    out = square_flow(
        model, torch.zeros(3, 6, dtype=torch.float64), y, target_loss=1e-24
    )
    expected = (torch.linalg.pinv(model.features) @ y[..., None])[..., 0]
    torch.testing.assert_close(out.theta, expected, rtol=0, atol=1e-10)
    assert int(out.steps.max()) < 40


def exact_flow(net, theta, y, end):
    """The flow of one network by a general integrator on the gradient from automatic
    differentiation.
    """

    def velocity(_, flat):
        p = torch.from_numpy(flat)[None].requires_grad_()
        (grad,) = torch.autograd.grad((net.outputs(p) - y).square().mean(), p)
        return -grad[0].numpy()

    solution = solve_ivp(velocity, (0, end), theta.numpy(), rtol=1e-6, atol=1e-8)
    return torch.from_numpy(solution.y[:, -1])


def test_agrees_with_an_independent_integrator_the_better_the_smaller_the_tolerance():
    net, theta, y = network(3.0, batch=1)
    errors = []
    for tolerance in (1e-2, 1e-4):
        out = square_flow(
            net,
            theta,
            y,
            target_loss=0.05,
            tolerance=tolerance,
            levels=(0.05,),
            shortest_step=1e-6,
        )
        expected = exact_flow(net, theta[0], y, float(out.time))
        errors.append(
            float((out.theta[0] - expected).norm() / (expected - theta[0]).norm())
        )
    assert errors[1] < 2e-3
    assert errors[1] < errors[0] / 10


def test_gradient_descent_with_small_steps_follows_the_flow():
    net, theta, y = network(10.0)
    jacobian = net.jacobian(theta)
    fastest = torch.linalg.eigvalsh(jacobian @ jacobian.mT)[:, -1] * 2 / y.shape[-1]
    flow = square_flow(net, theta, y, target_loss=0.1, tolerance=1e-3, levels=(0.1,))
    for member in range(3):
        one, eta = net.select(torch.tensor([member])), 0.05 / fastest[[member]]
        descent = descend(
            Objective(one, Square(), y[[member]], shared=False),
            theta[[member]],
            paces.constant(eta),
            steps=[round(float(flow.time[member] / eta))],
        )
        moved = (flow.theta[member] - theta[member]).norm()
        assert float((descent.last[0] - flow.theta[member]).norm() / moved) < 0.02


def test_balancedness_is_conserved_up_to_the_tolerance():
    net, theta, y = network(2.0)
    drifts = []
    for tolerance in (3e-2, 3e-4):
        out = square_flow(
            net,
            theta,
            y,
            target_loss=0.1,
            tolerance=tolerance,
            levels=(0.1,),
            shortest_step=1e-6,
        )
        (w, b), (w0, b0) = net.hidden(out.theta), net.hidden(theta)
        a = out.theta[:, -net.width :]
        drift = (
            (a.square() - b.square() - w[..., 0].square())
            + b0.square()
            + w0[..., 0].square()
        )
        drifts.append(float(drift.abs().max()))
    assert drifts[1] < drifts[0] / 5


def test_a_network_that_sees_nothing_is_called_stalled():
    net, theta, y = network(10.0, batch=2)
    dead = theta.clone()
    dead[0, 40:80], dead[0, :40] = -5.0, 0.1
    out = square_flow(net, dead, y)
    assert out.status == ("stalled", "converged")
    assert out.fits.tolist() == [False, True]
    torch.testing.assert_close(out.loss[0], y[0].square().mean())


@pytest.mark.parametrize(
    ("limits", "word"),
    [({"max_steps": 1}, step_limit(1)), ({"max_seconds": 1e-9}, wall_limit(1e-9))],
)
def test_limits_end_it_and_are_named(limits, word):
    net, theta, y = network(0.5)
    assert square_flow(net, theta, y, **limits).status == (word,) * 3


def test_snapshots_are_the_first_states_below_the_levels():
    net, theta, y = network(10.0)
    levels = (10.0, 0.1, 1e-3, 1e-12)
    out = square_flow(net, theta, y, levels=levels, target_loss=1e-6)
    torch.testing.assert_close(out.snapshots[0], theta)
    for level, kept in zip(levels[1:3], out.snapshots[1:3], strict=True):
        losses = (net.outputs(kept) - y).square().mean(-1)
        assert bool(((losses <= level) & (losses > 0.3 * level)).all())
    assert bool(out.snapshots[3].isnan().all())


def test_members_of_a_batch_do_not_disturb_each_other():
    net, theta, y = network(10.0)
    together = square_flow(net, theta, y)
    alone = square_flow(net.select(torch.tensor([1])), theta[[1]], y[[1]])
    torch.testing.assert_close(together.theta[1], alone.theta[0], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target_loss": 0.0}, "target_loss"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"max_steps": 0}, "max_steps"),
    ],
)
def test_bad_settings_are_refused(change, message):
    net, theta, y = network(1.0)
    with pytest.raises(InvalidInput, match=message):
        square_flow(net, theta, y, **change)


def test_bad_shapes_are_refused():
    net, theta, y = network(1.0)
    with pytest.raises(InvalidInput, match="2 dimension"):
        square_flow(net, theta[0], y)
    with pytest.raises(InvalidInput, match="one an input"):
        square_flow(net, theta, y[:, :4])
