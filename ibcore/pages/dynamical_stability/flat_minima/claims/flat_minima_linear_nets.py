"""Balanced minima at the formula, all others above it, and what large steps do to the
balance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.objective import Objective
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Square
from ibcore.measures.layers import imbalance_norm
from ibcore.models.network import Network, joined
from ibcore.oracles.flattest_linear import (
    aligned_bound,
    chain_sharpness,
    flattest_sharpness,
)
from ibcore.pages.dynamical_stability.flat_minima.runs import (
    KICK,
    LinearProblems,
    balanced_layers,
    dense_sharpness,
    imbalance_along,
    moved_layers,
    passed_on,
    settled,
    solved_layers,
)

FAR = 1.6  # the factor by which a balanced minimum is made sharper


SMALL_STEP, LARGE_STEP = 0.5, 0.95  # as shares of 2 over the flattest sharpness


@dataclass(frozen=True)
class LinearMinima:
    """Sharpness of minima over the flattest of B targets, for every depth N.

    balanced: (B,) each.      moved, solved: (M, B) each.      aligned: (M, B) each, of
    moved minima over the bound of the proof.      far: (2 M, B) each, imbalance of
    moved and solved ones over that of the balanced one's layers.
    small, large: (B,) each, where descent ends with a small and a large step.
    kept, left: (B,) each, the imbalance there over that of its start.      weak: (B,)
    each, the same after large steps along the signal with the smallest singular value.
    colored: (B,) each, balanced minima on inputs that are not whitened.
    chains: (C,) each, sharpness of scalar chains over the formula; chains_least: (C,)
    each, over the flattest.
    """

    balanced: dict[int, Tensor]
    moved: dict[int, Tensor]
    solved: dict[int, Tensor]
    aligned: dict[int, Tensor]
    far: dict[int, Tensor]
    small: dict[int, Tensor]
    large: dict[int, Tensor]
    kept: dict[int, Tensor]
    left: dict[int, Tensor]
    weak: dict[int, Tensor]
    colored: dict[int, Tensor]
    chains: dict[int, Tensor]
    chains_least: dict[int, Tensor]


@dataclass(frozen=True)
class LinearDraw:
    """Targets with whitened inputs, the same with others, and how much is made of them."""

    problems: LinearProblems
    colored: LinearProblems
    seeds: list[int]
    depths: tuple[int, ...]
    stepped: tuple[int, ...]
    minima: int
    steps: int


def draw_linear(
    setting: Setting,
    *,
    targets: int,
    depths: tuple[int, ...],
    stepped: tuple[int, ...],
    minima: int,
    steps: int,
) -> LinearDraw:
    """Normal maps T from four to three dimensions, with eight inputs, whitened and not."""
    seeds = setting.seeds(targets + len(depths), "linear minima")
    parts = []
    for seed in seeds[:targets]:
        generator = torch.Generator().manual_seed(seed)
        target = torch.randn(3, 4, generator=generator, dtype=torch.float64) / 2
        inputs = torch.randn(8, 4, generator=generator, dtype=torch.float64)
        parts.append((target, *_whitened(inputs)))
    target, white, colored = (
        torch.stack(part).to(setting.device) for part in zip(*parts, strict=True)
    )
    return LinearDraw(
        LinearProblems(target, white),
        LinearProblems(target, colored),
        seeds[targets:],
        tuple(depths),
        tuple(stepped),
        minima,
        steps,
    )


def _whitened(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs (n, d) with X^T X / n the identity, and some whose four directions have
    the mean squares in 8 : 4 : 2 : 1.

    The latter are scaled such that the mean square of an input is the same.
    """
    n, d = inputs.shape
    white = torch.linalg.qr(inputs)[0] * math.sqrt(n)
    sizes = 2.0 ** -torch.arange(d, dtype=torch.float64)
    return white, white * (sizes * d / sizes.sum()).sqrt()


def measure_linear(draw: LinearDraw, setting: Setting) -> LinearMinima:  # noqa: ARG001
    """Hessians of balanced minima, of thousands of others, and of those that descent
    finds with two steps.
    """
    measured = LinearMinima(*({} for _ in range(13)))
    for depth, seed in zip(draw.depths, draw.seeds, strict=True):
        generator = torch.Generator().manual_seed(seed)
        least = flattest_sharpness(draw.problems.target, depth)
        layers = balanced_layers(draw.problems.target, depth, generator)
        for data, ratios in (
            (draw.problems, measured.balanced),
            (draw.colored, measured.colored),
        ):
            found = dense_sharpness(data.objective(depth), joined(layers))
            ratios[depth] = found / least
        _sample(draw, depth, layers, least, generator, measured)
        _chains(depth, 8 * draw.minima, generator, measured)
        if depth in draw.stepped:
            _step(draw, depth, layers, least, generator, measured)
    return measured


