"""Covariances against the recursion, their error over the number of draws, the kurtosis
against its formula.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.infinite_width import (
    excess_kurtosis,
    kurtosis_error,
    output_covariance,
)
from ibcore.pages.further.wide_networks.draws import generators_for, slopes
from ibcore.pages.further.wide_networks.runs import (
    BIAS,
    NARROW,
    Sets,
    block_errors,
    drawn,
    estimated_kurtosis,
    products,
    standard_errors,
)

BLOCKS = (64, 256, 1024)


KURTOSIS_WIDTHS = (16, 32, 64)


DEPTHS = (2, 3)


OUTPUTS = 32


COVARIANCE_POINTS = 4


STANDARD_ERRORS = 5.5


@dataclass(frozen=True)
class Outputs:
    """Outputs at the start, over draws.

    narrow, deep: (B, E), errors of the entries of the covariance in standard errors,
    for one hidden layer of width 4 and for two of width 32.      squares: (3, B), mean
    square errors for the narrow one from so many draws as `BLOCKS`.
    kurtosis, control: (2, 3, G) by depth and width, and (3, G) with a first layer of
    width 4, of G groups of draws.
    draws: of a group.
    """

    narrow: Tensor
    deep: Tensor
    squares: Tensor
    kurtosis: Tensor
    control: Tensor
    draws: int


@dataclass(frozen=True)
class Draws:
    """Data sets, with the number of networks that are drawn for the covariance and for
    the kurtosis.
    """

    sets: Sets
    narrow: int
    deep: int
    kurtosis: int


def draw_outputs(
    setting: Setting, *, datasets: int, narrow: int, deep: int, kurtosis: int
) -> Draws:
    """Four inputs of each of the data sets."""
    sets = drawn(setting.seeds(datasets, "wide outputs"), setting.device)
    return Draws(sets, narrow, deep, kurtosis)


def measure_outputs(draws: Draws, setting: Setting) -> Outputs:
    """Covariances at four inputs, and the kurtosis at one."""
    groups = len(draws.sets.points)
    generators = generators_for(setting, groups, "wide output weights")
    rows = []
    for points, generator in zip(draws.sets.points, generators, strict=True):
        inputs = points[:COVARIANCE_POINTS]
        one, two = (output_covariance(inputs, inputs, k, BIAS) for k in (1, 2))
        narrow = products(inputs, (4,), draws.narrow, generator)
        deep = products(inputs, (32, 32), draws.deep, generator)
        rows.append(
            (
                standard_errors(narrow, one),
                standard_errors(deep, two),
                block_errors(narrow, one, BLOCKS),
            )
        )
    narrow, deep, squares = (torch.stack(part) for part in zip(*rows, strict=True))
    shapes = [(m,) * (depth - 1) for depth in DEPTHS for m in KURTOSIS_WIDTHS]
    control = [(NARROW, m) for m in KURTOSIS_WIDTHS]
    found = [
        _kurtosis(setting, shape, groups, draws.kurtosis)
        for shape in (*shapes, *control)
    ]
    by_depth = torch.stack(found[: len(shapes)]).unflatten(0, (len(DEPTHS), -1))
    rest = torch.stack(found[len(shapes) :])
    return Outputs(narrow, deep, squares.T, by_depth, rest, draws.kurtosis)


def _kurtosis(
    setting: Setting, shape: tuple[int, ...], groups: int, draws: int
) -> Tensor:
    """Of so many groups of draws, (G,)."""
    generators = generators_for(setting, groups, f"kurtosis of {shape}")
    found = [estimated_kurtosis(shape, OUTPUTS, draws, each) for each in generators]
    return torch.stack(found)


@claim(
    kind="theorem",
    source="Neal 1996; Lee et al. 2018; Matthews et al. 2018 (recalled); Jacot, "
    "Gabriel and Hongler 2018 (abstract read, theorem recalled). Convergence for ReLU, "
    "what is exact at finite width, and the excess kurtosis are proved on the page",
    statement="At a standard normal start the outputs of a fully connected ReLU "
    "network in the tangent-kernel parametrization converge in law to a Gaussian "
    r"process as all widths grow. Its covariance follows the recursion $S^1 = x \cdot "
    r"x'/d + b^2$, $S^{l+1} = \mathbb{E}\,\phi\phi' + b^2$. With one hidden layer the "
    "covariance is exact at every width $m$; without biases the excess kurtosis of "
    r"$h$ hidden layers is $3\,[(1 + 5/m)^h - 1]$.",
    quick={"datasets": 8, "narrow": 16_384, "deep": 2048, "kurtosis": 512},
    book={"datasets": 12, "narrow": 16_384, "deep": 4096, "kurtosis": 1024},
    full={"datasets": 100, "narrow": 262_144, "deep": 32_768, "kurtosis": 16_384},
    draw=draw_outputs,
    measure=measure_outputs,
)
def nngp_at_init(measured: Outputs) -> Evidence:
    """Covariances against the recursion, their error over the number of draws, the
    kurtosis against its formula.
    """
    checks = (
        *_covariances(measured.narrow, measured.deep, measured.squares),
        *_kurtosis_checks(measured.kurtosis, measured.draws),
    )
    control = Control(
        f"a first layer of {NARROW} neurons, the second one wide",
        Check.share(
            "excess kurtosis at width 64 at most 1",
            measured.control[-1],
            at_most=1.0,
            most=0.25,
            tag="proved",
            math="excess kurtosis at width 64 at most 1",
            reason="twice what two layers of width 64 have; with a first one of four "
            "neurons it is 4.3",
        ),
        math="a first layer of four neurons, the second one wide",
    )
    notes = {
        "data sets": measured.narrow.shape[0],
        "networks a kurtosis": measured.draws,
    }
    return Evidence(checks, control, notes)


def _covariances(narrow: Tensor, deep: Tensor, squares: Tensor) -> tuple[Check, ...]:
    """Errors (B, E) in standard errors, and mean square errors (3, B) over numbers of
    draws.
    """
    pooled = slopes(BLOCKS, squares.mean(1).sqrt())
    return (
        Check.each(
            "one hidden layer of four neurons: error of the covariance in standard "
            "errors",
            narrow,
            at_most=STANDARD_ERRORS,
            tag="proved",
            math="one hidden layer of four neurons: error of the covariance in "
            "standard errors",
            reason="exact at every width; among a thousand normal errors the largest "
            "is above 5.5 once in 26,000 times",
            repeats=0.3,
            over_seeds=0.99,
        ),
        Check.each(
            "two hidden layers of width 32: the same",
            deep,
            at_most=STANDARD_ERRORS,
            tag="derived",
            math="two hidden layers of width 32: the same",
            reason="variances are exact; covariances are off by at most 0.13/32 of the "
            "variance to leading order, a quarter of a standard error at 4,096 draws; "
            "the rest is chance as before",
            repeats=0.3,
        ),
        Check.each(
            "error of the covariance: exponent in the number of draws",
            pooled,
            equals=-0.5,
            atol=0.06,
            tag="proved",
            math="error of the covariance: exponent in the number of draws",
            reason="the expected squared error is a variance over the number of draws "
            "exactly; chance turns the exponent by about 0.012; five times that",
            over_seeds=0.99,
        ),
    )


def _kurtosis_checks(kurtosis: Tensor, draws: int) -> tuple[Check, ...]:
    """Excess kurtosis (2, 3, G) by depth and width."""
    checks = []
    for row, depth in zip(kurtosis, DEPTHS, strict=True):
        shapes = [(m,) * (depth - 1) for m in KURTOSIS_WIDTHS]
        exact = [excess_kurtosis(shape, 0.0, 1.0) for shape in shapes]
        error = [kurtosis_error(shape, OUTPUTS, draws) for shape in shapes]
        formula = "15/m" if depth == 2 else "3 ((1 + 5/m)^2 - 1)"
        checks.append(
            Check.each(
                f"depth {depth}: excess kurtosis apart from {formula}, in standard "
                "errors",
                (row - row.new_tensor(exact)[:, None]).abs()
                / row.new_tensor(error)[:, None],
                at_most=6.0,
                tag="proved",
                math=f"depth {depth}: excess kurtosis apart from ${formula}$, in "
                "standard errors",
                reason="exact at every width; standard errors are computed from the "
                "exact moments. The error is a mean of many terms with a tail to the "
                "right, so the bar is wider than for normal ones",
                repeats=0.3,
                over_seeds=0.99,
            )
        )
    expected = [
        slopes(
            KURTOSIS_WIDTHS,
            kurtosis.new_tensor(
                [excess_kurtosis((m,) * (d - 1), 0.0, 1.0) for m in KURTOSIS_WIDTHS]
            ),
        )
        for d in DEPTHS
    ]
    checks.append(
        Check.each(
            "exponent of the excess kurtosis in the width, from -1 to -1.08",
            slopes(KURTOSIS_WIDTHS, kurtosis.mean(-1).T),
            equals=torch.stack(expected),
            atol=0.25,
            tag="proved",
            math="exponent of the excess kurtosis in the width, $-1$ and $-1.08$",
            reason="those of the exact formulas over these widths; chance turns them "
            "by about 0.06, four times that",
            over_seeds=0.99,
        )
    )
    return tuple(checks)
