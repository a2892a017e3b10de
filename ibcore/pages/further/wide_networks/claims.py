"""Wide networks: a Gaussian process at initialization, and a linear model in training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.measures import slope
from ibcore.oracles.infinite_width import (
    excess_kurtosis,
    kernel_variance,
    kurtosis_error,
    limit_kernel,
    output_covariance,
)
from ibcore.pages.further.wide_networks.runs import (
    BIAS,
    NARROW,
    Sets,
    block_errors,
    drawn,
    estimated_kurtosis,
    kernel_errors,
    own,
    products,
    standard_errors,
)
from ibcore.pages.further.wide_networks.training import (
    Gaps,
    flow_gaps,
    gaps,
    linear_models,
)

BLOCKS = (64, 256, 1024)
KURTOSIS_WIDTHS = (16, 32, 64)
DEPTHS = (2, 3)
OUTPUTS = 32
COVARIANCE_POINTS = 4
STANDARD_ERRORS = 5.5
LINEAR_WIDTH = 64


def slopes(widths: Sequence[int], values: Tensor) -> Tensor:
    """Exponents in the width of values (W, ...), each member's own, (...)."""
    x = torch.tensor(widths, dtype=torch.float64).log()
    return slope(x, values.log().movedim(0, -1))


def _generators(setting: Setting, count: int, purpose: str) -> list[torch.Generator]:
    seeds = setting.seeds(count, purpose)
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@dataclass(frozen=True)
class Outputs:
    """Outputs at the start, over draws.

    narrow, deep: (B, E), errors of the entries of the covariance in standard errors, for one hidden layer of width 4
    and for two of width 32.      squares: (3, B), mean square errors for the narrow one from so many draws as `BLOCKS`.
    kurtosis, control: (2, 3, G) by depth and width, and (3, G) with a first layer of width 4, of G groups of draws.
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
    """Data sets, with the number of networks that are drawn for the covariance and for the kurtosis."""

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
    generators = _generators(setting, groups, "wide output weights")
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
    generators = _generators(setting, groups, f"kurtosis of {shape}")
    found = [estimated_kurtosis(shape, OUTPUTS, draws, each) for each in generators]
    return torch.stack(found)


@claim(
    kind="theorem",
    source="Neal 1996; Lee et al. 2018; Matthews et al. 2018 (recalled); Jacot, Gabriel and Hongler 2018 (abstract "
    "read, theorem recalled). Convergence for ReLU, what is exact at finite width, and the excess kurtosis are proved "
    "on the page",
    statement="At a standard normal start the outputs of a fully connected ReLU network in the tangent-kernel "
    "parametrization converge in law to a Gaussian process as all widths grow. Its covariance follows the recursion "
    r"$S^1 = x \cdot x'/d + b^2$, $S^{l+1} = \mathbb{E}\,\phi\phi' + b^2$. With one hidden layer the covariance is "
    r"exact at every width $m$; without biases the excess kurtosis of $h$ hidden layers is $3\,[(1 + 5/m)^h - 1]$.",
    quick={"datasets": 8, "narrow": 16_384, "deep": 2048, "kurtosis": 512},
    book={"datasets": 12, "narrow": 16_384, "deep": 4096, "kurtosis": 1024},
    full={"datasets": 100, "narrow": 262_144, "deep": 32_768, "kurtosis": 16_384},
    draw=draw_outputs,
    measure=measure_outputs,
)
def nngp_at_init(measured: Outputs) -> Evidence:
    """Covariances against the recursion, their error over the number of draws, the kurtosis against its formula."""
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
            reason="twice what two layers of width 64 have; with a first one of four neurons it is 4.3",
        ),
        math="a first layer of four neurons, the second one wide",
    )
    notes = {
        "data sets": measured.narrow.shape[0],
        "networks a kurtosis": measured.draws,
    }
    return Evidence(checks, control, {}, notes)


def _covariances(narrow: Tensor, deep: Tensor, squares: Tensor) -> tuple[Check, ...]:
    """Errors (B, E) in standard errors, and mean square errors (3, B) over numbers of draws."""
    pooled = slopes(BLOCKS, squares.mean(1).sqrt())
    return (
        Check.each(
            "one hidden layer of four neurons: error of the covariance in standard errors",
            narrow,
            at_most=STANDARD_ERRORS,
            tag="proved",
            math="one hidden layer of four neurons: error of the covariance in standard errors",
            reason="exact at every width; among a thousand normal errors the largest is above 5.5 once in 26,000 times",
            repeats=0.3,
            over_seeds=0.99,
        ),
        Check.each(
            "two hidden layers of width 32: the same",
            deep,
            at_most=STANDARD_ERRORS,
            tag="derived",
            math="two hidden layers of width 32: the same",
            reason="variances are exact; covariances are off by at most 0.13/32 of the variance to leading order, a "
            "quarter of a standard error at 4,096 draws; the rest is chance as before",
            repeats=0.3,
        ),
        Check.each(
            "error of the covariance: exponent in the number of draws",
            pooled,
            equals=-0.5,
            atol=0.06,
            tag="proved",
            math="error of the covariance: exponent in the number of draws",
            reason="the expected squared error is a variance over the number of draws exactly; chance turns the "
            "exponent by about 0.012; five times that",
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
                f"depth {depth}: excess kurtosis apart from {formula}, in standard errors",
                (row - row.new_tensor(exact)[:, None]).abs()
                / row.new_tensor(error)[:, None],
                at_most=6.0,
                tag="proved",
                math=f"depth {depth}: excess kurtosis apart from ${formula}$, in standard errors",
                reason="exact at every width; standard errors are computed from the exact moments. The error is a "
                "mean of many terms with a tail to the right, so the bar is wider than for normal ones",
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
            reason="those of the exact formulas over these widths; chance turns them by about 0.06, four times that",
            over_seeds=0.99,
        )
    )
    return tuple(checks)


@dataclass(frozen=True)
class Kernels:
    """Relative errors of tangent kernels at the start against the limit.

    shallow, deep, control: (W, B, D) for one hidden layer, two equal ones, and two of which the first has `FEW`
    neurons, by width, data set and draw.
    predicted: (B,), root mean square error times the root of the width, for one hidden layer, in closed form.
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


