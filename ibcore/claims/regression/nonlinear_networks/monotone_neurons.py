"""One neuron with a strictly increasing activation: the nearest solution; and the regularizer of a hidden neuron."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.dynamics.first_order import adam, gradient_descent
from ibcore.dynamics.paced_descent import PacedDescent, paced_descent
from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.evidence import Check, Control, Evidence, fraction
from ibcore.measures.rates import slope
from ibcore.models.neuron import (
    IDENTITY,
    SOFTPLUS,
    TANH,
    Activation,
    HiddenNeuron,
    Neuron,
    balanced_to,
    leaky_mean_square,
    leaky_relu,
    mean_square,
)
from ibcore.oracles.least_squares import minimum_norm
from ibcore.oracles.neuron import (
    inverse,
    inverse_leaky,
    least_regularizer,
    nearest_solution,
)

POINTS, FEATURES = 5, 20
LEAK = 0.5
CONVERGED = 1e-28  # mean square loss; decided before any error is looked at
CONVERGED_HIDDEN = 1e-26
START = 1.5  # |w(0)| of the hidden neuron
SCALES = (1e-2, 1e-3, 1e-4)
WITHOUT_LEAK = 64  # least number of problems of the control, most of which do not fit
ACTIVATIONS = {"tanh": TANH, "softplus": SOFTPLUS, "leaky ReLU": leaky_relu(LEAK)}


@dataclass(frozen=True)
class Neurons:
    """Inputs (B, n, d), pre-activations z (B, n) to be reached, and starts w(0) (B, d)."""

    X: Tensor
    z: Tensor
    start: Tensor

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.X, self.z, self.start


def draw_neurons(setting: Setting, count: int, purpose: str) -> Neurons:
    """Gaussian inputs with E|x|^2 = 1, a Gaussian teacher w* with E (w*.x)^2 = 1, and Gaussian starts likewise."""
    generator = torch.Generator().manual_seed(setting.seeds(1, purpose)[0])
    X = torch.randn(
        count, POINTS, FEATURES, generator=generator, dtype=torch.float64
    ) / math.sqrt(FEATURES)
    teacher, start = (
        torch.randn(count, FEATURES, generator=generator, dtype=torch.float64)
        for _ in range(2)
    )
    return Neurons(
        *(t.to(setting.device) for t in (X, (X @ teacher[..., None])[..., 0], start))
    )


def undo(name: str, y: Tensor) -> Tensor:
    """sigma^-1(y) of the activation called `name` in `ACTIVATIONS`."""
    return inverse_leaky(y, LEAK) if name == "leaky ReLU" else inverse(name, y)


def _largest(values: Tensor) -> float:
    return float(values.max()) if len(values) else math.nan


@claim(
    kind="theorem",
    source="folklore, in the survey of Vardi 2023; proof on the page",
    statement="For one neuron x -> sigma(w.x) with sigma strictly increasing, gradient flow and gradient descent on "
    "the square loss that reach zero loss end at the solution nearest to the start: argmin |w - w(0)| "
    "s.t. X w = sigma^-1(y).",
    quick={"problems": 48, "steps": 1200},
    book={"problems": 64, "steps": 5000},
    full={"problems": 4096, "steps": 200000},
)
def neuron_monotone_min_distance(
    setting: Setting, *, problems: int, steps: int
) -> Evidence:
    """Gradient descent against the closed form, on the runs whose loss says that they have converged."""
    data = draw_neurons(setting, problems, "monotone neuron")
    checks, notes, kept = [], {"problems": problems}, {}
    for name, sigma in ACTIVATIONS.items():
        run = _train(data, sigma, steps)
        y = sigma.value(data.z)
        nearest = nearest_solution(data.X, undo(name, y), data.start)
        moved = torch.linalg.vector_norm(nearest - data.start, dim=-1)
        error, done = (
            torch.linalg.vector_norm(run.theta - nearest, dim=-1) / moved,
            run.loss <= CONVERGED,
        )
        checks += [
            Check.close(
                f"{name}: distance to the nearest solution over its way, largest",
                0,
                _largest(error[done]),
                atol=1e-10,
            ),
            Check.close(
                f"{name}: share of the way off the span of the inputs, all runs",
                0,
                _largest(_off_span(data.X, run.theta - data.start)),
                atol=1e-10,
            ),
        ]
        notes[f"{name}: not converged"] = int((~done).sum())
        kept[name] = {
            "error": error.cpu(),
            "loss": run.loss.cpu(),
            "converged": done.cpu(),
        }
    checks.append(
        fraction(
            "share of converged runs, least of the activations",
            min(int(k["converged"].sum()) for k in kept.values()),
            problems,
            at_least=0.25,
        )
    )
    return Evidence(tuple(checks), _adam_control(data), {"runs": kept}, notes)


def _train(data: Neurons, sigma: Activation, steps: int) -> PacedDescent:
    """Gradient descent with the step 0.8 n / (|X| Lip(sigma))^2, where a linear neuron would bear n / |X|^2."""
    step = (
        0.8 * POINTS / (torch.linalg.matrix_norm(data.X, 2) ** 2 * sigma.lipschitz**2)
    )
    objective = mean_square(Neuron(data.X, sigma), sigma.value(data.z))
    run = gradient_descent(
        objective, data.start, step, steps=steps, gradient_tolerance=1e-15
    )
    return PacedDescent(run.theta, run.loss, run.loss <= CONVERGED, run.steps)


def _off_span(X: Tensor, way: Tensor) -> Tensor:
    """|part of `way` (B, d) orthogonal to the inputs| over |way|, (B,)."""
    inside = minimum_norm(X, (X @ way[..., None])[..., 0]).weights
    return torch.linalg.vector_norm(way - inside, dim=-1) / torch.linalg.vector_norm(
        way, dim=-1
    )


def _adam_control(data: Neurons) -> Control:
    """Adam fits the same data with the leaky neuron. Its steps are no combination of the inputs."""
    sigma = ACTIVATIONS["leaky ReLU"]
    y = sigma.value(data.z)
    run = adam(
        mean_square(Neuron(data.X, sigma), y),
        data.start,
        0.02,
        steps=600,
        target_loss=1e-10,
    )
    nearest = nearest_solution(data.X, inverse_leaky(y, LEAK), data.start)
    error = (
        torch.linalg.vector_norm(run.theta - nearest, dim=-1)
        / torch.linalg.vector_norm(nearest - data.start, dim=-1)
    )[run.loss <= 1e-6]
    return Control(
        "Adam, leaky ReLU, at a loss below 1e-6: median distance over the way",
        Check.at_least("median distance over the way", float(error.median()), 0.2),
    )


@dataclass(frozen=True)
class HiddenRun:
    """Where runs of the hidden neuron ended, beside the minimizer of its regularizer.

    u: a w at the end, (B, d).   best: (B, d), argmin Q for the sign at the end, with its certificate (B,), the larger
    of stationarity and residual.   shortest: (B, d), the solution of least l2 norm.
    error, distance: (B,), of u from `best` and of `best` from `shortest`, relative to their lengths.
    converged: (B,).      imbalance: final, (B,).
    """

    u: Tensor
    best: Tensor
    certificate: Tensor
    shortest: Tensor
    error: Tensor
    distance: Tensor
    converged: Tensor
    imbalance: Tensor

    def of(self, members: slice) -> HiddenRun:
        """The same for some of the runs."""
        return HiddenRun(
            **{part.name: getattr(self, part.name)[members] for part in fields(self)}
        )


def compare(
    model: HiddenNeuron,
    y: Tensor,
    leak: float,
    start: Tensor,
    end: Tensor,
    converged: Tensor,
    imbalance: Tensor,
) -> HiddenRun:
    """Put the ends (B, 1 + d) of runs from `start` beside the prediction for `imbalance` (B,) and the signs they have.

    For a > 0 the solutions are X u = sigma^-1(y), for a < 0 they are X u = -sigma^-1(-y).
    """
    sign = end[:, :1].sign()
    z = sign * inverse_leaky(sign * y, leak)
    best, u = (
        least_regularizer(model.inputs, z, imbalance, sign * start[:, 1:]),
        model.product(end),
    )
    shortest = minimum_norm(model.inputs, z).weights
    error = torch.linalg.vector_norm(u - best.u, dim=-1) / torch.linalg.vector_norm(
        best.u, dim=-1
    )
    distance = torch.linalg.vector_norm(
        best.u - shortest, dim=-1
    ) / torch.linalg.vector_norm(shortest, dim=-1)
    certificate = torch.maximum(best.stationarity, best.residual)
    return HiddenRun(
        u,
        best.u,
        certificate,
        shortest,
        error,
        distance,
        converged,
        model.imbalance(end),
    )


def _starts(data: Neurons, imbalance: Tensor, scale: float = START) -> Tensor:
    """theta(0) with |w(0)| = `scale`, the imbalance given, and a(0) of either sign in turn."""
    sign = 1.0 - 2.0 * (torch.arange(len(data.X), device=data.X.device) % 2)
    unit = data.start / torch.linalg.vector_norm(data.start, dim=-1, keepdim=True)
    return balanced_to(scale * unit, imbalance, sign.to(unit))


def _repeat(data: Neurons, times: int) -> Neurons:
    return Neurons(*(t.repeat(times, *[1] * (t.ndim - 1)) for t in data.parts))


@claim(
    kind="theorem",
    source="Azulay et al. 2021, for leaky ReLU with one hidden neuron; closed form and proof on the page",
    statement="For x -> a sigma(w.x) with sigma linear or leaky ReLU, a limit of gradient flow with zero loss has "
    "u = a w = argmin q(|u|) - sign(a) w(0).u over all solutions of that sign, q(r) = 2/3 |a|^3 - delta |a|, "
    "a^2 = (delta + sqrt(delta^2 + 4 r^2))/2, where delta = a^2 - |w|^2 is conserved. As the start shrinks, "
    "u tends to the shortest solution.",
    quick={"problems": 16, "flows": 1, "imbalances": (-1.0, 1.0), "steps": 4000},
    book={
        "problems": 64,
        "flows": 3,
        "imbalances": (-1.0, -0.01, 0.0, 0.01, 1.0, 100.0),
        "steps": 8000,
    },
    full={
        "problems": 4096,
        "flows": 64,
        "imbalances": (-1.0, -0.01, 0.0, 0.01, 1.0, 100.0),
        "steps": 100000,
    },
)
def leaky_one_hidden(
    setting: Setting,
    *,
    problems: int,
    flows: int,
    imbalances: Sequence[float],
    steps: int,
) -> Evidence:
    """The flow of the linear neuron, descent on the leaky one, and starts that shrink, against Newton's method on Q."""
    linear = _linear_flows(setting, flows, imbalances)
    leaky, start_imbalance, small = _leaky_descents(setting, problems, steps)
    done, exponents = leaky.converged, small.exponent
    certificate = max(float(run.certificate.max()) for run in (linear, leaky))
    checks = (
        Check.close(
            "Newton on Q: largest stationarity or residual", 0, certificate, atol=1e-10
        ),
        fraction(
            "linear: flows that reached their loss",
            int(linear.converged.sum()),
            len(linear.error),
            at_least=1,
        ),
        Check.close(
            "linear, flow, delta(0): |u - argmin Q| over |u|, largest",
            0,
            _largest(linear.error),
            atol=1e-10,
        ),
        Check.close(
            "linear, flow: change of delta, largest",
            0,
            _largest((linear.imbalance - _cycle(imbalances, flows)).abs()),
            atol=1e-7,
        ),
        fraction(
            "leaky: runs that converged", int(done.sum()), len(done), at_least=60 / 64
        ),
        Check.close(
            "leaky, descent, final delta: |u - argmin Q| over |u|, largest",
            0,
            _largest(leaky.error[done]),
            atol=1e-8,
        ),
        Check.at_least(
            "argmin Q is not the shortest: distance, median",
            float(leaky.distance.median()),
            0.2,
        ),
        Check.close(
            "small starts: exponent of the distance to the shortest, farthest",
            1,
            float(exponents[(exponents - 1).abs().argmax()])
            if len(exponents)
            else math.nan,
            atol=0.02,
        ),
    )
    notes = {
        "leaky: not converged": int((~done).sum()),
        "leaky: drift of delta by the steps, median": round(
            float((leaky.imbalance - start_imbalance).abs().median()), 3
        ),
    }
    data = {
        "error": leaky.error[done].cpu(),
        "distance": leaky.distance[done].cpu(),
        "linear": linear.error.cpu(),
        "scales": torch.tensor(SCALES),
        "shrinking": small.distance.cpu(),
    }
    return Evidence(checks, _without_leak(setting, problems, steps), data, notes)


