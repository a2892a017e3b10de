from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from ibcore.oracles.central_flow import (
    CentralPath,
    arrived,
    central_flow,
    sharpness_gradient,
    top_direction,
)
from ibcore.oracles.stabilized_valley import Valley, constrained


@dataclass(frozen=True)
class ValleyLandscape:
    """L = (1 + y^2) x^2 / 2 + pull (y - target)^2 / 2 of w = (x, y)."""

    pull: float
    target: float

    def loss(self, w: Tensor) -> Tensor:
        x, y = w.unbind(-1)
        return (1 + y**2) * x**2 / 2 + self.pull * (y - self.target) ** 2 / 2

    def gradient(self, w: Tensor) -> Tensor:
        x, y = w.unbind(-1)
        along = self.pull * (y - self.target) + y * x**2
        return torch.stack([(1 + y**2) * x, along], -1)

    def hessian(self, w: Tensor) -> Tensor:
        x, y = w.unbind(-1)
        mixed = 2 * x * y
        rows = torch.stack([1 + y**2, mixed, mixed, self.pull + x**2], -1)
        return rows.unflatten(-1, (2, 2))


LANDSCAPE = ValleyLandscape(0.2, 2.2)
STEP = 1.2 * 2 / (1 + 2.2**2)
START = torch.tensor([[0.0, 0.5], [0.0, 1.5]]).double()


def test_before_the_edge_it_is_gradient_flow_and_then_it_stays():
    """y moves by an exponential until 1 + y^2 = 2 / eta; there sigma^2 = 2 mu of the
    program.
    """
    path = central_flow(LANDSCAPE, START, STEP, 200, substeps=50)
    times = STEP * torch.arange(201).double()[:, None]
    free = 2.2 + (START[:, 1] - 2.2) * torch.exp(-0.2 * times)
    found = constrained(Valley(np.ones(1), np.array([2.2]), 0.2), 2 / STEP)
    expected = free.clamp_max(found.y[0])
    torch.testing.assert_close(path.points[..., 1], expected, atol=2e-3, rtol=0)
    assert path.variance[-1].tolist() == pytest.approx(2 * [2 * found.multiplier])
    assert path.variance[0].tolist() == [0, 0]
    mean = LANDSCAPE.loss(path.points[-1]) + found.multiplier * 2 / STEP
    torch.testing.assert_close(path.loss[-1], mean)
    torch.testing.assert_close(path.second, torch.full_like(path.second, 0.2))
    assert path.directions[3, 0].abs().tolist() == [1, 0]


def test_without_the_constraint_it_is_gradient_flow():
    path = central_flow(LANDSCAPE, START, STEP, 200, substeps=50, free=True)
    torch.testing.assert_close(path.points[-1, :, 1], torch.full((2,), 2.2).double())
    assert bool(path.variance.isnan().all())


def test_the_error_is_of_the_order_of_a_substep():
    ends = [
        central_flow(LANDSCAPE, START, STEP, 6, substeps=number).points[-1, 0, 1]
        for number in (10, 20, 640)
    ]
    coarse, fine = abs(ends[0] - ends[2]), abs(ends[1] - ends[2])
    assert 1.8 < float(coarse / fine) < 2.2


def test_the_gradient_of_the_sharpness():
    w = torch.tensor([[0.0, 1.5]]).double()
    value, direction = top_direction(LANDSCAPE, w)
    assert value.item() == pytest.approx(1 + 1.5**2)
    rise = sharpness_gradient(LANDSCAPE, w, direction, LANDSCAPE.gradient(w))
    torch.testing.assert_close(rise, torch.tensor([[0.0, 3.0]]).double())


def test_arrival_at_the_edge():
    edge = (2 / STEP - 1) ** 0.5
    w = torch.tensor([[0, edge - 1e-6], [0, edge + 1e-6], [0, torch.nan]]).double()
    assert arrived(LANDSCAPE, w, STEP).tolist() == [False, True, False]


def test_paths_are_joined_and_selected():
    one = central_flow(LANDSCAPE, START, STEP, 3)
    both = CentralPath.joined([one, one.select(torch.tensor([1]))])
    assert both.points.shape == (4, 3, 2)
    torch.testing.assert_close(both.points[:, 1], both.points[:, 2])
    torch.testing.assert_close(both.loss[:, :2], one.loss)
