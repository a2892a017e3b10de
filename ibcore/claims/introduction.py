"""The introduction: overfitting as it was taught, labels without meaning, and the question smooth or wiggly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.dynamics import paces
from ibcore.dynamics.batches import epochs
from ibcore.dynamics.directions import Momentum
from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.objective import Objective
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import SoftmaxCrossEntropy
from ibcore.measures import slope
from ibcore.models.network import Network
from ibcore.oracles.expressivity import memorizing_network
from ibcore.oracles.kernels import kernel_interpolant, output_layer_kernel
from ibcore.oracles.polynomial_risk import expected_excess_risk, expected_train_error
from ibcore.pages.introduction.runs import (
    FIT,
    GRID,
    LABEL_NOISE,
    CurveFit,
    PolynomialFit,
    WigglyStart,
    fit_points,
    fit_polynomial,
    start_wiggly,
)
from ibcore.problems.curves import (
    Points,
    cubic,
    cubic_points,
    scattered_points,
    sine_points,
)
from ibcore.problems.digits import CLASSES, digits_split

LOW, HIGH, VAST = 3, 8, 60
DATA: dict[str, Callable[[int, int, torch.Generator], Points]] = {
    "sine": sine_points,
    "scattered": scattered_points,
}
NARROW = 64
KERNEL_SCALE, RICH_SCALE, TINY_SCALE = 1000.0, 10.0, 0.01


# --- A polynomial with too many coefficients ---------------------------------------------------------


@claim(
    kind="empirical",
    source="Vardi 2023, Figure 1 (its text read); exact risks of least squares are classical, proved on the page",
    statement="On ten noisy labels of a cubic, least squares of degree 8 has a smaller "
    "training error and, in most data sets, a larger test error than degree 3. The fit of degree "
    "60 that gradient descent from zero finds in the features $P_k/(k+1)$ passes through "
    "every point and is in most data sets better than degree 8.",
    quick={"datasets": 200, "points": 10},
    book={"datasets": 200, "points": 10},
    full={"datasets": 20_000, "points": 10},
)
def intro_poly_overfit(setting: Setting, *, datasets: int, points: int) -> Evidence:
    """Test errors are exact integrals over [-1, 1], so the only randomness is that of the training sets."""
    data = cubic_points(
        datasets, points, _generator(setting, "cubic"), noise=LABEL_NOISE
    )
    many = cubic_points(
        min(datasets, 200),
        100 * points,
        _generator(setting, "many points"),
        noise=LABEL_NOISE,
    )
    fits = {degree: fit_polynomial(data, degree) for degree in (LOW, HIGH, VAST)}
    control = Control(
        "100 times the points",
        Check.share(
            "test(8) at least 1.1 times test(3)",
            fit_polynomial(many, HIGH).test / fit_polynomial(many, LOW).test,
            at_least=1.1,
            most=0.05,
            tag="observed",
            reason="the claim's factor is 3",
        ),
    )
    grid = torch.linspace(-1, 1, GRID, dtype=torch.float64)
    return Evidence(
        judge_polynomials(data, fits),
        control,
        {"points": data, "fits": fits, "grid": grid, "truth": cubic(grid)},
    )


def judge_polynomials(
    data: Points, fits: Mapping[int, PolynomialFit]
) -> tuple[Check, ...]:
    """What must hold of the fits of degree `LOW`, `HIGH` and `VAST` to each data set."""
    low, high, vast = (fits[degree] for degree in (LOW, HIGH, VAST))
    return (
        Check.each(
            "train(8) / train(3)",
            high.train / low.train,
            at_most=1,
            tag="proved",
            reason="a polynomial of degree 3 is one of degree 8, so the least square is no larger",
        ),
        Check.share(
            "test(8) above test(3)",
            high.test / low.test,
            at_least=1,
            least=0.95,
            tag="observed",
            reason="99 % or more of 200 data sets at each of 60 seeds",
        ),
        Check.share(
            "test(8) at least 3 times test(3)",
            high.test / low.test,
            at_least=3,
            least=0.65,
            tag="observed",
            reason="three quarters of 12,000 data sets at 60 seeds",
        ),
        *(
            check
            for degree, fit in ((LOW, low), (HIGH, high))
            for check in _expectations(data, degree, fit)
        ),
        Check.each(
            "train(60)",
            vast.train,
            at_most=1e-16,
            tag="derived",
            reason="more coefficients than points leave nothing but rounding",
            precision=True,
        ),
        Check.share(
            "test(60) below test(8)",
            vast.test / high.test,
            at_most=1,
            least=0.9,
            tag="observed",
            reason="97 % or more of 200 data sets at each of 60 seeds",
        ),
    )


def _expectations(data: Points, degree: int, fit: PolynomialFit) -> tuple[Check, Check]:
    """Means over the data sets against the expectations that the theorem gives."""
    datasets, points = data.x.shape
    train = fit.train.mean() / expected_train_error(points, degree, LABEL_NOISE)
    mean, deviation = expected_excess_risk(data.x, degree, LABEL_NOISE)
    score = ((fit.test - LABEL_NOISE**2 - mean) / deviation).mean()
    return (
        Check.each(
            f"degree {degree}: mean training error over its expectation",
            [float(train)],
            equals=1,
            atol=5 * math.sqrt(2 / (points - degree - 1) / datasets),
            tag="proved",
            reason="five standard errors: the sum is chi-square with "
            "$n - p - 1$ degrees of freedom a data set",
        ),
        Check.each(
            f"degree {degree}: mean excess test error, standard errors from its "
            "expectation",
            [float(score) * math.sqrt(datasets)],
            equals=0,
            atol=6,
            tag="proved",
            reason="six standard errors, for a skew distribution",
        ),
    )


# --- Labels that mean nothing -------------------------------------------------------------------------


@claim(
    kind="empirical",
    source="Zhang, Bengio, Hardt, Recht and Vinyals 2017, experiments and Theorem 1 (read; proved on the page)",
    statement="The same network and the same SGD, without any regularizer, fit true "
    "and random labels of the digits exactly; only with true labels does the fit carry "
    "over to new digits. A network of $2n + d$ weights fits any labels of $n$ points.",
    quick={
        "seeds": 8,
        "train": 500,
        "width": 128,
        "levels": (0.0, 0.5, 1.0),
        "directions": 3,
        "control_steps": 500,
    },
    book={
        "seeds": 8,
        "train": 1000,
        "width": 512,
        "levels": (0.0, 0.25, 0.5, 0.75, 1.0),
        "directions": 10,
        "control_steps": 1500,
    },
    full={
        "seeds": 30,
        "train": 1000,
        "width": 2048,
        "levels": (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0),
        "directions": 100,
        "control_steps": 20_000,
    },
)
def intro_random_labels(
    setting: Setting,
    *,
    seeds: int,
    train: int,
    width: int,
    levels: Sequence[float],
    directions: int,
    control_steps: int,
) -> Evidence:
    """Float64, so that the number of steps does not depend on the machine's rounding.

    By the symmetry of the ten classes a network that saw only random labels is right on a new digit
    with probability exactly 1/10, whatever it learned.
    """
    runs = {
        level: memorize(setting, level, seeds=seeds, train=train, width=width)
        for level in levels
    }
    small = memorize(
        setting, 1.0, seeds=seeds, train=train, width=4, max_steps=control_steps
    )
    control = Control(
        "4 neurons, 310 weights, random labels",
        Check.each(
            "training accuracy",
            small.train,
            at_most=0.5,
            tag="observed",
            reason="half of what the claim asks for; at most 0.35 in 56 runs",
        ),
    )
    return Evidence(
        (*judge_labels(runs), _constructed(_construction_errors(setting, directions))),
        control,
        {"levels": levels, "runs": runs, "small": small},
        {
            "weights": _network(torch.zeros(1, 64), width).dimension,
            "training digits": train,
        },
    )


def judge_labels(runs: Mapping[float, Memorized]) -> tuple[Check, ...]:
    """What must hold of the same networks trained at each level of corruption, from 0 to 1."""
    true, random = runs[0.0], runs[1.0]
    means = torch.stack([run.test.mean() for run in runs.values()])
    return (
        Check.each(
            "training accuracy of every run",
            torch.stack([run.train for run in runs.values()]),
            at_least=1,
            tag="observed",
            reason="training ends when every label is right, or at a limit",
        ),
        Check.each(
            "test accuracy, true labels",
            true.test,
            at_least=0.9,
            tag="observed",
            reason="at least 0.93 in 56 runs, which spread by 0.01",
        ),
        Check.each(
            "mean test accuracy, random labels",
            [float(random.test.mean())],
            equals=0.1,
            atol=0.05 * math.sqrt(8 / len(random.test)),
            tag="derived",
            reason="exactly 1/10 on average, by symmetry; seven standard errors, as a run "
            "spreads by 0.02 (56 runs)",
        ),
        Check.each(
            "rise of the mean test accuracy from one share of random labels to the next",
            means.diff(),
            at_most=0,
            tag="observed",
            reason="what is learned from fewer true labels is no better",
        ),
        Check.each(
            "steps to fit, random over true labels",
            random.steps / true.steps,
            at_least=2,
            tag="observed",
            reason="2.8 or more in 56 runs, their mean 4",
        ),
    )


def _constructed(errors: Tensor) -> Check:
    return Check.each(
        "error of the network of 2n + d weights, n = 200",
        errors,
        at_most=1e-6,
        tag="proved",
        reason="exact but for rounding, which weights of several thousand magnify",
        math="error of the network of $2n + d$ weights, $n = 200$",
        precision=True,
    )


@dataclass(frozen=True)
class Memorized:
    """SGD on the digits at one level of corruption: the run, and accuracies (B,) on training and test set."""

    run: Run
    train: Tensor
    test: Tensor

    @property
    def steps(self) -> Tensor:
        """Steps until every training label was right, (B,); NaN for a run that did not come so far."""
        return self.run.steps.double().where(self.run.converged, math.nan).cpu()


def memorize(
    setting: Setting,
    corruption: float,
    *,
    seeds: int,
    train: int,
    width: int,
    max_steps: int = 5000,
) -> Memorized:
    """A 64-width-10 ReLU network by SGD (0.1, momentum 0.9, batches of 100) until it fits its training labels.

    The digits and the start of run k are the same at every corruption.
    """
    splits = [
        digits_split(
            train,
            1797 - train,
            torch.Generator().manual_seed(word),
            corruption,
            device=setting.device,
        )
        for word in setting.seeds(seeds, "digits")
    ]
    X, y, X_test, y_test = (
        torch.stack([getattr(split, part) for split in splits])
        for part in ("X_train", "y_train", "X_test", "y_test")
    )
    generator, training = _generator(setting, "network"), _network(X, width)
    run = descend(
        Objective(training, SoftmaxCrossEntropy(), y, shared=False),
        training.normal(seeds, generator),
        paces.constant(0.1),
        direction=Momentum(0.9),
        batches=epochs(100, generator),
        until=_all_right,
        ask_every=train // 100,
        max_steps=max_steps,
        max_seconds=600,
    )
    test = _network(X_test, width)
    return Memorized(
        run,
        _accuracy(training.outputs(run.last), y).cpu(),
        _accuracy(test.outputs(run.last), y_test).cpu(),
    )


def _network(X: Tensor, width: int) -> Network:
    return Network(X, (width,), "relu", out=CLASSES)


def _accuracy(logits: Tensor, classes: Tensor) -> Tensor:
    """Share of the classes (B, n) that have the largest of the logits (B, n, K), (B,)."""
    return (logits.argmax(-1) == classes).to(logits.dtype).mean(-1)


def _all_right(point: Any) -> Tensor:
    """Whether every training label is the network's, (A,)."""
    return _accuracy(point.outputs, point.objective.targets) == 1


