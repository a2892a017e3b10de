"""Networks fitted to eight points: how rough they are, by where they start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.measures import slope
from ibcore.oracles.kernels import kernel_interpolant, output_layer_kernel
from ibcore.pages.introduction.networks import (
    NARROW,
    Group,
    Networks,
    Trained,
    Wiggly,
    trained,
)
from ibcore.pages.introduction.runs import FIT, GRID, fit_points, seeded
from ibcore.problems.curves import Points, scattered_points, sine_points

POINTS = 8
DATA: dict[str, Callable[[int, int, torch.Generator], Points]] = {
    "sine": sine_points,
    "scattered": scattered_points,
}
WIDE_SCALES, NARROW_SCALE = (30.0, 100.0), 100.0
KERNEL_SCALE, RICH_SCALE, TINY_SCALE = 1000.0, 10.0, 0.01


@dataclass(frozen=True)
class Problems:
    """Groups of wide and narrow networks; data for very large and for small starts.

    limit: (S, k), the kernel interpolant of `kernel` on a grid.
    widths: of networks with very large starts.
    tiny_steps: after which training from a far too small start ends.
    """

    wide: tuple[Group, ...]
    narrow: tuple[Group, ...]
    kernel: Points
    limit: Tensor
    widths: tuple[int, ...]
    scattered: Points
    tiny_steps: int


@dataclass(frozen=True)
class Curves:
    """Wide and narrow networks, and those from other starts.

    distances: (W, S), from trained networks of W widths to the kernel interpolant.
    large, rich, tiny: from very large, small and far too small starts on the same
    scattered points.
    """

    wide: tuple[Networks, ...]
    narrow: tuple[Networks, ...]
    widths: tuple[int, ...]
    distances: Tensor
    large: Trained
    rich: Trained
    tiny: Trained


def draw_points(
    setting: Setting,
    *,
    seeds: int,
    widths: Sequence[int],
    narrow_sets: int,
    kernel_widths: Sequence[int],
    kernel_sets: int,
    small_sets: int,
    tiny_steps: int,
) -> Problems:
    """Two kinds of data, for wide and narrow networks and for other starts."""
    data = {
        kind: sample(max(seeds, narrow_sets), POINTS, seeded(setting, kind))
        for kind, sample in DATA.items()
    }
    few = {kind: sets.first(seeds).to(setting.device) for kind, sets in data.items()}
    kernel = sine_points(kernel_sets, POINTS, seeded(setting, "kernel end"))
    kernel = kernel.to(setting.device)
    scattered = scattered_points(small_sets, POINTS, seeded(setting, "ends"))
    return Problems(
        tuple(
            Group(kind, width, scale, few[kind])
            for kind in DATA
            for width in widths
            for scale in WIDE_SCALES
        ),
        tuple(
            Group(
                kind, NARROW, NARROW_SCALE, sets.first(narrow_sets).to(setting.device)
            )
            for kind, sets in data.items()
        ),
        kernel,
        _kernel_limit(kernel),
        tuple(kernel_widths),
        scattered.to(setting.device),
        tiny_steps,
    )


def _kernel_limit(points: Points) -> Tensor:
    """The kernel interpolant on a grid of each data set, (S, k)."""
    interpolant = kernel_interpolant(output_layer_kernel, points.inputs, points.y)
    return interpolant(points.grid(GRID)[..., None])


def measure_curves(problems: Problems, setting: Setting) -> Curves:
    """From random and from wiggly starts, then from very large and small ones."""
    narrow = [trained(group, setting, max_steps=1500) for group in problems.narrow]
    wide = [trained(group, setting) for group in problems.wide]
    large, rich = (
        fit_points(
            problems.scattered,
            256,
            scale,
            seeded(setting, "starts"),
            tolerance=0.1,
            max_steps=5000,
        )
        for scale in (KERNEL_SCALE, RICH_SCALE)
    )
    tiny = fit_points(
        problems.scattered,
        NARROW,
        TINY_SCALE,
        seeded(setting, "tiny starts"),
        max_steps=problems.tiny_steps,
    )
    return Curves(
        tuple(wide),
        tuple(narrow),
        problems.widths,
        kernel_distances(problems, setting),
        Trained.of(large),
        Trained.of(rich),
        Trained.of(tiny),
    )


def kernel_distances(
    problems: Problems, setting: Setting, scale: float = KERNEL_SCALE
) -> Tensor:
    """Largest distance to the kernel interpolant, (widths, sets)."""
    source = seeded(setting, "kernel starts")
    found = []
    for width in problems.widths:
        fit = fit_points(problems.kernel, width, scale, source)
        found.append((fit.on_grid() - problems.limit).abs().amax(-1))
    return torch.stack(found)


@claim(
    kind="empirical",
    source="F. Konrad, Implicit Bias in Deep Learning (notes, 2024); least roughness: "
    "classical, proved on the page; kernel limit: Jin and Montúfar 2023 (abstract "
    "read, theorem recalled); kernel and adaptive regimes: Williams, Trager, Panozzo, "
    "Silva, Zorin and Bruna 2019 (recalled)",
    statement="A wide two-layer ReLU network fitted to eight points by gradient flow "
    "from a random start, without any regularizer, is at most twice as rough as the "
    "least rough function through them, for nearly all data sets and starts, although "
    "the same network can fit them with ten times its roughness and stays there if it "
    "starts from such weights, perturbed.",
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
    draw=draw_points,
    measure=measure_curves,
)
def smooth_or_wiggly(measured: Curves) -> Evidence:
    """Shares over all data sets and settings; a network that does not fit fails.

    A narrow network may leave a stretch of the points without bends. The wiggliness of
    the wiggly interpolant is ours to choose (`zigzag`); what is measured is where the
    flow leads from it once it is perturbed.
    """
    wide = [one.random for one in measured.wide]
    narrow = [one.random for one in measured.narrow]
    checks = (
        *_smoothness(wide, narrow),
        *_kernel_end(measured.widths, measured.distances),
        *_small_starts(
            measured.rich.roughness / measured.large.roughness, measured.tiny.loss
        ),
    )
    control = _wiggly_control(
        [one.wiggly for one in (*measured.narrow, *measured.wide)]
    )
    notes = {
        f"networks of {NARROW} neurons that did not fit": sum(
            int((~one.fits).sum()) for one in narrow
        ),
        "small starts that did not fit": int((~measured.rich.fits).sum()),
    }
    return Evidence(checks, control, notes=notes)


def _smoothness(
    wide: Sequence[Trained], narrow: Sequence[Trained]
) -> tuple[Check, ...]:
    """Trained networks fit, and are not much rougher than necessary."""
    return (
        Check.each(
            "wide networks: loss",
            torch.cat([one.loss for one in wide]),
            at_most=FIT,
            tag="observed",
            reason="training ends at this loss, or at a limit",
            precision=True,
        ),
        Check.share(
            "wide networks: fit and are at most 2 times as rough as the least",
            torch.cat([one.roughness for one in wide]),
            at_most=2,
            least=0.95,
            tag="observed",
            reason="no theorem gives a factor; at most 1.62 for 192 networks of width "
            "256",
        ),
        Check.share(
            f"width {NARROW}: fit and are at most 2.5 times as rough as the least",
            torch.cat([one.roughness for one in narrow]),
            at_most=2.5,
            least=0.95,
            tag="observed",
            reason="three of 480 did not fit, the others were at most 2.2 times as "
            "rough",
        ),
        Check.each(
            "certificate: roughness plus what the misfit can hide, over the least",
            torch.cat([one.certified for one in (*wide, *narrow)]),
            at_least=1,
            tag="proved",
            reason="the least roughness is a bound for every function",
        ),
    )


def _wiggly_control(starts: Sequence[Wiggly]) -> Control:
    """Of networks from another start than a random one: they fit, and are not smooth."""
    return Control(
        "started from perturbed wiggly weights",
        Check.share(
            "at most 10 times as rough as the least",
            torch.cat([start.roughness for start in starts]),
            at_most=10,
            most=0.05,
            tag="observed",
            reason="four times the weakest bar of the claim; 30 or more in 672 runs",
        ),
    )


def _kernel_end(widths: Sequence[int], distances: Tensor) -> tuple[Check, Check]:
    """Distances (widths, sets) to the kernel interpolant after a large start."""
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
            reason="theory bounds the distance by $O(m^{-1/2})$ at large width, not "
            "from below; means of twelve data sets lay between -0.64 and -0.51 at 6 "
            "seeds",
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


def _small_starts(ratio: Tensor, tiny_loss: Tensor) -> tuple[Check, Check]:
    """ratio: roughness over that from large starts, (B,), NaN without a fit."""
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
            reason="ten thousand times the loss of a fit, after at most a thousand "
            "steps; with more a few do fit",
        ),
    )
