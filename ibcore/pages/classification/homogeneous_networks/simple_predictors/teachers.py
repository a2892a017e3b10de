"""Data with a linear teacher, and how far trained networks agree with a linear
predictor.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.trajectory import Trajectory, early_ends
from ibcore.losses import Exponential
from ibcore.measures import sin_angle
from ibcore.measures.neurons import linear_share, oddness_defect
from ibcore.models.activations import LeakyReLU
from ibcore.models.margins import Margins
from ibcore.models.network import Network
from ibcore.oracles.neural_agreement import AgreementLimit, agreement_limit
from ibcore.pages.classification.homogeneous_networks.simple_predictors.runs import (
    SMALL,
    WIDTH,
    fresh_points,
    linear_shares,
    own_points,
    precisions,
    random_start,
)
from ibcore.problems.separable import Classification, planted_margin
from ibcore.validation import InvalidInput

SLOPE = 0.3


LARGE = 10.0  # size of the start, in the control


EARLY = -20.0  # log L from which on neurons should agree


STOPS = (-1.0, EARLY, -1e3, -1e5, -1e8)


@dataclass(frozen=True)
class Teachers:
    """B separable samples, what the program predicts, and networks on them.

    labels: (B, n).
    start: (B, P), of standard normal entries.
    fresh: points (k, d) without labels.
    """

    limits: tuple[AgreementLimit, ...]
    labels: Tensor
    net: Network
    start: Tensor
    fresh: Tensor
    rejected: int

    @property
    def margins(self) -> Margins:
        return Margins(self.net, self.labels)

    @property
    def predicted(self) -> Tensor:
        """(B, 2 d), the vectors w_+ and w_- of the program, joined."""
        rows = [torch.cat([limit.plus, limit.minus]) for limit in self.limits]
        return torch.stack(rows).to(self.start)

    @property
    def program_shares(self) -> Tensor:
        """Linear shares of the networks that the program predicts, (B,)."""
        outputs = [limit.outputs(self.fresh, SLOPE) for limit in self.limits]
        return linear_share(self.fresh, torch.stack(outputs))

    def on(self, inputs: Tensor) -> Network:
        """The same networks on other inputs (k, d)."""
        return self.net.on(inputs)

    def circle(self, member: int, angles: Tensor) -> Tensor:
        """Points (k, d) on a circle through the normal of a member's predicted
        boundary.

        angles: (k,), to the normal, in degrees.
        """
        normal = self.limits[member].plus - self.limits[member].minus
        plane = torch.linalg.qr(normal[:, None], mode="complete").Q[:, :2]
        plane = plane * torch.sign(normal @ plane[:, 0])
        turn = angles.deg2rad()
        return torch.stack([turn.cos(), turn.sin()], -1) @ plane.T

    def pair(self, theta: Tensor) -> Tensor:
        """Mean input weights of positive and of negative neurons, joined, (B, 2 d)."""
        v, w = self.net.neurons(theta)
        positive = v > 0
        return torch.cat([w[:, positive].mean(1), w[:, ~positive].mean(1)], -1)


@dataclass(frozen=True)
class Agreements:
    """What gradient flow did on B samples, from a small and from a large start.

    certificates: (2 B,), of the programs.
    agree: (B,), 1 where neurons agree with the labels from `EARLY` on, 0 where not, NaN
    where the run broke down.
    drifts: (B,), change of the differences of neurons of equal sign.
    sines: (B,), to the program's vectors.
    early, late, large: (B,), shares of fresh x with f(x), f(-x) on one side, at
    `EARLY`, at the end, and at `EARLY` from the large start.
    shares, large_shares, programs: (B,), linear shares at the end, of the large start,
    and of the network that the program predicts.
    end, large_end: (B, P), weights at the last stop and at `EARLY` from the large
    start.
    """

    teachers: Teachers
    certificates: Tensor
    agree: Tensor
    drifts: Tensor
    sines: Tensor
    early: Tensor
    late: Tensor
    large: Tensor
    shares: Tensor
    large_shares: Tensor
    programs: Tensor
    end: Tensor
    large_end: Tensor
    broken: tuple[str, ...]


def draw_teachers(
    setting: Setting, *, seeds: int, n: int = 20, d: int = 5, margin: float = 1.0
) -> Teachers:
    """Data `margin` or more from random hyperplanes, with a consistent program.

    Other draws are rejected and counted.
    """

    def keep(
        generator: torch.Generator,
    ) -> tuple[Classification, AgreementLimit] | None:
        problem = planted_margin(n, d, margin, generator)
        limit = agreement_limit(problem.X, problem.y, SLOPE)
        return (problem, limit) if limit.consistent else None

    kept, rejected = setting.draw(seeds, "linear teacher", keep)
    return _started(setting, kept, rejected)


def own_teacher(setting: Setting, X: object, y: object, *, seeds: int) -> Teachers:
    """Random starts on a reader's X (n, d) and y (n,).

    As many as `draw_teachers` has samples.
    A hyperplane through the origin has to separate them, and the solution of the
    program to have the signs that the program assumes.
    """
    data = own_points(X, y)
    limit = agreement_limit(data.X, data.y, SLOPE)
    if not limit.consistent:
        raise InvalidInput(
            "the program's own neurons are active on other points than it assumes, so "
            "that neurons which agree have another limit. Pass data with a larger "
            "margin."
        )
    return _started(setting, [(data, limit)] * seeds, 0)


def _started(
    setting: Setting,
    solved: list[tuple[Classification, AgreementLimit]],
    rejected: int,
) -> Teachers:
    inputs, labels = (
        torch.stack(rows).to(setting.device)
        for rows in ([p.X for p, _ in solved], [p.y for p, _ in solved])
    )
    output = torch.ones(WIDTH, dtype=torch.float64) / WIDTH**0.5
    output[WIDTH // 2 :] *= -1
    net = Network(inputs, (WIDTH,), LeakyReLU(SLOPE), biases=False, output=output)
    return Teachers(
        tuple(limit for _, limit in solved),
        labels,
        net,
        random_start(setting, len(solved), net.dimension, "linear teacher start"),
        fresh_points(setting, 1000, inputs.shape[-1]),
        rejected,
    )


def measure_agreement(teachers: Teachers, setting: Setting) -> Agreements:  # noqa: ARG001
    """Gradient flow from a small start, and from a large one until `EARLY`."""
    start, model = SMALL * teachers.start, teachers.on(teachers.fresh)
    run = flow(teachers.margins, Exponential(), start, log_loss=list(STOPS))
    large = until_early(teachers, LARGE)
    states, end, large_end = run.theta, run.theta[-1], large.theta[0]
    return Agreements(
        teachers,
        certificates=precisions(teachers.limits),
        agree=agreement(teachers, states[1:]),
        drifts=_drifts(teachers, states[1:3]),
        sines=sin_angle(teachers.pair(end), teachers.predicted),
        early=one_sided(teachers, states[1]),
        late=one_sided(teachers, end),
        large=one_sided(teachers, large_end),
        shares=linear_shares(teachers.fresh, model.outputs(end)),
        large_shares=linear_shares(teachers.fresh, model.outputs(large_end)),
        programs=teachers.program_shares,
        end=end,
        large_end=large_end,
        broken=(*early_ends("small start", run), *early_ends("large start", large)),
    )


def until_early(teachers: Teachers, size: float) -> Trajectory:
    """Gradient flow to `EARLY` from a start of this size."""
    return flow(
        teachers.margins,
        Exponential(),
        size * teachers.start,
        log_loss=EARLY,
        tolerance=1e-3,
    )


def one_sided(teachers: Teachers, theta: Tensor) -> Tensor:
    """Share of fresh x with f(x) and f(-x) on one side, NaN for broken networks, (B,)."""
    ahead, behind = (
        teachers.on(sign * teachers.fresh).outputs(theta) for sign in (1, -1)
    )
    broken = (ahead + behind).isnan().any(-1)
    return torch.where(broken, torch.nan, oddness_defect(ahead, behind))


def agreement(teachers: Teachers, states: Tensor) -> Tensor:
    """(B,): whether neurons agree with the labels at all `states` (K, B, P).

    Positive neurons are then active where y = 1 only, the others where y = -1.
    1 or 0, and NaN for networks that did not come to all states.
    """
    positive = teachers.net.neurons(states[0])[0] > 0
    right = (teachers.labels[..., None] > 0) == positive
    active = torch.stack([teachers.net.preactivations(theta) > 0 for theta in states])
    agree = (active == right).flatten(2).all(-1).all(0).to(states)
    return torch.where(states.isnan().any(-1).any(0), torch.nan, agree)


def _drifts(teachers: Teachers, states: Tensor) -> Tensor:
    """Relative change of the differences of neurons of equal sign, (B,).

    states: (2, B, P), before and after.
    """
    v, w = teachers.net.neurons(states)
    spread = []
    for sign in (v > 0, v < 0):
        part = w[:, :, sign]
        spread.append(part - part.mean(2, keepdim=True))
    first, last = torch.cat(spread, 2).flatten(2)
    size = torch.linalg.vector_norm(first, dim=-1)
    return torch.linalg.vector_norm(last - first, dim=-1) / size
