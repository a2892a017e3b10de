"""Networks of the page on balancedness, gradient flow and gradient descent on them, and
their imbalances.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.dynamics import explicit
from ibcore.dynamics.kinked_flow import KinkedRun, kinked_flow
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.dynamics.stiff_flow import integrate
from ibcore.losses import Square
from ibcore.measures.layers import imbalances, neuron_imbalances
from ibcore.models.network import Network
from ibcore.oracles.balancedness import gauss_times, layer_change, neuron_change
from ibcore.validation import InvalidInput, regression_data

HORIZON = 4.0
STOPS = (0.5, 1.0, 2.0, HORIZON)
EARLY = STOPS[:3]  # for squared ReLU, whose kinks of second order make the steps short
TIGHT = 3e-14
TOLERANCES = (1e-6, 1e-8, 1e-10, TIGHT)
STEP_SIZES = (0.04, 0.02, 0.01, 0.005)
FOLLOWED = 2  # the step size of which every step is looked at
DEGREES = {"relu": 1.0, "squared_relu": 2.0, "tanh": 1.0, "identity": 1.0}


@dataclass(frozen=True)
class Family:
    """B networks of one shape with a task each: targets (B, n) or (B, n, K), starts (B,
    P).

    layerwise: the imbalance is that of adjacent layers, which linear networks conserve;
    else that of every neuron.
    """

    model: Network
    targets: Tensor
    start: Tensor
    layerwise: bool = False

    @property
    def objective(self) -> Objective:
        return Objective(self.model, Square(), self.targets, shared=False)

    def with_activation(self, name: str) -> Family:
        """The same data and starts with another activation."""
        return replace(self, model=replace(self.model, activation=name))

    def repeated(self, times: int) -> Family:
        """The same networks several times, one copy of all after the other."""
        inputs = self.model.inputs.repeat(times, 1, 1)
        return replace(
            self,
            model=replace(self.model, inputs=inputs),
            targets=self.targets.repeat(times, *[1] * (self.targets.ndim - 1)),
            start=self.start.repeat(times, 1),
        )

    def imbalance(self, theta: Tensor) -> Tensor:
        """All entries of all D_j, or those of all neurons: (..., M) for theta (..., P)."""
        matrices, biases = self.parts(theta)
        if self.layerwise:
            return torch.cat([gap.flatten(-2) for gap in imbalances(matrices)], -1)
        degree = DEGREES[str(self.model.activation)]
        return neuron_imbalances(matrices, biases, degree=degree)

    def change(self, gradient: Tensor) -> Tensor:
        """What a step of descent changes it by, over eta^2: (..., M) for gradients
        (..., P).
        """
        matrices, biases = self.parts(gradient)
        if self.layerwise:
            return layer_change(matrices)
        return neuron_change(matrices, biases, DEGREES[str(self.model.activation)])

    def parts(self, theta: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """W_1, ..., W_k, (..., m_j, m_(j-1)), and the biases (..., m_j), for theta
        (..., P).
        """
        flat = theta.reshape(-1, theta.shape[-1])
        shape = theta.shape[:-1]
        layers = self.model.layers(flat)
        matrices = [matrix.unflatten(0, shape) for matrix, _ in layers]
        return matrices, [b.unflatten(0, shape) for _, b in layers if b is not None]

    def gradients(self, theta: Tensor) -> Tensor:
        """Gradients of the losses by automatic differentiation, (K, B, P) at states (K,
        B, P).
        """
        count = len(theta)
        with torch.enable_grad():
            flat = theta.flatten(0, 1).detach().requires_grad_()
            total = self.repeated(count).objective.mean(flat).sum()
            (gradient,) = torch.autograd.grad(total, flat)
        return gradient.unflatten(0, (count, -1))


@dataclass(frozen=True)
class Problems:
    """Linear networks of three layers; ReLU networks of one hidden layer, and of two;
    the first with squared ReLU.
    """

    linear: Family
    relu: Family
    squared: Family
    deep: Family


def family(
    inputs: Tensor,
    targets: Tensor,
    generators: Sequence[torch.Generator],
    widths: tuple[int, ...],
    activation: str,
) -> Family:
    """Networks on inputs (B, n, d) from PyTorch's default start; linear ones have no
    biases.
    """
    linear = activation == "identity"
    out = targets.shape[-1] if targets.ndim == 3 else 1
    if out == 1:
        targets = targets.reshape(targets.shape[:2])
    model = Network(inputs, widths, activation, out, biases=not linear)
    starts = [model.initial(1, generator)[0] for generator in generators]
    return Family(model, targets, torch.stack(starts).to(inputs), layerwise=linear)


def drawn(seeds: Sequence[int], device: torch.device) -> Problems:
    """Eight inputs in three dimensions with a normal label each; for linear networks
    five dimensions, three labels.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def normal(*shape: int) -> Tensor:
        draws = [torch.randn(shape, generator=g).double() for g in generators]
        return torch.stack(draws).to(device)

    wide, goals = normal(8, 5), normal(8, 3)
    X, y = normal(8, 3), normal(8)
    return Problems(
        family(wide, goals, generators, (4, 4), "identity"),
        family(X, y, generators, (6,), "relu"),
        family(X, y, generators, (6,), "squared_relu"),
        family(X, y, generators, (6, 5), "relu"),
    )


