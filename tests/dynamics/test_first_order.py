import pytest
import torch

from ibcore.dynamics.first_order import adam, gradient_descent
from ibcore.dynamics.trajectory import CONVERGED, step_limit
from ibcore.oracles.least_squares import minimum_norm
from ibcore.validation import InvalidInput

CURVATURE = torch.tensor([1.0, 4.0], dtype=torch.float64)


def bowl(theta):
    return (CURVATURE * theta.square()).sum(-1) / 2, CURVATURE * theta


def test_descent_on_a_quadratic_contracts_each_axis_by_its_own_factor():
    start = torch.tensor([[1.0, 1.0], [2.0, -1.0]], dtype=torch.float64)
    end = gradient_descent(
        bowl, start, torch.tensor([0.1, 0.2], dtype=torch.float64), steps=5
    )
    factor = 1 - torch.tensor([[0.1], [0.2]]).double() * CURVATURE
    torch.testing.assert_close(end.theta, start * factor**5)
    assert (end.steps, end.status) == (5, (step_limit(5),) * len(end.loss))


def test_descent_ends_when_every_gradient_is_short():
    start = torch.ones(2, 2, dtype=torch.float64)
    end = gradient_descent(bowl, start, 0.2, steps=1000, gradient_tolerance=1e-9)
    assert set(end.status) == {CONVERGED}
    assert end.steps < 1000
    assert torch.linalg.vector_norm(bowl(end.theta)[1], dim=-1).max() <= 1e-9


def test_descent_from_zero_interpolates_with_least_norm_and_from_elsewhere_does_not():
    generator = torch.Generator().manual_seed(0)
    Z = torch.randn(2, 10, 40, generator=generator, dtype=torch.float64)
    y = torch.randn(2, 10, generator=generator, dtype=torch.float64)

    def objective(w):
        rest = (Z @ w[..., None])[..., 0] - y
        return rest.square().mean(-1), 0.2 * (Z.mT @ rest[..., None])[..., 0]

    eta = 5 / torch.linalg.matrix_norm(Z, 2).square()
    least = minimum_norm(Z, y).weights
    for start in (
        torch.zeros(2, 40, dtype=torch.float64),
        torch.ones(2, 40, dtype=torch.float64),
    ):
        end = gradient_descent(
            objective, start, eta, steps=5000, gradient_tolerance=1e-12
        )
        unseen = start - (torch.linalg.pinv(Z) @ (Z @ start[..., None]))[..., 0]
        torch.testing.assert_close(end.theta, least + unseen, atol=1e-10, rtol=0)


def test_adam_takes_the_steps_of_torch():
    start = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    theta = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([theta], lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    for _ in range(40):
        optimizer.zero_grad()
        bowl(theta)[0].sum().backward()
        optimizer.step()
        schedule.step()
    torch.testing.assert_close(
        adam(bowl, start, 0.05, steps=40).theta, theta.detach(), atol=1e-8, rtol=1e-6
    )


def test_adam_ends_at_the_target_loss_and_leaves_its_start_alone():
    start = torch.ones(1, 2, dtype=torch.float64)
    end = adam(bowl, start, 0.05, steps=1000, target_loss=1e-3)
    assert set(end.status) == {CONVERGED}
    assert end.loss <= 1e-3
    assert torch.equal(start, torch.ones(1, 2, dtype=torch.float64))


def test_divergence_is_refused_with_a_remedy():
    with pytest.raises(InvalidInput, match="Take a smaller step size"):
        gradient_descent(bowl, torch.ones(1, 2, dtype=torch.float64), 10.0, steps=1000)


@pytest.mark.parametrize("step_size", [0.0, -1.0, float("nan")])
def test_step_size_must_be_positive(step_size):
    with pytest.raises(InvalidInput, match="step_size"):
        gradient_descent(
            bowl, torch.ones(1, 2, dtype=torch.float64), step_size, steps=1
        )
    with pytest.raises(InvalidInput, match="step_size"):
        adam(bowl, torch.ones(1, 2, dtype=torch.float64), step_size, steps=1)
