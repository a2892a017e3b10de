"""Training of one hidden neuron, beside the minimizer of its regularizer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.objective import FunctionObjective
from ibcore.dynamics.paces import Bounded
from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.models.activations import Identity, LeakyReLU
from ibcore.models.neuron import HiddenNeuron, balanced_to, leaky_mean_square
from ibcore.oracles.least_squares import minimum_norm
from ibcore.oracles.neuron import inverse_leaky, least_regularizer
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.runs import (
    FEATURES,
    LEAK,
    POINTS,
    Neurons,
    finished,
    normal,
    relative,
)
from ibcore.threads import threads

CONVERGED = 1e-26  # mean square loss
NEARLY = 1e-16  # mean square loss of runs whose drift is looked at
START = 1.5  # |w(0)|
SHARES = (0.25, 0.125)  # of the step that the bound on the curvature allows


@dataclass(frozen=True)
class Starts:
    """B problems, starts theta(0) = (w, a) (B, d + 1), and imbalances a^2 - |w|^2 (B,)."""

    neurons: Neurons
    theta: Tensor
    imbalance: Tensor

    @classmethod
    def of(cls, neurons: Neurons, imbalance: Tensor, length: Tensor | float) -> Starts:
        """Starts with |w(0)| = `length`, a number or (B, 1), and a(0) > 0, < 0 in turn."""
        count = torch.arange(len(neurons.X), device=neurons.X.device)
        sign = (1.0 - 2.0 * (count % 2)).to(neurons.X)
        size = torch.linalg.vector_norm(neurons.start, dim=-1, keepdim=True)
        unit = neurons.start / size
        imbalance = imbalance.to(neurons.X)
        return cls(neurons, balanced_to(length * unit, imbalance, sign), imbalance)

    @classmethod
    def each(cls, neurons: Neurons, imbalances: Sequence[float]) -> Starts:
        """Every problem at each of the imbalances, one imbalance after the other."""
        values = cycle(imbalances, len(neurons.X))
        return cls.of(neurons.repeated(len(imbalances)), values, START)

    def with_others(self, others: Starts) -> Starts:
        """These problems, then the others."""
        mine, theirs = self.neurons, others.neurons
        pairs = ((mine.X, theirs.X), (mine.z, theirs.z), (mine.start, theirs.start))
        return Starts(
            Neurons(*(torch.cat(pair) for pair in pairs)),
            torch.cat([self.theta, others.theta]),
            torch.cat([self.imbalance, others.imbalance]),
        )


def cycle(values: Sequence[float], each: int) -> Tensor:
    """Every value `each` times, one after the other."""
    return torch.tensor(values, dtype=torch.float64).repeat_interleave(each)


@dataclass(frozen=True)
class Ends:
    """Where B runs of the hidden neuron ended, beside the minimizer of its regularizer.

    u: a w at the end, (B, d).   best: (B, d), argmin Q for the sign at the end, with
    its certificate (B,), the larger of stationarity and residual.   shortest: (B, d),
    the solution of least l2 norm.
    converged: (B,).      imbalance: at the end, (B,).
    """

    u: Tensor
    best: Tensor
    certificate: Tensor
    shortest: Tensor
    converged: Tensor
    imbalance: Tensor

    @property
    def error(self) -> Tensor:
        """Distance of u from argmin Q, over its length, (B,)."""
        return relative(self.u - self.best, self.best)

    @property
    def distance(self) -> Tensor:
        """Distance of argmin Q from the shortest solution, over its length, (B,)."""
        return relative(self.best - self.shortest, self.shortest)

    def of(self, members: slice) -> Ends:
        """The same for some of the runs."""
        parts = {part.name: getattr(self, part.name)[members] for part in fields(self)}
        return Ends(**parts)


def compare(
    model: HiddenNeuron,
    y: Tensor,
    leak: float,
    start: Tensor,
    end: Tensor,
    converged: Tensor,
    imbalance: Tensor,
) -> Ends:
    """Put the ends (B, d + 1) of runs from `start` beside the predictions.

    These are for the `imbalance` (B,) and the signs of a that the ends have.
    For a > 0 the solutions are X u = sigma^-1(y), for a < 0 they are X u =
    -sigma^-1(-y).
    """
    sign = end[:, -1:].sign()
    z = sign * inverse_leaky(sign * y, leak)
    best = least_regularizer(model.inputs, z, imbalance, sign * start[:, :-1])
    return Ends(
        model.product(end),
        best.u,
        torch.maximum(best.stationarity, best.residual),
        minimum_norm(model.inputs, z).weights,
        converged,
        model.imbalance(end),
    )


def linear_flows(starts: Starts) -> Ends:
    """Gradient flow in (w, a) with the linear activation, on the CPU.

    The prediction takes the imbalance of the start. A run that did not reach its loss
    has not converged.
    """
    data = starts.neurons
    runs = [
        stiff_flow(
            HiddenNeuron(X, Identity()),
            z,
            theta,
            tolerance=1e-12,
            target_loss=CONVERGED,
        )
        for X, z, theta in zip(data.X, data.z, starts.theta, strict=True)
    ]
    end = torch.stack([run.state for run in runs])
    complete = torch.tensor([run.complete for run in runs])
    model = HiddenNeuron(data.X, Identity())
    before = model.imbalance(starts.theta)
    return compare(model, data.z, 1.0, starts.theta, end, complete, before)


def descended(
    starts: Starts,
    steps: int,
    *,
    share: float = 1.0,
    target: float = CONVERGED,
    speed: float = 1.0,
    final: bool = False,
) -> Ends:
    """Ends of descent of the leaky neuron, beside argmin Q at the imbalance of the
    start.

    share: of the step that the bound on the curvature allows.      target: the loss at
    which a run has converged.
    speed: of a, as a multiple of that of gradient descent.      final: compare with
    argmin Q at the imbalance of the end instead.
    """
    model, y, run = descent(starts, steps, share, target, speed)
    end = paced(run.last, speed)
    imbalance = model.imbalance(end) if final else starts.imbalance
    return compare(model, y, LEAK, starts.theta, end, run.arrived, imbalance)


def descent(
    starts: Starts, steps: int, share: float, target: float, speed: float = 1.0
) -> tuple[HiddenNeuron, Tensor, Run]:
    """Gradient descent of the leaky neuron: model, targets, run.

    With another `speed` the run is one of a / sqrt(speed) and w.
    """
    sigma = LeakyReLU(LEAK)
    data = starts.neurons
    model, y = HiddenNeuron(data.X, sigma), sigma.value(data.z)
    loss = leaky_mean_square(model, y)

    def values(theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value, gradient, bound = loss(paced(theta, speed), members)
        return value, paced(gradient, speed), max(1.0, speed) * bound

    run = descend(
        FunctionObjective(values),
        paced(starts.theta, 1 / speed),
        Bounded(share),
        log_loss=[math.log(target)],
        max_steps=steps,
        max_seconds=math.inf,
    )
    return model, y, run


def paced(theta: Tensor, speed: float) -> Tensor:
    """theta (B, d + 1) with a, its last entry, multiplied by sqrt(speed)."""
    return torch.cat([theta[:, :-1], math.sqrt(speed) * theta[:, -1:]], 1)


@dataclass(frozen=True)
class Halving:
    """What halving the step of descent does to drift and error at delta(0).

    drift, error: (B,), of delta and of u from argmin Q, at half the step over at the
    whole step.
    flow: (B,), the distance at the step 0, by extrapolation from both.      All are NaN
    where a run has not converged.
    """

    drift: Tensor
    error: Tensor
    flow: Tensor


def halve(starts: Starts, steps: int, speed: float = 1.0) -> Halving:
    """Descent of the leaky neuron with both `SHARES` of the step.

    speed: a moves so many times as fast as in gradient descent, and w as fast as there.
    """
    whole, half = (
        descended(starts, steps, share=share, target=NEARLY, speed=speed)
        for share in SHARES
    )
    done = whole.converged & half.converged
    before = starts.imbalance
    drift = (half.imbalance - before) / (whole.imbalance - before)
    flow = relative(2 * half.u - whole.u - half.best, half.best)
    return Halving(
        finished(done, drift),
        finished(done, half.error / whole.error),
        finished(done, flow),
    )


@threads()
def drift_by_share(
    shares: Sequence[float] = (1.0, 0.5, 0.25), problems: int = 8
) -> list[tuple[float, float, float]]:
    """Share of the step, drift of delta, and distance from argmin Q at delta(0).

    Medians over `problems` of descent of the leaky neuron with balanced starts and a(0)
    > 0; the share is that of the step that the bound on the curvature allows.
    """
    generator = torch.Generator().manual_seed(0)
    X = normal((problems, POINTS, FEATURES), generator) / math.sqrt(FEATURES)
    z, w = (normal((problems, size), generator) for size in (POINTS, FEATURES))
    size = torch.linalg.vector_norm(w, dim=-1, keepdim=True)
    delta = torch.zeros(problems, dtype=torch.float64)
    theta = balanced_to(START * w / size, delta, torch.ones_like(delta))
    starts = Starts(Neurons(X, z, w), theta, delta)
    rows = []
    for share in shares:
        ends = descended(starts, 20000, share=share, target=1e-12)
        drift = ends.imbalance.abs().median()
        rows.append((share, float(drift), float(ends.error.median())))
    return rows