def own(X: object, y: object, seeds: Sequence[int], device: torch.device) -> Problems:
    """Networks on a reader's X (n, d) and y (n,), centered, with mean squares 1 of a
    label and d of an input.
    """
    inputs, labels = regression_data(X, y)
    inputs, labels = inputs.double(), labels.double()
    inputs, labels = inputs - inputs.mean(0), labels - labels.mean()
    if not (bool(inputs.any()) and bool(labels.any())):
        raise InvalidInput("X or y is constant; give data that vary.")
    inputs = inputs / inputs.square().mean().sqrt()
    labels = labels / labels.square().mean().sqrt()
    count, generators = len(seeds), [torch.Generator().manual_seed(s) for s in seeds]
    points = inputs.to(device).expand(count, -1, -1)
    goals = labels.to(device).expand(count, -1)
    shapes = (
        ((4, 4), "identity"),
        ((6,), "relu"),
        ((6,), "squared_relu"),
        ((6, 5), "relu"),
    )
    return Problems(*(family(points, goals, generators, *shape) for shape in shapes))


def smooth_path(
    nets: Family,
    tolerance: float,
    times: Sequence[float] = STOPS,
    decay: float = 0.0,
) -> Tensor:
    """States (K, B, P) of gradient flow on L + (decay/2) |theta|^2 at `times`, NaN
    where it broke down.

    All networks are one system for the integrator, an explicit method of order 8, which
    preserves no quadratic.
    """
    objective, shape = nets.objective, nets.start.shape

    def field(x: NDArray[np.float64]) -> NDArray[np.float64]:
        theta = torch.from_numpy(x).reshape(shape).to(nets.start)
        slope = objective.at(theta).slope[0] - decay * theta
        return np.asarray(slope.cpu().numpy().ravel())

    run = integrate(
        field,
        None,
        nets.start.flatten(),
        times=list(times),
        method="DOP853",
        tolerance=tolerance,
        floor=tolerance,
        max_seconds=math.inf,
    )
    return run.path.reshape(-1, *shape).to(nets.start)


def kinked_runs(
    nets: Family,
    tolerance: float,
    times: Sequence[float] = STOPS,
    decay: float = 0.0,
) -> tuple[Tensor, tuple[KinkedRun, ...]]:
    """The same for ReLU networks of one hidden layer, through their kinks, network by
    network.
    """
    runs = tuple(
        kinked_flow(X, y, theta, times=list(times), decay=decay, tolerance=tolerance)
        for X, y, theta in zip(nets.model.inputs, nets.targets, nets.start, strict=True)
    )
    return torch.stack([run.path for run in runs], 1).to(nets.start), runs


def relative_change(
    nets: Family, path: Tensor, expected: Tensor | None = None
) -> Tensor:
    """Largest change of an entry of the imbalance along the path (K, B, P), over its
    largest entry at the start, (B,).

    expected: (K, B, M), what the imbalances should be, by default what they are at the
    start.
    """
    start = nets.imbalance(nets.start)
    change = nets.imbalance(path) - (start if expected is None else expected)
    return change.abs().amax((0, 2)) / start.abs().amax(-1)