def _sample(
    draw: LinearDraw,
    depth: int,
    layers: list[Tensor],
    least: Tensor,
    generator: torch.Generator,
    measured: LinearMinima,
) -> None:
    """Minima near and far from balanced ones, and some with normal layers,
    `draw.minima` each for every target.
    """
    copies, shape = draw.minima, (draw.minima, len(least))
    target = draw.problems.target.repeat(copies, 1, 1)
    scale = torch.logspace(-2, 0, copies).to(least).repeat_interleave(len(least))
    moved = moved_layers(
        [layer.repeat(copies, 1, 1) for layer in layers], scale, generator
    )
    solved = solved_layers(target, depth, generator)
    objective = draw.problems.objective(depth, copies)
    for ratios, found in ((measured.moved, moved), (measured.solved, solved)):
        values = dense_sharpness(objective, joined(found)).reshape(shape)
        ratios[depth] = values / least
    bound = aligned_bound(moved, target).reshape(shape)
    measured.aligned[depth] = measured.moved[depth] * least / bound
    size = torch.stack([layer.square().sum((-1, -2)) for layer in layers]).sum(0)
    far = [imbalance_norm(found).reshape(shape) / size for found in (moved, solved)]
    measured.far[depth] = torch.cat(far)


def _chains(
    depth: int, count: int, generator: torch.Generator, measured: LinearMinima
) -> None:
    """Products of normal weights that are at least 0.1 in size, fitted exactly on
    inputs -1 and 1.
    """
    draw = torch.randn(count, depth, generator=generator, dtype=torch.float64)
    weights = draw + 0.1 * draw.sign()
    inputs = weights.new_tensor([[-1.0], [1.0]])
    model = Network(inputs, (1,) * (depth - 1), "identity", biases=False)
    product = weights.prod(-1)
    objective = Objective(
        model, Square(), product[:, None] * inputs[:, 0], shared=False
    )
    values = dense_sharpness(objective, weights)
    measured.chains[depth] = values / chain_sharpness(weights)
    least = flattest_sharpness(product[:, None, None], depth)
    measured.chains_least[depth] = values / least


def _step(
    draw: LinearDraw,
    depth: int,
    layers: list[Tensor],
    least: Tensor,
    generator: torch.Generator,
    measured: LinearMinima,
) -> None:
    """Descent from the balanced minimum with its ends rescaled by `FAR`, kicked, with
    both steps.
    """
    objective = draw.problems.objective(depth, 2)
    model = objective.model
    first, *middle, last = layers
    start = joined([first * FAR, *middle, last / FAR])
    noise = torch.randn(start.shape, generator=generator, dtype=torch.float64)
    start = (start + KICK * noise.to(start)).repeat(2, 1)
    shares = start.new_tensor([SMALL_STEP, LARGE_STEP])
    steps = (2 * shares[:, None] / least).flatten()
    end = settled(objective, start, steps, draw.steps)
    before, after = (
        model.matrices(theta)  # type: ignore[attr-defined]
        for theta in (start, end)
    )
    ratios = dense_sharpness(objective, end).reshape(2, -1) / least
    balance = (imbalance_norm(after) / imbalance_norm(before)).reshape(2, -1)
    weakest = torch.linalg.svd(draw.problems.target, full_matrices=False)[2][:, -1]
    path = passed_on(before, weakest.repeat(2, 1))
    along = imbalance_along(after, path) / imbalance_along(before, path)
    measured.small[depth], measured.large[depth] = ratios
    measured.kept[depth], measured.left[depth] = balance
    measured.weak[depth] = along.reshape(2, -1)[1]


