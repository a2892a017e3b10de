"""What is let in as a model, a loss and a start, and the pullback of any model."""

import math

import pytest
import torch

from ibcore.dynamics.protocols import (
    checked_parts,
    fitting,
    pullback,
    starting_point,
    usable_outputs,
)
from ibcore.losses import Logistic, Square
from ibcore.models.linear import Linear
from ibcore.validation import InvalidInput
from tests.cases import normal

X = normal(4, 3, seed=1)


class Bare:
    """Outputs and Jacobian of sin(X theta), and nothing else."""

    linear = False

    def outputs(self, theta):
        return torch.sin(theta @ X.T)

    def jacobian(self, theta):
        return torch.cos(theta @ X.T)[..., None] * X


class Pulling(Bare):
    """The same with a pullback of its own, which is told from the default by a sign."""

    def pullback(self, theta, weights):
        return -(weights[..., None] * self.jacobian(theta)).sum(1)


def test_a_pullback_is_the_gradient_of_weighted_outputs():
    theta, weights = normal(2, 3, seed=2), normal(2, 4, seed=3)
    at = theta.clone().requires_grad_()
    (weights * Bare().outputs(at)).sum().backward()
    torch.testing.assert_close(pullback(Bare(), theta, weights), at.grad)


def test_a_model_with_a_cheaper_pullback_is_asked_for_it():
    theta, weights = normal(2, 3, seed=2), normal(2, 4, seed=3)
    torch.testing.assert_close(
        pullback(Pulling(), theta, weights), -pullback(Bare(), theta, weights)
    )


@pytest.mark.parametrize(
    ("model", "loss", "words"),
    [
        (Linear, Logistic(), r"model is the class Linear.*outputs, jacobian"),
        (X, Logistic(), "model is a Tensor"),
        (Bare(), Logistic, r"loss is the class Logistic.*log_slope_rate"),
        (Bare(), Square(), "loss is a Square"),
        (Bare(), None, "loss is a NoneType"),
    ],
)
def test_classes_and_data_are_no_models_and_losses(model, loss, words):
    with pytest.raises(InvalidInput, match=words):
        checked_parts(model, loss)


def test_a_model_of_somebody_else_and_a_loss_of_margins_are_let_in():
    checked_parts(Bare(), Logistic())


def test_a_start_takes_the_kind_of_the_data():
    model = Linear(X.float())
    found = fitting(model, [[1, 2, 3]])
    assert found.dtype == torch.float32
    assert found.tolist() == [[1, 2, 3]]
    assert fitting(Bare(), torch.ones(2, 9).double()).shape == (2, 9)


@pytest.mark.parametrize(
    ("theta", "words"),
    [
        (torch.ones(2, 4), r"\(2, 4\), expected \(B, 3\).*3 parameters"),
        (torch.ones(3), "2 dimension"),
        ([[1.0, math.nan, 0.0]], "NaN"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(theta, words):
    for take in (fitting, starting_point):
        with pytest.raises(InvalidInput, match=words):
            take(Linear(X), theta)


def test_a_start_is_tried_before_work_begins():
    start = normal(2, 3, seed=4)
    assert starting_point(Bare(), start).equal(start)
    with pytest.raises(InvalidInput, match="does not take"):
        starting_point(Bare(), torch.ones(2, 5).double())

    class Several(Bare):
        def outputs(self, theta):
            return super().outputs(theta)[..., None]

    with pytest.raises(InvalidInput, match=r"\(2, 4, 1\); expected one number"):
        starting_point(Several(), torch.ones(2, 3).double())


def test_outputs_must_have_a_row_a_member():
    start = torch.ones(2, 3).double()
    for outputs in (torch.ones(2), torch.ones(3, 4)):
        with pytest.raises(InvalidInput, match="one row of outputs"):
            usable_outputs(start, lambda outputs=outputs: outputs)
    kept = torch.ones(2, 4, 5)
    assert usable_outputs(start, lambda: kept) is kept


def test_one_member_with_finite_outputs_is_enough():
    start, outputs = torch.ones(2, 3), torch.ones(2, 4)
    outputs[0, 1] = math.nan
    assert usable_outputs(start, lambda: outputs) is outputs
    outputs[1, 3] = math.inf
    with pytest.raises(InvalidInput, match="not finite"):
        usable_outputs(start, lambda: outputs)
