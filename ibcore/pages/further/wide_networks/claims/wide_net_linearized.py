"""The flow against the matrix exponential, descent against matrix powers, the limit
against the least norm.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.further.wide_networks.draws import FEW, generators_for, slopes
from ibcore.pages.further.wide_networks.runs import (
    Sets,
    drawn,
    own,
)
from ibcore.pages.further.wide_networks.training import (
    Gaps,
    flow_gaps,
    gaps,
    linear_models,
)

LINEAR_WIDTH = 64


@dataclass(frozen=True)
class Trajectories:
    """What training did at every width, in a narrow first layer, and with the
    linearized networks.

    linear, least: (B,), differences between descent on the linearized networks and the
    closed forms.
    control: (W', B), gaps of the flow on training inputs with a first layer of `FEW`
    neurons.
    """

    widths: tuple[int, ...]
    control_widths: tuple[int, ...]
    gaps: Gaps
    linear: Tensor
    least: Tensor
    control: Tensor


@dataclass(frozen=True)
class Trainings:
    """Data sets and widths."""

    sets: Sets
    widths: tuple[int, ...]


def draw_trainings(
    setting: Setting, *, datasets: int, widths: tuple[int, ...]
) -> Trainings:
    """Data sets of eight training and eight new inputs."""
    sets = drawn(setting.seeds(datasets, "wide training"), setting.device)
    return Trainings(sets, widths)


def own_trainings(
    setting: Setting, X: object, y: object, *, datasets: int, widths: tuple[int, ...]
) -> Trainings:
    """A reader's X (n, d) and y (n,), with networks of their own as often as there are
    sets.
    """
    return Trainings(own(X, y, datasets, setting.device), widths)


def measure_trainings(trainings: Trainings, setting: Setting) -> Trajectories:
    """Gradient flow and descent of networks with one hidden layer; the control has two."""
    sets, count = trainings.sets, len(trainings.sets.points)
    few = Sets(sets.points[:8], sets.targets[:8])
    ends = (trainings.widths[0], trainings.widths[-1])

    def generators(purpose: str, members: int = count) -> list[torch.Generator]:
        return generators_for(setting, members, f"wide training {purpose}")

    linear, least = linear_models(
        few, LINEAR_WIDTH, generators("linear", len(few.points))
    )
    return Trajectories(
        trainings.widths,
        ends,
        gaps(
            sets,
            [(m,) for m in trainings.widths],
            lambda number: generators(f"width {trainings.widths[number]}"),
        ),
        linear,
        least,
        flow_gaps(
            sets,
            [(FEW, m) for m in ends],
            lambda number: generators(f"control {ends[number]}"),
        )[:, 0],
    )


@claim(
    kind="theorem",
    source="Jacot, Gabriel and Hongler 2018; Lee et al. 2019 (abstracts read, theorems "
    "recalled); Chizat, Oyallon and Bach 2019; Du et al. 2019; Allen-Zhu, Li and Song "
    "2019 (recalled). The solution of the linearized model, its least norm and the "
    "bound by the kernels are proved on the page",
    statement="Trained with the mean square loss, a wide network follows $f_t(X) = y "
    r"+ e^{-2t\Theta/n}(f_0(X) - y)$, and descent its discrete form with $(I - "
    r"2\eta\Theta/n)^k$: the largest gap over the whole of training is at most of "
    "order $m^{-1/2}$ in the width, on training inputs and on new ones. The limit is "
    "the interpolant nearest to $f_0$ in the norm of the tangent kernel.",
    quick={"datasets": 16, "widths": (64, 256, 1024)},
    book={"datasets": 16, "widths": (64, 256, 1024, 4096)},
    full={"datasets": 64, "widths": (64, 256, 1024, 4096, 16_384)},
    draw=draw_trainings,
    measure=measure_trainings,
    own=own_trainings,
)
def wide_net_linearized(measured: Trajectories) -> Evidence:
    """The flow against the matrix exponential, descent against matrix powers, the limit
    against the least norm.
    """
    checks = (
        *_linear(measured.linear, measured.least),
        *_along(measured.widths, measured.gaps),
        *_at_the_end(measured.widths, measured.gaps),
    )
    control = Control(
        f"a first layer of {FEW} neurons, the second one wide",
        Check.each(
            "training inputs: exponent of the largest gap, at least -0.25",
            slopes(measured.control_widths, measured.control).mean(-1),
            at_least=-0.25,
            tag="derived",
            math=r"training inputs: exponent of $\sup_t$ of the gap, at least $-0.25$",
            reason=f"a first layer of {FEW} neurons keeps an error of order "
            f"${FEW}^{{-1/2}}$ in the kernel, and moves: exponent 0; half way to $-1/2$",
            repeats=0.3,
        ),
        math=f"a first layer of {FEW} neurons, the second one wide",
    )
    notes = {
        "data sets": measured.gaps.limit.shape[1],
        "largest width": measured.widths[-1],
    }
    return Evidence(checks, control, notes)


def _linear(linear: Tensor, least: Tensor) -> tuple[Check, ...]:
    """Differences (B,) of descent on linearized networks from the closed forms."""
    reason = (
        "identities; two hundred steps whose rounding does not add up, and kernels "
        "with condition numbers of about a hundred: 1e-13; a thousand times that"
    )
    return (
        Check.each(
            "linearized network: outputs of descent apart from the matrix powers, over "
            "the largest output",
            linear,
            at_most=1e-10,
            tag="proved",
            math=r"linearized network: outputs of descent apart from $(I - 2\eta "
            "K/n)^k$, over the largest output",
            reason=reason,
            precision=True,
        ),
        Check.each(
            "linearized network: change of the parameters, apart from the least that "
            "gives these outputs",
            least,
            at_most=1e-10,
            tag="proved",
            math=r"linearized network: $\|\theta_k - \theta_0\|$ over the least that "
            "gives these outputs, apart from 1",
            reason=reason,
            precision=True,
        ),
    )


def _along(widths: tuple[int, ...], found: Gaps) -> tuple[Check, ...]:
    """Mean exponents over data sets, along training."""
    flow = slopes(widths, found.flow).mean(-1)
    descent = slopes(widths, found.descent).mean(-1)
    return (
        Check.each(
            "training inputs: largest gap of the flow to the matrix exponential over "
            "the bound by the kernels",
            found.flow[:, 0] / found.bound,
            at_most=1.0,
            tag="proved",
            math=r"training inputs: $\sup_t$ of the gap of the flow to "
            r"$e^{-2t\Theta/n}$, over $\sup_t \|\Theta_t - \Theta\| / "
            r"\lambda_{\min}(\Theta)$",
            reason="proved on the page, at every width",
        ),
        Check.each(
            "training inputs: exponent of the largest gap of the flow",
            flow[:1],
            equals=-0.5,
            atol=0.2,
            tag="derived",
            math=r"training inputs: exponent of $\sup_t$ of the gap of the flow",
            reason="to leading order the gap is that of the kernels at the start, of "
            "order $m^{-1/2}$; over three widths chance turns the mean exponent of 16 "
            "data sets by about 0.05, four times that",
        ),
        Check.each(
            "new inputs: the same",
            flow[1:],
            equals=-0.5,
            atol=0.25,
            tag="derived",
            math="new inputs: the same",
            reason="the same; chance turns it by about 0.065, four times that",
        ),
        Check.each(
            "descent against the powers of its own kernel at the start: exponent of "
            "the largest gap",
            descent,
            at_most=-0.35,
            tag="derived",
            math=r"descent against $(I - 2\eta K_0/n)^k$: exponent of the largest gap",
            reason="the theorem bounds the gap by order $m^{-1/2}$; chance turns the "
            "exponent by about 0.04, four times that",
        ),
    )


def _at_the_end(widths: tuple[int, ...], found: Gaps) -> tuple[Check, ...]:
    """The limit at new inputs, and how far the parameters went."""
    return (
        Check.each(
            "limit at new inputs: exponent of the gap to the interpolant of least norm",
            slopes(widths, found.limit).mean(-1),
            equals=-0.5,
            atol=0.25,
            tag="derived",
            math="limit at new inputs: exponent of the gap to the interpolant of least "
            "norm",
            reason="as along the flow",
        ),
        Check.share(
            "there, at the largest width: gap to the interpolant of the own kernel "
            "over that gap at most 1",
            found.own_limit[-1] / found.limit[-1],
            at_most=1.0,
            least=0.9,
            tag="derived",
            math="there, at the largest width: gap to the interpolant of the own "
            "kernel $K_0$ over that gap at most 1",
            reason=r"the gap is that of $K_0$ and $\Theta$ to leading order, what "
            "remains falls faster",
        ),
        Check.share(
            "at the largest width: length of the change of the parameters over the "
            "least, within 0.15 of 1",
            found.distance[-1],
            equals=1,
            atol=0.15,
            least=0.9,
            tag="derived",
            math=r"at the largest width: $\|\theta_\infty - \theta_0\|$ over the least "
            "norm of the change, within $0.15$ of $1$",
            reason="of order $m^{-1/2} = 0.03$ at width 1,024 with a factor of the "
            "data; five times that",
        ),
    )
