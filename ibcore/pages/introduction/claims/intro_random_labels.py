"""The same network and SGD on labels that mean something, and on others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics import paces
from ibcore.dynamics.batches import epochs
from ibcore.dynamics.directions import Momentum
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.trajectory import CONVERGED
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import SoftmaxCrossEntropy
from ibcore.models.network import Network
from ibcore.oracles.expressivity import memorizing_network
from ibcore.pages.introduction.runs import seeded
from ibcore.problems.digits import CLASSES, digits_split

DIGITS, MEMORIZED = 1797, 200  # digits there are, and those that the construction fits
MOST_STEPS, SMALL_WIDTH = 5000, 4
TRUE, RANDOM = 0.0, 1.0  # shares of the labels that are redrawn


@dataclass(frozen=True)
class Digits:
    """Training and test digits of B runs: inputs (B, n, 64) and labels (B, n)."""

    X: Tensor
    y: Tensor
    X_test: Tensor
    y_test: Tensor


@dataclass(frozen=True)
class Construction:
    """Points X (200, 64), labels y (200,) in {-1, +1}, and a direction (64,)."""

    X: Tensor
    y: Tensor
    direction: Tensor


@dataclass(frozen=True)
class Problems:
    """The same digits with the labels of every level of corruption, and points for the
    construction.

    width: of the networks.
    control_steps: how long a network of four neurons may train.
    """

    levels: dict[float, Digits]
    constructions: tuple[Construction, ...]
    width: int
    control_steps: int


@dataclass(frozen=True)
class Memorized:
    """B runs of SGD at one level of corruption.

    train, test: accuracies on training and test digits, (B,).
    ran, status: how many steps a run had, (B,), and how it ended.
    """

    train: Tensor
    test: Tensor
    ran: Tensor
    status: tuple[str, ...]

    @property
    def steps(self) -> Tensor:
        """Steps until every training label was right, (B,); NaN without a fit."""
        fits = torch.tensor([word == CONVERGED for word in self.status])
        return self.ran.double().where(fits, math.nan)


@dataclass(frozen=True)
class Labels:
    """Networks trained at every level of corruption, and four neurons on random labels.

    errors: (D,), the largest error of each constructed network.
    weights, digits: how many a network has, and how many there are to train on.
    """

    runs: dict[float, Memorized]
    small: Memorized
    errors: Tensor
    weights: int
    digits: int


def draw_labels(
    setting: Setting,
    *,
    seeds: int,
    train: int,
    width: int,
    levels: Sequence[float],
    directions: int,
    control_steps: int,
) -> Problems:
    """`train` digits for every seed, the same at every level but for their labels."""
    return Problems(
        {level: digits(setting, level, seeds, train) for level in levels},
        _constructions(setting, directions),
        width,
        control_steps,
    )


def digits(setting: Setting, corruption: float, seeds: int, train: int) -> Digits:
    """`train` digits with a share of the labels redrawn; all others are for tests."""
    splits = [
        digits_split(
            train,
            DIGITS - train,
            torch.Generator().manual_seed(word),
            corruption,
            device=setting.device,
        )
        for word in setting.seeds(seeds, "digits")
    ]
    names = ("X_train", "y_train", "X_test", "y_test")
    parts = [torch.stack([getattr(split, name) for split in splits]) for name in names]
    return Digits(*parts)


def _constructions(setting: Setting, count: int) -> tuple[Construction, ...]:
    """Random labels -1, +1 of 200 digits, and a random direction, `count` times."""
    source, drawn = seeded(setting, "construction"), []
    for _ in range(count):
        X = digits_split(MEMORIZED, 1, source).X_train
        y = torch.randint(2, (MEMORIZED,), generator=source).double() * 2 - 1
        direction = torch.randn(X.shape[1], generator=source, dtype=torch.float64)
        drawn.append(Construction(X, y, direction))
    return tuple(drawn)


def measure_labels(problems: Problems, setting: Setting) -> Labels:
    """In float64, so that steps hardly depend on the machine's rounding."""
    random = problems.levels[RANDOM]
    return Labels(
        {
            level: memorize(setting, data, problems.width)
            for level, data in problems.levels.items()
        },
        memorize(setting, random, SMALL_WIDTH, problems.control_steps),
        torch.stack([_construction_error(one) for one in problems.constructions]),
        _network(random.X, problems.width).dimension,
        random.X.shape[1],
    )


