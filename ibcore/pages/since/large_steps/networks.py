"""Networks that come to the edge of stability, and what they do there on average."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Square
from ibcore.models.network import Network
from ibcore.oracles.central_flow import (
    CentralPath,
    arrived,
    central_flow,
    top_direction,
)
from ibcore.oracles.tanh_landscape import TanhLandscape
from ibcore.problems.curves import chebyshev_points
from ibcore.threads import threads

STEP_SIZE, WIDTH = 0.18, 12
KICK = 0.05  # along u, with which the jumps begin
FIRST, LAST = 100, 300  # steps after the arrival between which is averaged
PATIENCE = 3000  # steps of half the size within which a network must arrive
NEAR = 1.02  # most of S eta / 2 on arrival
MOVED = 0.2  # least way of gradient flow in the time
BELOW = 0.95  # most of the second eigenvalue over 2 / eta


@dataclass(frozen=True)
class Task:
    """The points of the Chebyshev polynomial of degree 3, with a network on them."""

    network: Network
    targets: Tensor

    @classmethod
    def chebyshev(cls, device: torch.device) -> Task:
        points = chebyshev_points(3, 20).to(device)
        network = Network(points.inputs[0], (WIDTH,), "tanh")
        return cls(network, points.y[0])

    @property
    def objective(self) -> Objective:
        return Objective(self.network, Square(), self.targets)

    @property
    def landscape(self) -> TanhLandscape:
        """The same loss, in closed form."""
        return TanhLandscape(self.network.inputs, self.targets)


@dataclass(frozen=True)
class Arrivals:
    """B networks at the edge, `start` (B, P), where they are kicked along `kick` (B,
    P), and what the flows say of the `LAST` steps after that.
    """

    task: Task
    start: Tensor
    kick: Tensor
    central: CentralPath
    free: CentralPath
    notes: dict[str, int] = field(default_factory=dict)

    @classmethod
    def at(cls, task: Task, start: Tensor) -> Arrivals:
        """Both flows from `start` (B, P)."""
        kick = top_direction(task.landscape, start)[1]
        central, free = (
            central_flow(task.landscape, start, STEP_SIZE, LAST, free=free)
            for free in (False, True)
        )
        return cls(task, start, kick, central, free)

    @classmethod
    def joined(cls, parts: Sequence[Arrivals]) -> Arrivals:
        """The members of all parts, one after the other."""
        return cls(
            parts[0].task,
            torch.cat([part.start for part in parts]),
            torch.cat([part.kick for part in parts]),
            CentralPath.joined([part.central for part in parts]),
            CentralPath.joined([part.free for part in parts]),
        )

    def select(self, members: Tensor) -> Arrivals:
        """These members, (A,)."""
        return Arrivals(
            self.task,
            self.start[members],
            self.kick[members],
            self.central.select(members),
            self.free.select(members),
            self.notes,
        )


@threads()
def train_to_the_edge(task: Task, starts: Tensor) -> tuple[Tensor, Tensor]:
    """Where training with half of the step comes to S = 2 / eta, (B, P), and which
    members do, (B,).
    """
    run = descend(
        task.objective,
        starts,
        constant(STEP_SIZE / 2),
        until=lambda point: arrived(task.landscape, point.theta, STEP_SIZE),
        ask_every=2,
        max_steps=PATIENCE,
        max_seconds=math.inf,
    )
    return run.last, run.converged


def draw_arrivals(setting: Setting, count: int) -> Arrivals:
    """`count` networks that come to the edge and meet the stated conditions, and how
    many do not.
    """
    task = Task.chebyshev(setting.device)
    seeds = setting.seeds(8 * count, "central flow")
    parts: list[Arrivals] = []
    tried = found = 0
    while found < count:
        part = seeds[tried : tried + count]
        if not part:
            raise RuntimeError(f"of {tried} networks only {found} met the conditions.")
        parts.append(_meeting(task, part))
        tried, found = tried + len(part), found + len(parts[-1].start)
    whole = Arrivals.joined(parts).select(torch.arange(count))
    return replace(whole, notes={"rejected networks": tried - found})


def _meeting(task: Task, seeds: list[int]) -> Arrivals:
    """The arrivals of networks of these seeds that meet the conditions: they come to
    the edge from below and do not leave it, with one eigenvalue, and gradient flow goes
    on.

    All of them are read from the flows. A network that begins above the edge, say,
    falls below it and returns later without a kick.
    """
    network = task.network
    starts = torch.cat(
        [network.initial(1, torch.Generator().manual_seed(seed)) for seed in seeds]
    )
    ends, came = train_to_the_edge(task, starts)
    found = Arrivals.at(task, ends[came])
    moved = (found.free.points[-1] - found.start).norm(dim=-1) >= MOVED
    alone = found.central.second.amax(0) * STEP_SIZE / 2 <= BELOW
    below = found.central.sharpness[0] * STEP_SIZE / 2 <= NEAR
    stays = (found.central.variance > 0).all(0)
    return found.select((moved & alone & below & stays).nonzero()[:, 0])


@threads()
def descent(drawn: Arrivals, slower: int = 1) -> tuple[Tensor, Tensor]:
    """Gradient descent after the kick, with a step that is so many times as short, at
    the times 0, eta, ..., of the full step: the points (K + 1, B, P) and L, (K + 1, B).
    """
    run = descend(
        drawn.task.objective,
        drawn.start + KICK * drawn.kick,
        constant(STEP_SIZE / slower),
        steps=range(0, slower * LAST + 1, slower),
        max_seconds=math.inf,
    )
    return run.theta, run.log_loss.exp()


def late_mean(values: Tensor) -> Tensor:
    """The mean over the steps from `FIRST` to `LAST`, of (K + 1, ...)."""
    return values[FIRST:].mean(0)
