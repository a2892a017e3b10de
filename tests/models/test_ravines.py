import pytest
import torch

from ibcore.dynamics.objective import Objective
from ibcore.losses import Square
from ibcore.models.base import Model
from ibcore.models.ravines import Ravines

GENERATOR = torch.Generator().manual_seed(0)
FLOOR, RATE, CENTER = (
    torch.rand(2, 3, generator=GENERATOR).double() + 0.5 for _ in range(3)
)
MODEL = Ravines(FLOOR, RATE, CENTER)
THETA = torch.randn(2, 4, generator=GENERATOR).double()
BATCHES = {
    "all": MODEL,
    "one for both": MODEL.minibatch(torch.tensor([2])),
    "one each": MODEL.minibatch(torch.tensor([[0], [2]])),
    "two, repeated": MODEL.minibatch(torch.tensor([[1, 1], [0, 2]])),
}


def test_the_loss_has_the_curvatures_along_its_zeros():
    objective = Objective(MODEL, Square(), torch.zeros(3).double())
    x, y = THETA[:, :3], THETA[:, 3]
    widths = FLOOR + RATE * (y[:, None] - CENTER) ** 2
    torch.testing.assert_close(objective.mean(THETA), (widths * x**2).sum(-1) / 2)
    line = torch.cat([torch.zeros(2, 3).double(), THETA[:, 3:]], -1)
    product = objective.curvature(line)
    for number, axis in enumerate(torch.eye(4).double()):
        expected = torch.zeros(2, 4).double()
        if number < 3:
            expected[:, number] = widths[:, number]
        torch.testing.assert_close(product(axis.expand(2, -1)), expected)


@pytest.mark.parametrize("name", BATCHES)
def test_the_pullback_is_that_of_the_outputs(name):
    model = BATCHES[name]
    weights = torch.randn(2, model.examples, generator=GENERATOR).double()
    expected = Model.pullback(model, THETA, weights)
    torch.testing.assert_close(model.pullback(THETA, weights), expected)


@pytest.mark.parametrize("name", BATCHES)
def test_selected_members_output_what_they_did(name):
    model, member = BATCHES[name], torch.tensor([1])
    expected = model.outputs(THETA)[1:]
    torch.testing.assert_close(model.select(member).outputs(THETA[1:]), expected)


def test_a_batch_has_the_outputs_of_its_examples():
    outputs = MODEL.outputs(THETA)
    torch.testing.assert_close(
        BATCHES["one each"].outputs(THETA)[:, 0],
        torch.stack([outputs[0, 0], outputs[1, 2]]),
    )
    assert BATCHES["two, repeated"].examples == 2