def memorize(
    setting: Setting, data: Digits, width: int, max_steps: int = MOST_STEPS
) -> Memorized:
    """A 64-width-10 ReLU network by SGD (0.1, momentum 0.9, batches of 100) until it
    fits its training labels.

    The start of run k and the order of its batches are the same at every corruption.
    """
    source, training = seeded(setting, "network"), _network(data.X, width)
    run = descend(
        Objective(training, SoftmaxCrossEntropy(), data.y, shared=False),
        training.normal(len(data.X), source),
        paces.constant(0.1),
        direction=Momentum(0.9),
        batches=epochs(100, source),
        until=_all_right,
        ask_every=data.X.shape[1] // 100,
        max_steps=max_steps,
        max_seconds=math.inf,
    )
    test = _network(data.X_test, width)
    return Memorized(
        _accuracy(training.outputs(run.last), data.y),
        _accuracy(test.outputs(run.last), data.y_test),
        run.steps,
        run.status,
    )


def _network(X: Tensor, width: int) -> Network:
    return Network(X, (width,), "relu", out=CLASSES)


def _accuracy(logits: Tensor, classes: Tensor) -> Tensor:
    """Share of the classes (B, n) that have the largest of the logits (B, n, K), (B,)."""
    return (logits.argmax(-1) == classes).to(logits.dtype).mean(-1)


def _all_right(point: Any) -> Tensor:
    """Whether every training label is the network's, (A,)."""
    return _accuracy(point.outputs, point.objective.targets) == 1


def _construction_error(one: Construction) -> Tensor:
    """Largest error of the network of 2n + d weights."""
    net = memorizing_network(one.X, one.y, one.direction)
    return (net(one.X) - one.y).abs().amax()


@claim(
    kind="empirical",
    source="Zhang, Bengio, Hardt, Recht and Vinyals 2017, experiments and Theorem 1 "
    "(read; proved on the page)",
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
    draw=draw_labels,
    measure=measure_labels,
)
def intro_random_labels(measured: Labels) -> Evidence:
    """Fits, accuracies on new digits and steps; the construction; four neurons.

    By the symmetry of the ten classes a network that saw only random labels is right on
    a new digit with probability exactly 1/10, whatever it learned.
    """
    runs = measured.runs
    checks = (
        _fits(runs),
        *_new_digits(runs),
        _longer(runs),
        _constructed(measured.errors),
    )
    notes = {"weights": measured.weights, "training digits": measured.digits}
    return Evidence(checks, _four_neurons(measured.small.train), notes=notes)


def _fits(runs: dict[float, Memorized]) -> Check:
    return Check.each(
        "training accuracy of every run",
        torch.stack([run.train for run in runs.values()]),
        at_least=1,
        tag="observed",
        reason="training ends when every label is right, or at a limit",
    )


def _new_digits(runs: dict[float, Memorized]) -> tuple[Check, ...]:
    """What is read of the test digits at each level of corruption, from 0 to 1."""
    random = runs[RANDOM].test
    means = torch.stack([run.test.mean() for run in runs.values()])
    return (
        Check.each(
            "test accuracy, true labels",
            runs[TRUE].test,
            at_least=0.9,
            tag="observed",
            reason="at least 0.93 in 56 runs, which spread by 0.01",
        ),
        Check.each(
            "mean test accuracy, random labels",
            [float(random.mean())],
            equals=0.1,
            atol=0.05 * math.sqrt(8 / len(random)),
            tag="derived",
            reason="exactly 1/10 on average, by symmetry; seven standard errors, as a "
            "run spreads by 0.02 (56 runs)",
        ),
        Check.each(
            "rise of the mean test accuracy from one share of random labels to the "
            "next",
            means.diff(),
            at_most=0,
            tag="observed",
            reason="what is learned from fewer true labels is no better",
        ),
    )


def _longer(runs: dict[float, Memorized]) -> Check:
    return Check.each(
        "steps to fit, random over true labels",
        runs[RANDOM].steps / runs[TRUE].steps,
        at_least=2,
        tag="observed",
        reason="2.8 or more in 56 runs, their mean 4",
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


def _four_neurons(accuracies: Tensor) -> Control:
    return Control(
        "4 neurons, 310 weights, random labels",
        Check.each(
            "training accuracy",
            accuracies,
            at_most=0.5,
            tag="observed",
            reason="half of what the claim asks for; at most 0.35 in 56 runs",
        ),
    )