FEW = 16


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
    """A reader's X (n, d) and y (n,), which is not used, with networks of their own as often as there are sets."""
    return KernelDraws(own(X, y, datasets, setting.device), widths, deep_widths, draws)


def measure_kernels(draws: KernelDraws, setting: Setting) -> Kernels:
    """Tangent kernels on the training inputs."""
    inputs, count = draws.sets.inputs, len(draws.sets.points)

    def errors(name: str, shapes: list[tuple[int, ...]]) -> Tensor:
        rows = []
        for shape in shapes:
            generators = _generators(setting, count, f"{name} kernel {shape}")
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
    source="Jacot, Gabriel and Hongler 2018 (abstract read, theorem recalled); Arora et al. 2019 (recalled). For one "
    "hidden layer the mean and the variance at every width are proved on the page",
    statement="At a standard normal start the tangent kernel of a fully connected ReLU network converges to the "
    r"deterministic one of the recursion $\Theta^{l+1} = \Theta^l\, \mathbb{E}\,\phi'\phi' + S^{l+1}$ as all widths "
    r"grow. Its error is of order $m^{-1/2}$, and with one hidden layer its mean square is exactly a known constant "
    "over $m$.",
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
    """Errors of the kernel against the exact standard deviation, and their exponents in the width."""
    checks = _kernel_checks(measured)
    control = Control(
        f"a first layer of {FEW} neurons, the second one wide",
        Check.each(
            "exponent of the error in the width, pooled, at least -0.25",
            slopes(measured.deep_widths, _pooled(measured.control)),
            at_least=-0.25,
            tag="derived",
            math="exponent of the error in the width, pooled, at least $-0.25$",
            reason=f"a first layer of {FEW} neurons keeps an error of order ${FEW}^{{-1/2}}$ in the kernel: exponent "
            "0; half way to $-1/2$",
            repeats=0.3,
        ),
        math=f"a first layer of {FEW} neurons, the second one wide",
    )
    notes = {
        "data sets": measured.shallow.shape[1],
        "draws a width": measured.shallow.shape[2],
    }
    return Evidence(checks, control, {}, notes)


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
            "one hidden layer: mean square error over the exact variance, apart from 1 in standard errors",
            apart,
            at_most=5.0,
            tag="proved",
            math="one hidden layer: mean square error over the exact variance, apart from 1 in standard errors",
            reason="exact at every width; five standard errors, as the errors' squares have a tail to the right",
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
            reason="the expected squared error is a constant over the width exactly; chance turns the exponent by "
            "about 0.02, four times that",
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
            reason="with eight draws a width chance turns the exponent of one data set by about 0.06",
        ),
        Check.each(
            "two hidden layers: exponent of the error in the width, pooled",
            slopes(measured.deep_widths, _pooled(measured.deep)),
            equals=-0.5,
            atol=0.12,
            tag="derived",
            math="two hidden layers: exponent of the error in the width, pooled",
            reason="to leading order; chance turns the exponent by about 0.03, four times that",
        ),
    )


def _pooled(errors: Tensor) -> Tensor:
    """Root mean square over data sets and draws, (W,)."""
    return errors.square().mean((1, 2)).sqrt()


@dataclass(frozen=True)
class Trajectories:
    """What training did at every width, in a narrow first layer, and with the linearized networks.

    linear, least: (B,), differences between descent on the linearized networks and the closed forms.
    control: (W', B), gaps of the flow on training inputs with a first layer of `FEW` neurons.
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
    """A reader's X (n, d) and y (n,), with networks of their own as often as there are sets."""
    return Trainings(own(X, y, datasets, setting.device), widths)


