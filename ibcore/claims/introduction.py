"""The introduction: overfitting as it was taught, labels without meaning, and the question smooth or wiggly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.demonstrations.introduction import (
    FIT,
    GRID,
    LABEL_NOISE,
    fit_points,
    fit_polynomial,
    start_wiggly,
)
from ibcore.dynamics.sgd import SGDRun, sgd
from ibcore.evidence import Check, Control, Evidence, fraction
from ibcore.measures import slope
from ibcore.models.classifier import ReLUClassifier
from ibcore.oracles.expressivity import memorizing_network
from ibcore.oracles.kernels import kernel_interpolant, output_layer_kernel
from ibcore.oracles.polynomial_risk import expected_excess_risk, expected_train_error
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
    source="Vardi 2023, Figure 1; exact risks of least squares are classical",
    statement="On ten noisy labels of a cubic, least squares of degree 8 has a smaller training error and a larger "
    "test error than degree 3. The least-norm fit of degree 60, which gradient descent from zero finds, "
    "passes through every point and is better than degree 8.",
    quick={"datasets": 200, "points": 10},
    book={"datasets": 200, "points": 10},
    full={"datasets": 20_000, "points": 10},
)
def intro_poly_overfit(setting: Setting, *, datasets: int, points: int) -> Evidence:
    """Test errors are exact integrals over [-1, 1], so the only randomness is that of the training sets."""
    data = cubic_points(
        datasets, points, _generator(setting, "cubic"), noise=LABEL_NOISE
    )
    fits = {degree: fit_polynomial(data, degree) for degree in (LOW, HIGH, VAST)}
    low, high, vast = fits.values()
    checks = [
        fraction(
            "share of data sets: train(8) < train(3)",
            _count(high.train < low.train),
            datasets,
            at_least=1.0,
        ),
        fraction(
            "share of data sets: test(8) > test(3)",
            _count(high.test > low.test),
            datasets,
            at_least=0.9,
        ),
        Check.at_least(
            "median of test(8) / test(3)", float((high.test / low.test).median()), 3.0
        ),
    ]
    for degree, fit in ((LOW, low), (HIGH, high)):
        train = float(fit.train.mean()) / expected_train_error(
            points, degree, LABEL_NOISE
        )
        spread = 5 * math.sqrt(2 / (points - degree - 1) / datasets)
        checks.append(
            Check.close(
                f"degree {degree}: mean training error over its expectation",
                1,
                train,
                atol=spread,
            )
        )
        mean, deviation = expected_excess_risk(data.x, degree, LABEL_NOISE)
        score = float(
            ((fit.test - LABEL_NOISE**2 - mean) / deviation).mean()
        ) * math.sqrt(datasets)
        checks.append(
            Check.close(
                f"degree {degree}: excess test error, standard errors off",
                0,
                score,
                atol=6,
            )
        )
    better = _count(vast.test < high.test)
    checks += [
        fraction(
            "share of data sets: train(60) <= 1e-16",
            _count(vast.train <= 1e-16),
            datasets,
            at_least=1.0,
        ),
        fraction(
            "share of data sets: test(60) < test(8)", better, datasets, at_least=0.9
        ),
    ]
    many = cubic_points(
        min(datasets, 200),
        100 * points,
        _generator(setting, "many points"),
        noise=LABEL_NOISE,
    )
    ratio = (fit_polynomial(many, HIGH).test / fit_polynomial(many, LOW).test).median()
    control = Control(
        "100 times the points: median of test(8) / test(3)",
        Check.at_most("ratio", float(ratio), 1.05),
    )
    grid = torch.linspace(-1, 1, GRID, dtype=torch.float64)
    return Evidence(
        tuple(checks),
        control,
        {"points": data, "fits": fits, "grid": grid, "truth": cubic(grid)},
    )


# --- Labels that mean nothing -------------------------------------------------------------------------


@claim(
    kind="empirical",
    source="Zhang, Bengio, Hardt, Recht and Vinyals 2017, experiments and Theorem 1",
    statement="The same network and the same SGD, without any regularizer, fit true and random labels of the digits "
    "exactly; only with true labels does the fit carry over to new digits. A network of 2n + d weights "
    "fits any labels of n points.",
    quick={
        "seeds": 4,
        "train": 500,
        "width": 128,
        "levels": (0.0, 0.5, 1.0),
        "directions": 3,
        "control_steps": 500,
    },
    book={
        "seeds": 5,
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
    true, random = runs[0.0], runs[1.0]
    means = [float(run.test.mean()) for run in runs.values()]
    ratio = float(random.run.steps.double().median() / true.run.steps.double().median())
    checks = [
        Check.at_least(
            "smallest training accuracy of all runs",
            min(float(r.train.min()) for r in runs.values()),
            1.0,
        ),
        Check.at_least("mean test accuracy, true labels", means[0], 0.93),
        Check.close("mean test accuracy, random labels", 0.1, means[-1], atol=0.05),
        Check.at_most(
            "largest rise of mean test accuracy with corruption",
            max(b - a for a, b in itertools.pairwise(means)),
            0.0,
        ),
        Check.at_least("median steps to fit, random over true labels", ratio, 3.0),
        fraction(
            "share of 2n + d constructions, n = 200, exact to 1e-6",
            _count(_construction_errors(setting, directions) <= 1e-6),
            directions,
            at_least=1.0,
        ),
    ]
    small = memorize(
        setting, 1.0, seeds=seeds, train=train, width=4, max_steps=control_steps
    )
    control = Control(
        "4 neurons, 310 weights, random labels: largest training accuracy",
        Check.at_most("training accuracy", float(small.train.max()), 0.5),
    )
    return Evidence(
        tuple(checks),
        control,
        {"levels": levels, "runs": runs, "small": small},
        {
            "weights": ReLUClassifier(64, width, CLASSES).dimension,
            "training digits": train,
            "median steps, true labels": int(true.run.steps.median()),
            "median steps, random labels": int(random.run.steps.median()),
        },
    )


@dataclass(frozen=True)
class Memorized:
    """SGD on the digits at one level of corruption: the run, and accuracies (B,) on training and test set."""

    run: SGDRun
    train: Tensor
    test: Tensor


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
    net = ReLUClassifier(X.shape[-1], width, CLASSES)
    generator = _generator(setting, "network")
    start = net.initial(seeds, generator).to(setting.device)
    run = sgd(
        lambda theta, runs, rows: net.gradient(
            theta, X[runs[:, None], rows], y[runs[:, None], rows]
        ),
        lambda theta, runs: net.accuracy(theta, X[runs], y[runs]) == 1,
        start,
        samples=train,
        batch_size=100,
        step_size=0.1,
        momentum=0.9,
        generator=generator,
        max_steps=max_steps,
    )
    return Memorized(
        run,
        net.accuracy(run.theta, X, y).cpu(),
        net.accuracy(run.theta, X_test, y_test).cpu(),
    )


def _construction_errors(setting: Setting, directions: int) -> Tensor:
    """Largest error of the 2n + d network on random labels -1, +1 of 200 digits, (directions,)."""
    generator, errors = _generator(setting, "construction"), []
    for _ in range(directions):
        X = digits_split(200, 1, generator).X_train
        y = torch.randint(2, (200,), generator=generator).double() * 2 - 1
        net = memorizing_network(
            X, y, torch.randn(64, generator=generator, dtype=torch.float64)
        )
        errors.append(float((net(X) - y).abs().max()))
    return torch.tensor(errors)


# --- Smooth or wiggly? ----------------------------------------------------------------------------------


@claim(
    kind="empirical",
    source="F. Konrad, Implicit Bias in Deep Learning (notes, 2024); least roughness: Savarese, Evron, Soudry and "
    "Srebro 2019; kernel and adaptive regimes: Williams, Trager, Panozzo, Silva, Zorin and Bruna 2019",
    statement="A wide two-layer ReLU network fitted to eight points by gradient flow from a random start, without any "
    "regularizer, is at most twice as rough as the least rough function through them, although the same "
    "network can fit them with ten times its roughness and stays there if it starts nearby.",
    quick={
        "seeds": 6,
        "widths": (256,),
        "narrow_sets": 40,
        "small_sets": 4,
        "tiny_steps": 200,
        "kernel_sets": 12,
        "kernel_widths": (64, 512, 4096),
    },
    book={
        "seeds": 20,
        "widths": (256, 1024),
        "narrow_sets": 40,
        "small_sets": 10,
        "tiny_steps": 1000,
        "kernel_sets": 20,
        "kernel_widths": (64, 128, 256, 512, 1024, 2048, 4096),
    },
    full={
        "seeds": 200,
        "widths": (256, 1024, 4096),
        "narrow_sets": 1000,
        "small_sets": 200,
        "tiny_steps": 20_000,
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

    Shares of wide networks are over data sets, the smallest of all settings. Of the narrow networks a
    few (about 5 in 1000 when this was written) leave a stretch of the points without bends and cannot fit, so
    their share is over all data sets together. The wiggliness of the wiggly interpolant is ours to
    choose (`zigzag`); what is measured is that it fits and that the flow does not leave it.
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
    smooth = torch.cat([fit.fits & (fit.ratio <= 2.5) for fit in narrow.values()])
    checks = [
        Check.at_least(
            f"width {min(widths)} and more: share of networks that fit to a loss of 1e-8",
            min(float(fit.fits.double().mean()) for fit in wide.values()),
            1.0,
        ),
        Check.at_least(
            f"width {min(widths)} and more: share at most 2 times as rough as the least",
            min(
                float((fit.fits & (fit.ratio <= 2)).double().mean())
                for fit in wide.values()
            ),
            0.95,
        ),
        fraction(
            f"width {NARROW}: share that fit and are at most 2.5 times as rough as the least",
            _count(smooth),
            len(smooth),
            at_least=0.95,
        ),
        Check.at_least(
            "certificate: roughness plus what the misfit can hide, over the least",
            min(float(fit.certified.min()) for fit in fits.values()),
            1.0,
        ),
        Check.at_least(
            "share of wiggly interpolants of the same networks with a loss of at most 1e-8",
            min(float((w.built_loss <= FIT).double().mean()) for w in wiggly.values()),
            1.0,
        ),
        Check.at_least(
            "wiggly interpolant: roughness over the trained one, smallest",
            min(
                float((w.built_ratio / fits[key].ratio).min())
                for key, w in wiggly.items()
            ),
            10.0,
        ),
    ]
    ends = _ends(setting, kernel_widths, kernel_sets, small_sets, tiny_steps)
    control = Control(
        "started from perturbed wiggly weights: roughness over the trained one, smallest",
        Check.at_least(
            "ratio", min(w.stays_wiggly(fits[key]) for key, w in wiggly.items()), 10.0
        ),
    )
    notes = {
        "smallest loss at the perturbed wiggly start": min(
            float(w.loss.min()) for w in wiggly.values()
        ),
        f"networks of {NARROW} neurons that did not fit": sum(
            _count(~fit.fits) for fit in narrow.values()
        ),
    }
    return Evidence(
        (*checks, *ends.checks),
        control,
        {"fits": fits, "wiggly": wiggly, **ends.data},
        {**notes, **ends.notes},
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
    typical = distances.log().mean(-1)
    rate = float(slope(torch.tensor(widths, dtype=torch.float64).log(), typical))
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
    both = rich.fits & large.fits
    checks = (
        Check.at_most(
            "large starts: slope of log distance to the kernel interpolant in log width",
            rate,
            -0.4,
        ),
        Check.at_least("the same slope", rate, -0.75),
        Check.at_most(
            f"large starts: typical distance to the kernel interpolant, width {widths[-1]}",
            float(typical[-1].exp()),
            0.03,
        ),
        fraction(
            "small starts that fit: share less rough than from a large start",
            _count(both & (rich.ratio < large.ratio)),
            _count(both),
            at_least=0.95,
        ),
        Check.at_most(
            "starts 1000 times smaller still: share that fit",
            float(tiny.fits.double().mean()),
            0.5,
        ),
    )
    notes: dict[str, float | int | str] = {
        "small starts that did not fit": _count(~rich.fits),
        "far too small starts that did not fit": _count(~tiny.fits),
        "of these, stationary": tiny.flow.status.count("stalled"),
    }
    return _Ends(
        checks,
        {
            "kernel_widths": widths,
            "kernel_distances": distances,
            "large": large,
            "rich": rich,
            "tiny": tiny,
        },
        notes,
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


def _count(which: Tensor) -> int:
    return int(which.sum())
