import torch

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.logged import Logged
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Square
from ibcore.models.linear import Linear


def test_the_table_holds_the_loss_before_every_step():
    objective = Objective(Linear([[1.0]]), Square(), torch.ones(1).double())
    start = torch.tensor([[0.0], [1.0], [3.0]]).double()
    pace = Logged.of(constant(0.25), start, 3)
    run = descend(
        objective, start, pace, steps=[3], until=lambda point: point.theta[:, 0] == 1
    )
    halved = torch.tensor([1.0, 0.25, 0.0625]).double().log()
    torch.testing.assert_close(pace.table[:, 0], halved)
    torch.testing.assert_close(pace.table[:, 2], halved + torch.tensor(4.0).log())
    assert bool(pace.table[:, 1].isnan().all())
    torch.testing.assert_close(run.theta[0, 0, 0], torch.tensor(0.875).double())
