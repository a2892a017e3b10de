"""Starts of a hidden neuron, balanced and not, and where they end: drawn and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.measures.rates import slope
from ibcore.oracles.neuron import inverse_leaky
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.hidden import (
    Ends,
    Halving,
    Starts,
    cycle,
    descended,
    halve,
    linear_flows,
)
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.runs import (
    LEAK,
    Neurons,
    draw_neurons,
    finished,
    own_data,
    relative,
    started,
)

IMBALANCES = (-1.0, 0.0, 1.0)  # of the leaky neuron


SCALES = (1e-2, 1e-3, 1e-4)  # of small starts


FASTER = 4.0  # the speed of the outer weight of the control


@dataclass(frozen=True)
class Problems:
    """Problems and starts of the hidden neuron, for the flow of the linear one and
    descent.

    leaky: B problems at each of the three `IMBALANCES`.      small: balanced starts at
    each of the `SCALES`.
    halved: for the comparison of steps.      steps: that descent of `leaky` and `small`
    may take.
    """

    linear: Starts
    leaky: Starts
    small: Starts
    halved: Starts
    steps: int


@dataclass(frozen=True)
class Fit:
    """Ends of runs against argmin Q, (B,) each.

    error: distance from argmin Q, relative.      distance: of argmin Q from the
    shortest solution, relative.
    certificate: of argmin Q.      drift: change of delta.      converged: whether the
    run fits.
    """

    error: Tensor
    distance: Tensor
    certificate: Tensor
    drift: Tensor
    converged: Tensor

    @classmethod
    def of(cls, ends: Ends, before: Tensor) -> Fit:
        """before: delta at the start, (B,)."""
        drift = ends.imbalance - before
        return cls(ends.error, ends.distance, ends.certificate, drift, ends.converged)


@dataclass(frozen=True)
class Shrinking:
    """Distances of a w from the shortest solution over its length, (3, B), and
    exponents.

    The starts are of the three `SCALES`. The exponent is NaN where a run has not
    converged.
    """

    distance: Tensor
    exponent: Tensor


@dataclass(frozen=True)
class HiddenNeurons:
    """Flows of the linear neuron, descent of the leaky one, and what halving its step
    does.

    uneven: the same as `halving` where the outer weight moves `FASTER` times as fast.
    """

    linear: Fit
    leaky: Fit
    small: Shrinking
    halving: Halving
    uneven: Halving


def draw_starts(
    setting: Setting,
    *,
    problems: int,
    flows: int,
    imbalances: Sequence[float],
    steps: int,
) -> Problems:
    """Problems of `draw_neurons` with starts of length 1.5, and with starts that
    shrink.

    flows: of the linear neuron, for each of the `imbalances`.      problems: of the
    leaky one, for each of three.
    """
    few = max(8, problems // 8)
    return _started(
        draw_neurons(setting, flows, "linear hidden neuron"),
        imbalances,
        draw_neurons(setting, problems, "leaky hidden neuron"),
        draw_neurons(setting, few, "small hidden neuron"),
        draw_neurons(setting, few, "steps of a hidden neuron"),
        steps,
    )


def own_starts(
    setting: Setting,
    X: object,
    y: object,
    *,
    problems: int,
    flows: int,
    imbalances: Sequence[float],
    steps: int,
) -> Problems:
    """As many starts on a reader's X (n, d) and y (n,), without teachers.

    The rows of X have to be independent; where they nearly depend on each other,
    `steps` has to be larger.
    """
    inputs, labels = own_data(X, y)
    few, z = max(8, problems // 8), inverse_leaky(labels, LEAK)
    return _started(
        started(setting, inputs, labels, flows, "own linear neuron"),
        imbalances,
        started(setting, inputs, z, problems, "own leaky neuron"),
        started(setting, inputs, z, few, "own small neuron"),
        started(setting, inputs, z, few, "own steps of a neuron"),
        steps,
    )


def _started(
    linear: Neurons,
    imbalances: Sequence[float],
    leaky: Neurons,
    small: Neurons,
    halved: Neurons,
    steps: int,
) -> Problems:
    return Problems(
        Starts.each(linear.to(torch.device("cpu")), imbalances),
        Starts.each(leaky, IMBALANCES),
        small_starts(small),
        Starts.each(halved, IMBALANCES),
        steps,
    )


def small_starts(neurons: Neurons) -> Starts:
    """Balanced starts of every problem at each of the `SCALES`, one after the other."""
    scales = cycle(SCALES, len(neurons.X)).to(neurons.X)
    balanced = torch.zeros_like(scales)
    return Starts.of(neurons.repeated(len(SCALES)), balanced, scales[:, None])


def measure_ends(problems: Problems, setting: Setting) -> HiddenNeurons:  # noqa: ARG001
    """The flow of the linear neuron, and descent on the leaky one, against Q.

    The leaky neuron is compared with Q at its final imbalance, the others with Q at
    that of the start.
    """
    leaky, small = problems.leaky, problems.small
    count = len(leaky.theta)
    both = leaky.with_others(small)
    ends = descended(both, problems.steps, final=True)
    scales = cycle(SCALES, len(small.theta) // len(SCALES)).to(small.theta)
    return HiddenNeurons(
        Fit.of(linear_flows(problems.linear), problems.linear.imbalance),
        Fit.of(ends.of(slice(0, count)), leaky.imbalance),
        shrinking(ends.of(slice(count, None)), scales.reshape(len(SCALES), -1)),
        halve(problems.halved, 8 * problems.steps),
        halve(problems.halved, 16 * problems.steps, speed=FASTER),
    )


def shrinking(ends: Ends, scales: Tensor) -> Shrinking:
    """Distances and exponents of problems from each of the `scales` (3, B)."""
    distance = relative(ends.u - ends.shortest, ends.shortest).reshape(scales.shape)
    done = ends.converged.reshape(scales.shape).all(0)
    exponent = slope(torch.log(scales).T, torch.log(distance).T)
    return Shrinking(distance, finished(done, exponent))
