"""Mini-batches and label noise: what the steps of the loop see, and that it is the same
whoever still runs.
"""

import math

import pytest
import torch

from ibcore.dynamics import paces
from ibcore.dynamics.batches import epochs, with_replacement, without_replacement
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.trajectory import CONVERGED
from ibcore.losses import Square
from ibcore.models.linear import Linear
from ibcore.validation import InvalidInput
from tests.cases import least_squares


@pytest.mark.parametrize("each", [True, False])
def test_an_epoch_sees_every_example_once(each):
    rows = epochs(3, torch.Generator().manual_seed(1112010), each=each)(4, 10)
    drawn = torch.cat([next(rows) for _ in range(3)], -1)
    assert drawn.shape == ((4, 9) if each else (9,))
    ordered = drawn.sort(-1).values
    assert (ordered.diff(dim=-1) > 0).all()


@pytest.mark.parametrize("each", [True, False])
def test_without_replacement_every_set_of_examples_is_as_likely(each):
    rows = without_replacement(2, torch.Generator().manual_seed(1), each=each)(500, 4)
    drawn = torch.stack([next(rows) for _ in range(1 if each else 500)]).reshape(-1, 2)
    assert drawn.shape == (500, 2)
    low, high = drawn.sort(-1).values.T
    assert bool((low < high).all())
    counts = torch.bincount(4 * low + high, minlength=16)
    expected, error = 500 / 6, math.sqrt(500 * 5 / 36)
    assert int((counts > 0).sum()) == 6
    assert bool(((counts[counts > 0] - expected).abs() < 4 * error).all())
    with pytest.raises(InvalidInput, match="batch has 5"):
        next(without_replacement(5, torch.Generator())(1, 4))


def test_the_mean_step_of_drawn_batches_is_the_step_of_all_examples():
    objective, start = least_squares(1)
    many = Objective(objective.model, Square(), objective.targets[0])
    start = start.expand(40_000, -1)
    eta = 0.01
    run = descend(
        many,
        start,
        paces.constant(eta),
        steps=[1],
        batches=with_replacement(2, torch.Generator().manual_seed(1112011), each=True),
    )
    moves = run.theta[0] - start
    whole = descend(many, start[:1], paces.constant(eta), steps=[1]).theta[0] - start[0]
    error = moves.std(0) / math.sqrt(len(moves))
    assert ((moves.mean(0) - whole[0]).abs() < 5 * error).all()


def test_draws_of_a_member_do_not_depend_on_who_still_runs():
    objective, start = least_squares()
    finish = torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64)

    def train(until):
        generator = torch.Generator().manual_seed(1112012)
        noise = torch.Generator().manual_seed(1112013)
        return descend(
            objective,
            start,
            paces.constant(0.02),
            steps=[30],
            batches=epochs(2, generator),
            label_noise=lambda shape: torch.randn(shape, generator=noise).double(),
            until=until,
        )

    def early(point):
        same = (point.objective.targets[:, :1] == objective.targets[1, :1]).any(-1)
        return same & (finish[1] < 0)

    together = train(None)
    apart = train(early)
    assert apart.status[1] == CONVERGED
    torch.testing.assert_close(apart.theta[0, [0, 2]], together.theta[0, [0, 2]])


def test_label_noise_spreads_a_linear_model_as_its_recursion_says():
    """One weight, one example x = 1, y = 0: w <- (1 - 2 eta) w + 2 eta xi, of variance
    eta / (1 - eta).
    """
    members, eta = 20_000, 0.2
    objective = Objective(
        Linear(torch.ones(1, 1, dtype=torch.float64)), Square(), torch.zeros(1).double()
    )
    generator = torch.Generator().manual_seed(1112014)
    run = descend(
        objective,
        torch.zeros(members, 1, dtype=torch.float64),
        paces.constant(eta),
        steps=[60],
        label_noise=lambda shape: torch.randn(shape, generator=generator).double(),
    )
    expected = eta / (1 - eta)
    spread = math.sqrt(2 / members) * expected
    assert float(run.last.square().mean()) == pytest.approx(expected, abs=5 * spread)


def test_draws_repeat_with_their_generator():
    objective, start = least_squares()

    def train(seed):
        drawn = with_replacement(3, torch.Generator().manual_seed(seed))
        return descend(
            objective, start, paces.constant(0.02), steps=[20], batches=drawn
        ).last

    assert torch.equal(train(1113010), train(1113010))
    assert not torch.allclose(train(1113010), train(1113011))


def test_a_batch_has_examples():
    for make in (with_replacement, epochs):
        with pytest.raises(InvalidInput, match="size"):
            make(0, torch.Generator())


def test_examples_are_drawn_uniformly_and_independently_for_every_member():
    generator = torch.Generator().manual_seed(1115004)
    draws = with_replacement(1, generator, each=True)(100, 4)
    rows = torch.stack([next(draws) for _ in range(100)])
    assert rows.shape == (100, 100, 1)
    shares = torch.bincount(rows.flatten(), minlength=4) / rows.numel()
    assert float((shares - 0.25).abs().max()) < 5 * (3 / 16 / rows.numel()) ** 0.5
    same = (rows[:, 0] == rows[:, 1]).double().mean()
    assert float(same) == pytest.approx(0.25, abs=5 * (3 / 16 / 100) ** 0.5)


def test_every_epoch_and_every_member_has_an_order_of_its_own():
    draws = epochs(4, torch.Generator().manual_seed(1115005))(2, 12)
    first, second = (torch.cat([next(draws) for _ in range(3)], -1) for _ in range(2))
    for order in (first, second):
        assert (order.sort(-1).values == torch.arange(12)).all()
        assert not torch.equal(order[0], order[1])
    assert not torch.equal(first, second)