def _construction_errors(setting: Setting, directions: int) -> Tensor:
    """Largest error of the 2n + d network on random labels -1, +1 of 200 digits, (directions,)."""
    generator, errors = _generator(setting, "construction"), []
    for _ in range(directions):
        X = digits_split(200, 1, generator).X_train
        y = torch.randint(2, (200,), generator=generator).double() * 2 - 1
        net = memorizing_network(
            X, y, torch.randn(64, generator=generator, dtype=torch.float64)
        )
        errors.append((net(X) - y).abs().amax())
    return torch.stack(errors)


# --- Smooth or wiggly? ----------------------------------------------------------------------------------


@claim(
    kind="empirical",
    source="F. Konrad, Implicit Bias in Deep Learning (notes, 2024); least roughness: classical, proved on the page; "
    "kernel limit: Jin and Montúfar 2023 (abstract read, theorem recalled); kernel and adaptive regimes: Williams, "
    "Trager, Panozzo, Silva, Zorin and Bruna 2019 (recalled)",
    statement="A wide two-layer ReLU network fitted to eight points by gradient flow "
    "from a random start, without any regularizer, is at most twice as rough as the "
    "least rough function through them, for nearly all data sets and starts, although the "
    "same network can fit them with ten times its roughness and stays there if it starts "
    "from such weights, perturbed.",
    quick={
        "seeds": 8,
        "widths": (256,),
        "narrow_sets": 40,
        "small_sets": 12,
        "tiny_steps": 200,
        "kernel_sets": 12,
        "kernel_widths": (64, 512, 4096),
    },
    book={
        "seeds": 20,
        "widths": (256, 1024),
        "narrow_sets": 40,
        "small_sets": 20,
        "tiny_steps": 1000,
        "kernel_sets": 20,
        "kernel_widths": (64, 128, 256, 512, 1024, 2048, 4096),
    },
    full={
        "seeds": 200,
        "widths": (256, 1024, 4096),
        "narrow_sets": 1000,
        "small_sets": 200,
        "tiny_steps": 1000,
        "kernel_sets": 200,
        "kernel_widths": (64, 128, 256, 512, 1024, 2048, 4096, 8192),
    },
)
def smooth_or_wiggly(
    setting: Setting,
    *,
    seeds: int,
    widths: Sequence[int],
    narrow_sets: int,
    kernel_widths: Sequence[int],
    kernel_sets: int,
    small_sets: int,
    tiny_steps: int,
) -> Evidence:
    """Two kinds of data; start scales 30 and 100 for the wide networks, 100 for those of 64 neurons.

    Shares are over all data sets and settings together. A narrow network may leave a stretch of the
    points without bends; then it cannot fit, and counts as failing. The wiggliness of the wiggly interpolant is
    ours to choose (`zigzag`); what is measured is where the flow leads from it once it is perturbed.
    """
    data = {
        kind: draw(max(seeds, narrow_sets), 8, _generator(setting, kind))
        for kind, draw in DATA.items()
    }
    settings = [
        (kind, m, scale) for kind in data for m in widths for scale in (30.0, 100.0)
    ]
    wide = {
        (kind, m, scale): fit_points(
            data[kind].first(seeds).to(setting.device),
            m,
            scale,
            _generator(setting, f"{kind} {m} {scale}"),
        )
        for kind, m, scale in settings
    }
    narrow = {
        (kind, NARROW, 100.0): fit_points(
            data[kind].first(narrow_sets).to(setting.device),
            NARROW,
            100.0,
            _generator(setting, f"{kind} narrow"),
            max_steps=1500,
        )
        for kind in data
    }
    fits = {**narrow, **wide}
    wiggly = {
        key: start_wiggly(fit, _generator(setting, f"wiggly {key}"))
        for key, fit in fits.items()
    }
    ends = _ends(setting, kernel_widths, kernel_sets, small_sets, tiny_steps)
    control = wiggly_control(list(wiggly.values()))
    notes = {
        f"networks of {NARROW} neurons that did not fit": sum(
            int((~fit.fits).sum()) for fit in narrow.values()
        )
    }
    return Evidence(
        (
            *judge_smoothness(list(wide.values()), list(narrow.values())),
            *ends.checks,
        ),
        control,
        {"fits": fits, "wiggly": wiggly, **ends.data},
        {**notes, **ends.notes},
    )


