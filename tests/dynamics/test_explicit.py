"""The loop of explicit methods against closed forms and the optimizers of torch."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.datasets import load_digits
from torch import Tensor

from ibcore.dynamics import paces
from ibcore.dynamics.batches import epochs
from ibcore.dynamics.directions import AdaGrad, Adam, Gradient, Grouped, Momentum
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.objective import FunctionObjective, Objective
from ibcore.dynamics.trajectory import (
    CONVERGED,
    NOT_FINITE,
    PASSED,
    REACHED,
    step_limit,
    wall_limit,
)
from ibcore.losses import Exponential, Logistic, SoftmaxCrossEntropy
from ibcore.models.base import Model
from ibcore.models.linear import Linear
from ibcore.models.network import Network
from ibcore.validation import InvalidInput
from tests.cases import LOSSES, inputs, least_squares, normal, separable


def test_descent_on_least_squares_is_a_power_of_a_matrix():
    objective, start = least_squares()
    X, y = objective.model.inputs, objective.targets
    run = descend(objective, start, paces.constant(0.05), steps=[0, 1, 200])
    best = (torch.linalg.pinv(X) @ y[..., None])[..., 0]
    step = torch.eye(4, dtype=X.dtype) - 0.1 / 8 * X.T @ X
    for k, w in zip((0, 1, 200), run.theta, strict=True):
        power = torch.linalg.matrix_power(step, k)
        torch.testing.assert_close(w, best + (start - best) @ power)
    torch.testing.assert_close(
        run.log_time,
        torch.tensor([0.0, 0.05, 10.0]).double().log()[:, None].expand(3, 3),
    )
    assert run.status == (REACHED,) * 3


@pytest.mark.parametrize(
    ("direction", "optimizer", "options"),
    [
        (Gradient(), torch.optim.SGD, {}),
        (Momentum(0.9), torch.optim.SGD, {"momentum": 0.9}),
        (
            Momentum(0.9, nesterov=True),
            torch.optim.SGD,
            {"momentum": 0.9, "nesterov": True},
        ),
        (Adam(), torch.optim.Adam, {}),
        (AdaGrad(1e-10), torch.optim.Adagrad, {}),
    ],
    ids=["gradient", "heavy ball", "Nesterov", "Adam", "AdaGrad"],
)
@pytest.mark.parametrize("loss", ["square", "softmax cross entropy"])
def test_a_network_trains_as_with_torch(direction, optimizer, options, loss):
    out = 3 if loss.startswith("softmax") else 1
    net = Network(inputs(shared=True), (5, 4), "tanh", out=out)
    start = net.initial(1, torch.Generator().manual_seed(1112006))
    classes = torch.tensor([0, 1, 2, 0, 1, 2])
    goal = classes if out == 3 else classes.double() - 1
    run = descend(
        Objective(net, LOSSES[loss], goal),
        start,
        paces.constant(0.05),
        steps=[40],
        direction=direction,
    )
    theta = start.clone().requires_grad_()
    trainer = optimizer([theta], lr=0.05, **options)
    for _ in range(40):
        trainer.zero_grad()
        outputs = net.outputs(theta)[0]
        mean = (
            torch.nn.functional.cross_entropy(outputs, classes)
            if out == 3
            else (outputs - goal).square().mean()
        )
        mean.backward()
        trainer.step()
    torch.testing.assert_close(run.last, theta.detach(), rtol=1e-9, atol=1e-9)
    assert run.log_loss[0, 0] == pytest.approx(
        float(Objective(net, LOSSES[loss], goal).mean(run.last).log())
    )


class Counting(Model):
    """A model that counts the members it was evaluated for."""

    def __init__(self, objective: Objective, log: list[int]) -> None:
        self.objective, self.log = objective, log

    def outputs(self, theta: Tensor) -> Tensor:
        self.log.append(len(theta))
        return self.objective.model.outputs(theta)

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        return self.objective.model.pullback(theta, weights)

    def select(self, members: Tensor) -> Counting:
        return Counting(self.objective.select(members), self.log)


PACES = {
    "constant": paces.constant(0.3),
    "over the loss": paces.loss_scaled(0.02),
    "rollback": paces.Rollback(),
}


@pytest.mark.parametrize("pace", PACES.values(), ids=PACES)
@pytest.mark.parametrize("direction", [Gradient(), Momentum(0.8), Adam(eps=1e-12)])
def test_members_in_a_batch_are_members_alone(pace, direction):
    objective, start = separable()
    levels = [-1.0, -3.0, -6.0]

    def train(theta):
        return descend(
            objective,
            theta,
            pace,
            log_loss=levels,
            direction=direction,
            max_steps=3000,
        )

    batch = train(start)
    for member in range(len(start)):
        alone = train(start[member : member + 1])
        for name in ("theta", "log_loss", "log_time", "work"):
            torch.testing.assert_close(
                getattr(batch, name)[:, member],
                getattr(alone, name)[:, 0],
                rtol=1e-9,
                atol=1e-12,
                equal_nan=True,
            )
        assert (batch.steps[member], batch.rejected[member], batch.status[member]) == (
            alone.steps[0],
            alone.rejected[0],
            alone.status[0],
        )


def test_nothing_is_computed_for_members_that_have_ended():
    objective, start = separable()
    log: list[int] = []
    counting = Objective(Counting(objective, log), Exponential())
    run = descend(counting, start, paces.loss_scaled(0.02), log_loss=[-4.0])
    assert len(set(run.steps.tolist())) > 1
    assert sum(log) == int(run.steps.sum()) + len(start)


def test_a_member_without_gradient_keeps_its_number_of_steps():
    objective, start = separable()
    blind = torch.cat([start[:1], torch.zeros_like(start[:1])])
    run = descend(
        objective, blind, paces.loss_scaled(0.02), log_loss=[-4.0], max_steps=500
    )
    assert run.status[0] == REACHED
    assert run.status[1].startswith("step limit of 500")
    assert run.steps[1] == 500
    assert run.theta[0, 1].isnan().all()
    torch.testing.assert_close(run.last[1], blind[1])


def test_a_member_that_overflows_ends_alone():
    objective, start = least_squares()
    sizes = torch.tensor([0.05, 50.0, 0.05], dtype=torch.float64)
    run = descend(objective, start, paces.constant(sizes), steps=[2000])
    assert run.status == (REACHED, NOT_FINITE, REACHED)
    assert run.steps[1] < 2000
    assert run.theta[0, [0, 2]].isfinite().all()
    assert run.theta[0, 1].isnan().all()


def test_a_state_that_is_not_finite_is_at_no_stop():
    """One step from a margin of -1000 gives an infinite weight, at which the loss
    vanishes.
    """
    objective = Objective(Linear([[1.0]]), Exponential())
    for stops in ({"steps": [1]}, {"log_loss": [-1.0]}):
        run = descend(objective, [[-1000.0]], paces.constant(1.0), **stops)
        assert run.status == (NOT_FINITE,)
        assert run.theta.isnan().all()


def test_events_end_members_one_by_one():
    objective, start = separable()
    run = descend(
        objective,
        start,
        paces.loss_scaled(0.02),
        steps=[0, 10_000],
        until=lambda point: point.log_loss <= -2.0,
    )
    assert run.status == (CONVERGED,) * len(start)
    assert run.theta[0].isfinite().all()
    assert run.theta[1].isnan().all()
    assert (objective.at(run.last).log_loss <= -2).all()
    before = descend(objective, start, paces.loss_scaled(0.02), steps=[0])
    assert before.status == (REACHED,) * len(start)


def test_a_step_over_several_levels_is_recorded_at_each_and_one_at_the_start_as_passed():
    objective, start = separable()
    run = descend(
        objective, start, paces.loss_scaled(0.02), log_loss=[5.0, 4.9, -1.0, -1.0001]
    )
    torch.testing.assert_close(run.theta[2], run.theta[3])
    already = objective.at(start).log_loss <= 4.9
    assert already.any()
    torch.testing.assert_close(run.theta[1, already], start[already])
    low = descend(objective, run.last, paces.Rollback(), log_loss=[-0.5])
    assert low.status == (PASSED,) * len(start)
    assert low.steps.sum() == 0


def test_a_loss_instead_of_its_logarithm_is_refused():
    objective, start = separable()
    with pytest.raises(InvalidInput, match=r"last stop at 900.*log_loss=6\.802"):
        descend(objective, start, paces.Rollback(), log_loss=[900.0])


def test_limits_are_told():
    objective, start = separable()

    def status(**limit):
        return set(descend(objective, start, paces.Rollback(), **limit).status)

    assert status(log_loss=[-1e4], max_steps=3) == {step_limit(3)}
    assert status(steps=[2, 9], max_steps=4) == {step_limit(4)}
    assert status(log_loss=[-1e4], max_seconds=1e-9) == {wall_limit(1e-9)}


@pytest.mark.parametrize("behind", [0, 2])
def test_each_member_keeps_what_its_direction_remembered_when_it_ended(behind):
    """AdaGrad's sums of squares, alone or in a group `behind` members of gradient
    descent.
    """
    objective, start = separable()
    groups = ((Gradient(), behind), (AdaGrad(), 5 - behind))

    def train(theta, direction):
        return descend(
            objective,
            theta,
            paces.loss_scaled(0.1),
            log_loss=[-2.0],
            direction=direction,
            max_steps=300,
        )

    run = train(start, Grouped(groups) if behind else AdaGrad())
    assert len(set(run.steps.tolist())) > 2
    memory = run.memory[1] if behind else run.memory
    for row, member in enumerate(range(behind, 5)):
        alone = train(start[member : member + 1], AdaGrad()).memory
        torch.testing.assert_close(
            AdaGrad.preconditioner(memory)[row], AdaGrad.preconditioner(alone)[0]
        )


def test_small_steps_approach_the_flow_with_order_one():
    objective = Objective(Linear([[2.0, 1.0], [1.0, 3.0], [-1.0, 0.5]]), Logistic())
    start = normal(2, 2, seed=1113030)
    exact = flow(
        objective.model, objective.loss, start, log_time=math.log(4.0), tolerance=1e-9
    ).theta[0]
    errors = [
        (
            descend(objective, start, paces.constant(4 / k), steps=[k]).last - exact
        ).norm()
        for k in (50, 100, 200)
    ]
    assert float(errors[0] / errors[1]) == pytest.approx(2, rel=0.05)
    assert float(errors[1] / errors[2]) == pytest.approx(2, rel=0.05)


def test_groups_of_directions_are_the_groups_alone():
    objective, start = separable()
    mixed = Grouped(((Gradient(), 2), (Momentum(0.8), 3)))
    run = descend(
        objective,
        start,
        paces.loss_scaled(0.02),
        log_loss=[-3.0],
        direction=mixed,
    )
    for part, direction in ((slice(0, 2), Gradient()), (slice(2, 5), Momentum(0.8))):
        alone = descend(
            objective,
            start[part],
            paces.loss_scaled(0.02),
            log_loss=[-3.0],
            direction=direction,
        )
        torch.testing.assert_close(run.theta[:, part], alone.theta)


def test_digits_are_learned_with_the_loss_and_the_sharpness_watched():
    X, y = load_digits(return_X_y=True)
    net = Network(X[:60] / 16, (10, 10), "tanh", out=10)
    objective = Objective(net, SoftmaxCrossEntropy(), torch.tensor(y[:60]))
    start = net.initial(2, torch.Generator().manual_seed(1112015))

    def sharpness(point, _members):
        product = point.objective.curvature(point.theta)
        size = point.theta.shape[-1]

        def largest(member):
            def apply(vector):
                full = torch.zeros_like(point.theta)
                full[member] = torch.from_numpy(vector.reshape(-1))
                return product(full)[member].numpy()

            operator = LinearOperator((size, size), matvec=apply, dtype=float)
            return eigsh(operator, k=1, which="LA", tol=1e-8)[0].item()

        return torch.tensor([largest(m) for m in range(len(point.theta))])

    run = descend(
        objective,
        start,
        paces.constant(0.5),
        steps=[0, 200],
        watch={"sharpness": sharpness},
    )
    assert run.status == (REACHED,) * 2
    assert (run.log_loss[1] < run.log_loss[0] - 1).all()
    for stop in range(2):
        slope = torch.func.jacrev(lambda t: objective.mean(t[None])[0])
        for member in range(2):
            dense = torch.func.jacrev(slope)(run.theta[stop, member])
            top = torch.linalg.eigvalsh(dense)[-1]
            torch.testing.assert_close(
                run.watched["sharpness"][stop, member].double(),
                top,
                rtol=1e-6,
                atol=0,
            )


def test_an_objective_given_by_a_function():
    curvatures = torch.tensor([[1.0, 4.0], [2.0, 9.0], [3.0, 1.0]]).double()

    def values(theta, members):
        c = curvatures[members]
        return (
            (c * theta.square()).sum(-1) / 2,
            c * theta,
            c.amax(-1),
        )

    objective = FunctionObjective(values)
    run = descend(
        objective,
        normal(3, 2, seed=1112016),
        paces.Bounded(),
        log_loss=[-60.0],
    )
    assert run.status == (REACHED,) * 3
    torch.testing.assert_close(run.last, torch.zeros_like(run.last), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either steps"),
        ({"steps": [1], "log_loss": [-1.0]}, "either steps"),
        ({"steps": [3, 2]}, "rising"),
        ({"steps": []}, "rising"),
        ({"steps": [-1]}, "at least 0"),
        ({"steps": [1.5]}, "integer"),
        ({"log_loss": []}, "falling"),
        ({"log_loss": [-2.0, -1.0]}, "falling"),
        ({"steps": [1], "max_steps": 0}, "max_steps"),
        ({"steps": [1], "max_seconds": -1.0}, "max_seconds"),
        (
            {"steps": [1], "batches": epochs(99, torch.Generator())},
            "batch has 99 examples",
        ),
    ],
)
def test_what_is_refused(options, message):
    objective, start = least_squares()
    with pytest.raises(InvalidInput, match=message):
        descend(objective, start, paces.constant(0.1), **options)
