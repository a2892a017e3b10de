"""Networks of the page on flat minima: rescaled ones, minima of linear ones, and some
trained with many batch sizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from scipy.stats import spearmanr
from torch import Tensor

from ibcore.dynamics.batches import epochs
from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import Rollback, constant
from ibcore.losses import Square
from ibcore.measures.sharpness import sharpness
from ibcore.models.network import Network
from ibcore.problems.digits import CLASSES, digits_split

RESOLVED = 1e-10  # of the sharpness, the relative residual
TRAINED = 1e-8  # the loss at which a network counts as fitted
SETTLED = 1e-24  # the loss below which steps no longer matter
NUDGE = (
    1e-5  # size of the normal numbers that carry a network over the kinks next to it
)
KICK = 1e-3  # size of the normal numbers that push a minimum off its place


@dataclass(frozen=True)
class Regressions:
    """B data sets of inputs (B, n, d), the last of them one where there is a bias, and
    targets (B, n).
    """

    inputs: Tensor
    targets: Tensor
    starts: Tensor

    def objective(self, width: int, activation: str) -> Objective:
        model = Network(self.inputs, (width,), activation, biases=False)
        return Objective(model, Square(), self.targets, shared=False)


def with_ones(X: Tensor) -> Tensor:
    """Inputs (..., n, d) with a coordinate of ones behind them, for the biases of the
    hidden neurons.
    """
    return torch.cat([X, torch.ones_like(X[..., :1])], -1)


def rescaled(model: Network, theta: Tensor, c: Tensor) -> Tensor:
    """Hidden weights (B, P) times c (B,), output weights over c."""
    hidden, output = model.matrices(theta)
    parts = hidden * c[:, None, None], output / c[:, None, None]
    return torch.cat([part.flatten(1) for part in parts], -1)


def on_a_kink(inputs: Tensor, hidden: Tensor) -> Tensor:
    """Whether an inner value w_j .

    x_i is zero up to rounding, (B,), so that rescaling may switch a neuron.
    """
    inner = (inputs @ hidden.mT).abs().flatten(1)
    return inner.amin(-1) <= 1e-12 * inner.amax(-1)


def nearest_kink(inputs: Tensor, hidden: Tensor) -> Tensor:
    """The least |w_j . x_i| over the largest, (B,)."""
    inner = (inputs @ hidden.mT).abs().flatten(1)
    return inner.amin(-1) / inner.amax(-1)


def sharpness_beside(
    objective: Objective, theta: Tensor, generator: torch.Generator
) -> Tensor:
    """How far the sharpness of networks right beside is off, relative to that of theta:
    the most of four, (B,).

    All weights move by normal numbers of size `NUDGE`. So neurons that are far nearer
    to their kinks switch, and little else happens.
    """
    moves = torch.randn((4, *theta.shape), generator=generator, dtype=torch.float64)
    beside = [
        sharpness(objective, theta + NUDGE * move.to(theta), tolerance=RESOLVED)
        for move in moves
    ]
    here = sharpness(objective, theta, tolerance=RESOLVED)
    return (torch.stack(beside) / here - 1).abs().amax(0)


def fitted(objective: Objective, starts: Tensor, *, most: int = 20_000) -> Run:
    """Gradient descent whose every step lowers the loss, until it is `TRAINED`."""
    return descend(
        objective,
        starts,
        Rollback(),
        log_loss=[math.log(TRAINED)],
        max_steps=most,
        max_seconds=math.inf,
    )


# Minima of linear networks


@dataclass(frozen=True)
class LinearProblems:
    """B maps T (B, k, d), and inputs X (B, n, d), whitened where X^T X / n is the
    identity.
    """

    target: Tensor
    inputs: Tensor

    def objective(self, depth: int, copies: int = 1) -> Objective:
        """Of networks of `depth` layers, as wide inside as T's inputs; every problem
        `copies` times.
        """
        inputs = self.inputs.repeat(copies, 1, 1)
        size = self.target.shape[-1]
        model = Network(
            inputs,
            (size,) * (depth - 1),
            "identity",
            out=self.target.shape[-2],
            biases=False,
        )
        targets = inputs @ self.target.repeat(copies, 1, 1).mT
        return Objective(model, Square(), targets, shared=False)


def balanced_layers(
    target: Tensor, depth: int, generator: torch.Generator
) -> list[Tensor]:
    """W_l = Q_l S^(1/N) Q_(l-1)^T for T = U S V^T, with Q_0 = V and Q_N = U.

    The others have random orthonormal columns.
    """
    left, sizes, right = torch.linalg.svd(target, full_matrices=False)
    shape = (len(target), target.shape[-1], sizes.shape[-1])
    frames = [right.mT]
    for _ in range(depth - 1):
        draw = torch.randn(shape, generator=generator, dtype=torch.float64)
        frames.append(torch.linalg.qr(draw)[0].to(target))
    frames.append(left)
    root = sizes[:, None] ** (1 / depth)
    return [(out * root) @ into.mT for into, out in pairwise(frames)]


def moved_layers(
    layers: Sequence[Tensor], scale: Tensor, generator: torch.Generator
) -> list[Tensor]:
    """G_l W_l G_(l-1)^-1 with G_l = exp(scale Z) for normal Z, scale (B,): the same
    map, other layers.
    """
    moved = list(layers)
    for k, layer in enumerate(layers[:-1]):
        shape = (len(scale), layer.shape[-2], layer.shape[-2])
        draw = torch.randn(shape, generator=generator, dtype=torch.float64).to(scale)
        push = scale[:, None, None] * draw
        moved[k] = torch.linalg.matrix_exp(push) @ moved[k]
        moved[k + 1] = moved[k + 1] @ torch.linalg.matrix_exp(-push)
    return moved


def solved_layers(
    target: Tensor, depth: int, generator: torch.Generator
) -> list[Tensor]:
    """Normal layers of variance 1/columns, square but for the last, which is chosen
    such that the product is T.
    """
    size = target.shape[-1]
    shape = (len(target), size, size)
    layers = [
        torch.randn(shape, generator=generator, dtype=torch.float64).to(target)
        / math.sqrt(size)
        for _ in range(depth - 1)
    ]
    product = torch.eye(size).to(target).expand(shape)
    for layer in layers:
        product = layer @ product
    return [*layers, torch.linalg.solve(product, target, left=False)]


def passed_on(layers: Sequence[Tensor], signal: Tensor) -> list[Tensor]:
    """The unit vectors into which all layers but the last turn a signal (B, columns),
    (B, rows) each.
    """
    vectors = []
    for layer in layers[:-1]:
        signal = (layer @ signal[..., None])[..., 0]
        signal = signal / torch.linalg.vector_norm(signal, dim=-1, keepdim=True)
        vectors.append(signal)
    return vectors


def imbalance_along(layers: Sequence[Tensor], vectors: Sequence[Tensor]) -> Tensor:
    """The root of sum_l (|W_(l+1) q_l|^2 - |W_l^T q_l|^2)^2, (B,), for unit vectors
    q_l: see `passed_on`.
    """
    squares = [
        (
            (above @ q[..., None]).square().sum((-1, -2))
            - (below.mT @ q[..., None]).square().sum((-1, -2))
        ).square()
        for (below, above), q in zip(pairwise(layers), vectors, strict=True)
    ]
    return torch.stack(squares).sum(0).sqrt()


def dense_sharpness(objective: Objective, theta: Tensor) -> Tensor:
    """The largest eigenvalue of the whole Hessian, (B,), NaN for parameters that are
    not finite.
    """
    finite = torch.isfinite(theta).all(-1)
    whole = torch.where(finite[:, None], theta, 0.0)
    product = objective.curvature(whole)
    units = torch.eye(theta.shape[-1]).to(theta)
    matrix = torch.stack([product(unit.expand_as(theta)) for unit in units], 1)
    values = torch.linalg.eigvalsh((matrix + matrix.mT) / 2)[:, -1]
    return torch.where(finite, values, math.nan)


def settled(
    objective: Objective, starts: Tensor, step_size: Tensor, most: int
) -> Tensor:
    """Where gradient descent with step_size (B,) is at a loss of `SETTLED`, or after so
    many steps, (B, P).
    """
    return descend(
        objective,
        starts,
        constant(step_size),
        until=lambda point: point.log_loss <= math.log(SETTLED),
        ask_every=20,
        max_steps=most,
        max_seconds=math.inf,
    ).last


# Batch sizes


@dataclass(frozen=True)
class Digits:
    """S sets of n digits (S, n, 64), their classes as unit vectors (S, n, 10), and S
    starts (S, P).
    """

    inputs: Tensor
    targets: Tensor
    starts: Tensor
    width: int
    seed: int

    @classmethod
    def draw(
        cls, seeds: Sequence[int], examples: int, width: int, device: torch.device
    ) -> Digits:
        parts = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            data = digits_split(examples, 1, generator)
            start = Network(data.X_train, (width,), out=CLASSES).initial(1, generator)
            unit = torch.nn.functional.one_hot(data.y_train, CLASSES).double()
            parts.append((data.X_train, unit, start[0]))
        inputs, targets, starts = (
            torch.stack(part).to(device) for part in zip(*parts, strict=True)
        )
        return cls(inputs, targets, starts, width, seeds[0])

    @property
    def examples(self) -> int:
        return self.inputs.shape[-2]

    def objective(self, copies: int) -> Objective:
        """Of networks on every set, all sets `copies` times."""
        model = Network(self.inputs.repeat(copies, 1, 1), (self.width,), out=CLASSES)
        targets = self.targets.repeat(copies, 1, 1)
        return Objective(model, Square(), targets, shared=False)


@dataclass(frozen=True)
class Ends:
    """What networks are where their training ended, for K step sizes and S sets, (K, S)
    each.

    top: the largest Hessian eigenvalue.      trace: of the Hessian.      log_loss,
    steps: there.
    broken: why runs ended early; they are NaN.
    """

    top: Tensor
    trace: Tensor
    log_loss: Tensor
    steps: Tensor
    broken: tuple[str, ...] = ()


def trained(
    digits: Digits,
    step_sizes: Sequence[float],
    batch: int,
    level: float,
    *,
    steps: int | None = None,
) -> Ends:
    """SGD with `batch` examples and each step size until the loss of all is at `level`,
    or for so many steps.
    """
    count, sets = len(step_sizes), len(digits.starts)
    objective = digits.objective(count)
    sizes = torch.tensor(step_sizes, dtype=torch.float64).to(digits.starts)
    whole = batch >= digits.examples
    generator = torch.Generator().manual_seed((digits.seed + batch) % 2**63)
    run = descend(
        objective,
        digits.starts.repeat(count, 1),
        constant(sizes.repeat_interleave(sets)),
        batches=None if whole else epochs(batch, generator),
        until=None if steps else lambda point: point.log_loss <= math.log(level),
        steps=[steps] if steps else None,
        ask_every=1,
        max_steps=steps or 100_000,
        max_seconds=math.inf,
    )
    good = run.arrived if steps else run.converged
    theta = torch.where(good[:, None], run.last, math.nan)
    shape = count, sets
    return Ends(
        sharpness(objective, theta, tolerance=1e-4).reshape(shape),
        tanh_trace(objective, theta).reshape(shape),
        run.last_log_loss.reshape(shape),
        run.steps.reshape(shape),
        tuple(
            f"batch size {batch}: {word}"
            for word, fine in zip(run.status, good.tolist(), strict=True)
            if not fine
        ),
    )


def tanh_trace(objective: Objective, theta: Tensor) -> Tensor:
    """The trace of the Hessian of the mean square loss, (B,), exactly, for a network of
    one hidden layer of tanh.
    """
    model = objective.model
    (first, shift), (last, offset) = model.layers(theta)  # type: ignore[attr-defined]
    states = torch.tanh(model.inputs @ first.mT + shift[:, None])  # type: ignore[attr-defined]
    rest = states @ last.mT + offset[:, None] - objective.real_targets
    slope = 1 - states.square()
    bend = -2 * states * slope
    hidden = slope.square() * last.square().sum(-2)[:, None] + bend * (rest @ last)
    lengths = 1 + model.inputs.square().sum(-1)  # type: ignore[attr-defined]
    outer = last.shape[-2] * (1 + states.square().sum(-1))
    return 2 * (lengths * hidden.sum(-1) + outer).mean(-1)


def rank_correlations(noise: Tensor, values: Tensor) -> Tensor:
    """Spearman's correlation of noise (K,) with each column of values (K, S), (S,), NaN
    where a value is.
    """
    found = [
        float(spearmanr(noise.numpy(), column.numpy()).statistic)
        if bool(column.isfinite().all())
        else math.nan
        for column in values.T
    ]
    return torch.tensor(found, dtype=torch.float64)