def judge_smoothness(
    wide: Sequence[CurveFit], narrow: Sequence[CurveFit]
) -> tuple[Check, ...]:
    """What must hold of trained networks: they fit, and are not much rougher than necessary."""
    return (
        Check.each(
            "wide networks: loss",
            torch.cat([fit.flow.loss for fit in wide]),
            at_most=FIT,
            tag="observed",
            reason="training ends at this loss, or at a limit",
            precision=True,
        ),
        Check.share(
            "wide networks: fit and are at most 2 times as rough as the least",
            torch.cat([_fitted(fit) for fit in wide]),
            at_most=2,
            least=0.95,
            tag="observed",
            reason="no theorem gives a factor; at most 1.62 for 192 networks of width 256",
        ),
        Check.share(
            f"width {NARROW}: fit and are at most 2.5 times as rough as the least",
            torch.cat([_fitted(fit) for fit in narrow]),
            at_most=2.5,
            least=0.95,
            tag="observed",
            reason="three of 480 did not fit, the others were at most 2.2 times as rough",
        ),
        Check.each(
            "certificate: roughness plus what the misfit can hide, over the least",
            torch.cat([fit.certified for fit in (*wide, *narrow)]),
            at_least=1,
            tag="proved",
            reason="the least roughness is a bound for every function",
        ),
    )


