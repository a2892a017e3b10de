"""Singular values of a product of layers against the flow of the product alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.evidence import Check, Control, Evidence
from ibcore.models.matrix_factorization import DeepFactorization, factorization
from ibcore.models.observations import Entries
from ibcore.oracles.singular_dynamics import end_to_end_flow, singular_rates
from ibcore.pages.regression.matrix_factorization.greedy_low_rank.runs import slope
from ibcore.problems.planted_low_rank import (
    gaussian_product,
    random_orthogonal,
    revealed_entries,
)

SIZE, RANK, SHARE = 5, 2, 0.6
STOPS = tuple(torch.logspace(-1, 2.3, 60).tolist())
TILT = 3.0  # of the control


@dataclass(frozen=True)
class Completion:
    """A matrix seen at some entries, balanced layers to start from, and what is
    predicted without layers.

    y: (n,), the entries.
    layers: (k, d, d).
    alone: (K, d), singular values at `STOPS` of the flow of W.
    """

    seen: Entries
    y: Tensor
    layers: Tensor
    alone: Tensor


@dataclass(frozen=True)
class Depths:
    """Completions by the depth of their layers."""

    problems: dict[int, tuple[Completion, ...]]


@dataclass(frozen=True)
class Flows:
    """B flows of one depth at the K stops.

    rates: (B,), the largest difference of a sigma_r' from the formula over the largest
    rate at that time.
    values, alone: (B, K, d), singular values from the layers, and of the flow of W
    alone.
    start: (B,), the largest singular value at the start.
    """

    rates: Tensor
    values: Tensor
    alone: Tensor
    start: Tensor


@dataclass(frozen=True)
class Dynamics:
    """Flows by depth at `times` (K,).

    unbalanced: (B,), differences of the rates from the formula at the first depth, from
    starts off balance.
    """

    times: Tensor
    flows: dict[int, Flows]
    unbalanced: Tensor
    broken: tuple[str, ...]


def draw_completions(
    setting: Setting, *, depths: Sequence[int], instances: int
) -> Depths:
    """The same random matrices and entries at each depth, and balanced starts."""
    seeds = setting.seeds(instances, "singular dynamics")
    return Depths({k: tuple(drawn(seed, k) for seed in seeds) for k in depths})


def drawn(seed: int, depth: int) -> Completion:
    """Completion of a random matrix of spectral norm 1."""
    generator = torch.Generator().manual_seed(seed)
    truth = gaussian_product(SIZE, RANK, generator)
    truth = truth / torch.linalg.matrix_norm(truth, 2)
    seen = Entries(*revealed_entries(SIZE, SHARE, generator), (SIZE, SIZE))
    y = seen.read(truth[None])[0]
    layers = balanced_layers(depth, generator)
    start = factorization(seen, depth).product(layers.flatten())
    predicted = end_to_end_flow(
        lambda W: slope(seen, y, torch.from_numpy(W)[None])[0].numpy(),
        start,
        depth,
        STOPS,
        tolerance=1e-9,
    )
    return Completion(seen, y, layers, torch.linalg.svdvals(predicted))


def balanced_layers(depth: int, generator: torch.Generator) -> Tensor:
    """W_j = Q_j diag(s)^(1/k) Q_(j-1)^T, (k, d, d), Q_j random, s from 0.01 to 0.1."""
    frames = [random_orthogonal(SIZE, generator) for _ in range(depth + 1)]
    root = torch.logspace(-2, -1, SIZE, dtype=torch.float64) ** (1 / depth)
    return torch.stack([frames[j + 1] * root @ frames[j].mT for j in range(depth)])


def tilted(layers: Tensor, tilt: float) -> Tensor:
    """W_1 times `tilt` and W_k divided by it: the same product without balance."""
    moved = layers.clone()
    moved[0] *= tilt
    moved[-1] /= tilt
    return moved


def measure_dynamics(problems: Depths, setting: Setting) -> Dynamics:  # noqa: ARG001
    """Gradient flow on the layers; at the first depth also from starts off balance."""
    flows, broken = {}, []
    for depth, members in problems.problems.items():
        found = [followed(one, one.layers) for one in members]
        flows[depth] = Flows(
            torch.stack([one.rates for one in found]),
            torch.stack([one.values for one in found]),
            torch.stack([one.alone for one in members]),
            torch.stack([one.start for one in found]),
        )
        broken += [f"depth {depth}: {one.lost}" for one in found if one.lost]
    first = next(iter(problems.problems.values()))
    control = [followed(one, tilted(one.layers, TILT)) for one in first]
    broken += [f"off balance: {one.lost}" for one in control if one.lost]
    return Dynamics(
        torch.tensor(STOPS, dtype=torch.float64),
        flows,
        torch.stack([one.rates for one in control]),
        tuple(broken),
    )


@dataclass(frozen=True)
class Followed:
    """One flow on the layers, as a member of `Flows`; NaN with a reason `lost` where it
    ended early.
    """

    rates: Tensor
    values: Tensor
    start: Tensor
    lost: str


def followed(problem: Completion, layers: Tensor) -> Followed:
    """Gradient flow on `layers` (k, d, d)."""
    depth, y = len(layers), problem.y
    model = factorization(problem.seen, depth)
    theta = layers.flatten()
    start = torch.linalg.matrix_norm(model.product(theta), 2)
    run = stiff_flow(model, y, theta, target_loss=0, times=STOPS, tolerance=1e-9)
    if not run.complete:
        lost = start.new_full((len(STOPS), SIZE), math.nan)
        return Followed(lost[0, 0], lost, start, run.status)
    products = model.product(run.path)
    formula = singular_rates(products, slope(problem.seen, y, products), depth)
    rates = _rates(model, run.path, _velocity(model, run.path, y))
    size = rates.abs().amax(-1, keepdim=True)
    apart = ((rates - formula).abs() / size).max()
    return Followed(apart, torch.linalg.svdvals(products), start, "")


def _velocity(model: DeepFactorization, theta: Tensor, y: Tensor) -> Tensor:
    """Minus the gradient of the mean square loss at theta (B, P)."""
    rest = 2 / len(y) * (model.outputs(theta) - y)
    return -(model.jacobian(theta).mT @ rest[..., None])[..., 0]


def _rates(model: DeepFactorization, theta: Tensor, velocity: Tensor) -> Tensor:
    """sigma_r' = u_r^T W' v_r, (B, d), W' being the change of the product when all
    layers move with `velocity`.
    """
    below, *layers = model.matrices(theta)
    moved, *moves = model.matrices(velocity)
    for layer, move in zip(layers, moves, strict=True):
        moved, below = layer @ moved + move @ below, layer @ below
    left, _, right = torch.linalg.svd(below)
    return torch.einsum("zir,zij,zrj->zr", left, moved, right)


@claim(
    kind="theorem",
    source="Arora, Cohen, Hu and Luo 2019, on the singular values of the product "
    "(recalled, and proved on the page for simple ones); conservation and the "
    "end-to-end equation: Arora, Cohen and Hazan 2018 (recalled, and proved there)",
    statement=r"Under gradient flow on an analytic loss $\ell(W)$ of $W = W_k \cdots "
    r"W_1$ from a balanced start, singular values obey $\sigma_r' = -k \sigma_r^{2 - "
    r"2/k} \langle \nabla \ell(W), u_r v_r^T \rangle$: large ones move fast, the more "
    "so the deeper.",
    quick={"depths": (2, 3), "instances": 3},
    book={"depths": (2, 3, 4), "instances": 8},
    full={"depths": (2, 3, 4, 5), "instances": 20},
    draw=draw_completions,
    measure=measure_dynamics,
)
def deep_mf_singular_dynamics(measured: Dynamics) -> Evidence:
    """Rates and singular values of the layers against what is said of W alone."""
    checks = tuple(
        check
        for depth, flows in measured.flows.items()
        for check in moves_as_predicted(depth, flows)
    )
    control = off_balance(next(iter(measured.flows)), measured.unbalanced)
    notes = {"problems": len(measured.unbalanced)}
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def moves_as_predicted(depth: int, flows: Flows) -> tuple[Check, ...]:
    """The checks of one depth; singular values are compared relative to their size."""
    return (
        Check.each(
            f"depth {depth}: rates, difference from the formula",
            flows.rates,
            at_most=1e-4,
            tag="proved",
            reason="the integrator's tolerance 1e-9, over gaps of singular values "
            "above 1e-5",
            precision=True,
        ),
        Check.each(
            f"depth {depth}: singular values against the flow of W alone",
            (flows.values / flows.alone - 1).abs().amax((-2, -1)),
            at_most=1e-4,
            tag="proved",
            math=f"depth {depth}: singular values against the flow of $W$ alone",
            reason="the tolerance 1e-9 of both integrations, which a growth by 10 "
            "amplifies",
            precision=True,
        ),
        Check.each(
            f"depth {depth}: largest singular value at the end over that at the start",
            flows.values[:, -1, 0] / flows.start,
            at_least=3,
            tag="observed",
            reason="so that the flow has left the neighborhood of its start",
        ),
    )


def off_balance(depth: int, rates: Tensor) -> Control:
    """Differences (B,) of the rates from the formula without balance."""
    return Control(
        f"depth {depth}: the same W at the start, W_1 tripled and W_{depth} divided by "
        "three",
        Check.each(
            "difference of the rates from the formula",
            rates,
            at_least=0.1,
            tag="observed",
            reason="a tenth of the largest rate, a thousand times the bar of the claim",
        ),
        math=f"depth {depth}: the same $W$ at the start, $W_1$ tripled and $W_{depth}$ "
        "divided by three",
    )
