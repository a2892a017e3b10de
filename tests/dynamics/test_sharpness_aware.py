import torch

from ibcore.dynamics.batches import prescribed
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import Rollback, constant
from ibcore.dynamics.sharpness_aware import SharpnessAware
from ibcore.losses import Square
from ibcore.models.network import Network

GENERATOR = torch.Generator().manual_seed(0)
X, Y = (torch.randn(*s, generator=GENERATOR).double() for s in ((6, 2), (6,)))
PLAIN = Objective(Network(X, (3,), "tanh"), Square(), Y)
START = PLAIN.model.initial(3, GENERATOR)


def gradient(theta, rows=slice(None)):
    objective = Objective(Network(X[rows], (3,), "tanh"), Square(), Y[rows])
    theta = theta.clone().requires_grad_()
    return torch.autograd.grad(objective.mean(theta).sum(), theta)[0]


def by_hand(theta, radius, size, rows=slice(None)):
    g = gradient(theta, rows)
    ahead = theta + radius * g / g.norm(dim=-1, keepdim=True)
    return theta - size * gradient(ahead, rows)


def test_steps_are_those_of_the_definition():
    aware = SharpnessAware(PLAIN, 0.1)
    run = descend(aware, START, constant(0.2), steps=[1, 2])
    once = by_hand(START, 0.1, 0.2)
    torch.testing.assert_close(run.theta[0], once)
    torch.testing.assert_close(run.theta[1], by_hand(once, 0.1, 0.2))
    torch.testing.assert_close(run.log_loss[0], PLAIN.mean(once).log())


def test_the_batch_is_chosen_before_the_step_uphill():
    rows = torch.tensor([[2], [5]])
    aware = SharpnessAware(PLAIN, 0.1)
    run = descend(aware, START, constant(0.2), steps=[2], batches=prescribed(rows))
    expected = by_hand(by_hand(START, 0.1, 0.2, [2]), 0.1, 0.2, [5])
    torch.testing.assert_close(run.theta[0], expected)


def test_members_may_have_radii_of_their_own_and_end_one_by_one():
    radii = torch.tensor([0.05, 0.1, 0.2]).double()
    run = descend(
        SharpnessAware(PLAIN, radii),
        START,
        constant(0.2),
        steps=[3],
        until=lambda point: point.theta[:, 0] == START[1, 0],
    )
    assert run.converged.tolist() == [False, True, False]
    for member in (0, 2):
        theta = START[member : member + 1]
        for _ in range(3):
            theta = by_hand(theta, radii[member], 0.2)
        torch.testing.assert_close(run.theta[0, member], theta[0])


def test_a_step_that_is_undone_leaves_the_point():
    pace = Rollback(first=1e3, shrink=1e6)
    run = descend(SharpnessAware(PLAIN, 0.1), START, pace, steps=[1])
    torch.testing.assert_close(run.theta[0], START)


def test_at_a_critical_point_there_is_no_uphill():
    flat = Objective(Network(X, (3,), "tanh"), Square(), torch.zeros(6).double())
    rest = torch.zeros(1, START.shape[-1]).double()
    run = descend(SharpnessAware(flat, 0.1), rest, constant(0.2), steps=[1])
    torch.testing.assert_close(run.theta[0], rest)
