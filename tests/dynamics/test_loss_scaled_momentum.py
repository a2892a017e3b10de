import pytest
import torch

from ibcore.dynamics.loss_scaled_momentum import descend_to_levels
from ibcore.validation import InvalidInput


def exponential(weights):
    """Loss exp(-a) of one number a for each member, and its gradient."""
    loss = torch.exp(-weights[0][:, 0, 0])
    return loss, [-loss[:, None, None]]


def test_on_an_exponential_the_loss_scaled_step_is_constant():
    run = descend_to_levels(
        exponential,
        [torch.zeros(1, 1, 1).double()],
        [0.5, 0.1],
        step_size=0.1,
        momentum=0.0,
    )
    assert run.reached
    assert run.steps[:, 0].tolist() == [7, 24]
    assert float(run.weights[1][0]) == pytest.approx(2.4)


def test_members_are_frozen_at_their_own_levels():
    begin = torch.tensor([0.0, 5.0]).double().view(2, 1, 1)
    run = descend_to_levels(exponential, [begin], [0.5, 0.1], momentum=0.0)
    assert run.steps[:, 1].tolist() == [0, 0]
    assert float(run.weights[1][0][1]) == 5.0


def test_a_level_that_is_not_reached_is_marked():
    run = descend_to_levels(
        exponential, [torch.zeros(1, 1, 1).double()], [0.5, 1e-9], max_steps=10
    )
    assert not run.reached
    assert int(run.steps[1, 0]) == -1


def test_levels_must_fall():
    with pytest.raises(InvalidInput, match="fall"):
        descend_to_levels(exponential, [torch.zeros(1, 1, 1)], [0.1, 0.5])