def _cycle(imbalances: Sequence[float], flows: int) -> Tensor:
    return torch.tensor(imbalances, dtype=torch.float64).repeat_interleave(flows)


def _linear_flows(
    setting: Setting, flows: int, imbalances: Sequence[float]
) -> HiddenRun:
    """Gradient flow in (a, w) with the linear activation, `flows` problems at each imbalance, on the CPU.

    The prediction takes the imbalance of the start.
    """
    data = draw_neurons(setting, flows, "linear hidden neuron")
    data = _repeat(Neurons(*(t.cpu() for t in data.parts)), len(imbalances))
    start = _starts(
        data, torch.tensor(imbalances, dtype=torch.float64).repeat_interleave(flows)
    )
    runs = [
        stiff_flow(
            HiddenNeuron(X, IDENTITY),
            z,
            theta,
            tolerance=1e-12,
            target_loss=CONVERGED_HIDDEN,
        )
        for X, z, theta in zip(data.X, data.z, start, strict=True)
    ]
    end, complete = (
        torch.stack([run.state for run in runs]),
        torch.tensor([run.complete for run in runs]),
    )
    model = HiddenNeuron(data.X, IDENTITY)
    return compare(model, data.z, 1.0, start, end, complete, model.imbalance(start))


def _descend(
    data: Neurons, leak: float, start: Tensor, steps: int
) -> tuple[HiddenNeuron, Tensor, PacedDescent]:
    """Gradient descent of the hidden neuron on the teacher's outputs: model, targets, run."""
    sigma = leaky_relu(leak)
    model, y = HiddenNeuron(data.X, sigma), sigma.value(data.z)
    return (
        model,
        y,
        paced_descent(
            leaky_mean_square(model, y),
            start,
            steps=steps,
            target_loss=CONVERGED_HIDDEN,
        ),
    )