@dataclass(frozen=True)
class Descents:
    """Gradient descent with the four step sizes of `STEP_SIZES` until t = 4.

    changes: (4, B, M), imbalance at the end less that at the start.
    The rest is about the step size 0.01.      identity: (B,), the largest |D_k - D_0 -
    eta^2 sum of the predicted changes| over all steps k and entries, over the largest
    entry of D_0.
    bound: (B,), |D_end - D_0|, summed over layers or neurons, over 4 eta (L(0) -
    L(end)).
    decrease: (B,), the least (L_k - L_(k+1)) / (eta |grad L|^2).
    """

    changes: Tensor
    identity: Tensor
    bound: Tensor
    decrease: Tensor


def descents(nets: Family) -> Descents:
    """All four descents, and what every step of one of them did."""
    step, others = STEP_SIZES[FOLLOWED], [0, 1, 3]
    count = round(HORIZON / step)
    states = explicit.descend(
        nets.objective,
        nets.start,
        constant(step),
        steps=range(count + 1),
        max_seconds=math.inf,
    ).theta
    gradients = nets.gradients(states[:-1])
    measured = nets.imbalance(states) - nets.imbalance(nets.start)
    predicted = step**2 * nets.change(gradients).cumsum(0)
    apart = (measured[1:] - predicted).abs().amax(-1)
    losses = nets.repeated(count + 1).objective.mean(states.flatten(0, 1))
    losses = losses.unflatten(0, (count + 1, -1))
    falls = (losses[:-1] - losses[1:]) / (step * gradients.square().sum(-1))
    changes = {FOLLOWED: measured[-1]}
    for number in others:
        changes[number] = _end(nets, STEP_SIZES[number]) - nets.imbalance(nets.start)
    return Descents(
        torch.stack([changes[number] for number in range(len(STEP_SIZES))]),
        apart.amax(0) / nets.imbalance(nets.start).abs().amax(-1),
        _size(nets, measured[-1]) / (4 * step * (losses[0] - losses[-1])),
        falls.amin(0),
    )


def _size(nets: Family, change: Tensor) -> Tensor:
    """Sum of the Frobenius norms of the changes of the D_j, or of the |changes| of the
    neurons.
    """
    if not nets.layerwise:
        return change.abs().sum(-1)
    sizes = [width**2 for width in nets.model.widths]
    return torch.stack([part.norm(dim=-1) for part in change.split(sizes, -1)]).sum(0)


def _end(nets: Family, step: float) -> Tensor:
    run = explicit.descend(
        nets.objective,
        nets.start,
        constant(step),
        steps=[round(HORIZON / step)],
        max_seconds=math.inf,
    )
    return nets.imbalance(run.theta[0])


def flow_integral(nets: Family) -> Tensor:
    """int_0^T of what changes the imbalance, along the flow: the limit of (change by
    descent) / eta, (B, M).
    """
    times, weights = gauss_times(HORIZON)
    path = smooth_path(nets, 1e-10, times.tolist())
    rates = nets.change(nets.gradients(path))
    return torch.tensordot(torch.from_numpy(weights).to(rates), rates, 1)


def exponents(sizes: Tensor, drifts: Tensor) -> Tensor:
    """Slopes of log drift (K, B) over log size (K,) by least squares, (B,)."""
    x = sizes.log() - sizes.log().mean()
    return (x[:, None] * drifts.log()).sum(0) / x.square().sum()


def distances_to_flow(nets: Family, steps: Sequence[int]) -> Tensor:
    """|theta of descent - theta of the flow| at t = 4 for numbers of steps, (K, B).

    nets: ReLU networks of one hidden layer. A conserved quantity does not tell whether
    the kinks were met where they are: each smooth piece conserves it.
    """
    path, _ = kinked_runs(nets, TIGHT, [HORIZON])
    ends = [
        explicit.descend(
            nets.objective,
            nets.start,
            constant(HORIZON / count),
            steps=[count],
            max_seconds=math.inf,
        ).theta[0]
        for count in steps
    ]
    return (torch.stack(ends) - path).norm(dim=-1)


def balanced(nets: Family) -> Family:
    """ReLU networks of one hidden layer with output weights of the size that makes
    every neuron balanced.
    """
    matrices, biases = nets.parts(nets.start)
    read = (matrices[0].square().sum(-1) + biases[0].square()).sqrt()
    out = matrices[1][:, 0].sign() * read
    theta = nets.start.clone()
    theta[:, -1 - nets.model.widths[0] : -1] = out
    return replace(nets, start=theta)
