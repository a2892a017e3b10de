"""Outputs, sharpness and its bounds for 13 factors; the product model; tanh networks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.objective import Objective
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Square
from ibcore.measures.sharpness import sharpness
from ibcore.models.network import Network
from ibcore.oracles.rescaled_layers import layer_blocks
from ibcore.pages.dynamical_stability.flat_minima.runs import (
    RESOLVED,
    Regressions,
    fitted,
    nearest_kink,
    on_a_kink,
    rescaled,
    sharpness_beside,
    with_ones,
)
from ibcore.validation import regression_data

FACTORS = 10 ** (torch.arange(-6, 7, dtype=torch.float64) / 4)


BREAKING = 10**0.5  # the factor at which a network that is not homogeneous is looked at


@dataclass(frozen=True)
class Rescalings:
    """B networks at K factors c; see `FACTORS`.

    changes: (K, B), how far outputs move, over the largest.      values, lower, upper:
    (K, B), sharpness and its bounds.      flattest, invariant, reach: (B,), sharpness
    where the blocks balance, and the bounds below and above it.      product: (K,),
    sharpness of (aw - 1)^2 at w = c, a = 1/c.      smooth: (B,), how far the outputs of
    tanh networks move.      log_loss: (B,).      at_kink: (B,), networks of which
    nothing is claimed but their outputs, because a neuron is at its kink on an example.
    nearest: (B,), the least inner value of a neuron over the largest.      beside:
    (B,), how far the sharpness of networks right beside is off.      broken: why
    training ended early.
    """

    changes: Tensor
    values: Tensor
    lower: Tensor
    upper: Tensor
    flattest: Tensor
    invariant: Tensor
    reach: Tensor
    product: Tensor
    smooth: Tensor
    log_loss: Tensor
    at_kink: Tensor
    nearest: Tensor
    beside: Tensor
    broken: tuple[str, ...]

    def off_kinks(self) -> Rescalings:
        """The networks where the loss has a Hessian."""
        kept = ~self.at_kink
        parts = {
            name: getattr(self, name)[..., kept]
            for name in ("values", "lower", "upper", "flattest", "invariant", "reach")
        }
        return replace(self, **parts)


def draw_regressions(
    setting: Setting, *, networks: int, examples: int, width: int
) -> tuple[Regressions, int]:
    """Normal inputs in five dimensions, normal targets, and a start of a network for
    each.
    """
    seeds = setting.seeds(networks, "rescaled networks")
    parts = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        X = torch.randn(examples, 5, generator=generator, dtype=torch.float64)
        y = torch.randn(examples, generator=generator, dtype=torch.float64)
        parts.append(_regression(X, y, width, generator))
    return _stacked(parts, setting), width


def own_regression(
    setting: Setting, X: object, y: object, *, networks: int, examples: int, width: int
) -> tuple[Regressions, int]:
    """Networks from several starts on a reader's X (n, d) and real y (n,); `examples`
    is not used.
    """
    del examples
    inputs, targets = (part.double() for part in regression_data(X, y, single=True))
    seeds = setting.seeds(networks, "rescaled networks")
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    parts = [_regression(inputs, targets, width, draw) for draw in generators]
    return _stacked(parts, setting), width


def _regression(
    X: Tensor, y: Tensor, width: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    inputs = with_ones(X)
    model = Network(inputs, (width,), "relu", biases=False)
    return inputs, y, model.normal(1, generator)[0]


def _stacked(
    parts: list[tuple[Tensor, Tensor, Tensor]], setting: Setting
) -> Regressions:
    stacked = (torch.stack(part) for part in zip(*parts, strict=True))
    return Regressions(*(part.to(setting.device) for part in stacked))


def measure_rescalings(
    problem: tuple[Regressions, int], setting: Setting
) -> Rescalings:
    """Train to a loss of 1e-8, rescale, and take the sharpness by Lanczos' iteration."""
    data, width = problem
    objective = data.objective(width, "relu")
    run = fitted(objective, data.starts)
    model, theta = objective.model, run.last
    hidden, output = model.matrices(theta)  # type: ignore[attr-defined]
    blocks = layer_blocks(data.inputs, data.targets, hidden, output[:, 0])
    c = FACTORS.to(theta)
    lower, upper = blocks.bounds(c)
    best = (blocks.hidden / blocks.output) ** 0.25
    smooth = data.objective(width, "tanh")
    other = fitted(smooth, data.starts, most=500).last
    breaking = torch.full_like(best, BREAKING)
    seed = setting.seeds(1, "rescaled networks, what is beside them")[0]
    beside = torch.Generator().manual_seed(seed)
    values = torch.stack([_sharpness_at(objective, theta, k) for k in c])
    return Rescalings(
        torch.stack([_change(data, width, "relu", theta, k, setting) for k in c]),
        values,
        lower,
        upper,
        _sharpness_at(objective, theta, best),
        blocks.invariant,
        blocks.invariant + blocks.coupling,
        product_sharpness(c),
        _change(data, width, "tanh", other, breaking, setting),
        run.last_log_loss,
        on_a_kink(data.inputs, hidden),
        nearest_kink(data.inputs, hidden),
        sharpness_beside(objective, theta, beside),
        tuple(
            word
            for word, fine in zip(run.status, run.arrived.tolist(), strict=True)
            if not fine
        ),
    )


def _sharpness_at(objective: Objective, theta: Tensor, c: Tensor) -> Tensor:
    factors = c.expand(len(theta))
    moved = rescaled(objective.model, theta, factors)  # type: ignore[arg-type]
    return sharpness(objective, moved, tolerance=RESOLVED)


