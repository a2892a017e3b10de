"""Training of wide two-layer networks on small targets and on large ones, and how far
their weights move.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Square
from ibcore.measures.rates import slope
from ibcore.models.linear import Linear
from ibcore.models.two_layer import TwoLayerReLU
from ibcore.oracles.lazy_limit import least_movement
from ibcore.validation import InvalidInput, distinct_rows, regression_data

FIT = 1e-14  # mean square over that of the targets
POINTS, FEATURES, NEW = 10, 5, 20
_MOST_STEPS = 40_000


@dataclass(frozen=True)
class Tasks:
    """B regressions: inputs X (B, n, d), targets y (B, n) and new inputs (B, k, d), and
    the widths to be trained.

    seeds: for every width those of its starts, `repeats` of each task one after the
    other.
    """

    X: Tensor
    y: Tensor
    new: Tensor
    widths: tuple[int, ...]
    seeds: tuple[tuple[int, ...], ...]

    @property
    def log_widths(self) -> Tensor:
        return self.y.new_tensor(self.widths).log()

    def repeated(self, count: int) -> Tasks:
        """Each task `count` times, task by task."""
        X, y, new = (
            part.repeat_interleave(count, 0) for part in (self.X, self.y, self.new)
        )
        return Tasks(X, y, new, self.widths, self.seeds)


def repeats(widths: Sequence[int]) -> tuple[int, ...]:
    """Starts a task and width, so that all widths but the largest have half as many
    neurons in all.
    """
    counts = np.maximum(1, np.max(widths) // (2 * np.asarray(widths)))
    return tuple(int(count) for count in counts)


def drawn(
    seeds: Sequence[int],
    starts: Sequence[Sequence[int]],
    widths: Sequence[int],
    device: torch.device,
) -> Tasks:
    """Ten random inputs of norm sqrt(5) in five dimensions with normal targets, and
    twenty new inputs.
    """
    inputs, targets = [], []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(
            POINTS + NEW, FEATURES, generator=generator, dtype=torch.float64
        )
        inputs.append(x / x.norm(dim=-1, keepdim=True) * math.sqrt(FEATURES))
        targets.append(torch.randn(POINTS, generator=generator, dtype=torch.float64))
    X, y = torch.stack(inputs).to(device), torch.stack(targets).to(device)
    seeds_of = tuple(tuple(one) for one in starts)
    return Tasks(X[:, :POINTS], y, X[:, POINTS:], tuple(widths), seeds_of)


def own(
    X: object,
    y: object,
    starts: Sequence[Sequence[int]],
    widths: Sequence[int],
    device: torch.device,
) -> Tasks:
    """A reader's X (n, d) and y (n,), centered and of mean squares 1 an entry, once for
    each seed of the widest.

    The new inputs are midpoints of neighboring rows. Raises `InvalidInput` where an
    input or y is constant or two rows coincide.
    """
    inputs, targets = regression_data(X, y, single=True)
    rest, goal = inputs - inputs.mean(0), targets - targets.mean()
    sizes = rest.square().mean(0).sqrt()
    size = goal.square().mean().sqrt()
    if not bool((sizes > 0).all()) or not bool(size > 0):
        raise InvalidInput(
            "a column of X or y is constant, expected inputs and targets that vary. "
            "Drop the column."
        )
    rest, goal = rest / sizes, goal / size
    distinct_rows("X", rest)
    middle = (rest + rest.roll(1, 0)) / 2
    count = len(starts[-1])
    many = [part.to(device).expand(count, *part.shape) for part in (rest, goal, middle)]
    seeds_of = tuple(tuple(one) for one in starts)
    return Tasks(many[0], many[1], many[2], tuple(widths), seeds_of)


def circle_start(
    seeds: Sequence[int], width: int, like: Tensor, *, paired: bool = True
) -> Tensor:
    """Parameters (B, P): a_j = +-1 and (w_j, b_j) uniform on the sphere of radius
    sqrt(d + 1), for inputs (..., n, d).

    paired: the second half of the neurons repeats the first with -a_j, so that f = 0.
    The tangent kernel is that of normal weights, and varies less from draw to draw.
    """
    features = like.shape[-1] + 1
    count = width // 2 if paired else width
    rows = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        u = torch.randn(count, features, generator=generator, dtype=torch.float64)
        u = u / u.norm(dim=-1, keepdim=True) * math.sqrt(features)
        a = torch.randn(count, generator=generator, dtype=torch.float64).sign()
        if paired:
            a, u = torch.cat([a, -a]), torch.cat([u, u])
        rows.append(torch.cat([u[:, :-1].flatten(), u[:, -1], a]))
    return torch.stack(rows).to(like)


@dataclass(frozen=True)
class Start:
    """A network at its start with its tangent kernel K (B, n, n), from the Jacobian (B,
    n, P).
    """

    model: TwoLayerReLU
    theta: Tensor
    jacobian: Tensor
    kernel: Tensor

    @classmethod
    def of(cls, X: Tensor, theta: Tensor, width: int) -> Start:
        model = TwoLayerReLU(X, width)
        jacobian = model.jacobian(theta)
        return cls(model, theta, jacobian, jacobian @ jacobian.mT)

    def step_size(self, share: float) -> Tensor:
        """The given share of n / lambda_max, the largest stable step of the mean square
        at the start, (B,).
        """
        largest = torch.linalg.eigvalsh(self.kernel)[:, -1]
        return share * self.jacobian.shape[1] / largest

    def displacement(self, y: Tensor) -> Tensor:
        """J^T K^{-1} y, the parameters' movement to a fit of y (B, n) in the linear
        model of the start, (B, P).
        """
        weights = torch.linalg.solve(self.kernel, y[..., None])
        return (weights.mT @ self.jacobian)[:, 0]

    def regression(self, y: Tensor, new: Tensor) -> Tensor:
        """K(x, X) K^{-1} y at the new inputs, (B, k)."""
        weights = torch.linalg.solve(self.kernel, y[..., None])
        across = self.model.on(new).jacobian(self.theta) @ self.jacobian.mT
        return (across @ weights)[..., 0]

    def movements(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """|a - a_0| / |a_0| and the same of the first layer with its biases, (B,) each."""
        sizes = (part.norm(dim=-1) for part in self._layers(self.theta))
        moved = (part.norm(dim=-1) for part in self._layers(theta - self.theta))
        out, hidden = (m / s for m, s in zip(moved, sizes, strict=True))
        return out, hidden

    def over_least(self, theta: Tensor) -> Tensor:
        """p + q + p q of the movements p and q over what it is at least, for a start
        with f = 0, (B,).
        """
        p, q = self.movements(theta)
        a, hidden = (part.norm(dim=-1) for part in self._layers(self.theta))
        outputs, width = self.model.outputs(theta), self.model.width
        return (p + q + p * q) / least_movement(
            outputs, self.model.inputs, width, a, hidden
        )

    def kernel_change(self, theta: Tensor) -> Tensor:
        """|K - K_0| / |K_0| in Frobenius' norm, (B,)."""
        jacobian = self.model.jacobian(theta)
        apart = jacobian @ jacobian.mT - self.kernel
        return apart.norm(dim=(-2, -1)) / self.kernel.norm(dim=(-2, -1))

    def _layers(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        return theta[:, -self.model.width :], theta[:, : -self.model.width]


def fit(start: Start, y: Tensor, share: float = 0.5) -> Run:
    """Descent on the mean square from `start` until it is 1e-14 of the targets' own, y
    (B, n).
    """
    objective = Objective(start.model, Square(), y, shared=False)
    return descend(
        objective,
        start.theta,
        constant(start.step_size(share)),
        until=_fitted,
        ask_every=20,
        max_steps=_MOST_STEPS,
        max_seconds=math.inf,
    )


def _fitted(point: Any) -> Tensor:
    size = point.objective.targets.square().mean(-1)
    return point.log_loss <= (FIT * size).log()


def ends(run: Run) -> Tensor:
    """The parameters (B, P) where the members fitted, NaN where one did not."""
    return torch.where(run.converged[:, None], run.last, math.nan)


def breakdowns(run: Run) -> tuple[str, ...]:
    """Why members did not come to a fit or to their last step."""
    good = run.converged | run.arrived
    return tuple(
        word for word, ok in zip(run.status, good.tolist(), strict=True) if not ok
    )


def averaged(values: Tensor, count: int) -> Tensor:
    """Mean logarithm over the `count` starts of each task, (B,), of values (B count,)."""
    return values.log().unflatten(0, (-1, count)).mean(-1)


@dataclass(frozen=True)
class Widths:
    """What came of networks of M widths on B tasks; mean logarithms over the starts of
    a task, (M, B) each.

    moved: |W - W_0| / |W_0| of the first layer.      own: the same over what the kernel
    at the start predicts.
    changed: |K - K_0| / |K_0|.      over_least: (S,), all networks, p + q + p q over
    what it is at least.
    """

    moved: Tensor
    own: Tensor
    changed: Tensor
    over_least: Tensor
    broken: tuple[str, ...]


def train_widths(tasks: Tasks, factor: float = 0.0, share: float = 0.5) -> Widths:
    """Fit targets m^factor y with every width m: factor 0 is the kernel's scale, 1/2
    that of the mean field.
    """
    rows, least, broken = [], [], []
    for width, seeds in zip(tasks.widths, tasks.seeds, strict=True):
        count = len(seeds) // len(tasks.X)
        part = tasks.repeated(count)
        start = Start.of(part.X, circle_start(seeds, width, part.X), width)
        y = part.y * width**factor
        run = fit(start, y, share)
        theta, ideal = ends(run), start.theta + start.displacement(y)
        moved, expected = start.movements(theta)[1], start.movements(ideal)[1]
        parts = (moved, moved / expected, start.kernel_change(theta))
        rows.append(torch.stack([averaged(values, count) for values in parts]))
        least.append(start.over_least(theta))
        broken += [f"width {width}: {why}" for why in breakdowns(run)]
    moved, own, changed = torch.stack(rows, 1)
    return Widths(moved, own, changed, torch.cat(least), tuple(broken))


def slopes(log_sizes: Tensor, log_values: Tensor) -> Tensor:
    """Exponents (B,) of values, whose logarithms are (M, B), in sizes (M,)."""
    return slope(log_sizes, log_values.T)


@dataclass(frozen=True)
class Gaps:
    """How far trained networks are from kernel regression at new inputs, relative to
    its size.

    at_start, in_limit: (M, B), mean logarithms over starts, from the kernel at the
    start and from its limit.
    linear: (B,), from the kernel at the start, of the linear model of one start of the
    smallest width.
    """

    at_start: Tensor
    in_limit: Tensor
    linear: Tensor
    broken: tuple[str, ...]


def distance(found: Tensor, expected: Tensor) -> Tensor:
    """|found - expected| / |expected| over the new inputs, (B,)."""
    return (found - expected).norm(dim=-1) / expected.norm(dim=-1)


def gaps_by_width(tasks: Tasks, limit: Tensor) -> Gaps:
    """Networks of every width against both kernels; limit: (B, k), the regression with
    the limit of the kernel.
    """
    rows, broken = [], []
    for width, seeds in zip(tasks.widths, tasks.seeds, strict=True):
        count = len(seeds) // len(tasks.X)
        part = tasks.repeated(count)
        start = Start.of(part.X, circle_start(seeds, width, part.X), width)
        run = fit(start, part.y)
        found = start.model.on(part.new).outputs(ends(run))
        expected = start.regression(part.y, part.new)
        pair = expected, limit.repeat_interleave(count, 0)
        apart = [averaged(distance(found, other), count) for other in pair]
        rows.append(torch.stack(apart))
        broken += [f"width {width}: {why}" for why in breakdowns(run)]
    at_start, in_limit = torch.stack(rows, 1)
    return Gaps(at_start, in_limit, _linear_gaps(tasks), tuple(broken))


def _linear_gaps(tasks: Tasks) -> Tensor:
    """The gap of the linear model of one start a task, of the smallest width, (B,)."""
    width, seeds = tasks.widths[0], tasks.seeds[0][: len(tasks.X)]
    start = Start.of(tasks.X, circle_start(seeds, width, tasks.X), width)
    found = linear_descent(start, tasks.y, tasks.new)
    return distance(found, start.regression(tasks.y, tasks.new))


def linear_descent(start: Start, y: Tensor, new: Tensor) -> Tensor:
    """What descent with the linear model of a start with f = 0 predicts at new inputs,
    (B, k).
    """
    run = descend(
        Objective(Linear(start.jacobian), Square(), y, shared=False),
        torch.zeros_like(start.theta),
        constant(start.step_size(0.5)),
        until=_fitted,
        ask_every=20,
        max_steps=_MOST_STEPS,
        max_seconds=math.inf,
    )
    across = start.model.on(new).jacobian(start.theta)
    return (across @ ends(run)[..., None])[..., 0]