def _leaky_descents(
    setting: Setting, problems: int, steps: int
) -> tuple[HiddenRun, Tensor, Shrinking]:
    """Descent on the leaky neuron: `problems` problems at each imbalance -1, 0, 1, and others from small starts.

    Returns the runs of the former, the imbalances of their starts, and the distances of the latter.
    """
    data = _repeat(draw_neurons(setting, problems, "leaky hidden neuron"), 3)
    imbalance = (
        torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
        .repeat_interleave(problems)
        .to(data.X)
    )
    count = max(4, problems // 8)
    small = _repeat(draw_neurons(setting, count, "small hidden neuron"), len(SCALES))
    scales = (
        torch.tensor(SCALES, dtype=torch.float64).repeat_interleave(count).to(data.X)
    )
    start = torch.cat(
        [
            _starts(data, imbalance),
            scales[:, None] * _starts(small, torch.zeros_like(scales), 1.0),
        ]
    )
    every = Neurons(
        *(torch.cat(pair) for pair in zip(data.parts, small.parts, strict=True))
    )
    model, y, run = _descend(every, LEAK, start, steps)
    ends = compare(
        model, y, LEAK, start, run.theta, run.converged, model.imbalance(run.theta)
    )
    first, last = slice(0, 3 * problems), slice(3 * problems, None)
    return (
        ends.of(first),
        imbalance,
        _shrinking(ends.of(last), scales.reshape(len(SCALES), count)),
    )


@dataclass(frozen=True)
class Shrinking:
    """Distances of a w from the shortest solution over its length, (3, B), for starts of `SCALES`; exponents (B,)."""

    distance: Tensor
    exponent: Tensor


def _shrinking(ends: HiddenRun, scales: Tensor) -> Shrinking:
    """Distances and exponents of the problems that converged from each of the `scales` (3, B)."""
    gap = torch.linalg.vector_norm(ends.u - ends.shortest, dim=-1)
    distance = (gap / torch.linalg.vector_norm(ends.shortest, dim=-1)).reshape(
        scales.shape
    )
    done = ends.converged.reshape(scales.shape).all(0)
    return Shrinking(
        distance[:, done], slope(torch.log(scales).T, torch.log(distance).T)[done]
    )


def _without_leak(setting: Setting, problems: int, steps: int) -> Control:
    """ReLU, leak 0: a label 0 asks for u.x <= 0, and descent does not come to the prediction's u.x = 0.

    Problems without a positive label are left out: there the prediction is u = 0.
    """
    data = draw_neurons(setting, max(problems, WITHOUT_LEAK), "hidden ReLU")
    chosen = (data.z > 0).any(-1)
    data = Neurons(data.X[chosen], data.z[chosen], data.start[chosen])
    start = _starts(
        data, torch.ones(len(data.X), dtype=data.X.dtype, device=data.X.device)
    )
    start[:, 0].abs_()
    model, y, run = _descend(data, 0.0, start, min(steps, 1000))
    best = least_regularizer(data.X, y, model.imbalance(run.theta), start[:, 1:]).u
    error = torch.linalg.vector_norm(
        model.product(run.theta) - best, dim=-1
    ) / torch.linalg.vector_norm(best, dim=-1)
    return Control(
        "ReLU instead of leaky, fitted to 1e-6: |u - argmin Q| over |u|, median",
        Check.at_least("median error", float(error[run.loss <= 1e-6].median()), 0.05),
    )