def _fitted(fit: CurveFit) -> Tensor:
    """Roughness over the least, (B,); NaN for a network that does not fit."""
    return fit.ratio.where(fit.fits, math.nan)


def wiggly_control(starts: Sequence[WigglyStart]) -> Control:
    """Of networks trained from another start than a random one: they fit, and are not smooth."""
    return Control(
        "started from perturbed wiggly weights",
        Check.share(
            "at most 10 times as rough as the least",
            torch.cat([start.stays_wiggly() for start in starts]),
            at_most=10,
            most=0.05,
            tag="observed",
            reason="four times the weakest bar of the claim; 30 or more in 672 runs",
        ),
    )


@dataclass(frozen=True)
class _Ends:
    checks: tuple[Check, ...]
    data: dict[str, Any]
    notes: dict[str, float | int | str]


def _ends(
    setting: Setting, widths: Sequence[int], sets: int, small_sets: int, tiny_steps: int
) -> _Ends:
    """Very large, small and far too small starts."""
    scattered = scattered_points(small_sets, 8, _generator(setting, "ends")).to(
        setting.device
    )
    distances = kernel_distances(setting, widths, sets)
    large, rich = (
        fit_points(
            scattered,
            256,
            scale,
            _generator(setting, "starts"),
            tolerance=0.1,
            max_steps=5000,
        )
        for scale in (KERNEL_SCALE, RICH_SCALE)
    )
    tiny = fit_points(
        scattered,
        NARROW,
        TINY_SCALE,
        _generator(setting, "tiny starts"),
        max_steps=tiny_steps,
    )
    return _Ends(
        (
            *judge_kernel_end(widths, distances),
            *judge_small_starts(_fitted(rich) / _fitted(large), tiny.flow.loss),
        ),
        {
            "kernel_widths": widths,
            "kernel_distances": distances,
            "large": large,
            "rich": rich,
            "tiny": tiny,
        },
        {"small starts that did not fit": int((~rich.fits).sum())},
    )