@claim(
    kind="theorem",
    source="Mulayoff and Michaeli 2020 (abstract read, theorem recalled); proved on "
    "the page",
    statement="On whitened inputs the flattest of all networks $W_N \\cdots W_1$ that "
    "compute a map $T$ have the "
    r"sharpness $2N\,\sigma_{\max}(T)^{2 - 2/N}$. Balanced layers have it, and no "
    "minimum is flatter.",
    quick={
        "targets": 8,
        "depths": (2, 3, 4),
        "stepped": (2, 3),
        "minima": 128,
        "steps": 3000,
    },
    book={
        "targets": 8,
        "depths": (2, 3, 4),
        "stepped": (2, 3),
        "minima": 512,
        "steps": 3000,
    },
    full={
        "targets": 100,
        "depths": (2, 3, 4, 6),
        "stepped": (2, 3, 4),
        "minima": 512,
        "steps": 20_000,
    },
    draw=draw_linear,
    measure=measure_linear,
)
def flat_minima_linear_nets(measured: LinearMinima) -> Evidence:
    """Balanced minima at the formula, all others above it, and what large steps do to
    the balance.
    """
    colored = _flat(measured.colored)
    control = Control(
        "inputs that are not whitened",
        Check.share(
            "balanced minima within 1 % of the formula",
            colored,
            equals=1,
            atol=0.01,
            most=0.25,
            tag="derived",
            reason="ten million times the bar of the claim",
        ),
    )
    checks = (*_flattest(measured), *_steps(measured))
    count = sum(
        part.numel()
        for kind in (measured.moved, measured.solved)
        for part in kind.values()
    )
    return Evidence(checks, control, notes={"sampled minima": count})


def _flat(parts: dict[int, Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts.values()])


def _flattest(measured: LinearMinima) -> tuple[Check, ...]:
    sampled = torch.cat([_flat(measured.moved), _flat(measured.solved)])
    return (
        Check.each(
            "balanced minima: sharpness over the formula",
            _flat(measured.balanced),
            equals=1,
            atol=1e-9,
            tag="proved",
            reason="an equality; eigenvalues of matrices of at most some tens of rows",
        ),
        Check.each(
            "other minima: sharpness over the formula",
            sampled,
            at_least=1 - 1e-9,
            tag="proved",
            reason="a lower bound; the precision of the eigenvalues",
        ),
        Check.each(
            "other minima: sharpness over the bound of the proof",
            _flat(measured.aligned),
            at_least=1 - 1e-9,
            tag="proved",
            reason="one direction of the Hessian; the precision of the eigenvalues",
        ),
        Check.each(
            "chains of scalars: sharpness over 2 sum (T / w_l)^2",
            _flat(measured.chains),
            equals=1,
            atol=1e-9,
            tag="proved",
            math=r"chains of scalars: sharpness over $2 \sum_l (T/w_l)^2$",
            reason="an equality; rounding",
        ),
        Check.each(
            "chains of scalars: sharpness over 2 N |T|^(2 - 2/N)",
            _flat(measured.chains_least),
            at_least=1 - 1e-9,
            tag="proved",
            math=r"chains of scalars: sharpness over $2N|T|^{2 - 2/N}$",
            reason="arithmetic and geometric mean; rounding",
        ),
    )


def _steps(measured: LinearMinima) -> tuple[Check, ...]:
    return (
        Check.share(
            "step at 0.95 of its limit: sharpness over the formula at most 1.06",
            _flat(measured.large),
            at_most=1.06,
            least=0.9,
            tag="derived",
            reason="a minimum in which descent stays has at most $1/0.95 = 1.053$ of "
            "the flattest sharpness; the rest is for steps that have not quite settled",
        ),
        Check.share(
            "step at half its limit: sharpness over the formula at least 1.2",
            _flat(measured.small),
            at_least=1.2,
            least=0.9,
            tag="derived",
            reason="the start has $1 + (1.6 - 1/1.6)^2/N$, which is 1.23 or more up to "
            "depth 4; a step below its own limit stays",
        ),
        Check.share(
            "imbalance after large over after small steps at most 0.9",
            _flat(measured.left) / _flat(measured.kept),
            at_most=0.9,
            least=0.9,
            tag="observed",
            reason="steps at a stable minimum keep it to a thousandth; a tenth is well "
            "apart from that",
        ),
        Check.share(
            "large steps: imbalance along the weakest signal over that of the start",
            _flat(measured.weak),
            equals=1,
            atol=0.1,
            least=0.9,
            tag="observed",
            reason="a signal whose own curvature is below the limit is not driven; "
            "along the strongest one the imbalance falls below 0.6",
        ),
    )