def measure_trainings(trainings: Trainings, setting: Setting) -> Trajectories:
    """Gradient flow and descent of networks with one hidden layer; the control has two."""
    sets, count = trainings.sets, len(trainings.sets.points)
    few = Sets(sets.points[:8], sets.targets[:8])
    ends = (trainings.widths[0], trainings.widths[-1])

    def generators(purpose: str, members: int = count) -> list[torch.Generator]:
        return _generators(setting, members, f"wide training {purpose}")

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
    source="Jacot, Gabriel and Hongler 2018; Lee et al. 2019 (abstracts read, theorems recalled); Chizat, Oyallon and "
    "Bach 2019; Du et al. 2019; Allen-Zhu, Li and Song 2019 (recalled). The solution of the linearized model, its "
    "least norm and the bound by the kernels are proved on the page",
    statement=r"Trained with the mean square loss, a wide network follows "
    r"$f_t(X) = y + e^{-2t\Theta/n}(f_0(X) - y)$, and descent its discrete form with $(I - 2\eta\Theta/n)^k$: "
    r"the largest gap over the whole of training is at most of order $m^{-1/2}$ in the width, on training inputs and "
    "on new ones. The limit is the interpolant nearest to $f_0$ in the norm of the tangent kernel.",
    quick={"datasets": 16, "widths": (64, 256, 1024)},
    book={"datasets": 16, "widths": (64, 256, 1024, 4096)},
    full={"datasets": 64, "widths": (64, 256, 1024, 4096, 16_384)},
    draw=draw_trainings,
    measure=measure_trainings,
    own=own_trainings,
)
def wide_net_linearized(measured: Trajectories) -> Evidence:
    """The flow against the matrix exponential, descent against matrix powers, the limit against the least norm."""
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
            reason=f"a first layer of {FEW} neurons keeps an error of order ${FEW}^{{-1/2}}$ in the kernel, and moves: "
            "exponent 0; half way to $-1/2$",
            repeats=0.3,
        ),
        math=f"a first layer of {FEW} neurons, the second one wide",
    )
    notes = {
        "data sets": measured.gaps.limit.shape[1],
        "largest width": measured.widths[-1],
    }
    return Evidence(checks, control, {}, notes)


def _linear(linear: Tensor, least: Tensor) -> tuple[Check, ...]:
    """Differences (B,) of descent on linearized networks from the closed forms."""
    reason = (
        "identities; two hundred steps whose rounding does not add up, and kernels with condition numbers of about a "
        "hundred: 1e-13; a thousand times that"
    )
    return (
        Check.each(
            "linearized network: outputs of descent apart from the matrix powers, over the largest output",
            linear,
            at_most=1e-10,
            tag="proved",
            math=r"linearized network: outputs of descent apart from $(I - 2\eta K/n)^k$, over the largest output",
            reason=reason,
            precision=True,
        ),
        Check.each(
            "linearized network: change of the parameters, apart from the least that gives these outputs",
            least,
            at_most=1e-10,
            tag="proved",
            math=r"linearized network: $\|\theta_k - \theta_0\|$ over the least that gives these outputs, apart from 1",
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
            "training inputs: largest gap of the flow to the matrix exponential over the bound by the kernels",
            found.flow[:, 0] / found.bound,
            at_most=1.0,
            tag="proved",
            math=r"training inputs: $\sup_t$ of the gap of the flow to $e^{-2t\Theta/n}$, over "
            r"$\sup_t \|\Theta_t - \Theta\| / \lambda_{\min}(\Theta)$",
            reason="proved on the page, at every width",
        ),
        Check.each(
            "training inputs: exponent of the largest gap of the flow",
            flow[:1],
            equals=-0.5,
            atol=0.2,
            tag="derived",
            math=r"training inputs: exponent of $\sup_t$ of the gap of the flow",
            reason="to leading order the gap is that of the kernels at the start, of order $m^{-1/2}$; over three "
            "widths chance turns the mean exponent of 16 data sets by about 0.05, four times that",
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
            "descent against the powers of its own kernel at the start: exponent of the largest gap",
            descent,
            at_most=-0.35,
            tag="derived",
            math=r"descent against $(I - 2\eta K_0/n)^k$: exponent of the largest gap",
            reason="the theorem bounds the gap by order $m^{-1/2}$; chance turns the exponent by about 0.04, four "
            "times that",
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
            math="limit at new inputs: exponent of the gap to the interpolant of least norm",
            reason="as along the flow",
        ),
        Check.share(
            "there, at the largest width: gap to the interpolant of the own kernel over that gap at most 1",
            found.own_limit[-1] / found.limit[-1],
            at_most=1.0,
            least=0.9,
            tag="derived",
            math="there, at the largest width: gap to the interpolant of the own kernel $K_0$ over that gap at most 1",
            reason=r"the gap is that of $K_0$ and $\Theta$ to leading order, what remains falls faster",
        ),
        Check.share(
            "at the largest width: length of the change of the parameters over the least, within 0.15 of 1",
            found.distance[-1],
            equals=1,
            atol=0.15,
            least=0.9,
            tag="derived",
            math=r"at the largest width: $\|\theta_\infty - \theta_0\|$ over the least norm of the change, within "
            "$0.15$ of $1$",
            reason="of order $m^{-1/2} = 0.03$ at width 1,024 with a factor of the data; five times that",
        ),
    )
