"""The objective: slopes, curvature, parts; over all models and losses that fit
together.
"""

from __future__ import annotations

import pytest
import torch

from ibcore.dynamics.objective import Objective
from ibcore.losses import CrossEntropy, SoftmaxCrossEntropy, Square
from ibcore.models.linear import Linear
from ibcore.models.network import Network
from ibcore.validation import InvalidInput
from tests.cases import CASES, LOSSES, MEMBERS, inputs, parameters, targets


def fits(case, loss):
    several = (
        case.build(inputs(shared=True))
        .outputs(parameters(case.build(inputs(shared=True))))
        .ndim
        == 3
    )
    if isinstance(loss, SoftmaxCrossEntropy):
        return several
    return isinstance(loss, Square) or not several


PAIRS = [
    pytest.param(case, loss, id=f"{name}, {kind}")
    for name, case in CASES.items()
    for kind, loss in LOSSES.items()
    if fits(case, loss)
]


def objective(case, loss, *, shared=True):
    model = case.build(inputs(shared=True))
    theta = parameters(model)
    goal = targets(loss, model.outputs(theta), shared=shared)
    return Objective(model, loss, goal, shared), theta


@pytest.mark.parametrize(("case", "loss"), PAIRS)
def test_the_slope_is_minus_the_gradient_of_the_mean_loss(case, loss):
    minimized, theta = objective(case, loss)
    point, start = minimized.at(theta), theta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(minimized.mean(start).sum(), start)
    vector, log_unit = point.slope
    torch.testing.assert_close(-log_unit.exp().unsqueeze(-1) * vector, gradient)
    torch.testing.assert_close(point.log_loss, minimized.mean(theta).log())


@pytest.mark.parametrize(("case", "loss"), PAIRS)
def test_curvature_is_the_hessian_of_the_mean_loss(case, loss):
    minimized, theta = objective(case, loss)
    along = parameters(case.build(inputs(shared=True)), seed=1111021)
    slope = torch.func.jacrev(lambda point: minimized.mean(point).sum())
    dense = torch.func.jacrev(slope)(theta)
    own = dense.diagonal(dim1=0, dim2=2).movedim(-1, 0)
    torch.testing.assert_close(
        minimized.curvature(theta)(along), (own @ along[..., None])[..., 0]
    )


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("loss", [Square(), SoftmaxCrossEntropy()])
def test_parts_of_an_objective(loss, shared):
    case = CASES["network, three outputs"]
    minimized, theta = objective(case, loss, shared=shared)
    members, rows = torch.tensor([2, 0]), torch.tensor([[0, 1], [5, 5], [3, 0]])
    torch.testing.assert_close(
        minimized.select(members).mean(theta[members]), minimized.mean(theta)[members]
    )
    singles = torch.stack(
        [minimized.minibatch(torch.tensor([i])).mean(theta) for i in range(6)], -1
    )
    torch.testing.assert_close(singles.mean(-1), minimized.mean(theta))
    torch.testing.assert_close(
        minimized.minibatch(rows).mean(theta), singles.gather(-1, rows).mean(-1)
    )


def test_softmax_cross_entropy_is_that_of_the_margins_and_does_not_underflow():
    logits = torch.tensor([[[900.0, 0.0, 1.0], [0.0, 2.0, 1.0]]], dtype=torch.float64)
    classes = torch.tensor([0, 1])
    margins = torch.stack(
        [logits[0, 0, 0] - logits[0, 0, 1:], logits[0, 1, 1] - logits[0, 1, [0, 2]]]
    ).flatten()[None]
    loss, old = SoftmaxCrossEntropy(), CrossEntropy(2)
    torch.testing.assert_close(loss.log_mean(logits, classes), old.log_mean(margins))
    first = logits[:, :1], classes[:1]
    exact = -900 + torch.log(torch.tensor([1 + torch.e], dtype=torch.float64))
    torch.testing.assert_close(loss.log_mean(*first), exact)
    weights, log_unit = loss.pull(*first)
    torch.testing.assert_close(weights.amax(-1).log()[:, 0] + log_unit, exact)
    assert float(weights.sum()) == pytest.approx(0, abs=1e-15)


def test_label_noise_moves_real_targets_only():
    X = inputs(shared=True)
    theta = torch.zeros(MEMBERS, X.shape[-1], dtype=torch.float64)
    square = Objective(Linear(X), Square(), torch.zeros(len(X), dtype=X.dtype))
    noise = torch.randn(MEMBERS, len(X), dtype=X.dtype)
    torch.testing.assert_close(
        square.perturbed(noise).mean(theta), noise.square().mean(-1)
    )
    net = Network(X, (2,), out=3)
    classes = Objective(net, SoftmaxCrossEntropy(), torch.zeros(len(X)).long())
    with pytest.raises(InvalidInput, match="real targets"):
        classes.perturbed(noise)
    start = net.initial(1, torch.Generator().manual_seed(1115009))
    with pytest.raises(InvalidInput, match="real targets"):
        _ = classes.at(start).residuals
    with pytest.raises(InvalidInput, match="needs targets"):
        Objective(Linear(X), Square()).mean(theta)
