"""The inequality example by example, its mean with the trace of the Hessian, and how
far from equality it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.stable_functions import (
    input_gradient_bound,
)
from ibcore.pages.dynamical_stability.function_space.slopes import (
    ARCHITECTURES,
    Labeled,
    Slopes,
    labeled,
    trained_slopes,
)


@dataclass(frozen=True)
class SlopeRuns:
    """Networks of four architectures, and of two with a linear map beside them."""

    data: Labeled
    runs: tuple[Slopes, ...]
    skipping: tuple[Slopes, ...]


def draw_labels(setting: Setting, *, datasets: int) -> Labeled:
    """Data sets of 15 inputs on a sphere in 5 dimensions, with nearly linear labels."""
    return labeled(setting.seeds(datasets, "input gradients"), setting.device)


def measure_slopes(data: Labeled, setting: Setting) -> SlopeRuns:  # noqa: ARG001
    """A network of every architecture on every data set."""
    return SlopeRuns(
        data,
        tuple(trained_slopes(data, *one) for one in ARCHITECTURES),
        tuple(trained_slopes(data, *one, skip=True) for one in ARCHITECTURES[::3]),
    )


@claim(
    kind="theorem",
    source="Ma and Ying 2021 (abstract read, theorem recalled); proved on the page",
    statement="Where a network reads its input only by a first layer $W_1 x$, "
    r"$|\nabla_x f(x_i)| \le |W_1|_2\, |\nabla_{W_1} f(x_i)| / |x_i|$. So at a minimum "
    r"of zero loss the mean of $|\nabla_x f(x_i)|^2$ is at most $|W_1|_2^2 "
    r"\operatorname{tr} H / (2 \min_i |x_i|^2)$.",
    quick={"datasets": 16},
    book={"datasets": 24},
    full={"datasets": 500},
    draw=draw_labels,
    measure=measure_slopes,
)
def sgd_sobolev(measured: SlopeRuns) -> Evidence:
    """The inequality example by example, its mean with the trace of the Hessian, and
    how far from equality it is.
    """
    runs = measured.runs
    checks = (
        Check.each(
            "every example: gradient in the input over its bound",
            torch.cat([ratios(run).flatten() for run in runs]),
            at_most=1 + 1e-9,
            tag="proved",
            reason="proved on the page, at any parameters; rounding. Where no neuron "
            "is active at an example both gradients are zero, and so is their ratio "
            "here",
        ),
        Check.each(
            "fitted networks: mean squared gradient in the input over its bound by the "
            "trace",
            torch.cat([by_trace(run, measured.data.X)[run.fitted] for run in runs]),
            at_most=1.0,
            tag="proved",
            reason="the mean of the row above, proved at zero loss; it is below "
            "$10^{-8}$, nearly always rounding, and what is left moves a trace far "
            "less than the bound is away",
        ),
        Check.share(
            "networks whose loss is below 1e-8",
            torch.cat([run.fitted for run in runs]),
            least=0.8,
            tag="observed",
            math="networks whose loss is below $10^{-8}$",
            reason="150 of 160 fresh networks",
        ),
        Check.share(
            "networks with an example at half of its bound or above",
            torch.cat([worst(run) for run in runs]),
            at_least=0.5,
            least=0.9,
            tag="observed",
            reason="the bound would be met by one hidden neuron; largest 0.67 to 0.97 "
            "on 160 fresh networks",
        ),
    )
    control = Control(
        "a linear map beside the network, by which the input enters too",
        Check.share(
            "networks all of whose examples meet the bound",
            torch.cat([worst(run) for run in measured.skipping]),
            at_most=1.0,
            most=0.25,
            tag="observed",
            reason="the linear map carries most of the slope, and no gradient of $W_1$ "
            "knows of it",
        ),
    )
    return Evidence(checks, control, {"networks": sum(len(r.loss) for r in runs)})


def ratios(run: Slopes) -> Tensor:
    """The gradient in the input over its bound, (B, n); 0 where both are zero, as where
    no neuron is active.
    """
    dead = (run.bound == 0) & (run.by_input == 0)
    return torch.where(dead, 0.0, run.by_input / run.bound)


def worst(run: Slopes) -> Tensor:
    """The largest of every network's `ratios`, (B,)."""
    return ratios(run).amax(-1)


def by_trace(run: Slopes, X: Tensor) -> Tensor:
    """The mean of |grad_x f(x_i)|^2 over its bound by the trace of the Hessian, (B,)."""
    return run.by_input.square().mean(-1) / input_gradient_bound(
        run.first, X, run.trace
    )
