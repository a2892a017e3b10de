"""Errors of the kernel against the exact standard deviation, and their exponents in the
width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.infinite_width import (
    kernel_variance,
    limit_kernel,
)
from ibcore.pages.further.wide_networks.draws import FEW, generators_for, slopes
from ibcore.pages.further.wide_networks.runs import (
    Sets,
    drawn,
    kernel_errors,
    own,
)


@dataclass(frozen=True)
class Kernels:
    """Relative errors of tangent kernels at the start against the limit.

    shallow, deep, control: (W, B, D) for one hidden layer, two equal ones, and two of
    which the first has `FEW` neurons, by width, data set and draw.
    predicted: (B,), root mean square error times the root of the width, for one hidden
    layer, in closed form.
    """

    widths: tuple[int, ...]
    deep_widths: tuple[int, ...]
    shallow: Tensor
    deep: Tensor
    control: Tensor
    predicted: Tensor


@dataclass(frozen=True)
class KernelDraws:
    """Data sets, widths, and how many networks are drawn for each."""

    sets: Sets
    widths: tuple[int, ...]
    deep_widths: tuple[int, ...]
    draws: int


def draw_kernels(
    setting: Setting,
    *,
    datasets: int,
    widths: tuple[int, ...],
    deep_widths: tuple[int, ...],
    draws: int,
) -> KernelDraws:
    """Data sets of 16 inputs."""
    sets = drawn(setting.seeds(datasets, "wide kernels"), setting.device)
    return KernelDraws(sets, widths, deep_widths, draws)


def own_kernels(
    setting: Setting,
    X: object,
    y: object,
    *,
    datasets: int,
    widths: tuple[int, ...],
    deep_widths: tuple[int, ...],
    draws: int,
) -> KernelDraws:
    """A reader's X (n, d) and y (n,), which is not used, with networks of their own as
    often as there are sets.
    """
    return KernelDraws(own(X, y, datasets, setting.device), widths, deep_widths, draws)


def measure_kernels(draws: KernelDraws, setting: Setting) -> Kernels:
    """Tangent kernels on the training inputs."""
    inputs, count = draws.sets.inputs, len(draws.sets.points)

    def errors(name: str, shapes: list[tuple[int, ...]]) -> Tensor:
        rows = []
        for shape in shapes:
            generators = generators_for(setting, count, f"{name} kernel {shape}")
            limit = limit_kernel(inputs, inputs, len(shape), 0.0)
            rows.append(kernel_errors(inputs, limit, shape, draws.draws, generators))
        return torch.stack(rows)

    variance = kernel_variance(inputs, inputs, 0.0).sum((-2, -1))
    size = limit_kernel(inputs, inputs, 1, 0.0).norm(dim=(-2, -1))
    return Kernels(
        draws.widths,
        draws.deep_widths,
        errors("shallow", [(m,) for m in draws.widths]),
        errors("deep", [(m, m) for m in draws.deep_widths]),
        errors("control", [(FEW, m) for m in draws.deep_widths]),
        variance.sqrt() / size,
    )


@claim(
    kind="theorem",
    source="Jacot, Gabriel and Hongler 2018 (abstract read, theorem recalled); Arora "
    "et al. 2019 (recalled). For one hidden layer the mean and the variance at every "
    "width are proved on the page",
    statement="At a standard normal start the tangent kernel of a fully connected "
    r"ReLU network converges to the deterministic one of the recursion $\Theta^{l+1} = "
    r"\Theta^l\, \mathbb{E}\,\phi'\phi' + S^{l+1}$ as all widths grow. Its error is of "
    "order $m^{-1/2}$, and with one hidden layer its mean square is exactly a known "
    "constant over $m$.",
    quick={
        "datasets": 8,
        "widths": (64, 256, 1024, 4096),
        "deep_widths": (32, 128, 512),
        "draws": 8,
    },
    book={
        "datasets": 12,
        "widths": (64, 256, 1024, 4096),
        "deep_widths": (32, 128, 512),
        "draws": 16,
    },
    full={
        "datasets": 32,
        "widths": (64, 256, 1024, 4096, 16_384),
        "deep_widths": (32, 128, 512, 2048),
        "draws": 64,
    },
    draw=draw_kernels,
    measure=measure_kernels,
    own=own_kernels,
)
def ntk_at_init(measured: Kernels) -> Evidence:
    """Errors of the kernel against the exact standard deviation, and their exponents in
    the width.
    """
    checks = _kernel_checks(measured)
    control = Control(
        f"a first layer of {FEW} neurons, the second one wide",
        Check.each(
            "exponent of the error in the width, pooled, at least -0.25",
            slopes(measured.deep_widths, _pooled(measured.control)),
            at_least=-0.25,
            tag="derived",
            math="exponent of the error in the width, pooled, at least $-0.25$",
            reason=f"a first layer of {FEW} neurons keeps an error of order "
            f"${FEW}^{{-1/2}}$ in the kernel: exponent 0; half way to $-1/2$",
            repeats=0.3,
        ),
        math=f"a first layer of {FEW} neurons, the second one wide",
    )
    notes = {
        "data sets": measured.shallow.shape[1],
        "draws a width": measured.shallow.shape[2],
    }
    return Evidence(checks, control, notes)


def mean_errors(errors: Tensor) -> Tensor:
    """Root mean square over draws, (W, B)."""
    return errors.square().mean(-1).sqrt()


def _kernel_checks(measured: Kernels) -> tuple[Check, ...]:
    root = torch.tensor(measured.widths, dtype=torch.float64).sqrt()
    ratio = (
        measured.shallow * root[:, None, None] / measured.predicted[:, None]
    ).square()
    flat = ratio.flatten(1)
    apart = (flat.mean(1) - 1).abs() / (flat.std(1) / math.sqrt(flat.shape[1]))
    return (
        Check.each(
            "one hidden layer: mean square error over the exact variance, apart from 1 "
            "in standard errors",
            apart,
            at_most=5.0,
            tag="proved",
            math="one hidden layer: mean square error over the exact variance, apart "
            "from 1 in standard errors",
            reason="exact at every width; five standard errors, as the errors' squares "
            "have a tail to the right",
            repeats=0.3,
            over_seeds=0.99,
        ),
        Check.each(
            "one hidden layer: exponent of the error in the width, pooled",
            slopes(measured.widths, _pooled(measured.shallow)),
            equals=-0.5,
            atol=0.08,
            tag="proved",
            math="one hidden layer: exponent of the error in the width, pooled",
            reason="the expected squared error is a constant over the width exactly; "
            "chance turns the exponent by about 0.02, four times that",
            over_seeds=0.99,
        ),
        Check.share(
            "the same of each data set, within 0.2 of -0.5",
            slopes(measured.widths, mean_errors(measured.shallow)),
            equals=-0.5,
            atol=0.2,
            least=0.9,
            tag="derived",
            math="the same of each data set, within $0.2$ of $-0.5$",
            reason="with eight draws a width chance turns the exponent of one data set "
            "by about 0.06",
        ),
        Check.each(
            "two hidden layers: exponent of the error in the width, pooled",
            slopes(measured.deep_widths, _pooled(measured.deep)),
            equals=-0.5,
            atol=0.12,
            tag="derived",
            math="two hidden layers: exponent of the error in the width, pooled",
            reason="to leading order; chance turns the exponent by about 0.03, four "
            "times that",
        ),
    )


def _pooled(errors: Tensor) -> Tensor:
    """Root mean square over data sets and draws, (W,)."""
    return errors.square().mean((1, 2)).sqrt()
