from __future__ import annotations

import torch

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.dynamics.trajectory import early_ends
from ibcore.losses import Exponential
from ibcore.models import Linear


def test_runs_that_end_early_are_told_after_their_name():
    model = Linear(torch.eye(2, dtype=torch.float64).expand(2, 2, 2))
    start = torch.zeros(2, 2, dtype=torch.float64)
    whole = flow(model, Exponential(), start, log_loss=[-1.0, -2.0])
    short = descend(
        Objective(model, Exponential()), start, constant(0.1), steps=[5], max_steps=3
    )
    assert early_ends("flow", whole) == ()
    told = "descent: step limit of 3"
    assert early_ends("descent", whole, short) == (told, told)
