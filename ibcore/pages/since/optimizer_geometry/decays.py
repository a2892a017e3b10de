"""Regression with decoupled weight decay: problems with certified minimizers, and the
methods on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.directions import Adam, Grouped, Steepest
from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.matrix_directions import Decoupled, Schatten, Smoothed
from ibcore.dynamics.objective import FunctionObjective
from ibcore.dynamics.paces import Scheduled, decaying
from ibcore.oracles.constrained_descent import (
    BallMinimizer,
    ball_minimizer,
    barrier_minimizer,
    ridge_minimizer,
)
from ibcore.validation import InvalidInput, real_tensor

POINTS, FEATURES = 12, 8
MATRIX = (4, 6)  # outputs and inputs of the second kind of problem
SPECTRUM = (2.0, 1.0, 0.5, 0.2)  # singular values of the matrix to be learned
LEAST_PULL = 0.05  # multiplier of an active face, over the largest gradient at w = 0
FREE = 0.9  # a singular value below this share of the radius is free
POWER, LATE = 3.0, 100.0  # decay times step size is POWER / (LATE + k)
EPSILONS = (0.01, 1.0, 100.0)  # of AdamW, in units of the largest gradient at w = 0
VECTORS = (
    "sign descent",
    "Lion",
    "AdamW",
    *(f"AdamW, epsilon {share:g}" for share in EPSILONS),
    "Adam with a coupled penalty",
)
MATRICES = ("spectral descent", "Muon")
BETAS = (0.9, 0.99)
PENALTY = 1.0  # of the coupled penalty, equal to the decay


@dataclass(frozen=True)
class Regressions:
    """B problems in units in which the decay is 1: inputs (B, n, d), targets (B, n, K),
    and minimizers (B, K, d) on the unit ball.
    """

    inputs: Tensor
    targets: Tensor
    solutions: tuple[BallMinimizer, ...]
    best: Tensor

    @classmethod
    def of(
        cls,
        drawn: Sequence[tuple[Tensor, Tensor, BallMinimizer]],
        device: torch.device,
    ) -> Regressions:
        X, Y, solutions = zip(*drawn, strict=True)
        return cls(
            torch.stack(X).to(device),
            torch.stack(Y).to(device),
            tuple(solutions),
            torch.stack([one.W for one in solutions]).to(device),
        )

    @property
    def push(self) -> Tensor:
        """The largest entry of the gradient at 0, (B,)."""
        pull = 2 * self.targets.mT @ self.inputs / self.inputs.shape[1]
        return pull.abs().amax((-1, -2))

    def loss(self, W: Tensor) -> Tensor:
        """The mean square loss of W (..., B, K, d), (..., B)."""
        rest = self.inputs @ W.mT - self.targets
        return rest.square().sum(-1).mean(-1)

    def objective(self, penalties: Sequence[float]) -> FunctionObjective:
        """The loss on every problem, in turn with each penalty times |w|^2 / 2 added."""
        copies = len(penalties)
        X, Y = (part.repeat(copies, 1, 1) for part in (self.inputs, self.targets))
        ridge = torch.tensor(penalties).to(X).repeat_interleave(len(self.inputs))

        def values(theta: Tensor, members: Tensor) -> tuple[Tensor, ...]:
            x, y, r = X[members], Y[members], ridge[members, None]
            W = theta.unflatten(1, (y.shape[-1], -1))
            rest = x @ W.mT - y
            loss = rest.square().sum(-1).mean(-1)
            gradient = (2 / x.shape[1] * rest.mT @ x).flatten(1)
            size = theta.square().sum(-1)
            return loss + r[:, 0] / 2 * size, gradient + r * theta

        return FunctionObjective(values)


@dataclass(frozen=True)
class DecayProblems:
    """Problems of vectors and of matrices, with what the methods should find.

    barrier: (E, B, d), minimizers with the barrier of every epsilon.
    ridge: (B, d).      errors: bounds on those of the barrier's, E B numbers.
    rejected: draws that did not meet the conditions.      steps: how many all take.
    """

    vectors: Regressions
    matrices: Regressions
    barrier: Tensor
    ridge: Tensor
    errors: tuple[float, ...]
    rejected: int
    steps: int


def draw_decays(setting: Setting, *, problems: int, steps: int) -> DecayProblems:
    """Problems whose least-squares solution lies outside of the ball, its norm being
    twice the radius, and whose minimizer on the ball has two active faces, or a free
    singular value.
    """
    vectors, lost = setting.draw(problems, "decay, vectors", _vector)
    matrices, more = setting.draw(problems, "decay, matrices", _matrix)
    return _with_predictions(vectors, matrices, setting, lost + more, steps)


def own_decays(
    setting: Setting, X: object, y: object, *, problems: int, steps: int
) -> DecayProblems:
    """A reader's X (n, d) and real targets y (n,), in units in which the box holds half
    of the largest coefficient of least squares; matrices are drawn, as without data.

    Raises `InvalidInput` for malformed data and where least squares is zero.
    """
    inputs, target = real_tensor("X", X, ndim=2), real_tensor("y", y, ndim=1)
    if len(inputs) != len(target):
        raise InvalidInput(
            f"X has {len(inputs)} rows and y {len(target)} entries; expected as many."
        )
    found = in_units(inputs.double(), target.double()[:, None], "max")
    matrices, more = setting.draw(problems, "decay, matrices", _matrix)
    return _with_predictions([found], matrices, setting, more, steps)


def _with_predictions(
    vectors: Sequence[tuple[Tensor, Tensor, BallMinimizer]],
    matrices: Sequence[tuple[Tensor, Tensor, BallMinimizer]],
    setting: Setting,
    rejected: int,
    steps: int,
) -> DecayProblems:
    drawn = Regressions.of(vectors, setting.device)
    push = drawn.push.cpu()
    found = [
        [
            barrier_minimizer(X, Y[:, 0], 1.0, share * float(unit))
            for (X, Y, _), unit in zip(vectors, push, strict=True)
        ]
        for share in EPSILONS
    ]
    ridge = [ridge_minimizer(X, Y[:, 0], PENALTY) for X, Y, _ in vectors]
    return DecayProblems(
        drawn,
        Regressions.of(matrices, setting.device),
        torch.stack([torch.stack([w for w, _ in row]) for row in found]).to(
            setting.device
        ),
        torch.stack(ridge).to(setting.device),
        tuple(error for row in found for _, error in row),
        rejected,
        steps,
    )


def _normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def in_units(X: Tensor, Y: Tensor, norm: str) -> tuple[Tensor, Tensor, BallMinimizer]:
    """The problem in units in which the radius is 1."""
    plain = torch.linalg.lstsq(X, Y).solution.mT
    size = plain.abs().max() if norm == "max" else torch.linalg.matrix_norm(plain, 2)
    if not float(size) > 0:
        raise InvalidInput(
            "least squares gives zero coefficients, expected targets that depend on "
            "the inputs."
        )
    scaled = X * size / 2
    return scaled, Y, ball_minimizer(scaled, Y, 1.0, norm)


def _vector(
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, BallMinimizer] | None:
    X = _normal(generator, POINTS, FEATURES)
    y = X @ _normal(generator, FEATURES) + 0.3 * _normal(generator, POINTS)
    X, Y, best = in_units(X, y[:, None], "max")
    push = (2 / POINTS * Y.T @ X).abs().max()
    faces = (best.W.abs() > 1 - 1e-6) & (best.gradient.abs() >= LEAST_PULL * push)
    return (X, Y, best) if int(faces.sum()) >= 2 else None


def _matrix(
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, BallMinimizer] | None:
    outputs, inputs = MATRIX
    left, _ = torch.linalg.qr(_normal(generator, outputs, outputs))
    right, _ = torch.linalg.qr(_normal(generator, inputs, outputs))
    truth = left * torch.tensor(SPECTRUM).double() @ right.T
    X = _normal(generator, POINTS, inputs)
    Y = X @ truth.T + 0.1 * _normal(generator, POINTS, outputs)
    X, Y, best = in_units(X, Y, "spectral")
    values = torch.linalg.svdvals(best.W)
    free = bool((values < FREE).any()) and bool((values > 1 - 1e-6).any())
    return (X, Y, best) if free else None


def shares(steps: int) -> Tensor:
    """The decay times the step size at every step, (steps,)."""
    return POWER / (LATE + torch.arange(steps).double())


def pace() -> Scheduled:
    """The same as a pace of `descend`."""
    return decaying(POWER / LATE, 1.0, over=LATE)


def vector_methods(push: Tensor) -> Grouped:
    """The maps of `VECTORS`, for problems with these largest gradients (B,)."""
    B = len(push)
    sign = Steepest(math.inf, normalized=True)
    epsilon = torch.cat([share * push for share in (0.0, *EPSILONS)])
    return Grouped(
        (
            (Decoupled(sign, 1.0), B),
            (Decoupled(Smoothed(sign, beta=0.99, blend=0.9), 1.0), B),
            (Decoupled(Adam(*BETAS, epsilon), 1.0), len(epsilon)),
            (Adam(*BETAS, 0.0), B),
        )
    )


def matrix_methods(count: int, rows: int) -> Grouped:
    """The maps of `MATRICES`, for `count` problems of so many rows."""
    spectral = Schatten(math.inf, rows)
    return Grouped(
        (
            (Decoupled(spectral, 1.0), count),
            (Decoupled(Smoothed(spectral, beta=0.95), 1.0), count),
        )
    )


def train_vectors(problems: Regressions, stops: Sequence[int]) -> Run:
    """Every method of `VECTORS` on every problem from 0, one after the other; the last
    one sees the loss with its penalty.
    """
    penalties = [0.0] * (len(VECTORS) - 1) + [PENALTY]
    return _train(problems, vector_methods(problems.push), penalties, stops)


def train_matrices(problems: Regressions, stops: Sequence[int]) -> Run:
    """The same with `MATRICES`."""
    count, rows = problems.best.shape[:2]
    penalties = [0.0] * len(MATRICES)
    return _train(problems, matrix_methods(count, rows), penalties, stops)


def _train(
    problems: Regressions,
    methods: Grouped,
    penalties: Sequence[float],
    stops: Sequence[int],
) -> Run:
    members = len(penalties) * len(problems.inputs)
    return descend(
        problems.objective(penalties),
        problems.inputs.new_zeros(members, problems.best[0].numel()),
        pace(),
        steps=list(stops),
        direction=methods,
        max_seconds=math.inf,
    )