def judge_kernel_end(widths: Sequence[int], distances: Tensor) -> tuple[Check, Check]:
    """What must hold of the distances (widths, sets) to the kernel interpolant after a large start."""
    log_widths = torch.tensor(widths, dtype=torch.float64).log()
    slopes = slope(log_widths[None], distances.log().T)
    return (
        Check.each(
            "large starts: mean slope of log distance to the kernel interpolant in log "
            "width",
            [float(slopes.mean())],
            equals=-0.5,
            atol=0.25,
            tag="observed",
            math=r"large starts: mean slope of $\log$ distance to the kernel "
            r"interpolant in $\log$ width",
            reason="theory bounds the distance by $O(m^{-1/2})$ at large width, not from below; means of twelve "
            "data sets lay between -0.64 and -0.51 at 6 seeds",
        ),
        Check.largest(
            "large starts: distance to the kernel interpolant at the largest width",
            distances[-1],
            at_most=0.05,
            growth=0.25,
            tag="observed",
            reason="at most 0.028 for 72 data sets at width 4096",
        ),
    )


def judge_small_starts(ratio: Tensor, tiny_loss: Tensor) -> tuple[Check, Check]:
    """What must hold of small starts: `ratio` of their roughness to that from large ones, NaN without a fit."""
    return (
        Check.share(
            "small starts: fit and are less rough than from a large start",
            ratio,
            at_most=1,
            least=0.9,
            tag="observed",
            reason="all of 48, at most 0.84 times as rough",
        ),
        Check.share(
            "starts 1000 times smaller still: loss at least 1e-4",
            tiny_loss,
            at_least=1e-4,
            least=0.9,
            tag="observed",
            math="starts 1000 times smaller still: loss at least $10^{-4}$",
            reason="ten thousand times the loss of a fit, after at most a thousand steps; with more a few do fit",
        ),
    )


def kernel_distances(
    setting: Setting, widths: Sequence[int], sets: int, *, scale: float = KERNEL_SCALE
) -> Tensor:
    """Largest distance on [x_1, x_n] of trained networks to the output-layer kernel's interpolant, (widths, sets)."""
    points = sine_points(sets, 8, _generator(setting, "kernel end")).to(setting.device)
    limit = kernel_interpolant(output_layer_kernel, points.inputs, points.y)(
        points.grid(GRID)[..., None]
    )
    generator = _generator(setting, "kernel starts")
    fits = (fit_points(points, m, scale, generator) for m in widths)
    return torch.stack([(fit.on_grid() - limit).abs().amax(-1).cpu() for fit in fits])


def _generator(setting: Setting, purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(setting.seeds(1, purpose)[0])