def _change(
    data: Regressions,
    width: int,
    activation: str,
    theta: Tensor,
    c: Tensor,
    setting: Setting,
) -> Tensor:
    """How far outputs move at the examples and 200 other points, over the largest of a
    network, (B,).
    """
    seed = setting.seeds(1, "rescaled networks, other points")[0]
    shape = (len(theta), 200, data.inputs.shape[-1] - 1)
    draw = torch.randn(
        shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    inputs = torch.cat([data.inputs, with_ones(draw.to(theta))], 1)
    model = Network(inputs, (width,), activation, biases=False)
    before = model.outputs(theta)
    after = model.outputs(rescaled(model, theta, c.expand(len(theta))))
    return (after - before).abs().amax(-1) / before.abs().amax(-1)


def product_sharpness(c: Tensor) -> Tensor:
    """Sharpness of (aw - 1)^2 at w = c, a = 1/c, (K,): a linear network of two weights
    on the input 1.
    """
    model = Network(c.new_ones(1, 1), (1,), "identity", biases=False)
    objective = Objective(model, Square(), c.new_ones(1))
    return sharpness(objective, torch.stack([c, 1 / c], -1), tolerance=RESOLVED)


@claim(
    kind="theorem",
    source="Dinh, Pascanu, Bengio and Bengio 2017 (abstract read, theorem recalled); "
    "the bounds for every factor are proved on the page",
    statement="Multiplying the hidden layer of a two-layer ReLU network by $c > 0$ and "
    "dividing the output layer by it leaves the function and moves the sharpness. "
    "Where no neuron is at its kink on an example, it is at least $c^2$ times the "
    "largest eigenvalue of the output layer's block of the Hessian, and at least "
    "$c^{-2}$ times that of the hidden layer's.",
    quick={"networks": 8, "examples": 12, "width": 32},
    book={"networks": 8, "examples": 20, "width": 64},
    full={"networks": 200, "examples": 20, "width": 128},
    draw=draw_regressions,
    measure=measure_rescalings,
    own=own_regression,
)
def reparam_sharpness(measured: Rescalings) -> Evidence:
    """Outputs, sharpness and its bounds for 13 factors; the product model; tanh
    networks.
    """
    control = Control(
        "tanh in place of ReLU, factor sqrt(10)",
        Check.share(
            "outputs move by at most a tenth",
            measured.smooth,
            at_most=0.1,
            most=0.25,
            tag="observed",
            reason="a hundred thousand million times the bar of the claim",
        ),
        math=r"tanh in place of ReLU, factor $\sqrt{10}$",
    )
    kept = measured.off_kinks()
    checks = (
        *_same_function(measured.changes, measured.product),
        *_within(kept),
        *_ends(kept.values),
    )
    notes = {"networks left out, at a kink": int(measured.at_kink.sum())}
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _same_function(changes: Tensor, product: Tensor) -> tuple[Check, ...]:
    c = FACTORS
    return (
        Check.each(
            "change of the outputs, relative",
            changes,
            at_most=1e-12,
            tag="proved",
            reason="ReLU is homogeneous; what is left is rounding of sums of some tens "
            "of products",
            precision=True,
        ),
        Check.each(
            "(aw - 1)^2 at w = c, a = 1/c: sharpness over 2 (c^2 + c^-2)",
            product / (2 * (c**2 + c**-2)),
            equals=1,
            atol=1e-12,
            tag="proved",
            math="$(aw - 1)^2$ at $w = c$, $a = 1/c$: sharpness over $2(c^2 + c^{-2})$",
            reason="the Hessian is a two by two matrix; rounding",
        ),
    )


def _within(measured: Rescalings) -> tuple[Check, ...]:
    return (
        Check.each(
            "sharpness over its lower bound",
            measured.values / measured.lower,
            at_least=1 - 1e-8,
            tag="proved",
            reason="the largest eigenvalue of a block; the tolerance of the iteration "
            "is $10^{-10}$",
        ),
        Check.each(
            "sharpness over its upper bound",
            measured.values / measured.upper,
            at_most=1 + 1e-8,
            tag="proved",
            reason="norms of the blocks; the tolerance of the iteration is $10^{-10}$",
        ),
        Check.each(
            "all factors: sharpness over the invariant",
            measured.values / measured.invariant,
            at_least=1 - 1e-8,
            tag="proved",
            reason="the larger of two numbers is at least their geometric mean",
        ),
        Check.each(
            "where the blocks balance: sharpness over invariant plus coupling",
            measured.flattest / measured.reach,
            at_most=1 + 1e-8,
            tag="proved",
            reason="the upper bound where both blocks have the same largest eigenvalue",
        ),
    )


def _ends(values: Tensor) -> tuple[Check, ...]:
    """Exponents of sharpness (K, B) in c between the two smallest and the two largest
    factors.
    """
    step = math.log(float(FACTORS[1] / FACTORS[0]))
    slopes = values.log().diff(dim=0) / step
    reason = (
        "the bounds differ by about a ratio of the blocks over $c^4$, below $10^{-4}$ "
        "for ratios up to ten"
    )
    return tuple(
        Check.each(
            f"exponent of the sharpness in c at the {word} factors",
            slopes[place],
            equals=power,
            atol=0.01,
            tag="derived",
            math=f"exponent of the sharpness in $c$ at the {word} factors",
            reason=reason,
        )
        for word, place, power in (("largest", -1, 2), ("smallest", 0, -2))
    )
