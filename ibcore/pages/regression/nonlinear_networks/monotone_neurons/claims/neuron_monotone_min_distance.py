"""One strictly increasing neuron: descent ends at the solution nearest to its start."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics import paces
from ibcore.dynamics.directions import Adam
from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.objective import Objective
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Square
from ibcore.models.activations import Activation, LeakyReLU, Softplus, Tanh
from ibcore.models.neuron import Neuron
from ibcore.oracles.least_squares import minimum_norm
from ibcore.oracles.neuron import inverse, inverse_leaky, nearest_solution
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.runs import (
    LEAK,
    POINTS,
    Neurons,
    draw_neurons,
    finished,
    relative,
)

CONVERGED = 1e-28  # mean square loss; decided before any error is looked at
FITTED = 1e-6  # mean square loss at which a run of Adam counts
CONVERGING = {"tanh": 0.75, "softplus": 0.9, "leaky ReLU": 1.0}  # shares of runs
ACTIVATIONS = {"tanh": Tanh(), "softplus": Softplus(), "leaky ReLU": LeakyReLU(LEAK)}


@dataclass(frozen=True)
class Problems:
    """B neurons to be fitted with each of the A `ACTIVATIONS`.

    nearest: (A, B, d), the solutions nearest to the starts.      steps: that descent
    may take.
    """

    neurons: Neurons
    nearest: Tensor
    steps: int


@dataclass(frozen=True)
class NearestRuns:
    """Ends of descent with the A `ACTIVATIONS`, (A, B), and of Adam with the last,
    (B,).

    error: distance to the nearest solution over the way.   loss: at the end.
    off_span: part of the way off the span of the inputs, over the way.      adam: its
    error, NaN where its loss is above `FITTED`.
    """

    error: Tensor
    loss: Tensor
    off_span: Tensor
    adam: Tensor

    @property
    def converged(self) -> Tensor:
        return self.loss <= CONVERGED


def draw_problems(setting: Setting, *, problems: int, steps: int) -> Problems:
    """Problems of `draw_neurons`, and the closed form on the labels of each activation."""
    neurons = draw_neurons(setting, problems, "monotone neuron")
    nearest = [
        nearest_solution(neurons.X, undo(name, sigma.value(neurons.z)), neurons.start)
        for name, sigma in ACTIVATIONS.items()
    ]
    return Problems(neurons, torch.stack(nearest), steps)


def undo(name: str, y: Tensor) -> Tensor:
    """sigma^-1(y) of the activation called `name` in `ACTIVATIONS`."""
    return inverse_leaky(y, LEAK) if name == "leaky ReLU" else inverse(name, y)


def measure_ends(problems: Problems, setting: Setting) -> NearestRuns:  # noqa: ARG001
    """Gradient descent with every activation, and Adam with leaky ReLU."""
    neurons = problems.neurons
    runs = [_train(neurons, one, problems.steps) for one in ACTIVATIONS.values()]
    adam = _train_by_adam(neurons, ACTIVATIONS["leaky ReLU"])
    errors = [
        _error(run, goal, neurons.start)
        for run, goal in zip(runs, problems.nearest, strict=True)
    ]
    adam_error = _error(adam, problems.nearest[-1], neurons.start)
    return NearestRuns(
        torch.stack(errors),
        torch.stack([run.last_log_loss.exp() for run in runs]),
        torch.stack([off_span(neurons.X, run.last - neurons.start) for run in runs]),
        finished(adam.last_log_loss <= math.log(FITTED), adam_error),
    )


def _error(run: Run, nearest: Tensor, start: Tensor) -> Tensor:
    return relative(run.last - nearest, nearest - start)


def _train(neurons: Neurons, sigma: Activation, steps: int) -> Run:
    """Gradient descent with the step 0.8 n / (|X| Lip(sigma))^2."""
    slope = torch.linalg.matrix_norm(neurons.X, 2) ** 2 * sigma.lipschitz**2
    return descend(
        _fit(neurons, sigma),
        neurons.start,
        paces.constant(0.8 * POINTS / slope),
        log_loss=[math.log(CONVERGED)],
        max_steps=steps,
        max_seconds=math.inf,
    )


def _train_by_adam(neurons: Neurons, sigma: Activation) -> Run:
    """Adam fits the same data. Its steps are no combination of the inputs."""
    return descend(
        _fit(neurons, sigma),
        neurons.start,
        paces.Cosine(0.02, 1500),
        log_loss=[math.log(1e-10)],
        direction=Adam(),
        max_steps=1500,
        max_seconds=math.inf,
    )


def _fit(neurons: Neurons, sigma: Activation) -> Objective:
    """The mean square loss of neurons on the outputs of their teachers."""
    model = Neuron(neurons.X, sigma)
    return Objective(model, Square(), sigma.value(neurons.z), shared=False)


def off_span(X: Tensor, way: Tensor) -> Tensor:
    """|part of `way` (B, d) orthogonal to the inputs| over |way|, (B,)."""
    inside = minimum_norm(X, (X @ way[..., None])[..., 0]).weights
    return relative(way - inside, way)


@claim(
    kind="theorem",
    source="folklore, in the survey of Vardi 2023; proof on the page",
    statement=r"For one neuron $x \mapsto \phi(w \cdot x)$ with $\phi$ strictly "
    "increasing and linearly independent inputs, gradient flow and gradient descent "
    "on the square loss that converge to zero loss end at the solution nearest to the "
    r"start: $\operatorname{argmin} \|w - w(0)\|$ subject to $X w = \phi^{-1}(y)$.",
    quick={"problems": 48, "steps": 10000},
    book={"problems": 64, "steps": 10000},
    full={"problems": 4096, "steps": 200000},
    draw=draw_problems,
    measure=measure_ends,
)
def neuron_monotone_min_distance(measured: NearestRuns) -> Evidence:
    """The closed form, on the runs whose loss says that they have converged."""
    missing = (~measured.converged).sum(1).tolist()
    notes = {"problems": measured.error.shape[1]} | {
        f"{name}: not converged": count
        for name, count in zip(ACTIVATIONS, missing, strict=True)
    }
    checks = (*_nearest(measured), _in_the_span(measured.off_span))
    return Evidence(checks, _adam(measured.adam), notes=notes)


def _nearest(measured: NearestRuns) -> list[Check]:
    """The theorem on the converged runs, and how many these are, for every activation.

    Only a loss above `CONVERGED` takes a run out of the theorem; one without a loss
    stays in.
    """
    checks = []
    for row, name in enumerate(ACTIVATIONS):
        error, loss = measured.error[row], measured.loss[row]
        checks += [
            Check.each(
                f"{name}: distance to the nearest solution over the way, converged runs",
                error[~(loss > CONVERGED)],
                at_most=1e-10,
                tag="proved",
                reason=r"a loss of $10^{-28}$ leaves $2 \cdot 10^{-14}$ in the "
                r"outputs, more in $w$ by the slope of $\phi$ and the least singular "
                "value",
                precision=True,
            ),
            Check.share(
                f"{name}: runs that converge, loss at most 1e-28",
                measured.converged[row],
                least=CONVERGING[name],
                tag="observed",
                math=rf"{name}: runs that converge, loss at most $10^{{-28}}$",
                reason=r"the rate goes with $\phi'^2$: of 300 problems 82 % converged "
                "for tanh, 99 % for softplus, all for leaky ReLU",
            ),
        ]
    return checks


def _in_the_span(off: Tensor) -> Check:
    """Parts of the way off the span, (A, B), whether or not a run has converged."""
    return Check.each(
        "part of the way off the span of the inputs, all runs",
        off,
        at_most=1e-10,
        tag="proved",
        reason=r"every step is a combination of the inputs; rounding of up to $2 \cdot "
        "10^5$ steps",
        precision=True,
    )


def _adam(error: Tensor) -> Control:
    """Distances (B,) of Adam's ends from the nearest solution over the way."""
    return Control(
        "Adam, leaky ReLU, at a loss below 1e-6",
        Check.share(
            "distance to the nearest solution at most a tenth of the way",
            error,
            at_most=0.1,
            most=0.25,
            tag="observed",
            reason="a loss of 1e-6 leaves about a hundredth of the way",
        ),
        math="Adam, leaky ReLU, at a loss below $10^{-6}$",
    )
