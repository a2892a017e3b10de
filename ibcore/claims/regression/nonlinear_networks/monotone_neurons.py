"""One neuron with a strictly increasing activation: the nearest solution; and the regularizer of a hidden neuron."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.dynamics import paces
from ibcore.dynamics.directions import Adam
from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.objective import FunctionObjective, Objective
from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Square
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
IMBALANCES = (-1.0, 0.0, 1.0)  # of the leaky neuron
SHARES = (0.25, 0.125)  # of the step that the bound on the curvature allows
FASTER = 4.0  # the speed of the outer weight of the control
CONVERGING = {"tanh": 0.75, "softplus": 0.9, "leaky ReLU": 1.0}  # shares of runs
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


def _relative(vector: Tensor, length: Tensor) -> Tensor:
    """|vector| over |length|, both (B, d), in the l2 norm: (B,)."""
    return torch.linalg.vector_norm(vector, dim=-1) / torch.linalg.vector_norm(
        length, dim=-1
    )


@dataclass(frozen=True)
class NearestRuns:
    """Runs of one activation. error: distance to the nearest solution over the way.   loss: at the end.

    off_span: part of the way off the span of the inputs, over the way.   Each (B,).
    """

    error: Tensor
    loss: Tensor
    off_span: Tensor

    @property
    def converged(self) -> Tensor:
        return self.loss <= CONVERGED


@claim(
    kind="theorem",
    source="folklore, in the survey of Vardi 2023; proof on the page",
    statement=r"For one neuron $x \mapsto \sigma(w \cdot x)$ with $\sigma$ strictly "
    "increasing and linearly independent inputs, gradient flow and gradient descent on "
    "the square loss that converge to zero loss end at the solution nearest to the "
    "start: "
    r"$\operatorname{argmin} \|w - w(0)\|$ subject to $X w = \sigma^{-1}(y)$.",
    quick={"problems": 48, "steps": 10000},
    book={"problems": 64, "steps": 10000},
    full={"problems": 4096, "steps": 200000},
)
def neuron_monotone_min_distance(
    setting: Setting, *, problems: int, steps: int
) -> Evidence:
    """Gradient descent against the closed form, on the runs whose loss says that they have converged."""
    data = draw_neurons(setting, problems, "monotone neuron")
    runs = {
        name: _run_nearest(data, name, sigma, steps)
        for name, sigma in ACTIVATIONS.items()
    }
    notes: dict[str, float | int | str] = {"problems": problems}
    for name, run in runs.items():
        notes[f"{name}: not converged"] = int((~run.converged).sum())
    kept = {
        name: {
            "error": run.error.cpu(),
            "loss": run.loss.cpu(),
            "converged": run.converged.cpu(),
        }
        for name, run in runs.items()
    }
    return Evidence(judge_nearest(runs), _adam_control(data), {"runs": kept}, notes)


def _run_nearest(
    data: Neurons, name: str, sigma: Activation, steps: int
) -> NearestRuns:
    """Gradient descent with the activation called `name`, beside its prediction."""
    run = _train(data, sigma, steps)
    nearest = nearest_solution(data.X, undo(name, sigma.value(data.z)), data.start)
    return NearestRuns(
        _relative(run.last - nearest, nearest - data.start),
        run.last_log_loss.exp(),
        _off_span(data.X, run.last - data.start),
    )


def judge_nearest(runs: Mapping[str, NearestRuns]) -> tuple[Check, ...]:
    """The checks of `neuron_monotone_min_distance`: the theorem on the converged runs, and how many these are.

    Only a loss above `CONVERGED` takes a run out of the theorem; one without a loss stays in.
    """
    checks = []
    for name, run in runs.items():
        checks += [
            Check.each(
                f"{name}: distance to the nearest solution over the way, converged runs",
                run.error[~(run.loss > CONVERGED)],
                at_most=1e-10,
                tag="proved",
                reason=r"a loss of $10^{-28}$ leaves $2 \cdot 10^{-14}$ in the outputs, more "
                r"in $w$ by the slope of $\phi$ and the least singular value",
                precision=True,
            ),
            Check.share(
                f"{name}: runs that converge, loss at most 1e-28",
                run.converged,
                least=CONVERGING[name],
                tag="observed",
                math=rf"{name}: runs that converge, loss at most $10^{{-28}}$",
                reason=r"the rate goes with $\phi'^2$: of 300 problems 82 % converged for "
                "tanh, 99 % for softplus, all for leaky ReLU",
            ),
        ]
    return (
        *checks,
        Check.each(
            "part of the way off the span of the inputs, all runs",
            torch.cat([run.off_span for run in runs.values()]),
            at_most=1e-10,
            tag="proved",
            reason="every step is a combination of the inputs; rounding of up to "
            r"$2 \cdot 10^5$ steps",
            precision=True,
        ),
    )


def _train(data: Neurons, sigma: Activation, steps: int) -> Run:
    """Gradient descent with the step 0.8 n / (|X| Lip(sigma))^2, where a linear neuron would bear n / |X|^2."""
    step = (
        0.8 * POINTS / (torch.linalg.matrix_norm(data.X, 2) ** 2 * sigma.lipschitz**2)
    )
    return descend(
        _fit(data, sigma),
        data.start,
        paces.constant(step),
        log_loss=[math.log(CONVERGED)],
        max_steps=steps,
    )


def _fit(data: Neurons, sigma: Activation) -> Objective:
    """The mean square loss of neurons on the outputs of their teachers."""
    return Objective(Neuron(data.X, sigma), Square(), sigma.value(data.z), shared=False)


def _off_span(X: Tensor, way: Tensor) -> Tensor:
    """|part of `way` (B, d) orthogonal to the inputs| over |way|, (B,)."""
    inside = minimum_norm(X, (X @ way[..., None])[..., 0]).weights
    return _relative(way - inside, way)


def _adam_control(data: Neurons) -> Control:
    """Adam fits the same data with the leaky neuron. Its steps are no combination of the inputs."""
    sigma = ACTIVATIONS["leaky ReLU"]
    run = descend(
        _fit(data, sigma),
        data.start,
        paces.Cosine(0.02, 1500),
        log_loss=[math.log(1e-10)],
        direction=Adam(),
        max_steps=1500,
    )
    nearest = nearest_solution(data.X, data.z, data.start)
    error = _relative(run.last - nearest, nearest - data.start)
    return Control(
        "Adam, leaky ReLU, at a loss below 1e-6",
        Check.share(
            "distance to the nearest solution at most a tenth of the way",
            _where(run.last_log_loss <= math.log(1e-6), error),
            at_most=0.1,
            most=0.25,
            tag="observed",
            reason="a loss of 1e-6 leaves about a hundredth of the way",
        ),
        math="Adam, leaky ReLU, at a loss below $10^{-6}$",
    )


def _where(done: Tensor, values: Tensor) -> Tensor:
    """`values` (B,), NaN for runs that did not come to their end."""
    return torch.where(done, values, math.nan)


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
    error = _relative(u - best.u, best.u)
    distance = _relative(best.u - shortest, shortest)
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
    source="Azulay et al. 2021, for leaky ReLU with one hidden neuron (abstract read, theorem and closed form "
    "recalled); proof on the page",
    statement=r"For $x \mapsto a \sigma(w \cdot x)$ with $\sigma$ linear or leaky "
    "ReLU, a limit of gradient flow with zero loss has $u = a w$ equal to "
    r"$\operatorname{argmin} q(\|u\|) - \operatorname{sign}(a) \, w(0) \cdot u$ over "
    r"all solutions of that sign, $q(r) = \frac23 |a|^3 - \delta |a|$, "
    r"$a^2 = (\delta + \sqrt{\delta^2 + 4 r^2})/2$, where $\delta = a^2 - \|w\|^2$ is "
    "conserved. As the start shrinks, $u$ tends to the shortest solution.",
    quick={"problems": 16, "flows": 4, "imbalances": (-1.0, 1.0), "steps": 4000},
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
    """The flow of the linear neuron, and descent on the leaky one with steps and starts that shrink, against Q."""
    linear = _linear_flows(setting, flows, imbalances)
    leaky, start_imbalance, small = _leaky_descents(setting, problems, steps)
    count = max(8, problems // 8)
    halving = _halve(setting, count, 8 * steps)
    uneven = _halve(setting, count, 16 * steps, speed=FASTER)
    drift = linear.imbalance - _cycle(imbalances, flows)
    notes = {
        "leaky: not converged": int((~leaky.converged).sum()),
        r"leaky: drift of $\delta$ by the steps, median": round(
            float((leaky.imbalance - start_imbalance).abs().median()), 3
        ),
    }
    done = leaky.converged
    data = {
        "error": leaky.error[done].cpu(),
        "distance": leaky.distance[done].cpu(),
        "linear": linear.error.cpu(),
        "scales": torch.tensor(SCALES),
        "shrinking": small.distance[:, small.exponent.isfinite()].cpu(),
    }
    return Evidence(
        (
            *judge_linear(linear, drift),
            *judge_leaky(leaky),
            *judge_halving(halving),
            judge_shrinking(small),
        ),
        other_speed(uneven),
        data,
        notes,
    )


def judge_linear(linear: HiddenRun, drift: Tensor) -> tuple[Check, ...]:
    """The theorem on flows of the linear neuron; one that did not reach its loss counts as failing."""
    return (
        _certified("linear", linear),
        Check.each(
            "linear, flow, delta(0): |u - argmin Q| over |u|",
            _where(linear.converged, linear.error),
            at_most=1e-10,
            tag="proved",
            math=r"linear, flow, $\delta(0)$: $\|u - \mathrm{argmin}\, Q\| / \|u\|$",
            reason=r"the integrator's tolerance of $10^{-12}$, over some hundred steps",
            precision=True,
        ),
        Check.each(
            "linear, flow: |change of delta|",
            _where(linear.converged, drift.abs()),
            at_most=1e-7,
            tag="proved",
            math=r"linear, flow: $|$change of $\delta|$",
            reason=r"the integrator's tolerance of $10^{-12}$ for $a^2$ up to $100$, over some "
            "hundred steps",
            precision=True,
        ),
    )


def _certified(name: str, run: HiddenRun) -> Check:
    return Check.each(
        f"{name}: stationarity or residual of Newton's method on Q",
        run.certificate,
        at_most=1e-10,
        tag="derived",
        math=f"{name}: stationarity or residual of Newton's method on $Q$",
        reason="the certificate of a convex program; Newton's method ends at rounding",
        precision=True,
    )


def judge_leaky(leaky: HiddenRun) -> tuple[Check, ...]:
    """Descent of the leaky neuron against Q; a run that did not converge counts as failing."""
    return (
        _certified("leaky", leaky),
        Check.each(
            "leaky, descent, final delta: |u - argmin Q| over |u|",
            _where(leaky.converged, leaky.error),
            at_most=1e-8,
            tag="derived",
            math=r"leaky, descent, final $\delta$: $\|u - \mathrm{argmin}\, Q\| / \|u\|$",
            reason=r"an identity for every run that fits, which tests the program and not the flow; "
            r"a loss of $10^{-26}$ leaves $2 \cdot 10^{-13}$ in the outputs, more in $u$ "
            r"by $1/\kappa$ and the least singular value",
            precision=True,
        ),
        Check.share(
            "argmin Q is not the shortest: distance over its length at least 0.2",
            leaky.distance,
            at_least=0.2,
            least=0.9,
            tag="observed",
            math=r"$\mathrm{argmin}\, Q$ is not the shortest: distance over its length at least 0.2",
            reason="0.38 or more on 1,200 runs; $10^7$ times the bar for $Q$",
        ),
    )


def _cycle(values: Sequence[float], each: int) -> Tensor:
    """Every value `each` times, one after the other."""
    return torch.tensor(values, dtype=torch.float64).repeat_interleave(each)


def _linear_flows(
    setting: Setting, flows: int, imbalances: Sequence[float]
) -> HiddenRun:
    """Gradient flow in (a, w) with the linear activation, `flows` problems at each imbalance, on the CPU.

    The prediction takes the imbalance of the start.
    """
    data = draw_neurons(setting, flows, "linear hidden neuron")
    data = _repeat(Neurons(*(t.cpu() for t in data.parts)), len(imbalances))
    start = _starts(data, _cycle(imbalances, flows))
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
    data: Neurons,
    leak: float,
    start: Tensor,
    steps: int,
    share: float = 1.0,
    target: float = CONVERGED_HIDDEN,
    speed: float = 1.0,
) -> tuple[HiddenNeuron, Tensor, Run]:
    """Gradient descent of the hidden neuron on the teacher's outputs: model, targets, run.

    speed: of a, as a multiple of that of gradient descent. The run is then one of a / sqrt(speed) and w.
    """
    sigma = leaky_relu(leak)
    model, y = HiddenNeuron(data.X, sigma), sigma.value(data.z)
    loss = leaky_mean_square(model, y)

    def paced(theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value, gradient, bound = loss(_paced(theta, speed), members)
        return value, _paced(gradient, speed), max(1.0, speed) * bound

    run = descend(
        FunctionObjective(paced),
        _paced(start, 1 / speed),
        paces.Bounded(share),
        log_loss=[math.log(target)],
        max_steps=steps,
    )
    return model, y, run


def _paced(theta: Tensor, speed: float) -> Tensor:
    """theta (B, 1 + d) with a, its first entry, multiplied by sqrt(speed)."""
    return torch.cat([math.sqrt(speed) * theta[:, :1], theta[:, 1:]], 1)


def _leaky_descents(
    setting: Setting, problems: int, steps: int
) -> tuple[HiddenRun, Tensor, Shrinking]:
    """Descent on the leaky neuron: `problems` problems at each imbalance -1, 0, 1, and others from small starts.

    Returns the runs of the former, the imbalances of their starts, and the distances of the latter.
    """
    data = _repeat(
        draw_neurons(setting, problems, "leaky hidden neuron"), len(IMBALANCES)
    )
    imbalance = _cycle(IMBALANCES, problems).to(data.X)
    count = max(8, problems // 8)
    small = _repeat(draw_neurons(setting, count, "small hidden neuron"), len(SCALES))
    scales = _cycle(SCALES, count).to(data.X)
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
        model, y, LEAK, start, run.last, run.arrived, model.imbalance(run.last)
    )
    first, last = slice(0, len(imbalance)), slice(len(imbalance), None)
    return (
        ends.of(first),
        imbalance,
        _shrinking(ends.of(last), scales.reshape(len(SCALES), count)),
    )


@dataclass(frozen=True)
class Shrinking:
    """Distances of a w from the shortest solution over its length, (3, B), for starts of `SCALES`; exponents (B,).

    The exponent is NaN where a run has not converged.
    """

    distance: Tensor
    exponent: Tensor


def _shrinking(ends: HiddenRun, scales: Tensor) -> Shrinking:
    """Distances and exponents of problems from each of the `scales` (3, B)."""
    distance = _relative(ends.u - ends.shortest, ends.shortest).reshape(scales.shape)
    done = ends.converged.reshape(scales.shape).all(0)
    return Shrinking(
        distance, _where(done, slope(torch.log(scales).T, torch.log(distance).T))
    )


def judge_shrinking(small: Shrinking) -> Check:
    """Small starts end near the shortest solution; a run that has not converged counts as failing."""
    return Check.largest(
        "small starts: exponent of the distance to the shortest",
        small.exponent,
        equals=1,
        atol=2e-3,
        growth=0.25,
        tag="derived",
        reason=r"the linear term of $Q$ is the start; the next order is $10^{-4}$ over the "
        r"shortest length: at most $6 \cdot 10^{-4}$ on 50 problems",
    )


@dataclass(frozen=True)
class Halving:
    """What halving the step of descent does to the drift of delta and to the distance from argmin Q at delta(0).

    drift, error: (B,), at half the step over at the whole step.
    flow: (B,), the distance at the step 0, by extrapolation from both.      All are NaN where a run has not converged.
    """

    drift: Tensor
    error: Tensor
    flow: Tensor


def _halve(setting: Setting, count: int, steps: int, speed: float = 1.0) -> Halving:
    """Descent of the leaky neuron with both `SHARES` of the step, `count` problems at each imbalance.

    speed: a moves so many times as fast as in gradient descent, and w as fast as there.
    """
    data = _repeat(
        draw_neurons(setting, count, "steps of a hidden neuron"), len(IMBALANCES)
    )
    imbalance = _cycle(IMBALANCES, count).to(data.X)
    start = _starts(data, imbalance)
    ends = []
    for share in SHARES:
        model, y, run = _descend(data, LEAK, start, steps, share, 1e-16, speed)
        end = _paced(run.last, speed)
        ends.append(compare(model, y, LEAK, start, end, run.arrived, imbalance))
    whole, half = ends
    done = whole.converged & half.converged
    drift = (half.imbalance - imbalance) / (whole.imbalance - imbalance)
    flow = _relative(2 * half.u - whole.u - half.best, half.best)
    return Halving(
        _where(done, drift), _where(done, half.error / whole.error), _where(done, flow)
    )


def judge_halving(halving: Halving) -> tuple[Check, ...]:
    """The flow's limit and its conservation of delta, as the limit of small steps; unfinished runs count as failing."""
    ratios = (
        Check.largest(
            name,
            values,
            equals=0.5,
            atol=0.05,
            growth=0.25,
            tag="derived",
            math=math,
            reason="of first order in the step; the next order was 0.03 here and twice as "
            "much at twice the step",
        )
        for name, math, values in (
            (
                "leaky: change of delta, half the step over the whole",
                r"leaky: change of $\delta$, half the step over the whole",
                halving.drift,
            ),
            (
                "leaky: |u - argmin Q| at delta(0), half the step over the whole",
                r"leaky: $\|u - \mathrm{argmin}\, Q\|$ at $\delta(0)$, half the step over the whole",
                halving.error,
            ),
        )
    )
    limit = Check.largest(
        "leaky, step to 0, delta(0): |u - argmin Q| over |u|",
        halving.flow,
        at_most=2e-3,
        growth=0.5,
        tag="proved",
        math=r"leaky, step to 0, $\delta(0)$: $\|u - \mathrm{argmin}\, Q\| / \|u\|$",
        reason="where the flow ends, up to the second order in the step: 0.05 of the "
        r"distance at half the step, which was 0.005 at most; below $3.4 \cdot 10^{-4}$ on 48 runs",
    )
    return (*ratios, limit)


def other_speed(uneven: Halving) -> Control:
    """The control of `leaky_one_hidden`: the same measurement where a moves `FASTER` times as fast as in the flow."""
    return Control(
        f"the outer weight moves {FASTER:g} times as fast",
        Check.share(
            "step to 0, delta(0): |u - argmin Q| over |u| at most 0.01",
            uneven.flow,
            at_most=0.01,
            most=0.25,
            tag="derived",
            math=r"step to 0, $\delta(0)$: $\|u - \mathrm{argmin}\, Q\| / \|u\| \le 0.01$",
            reason=r"five times the bar of the claim; what is conserved then is $\frac14 a^2 - \|w\|^2$, so "
            r"that $\delta$ moves while $a$ does",
        ),
    )
