"""Privacy: the training data of a network with several outputs, read off its
parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.further.privacy.runs import (
    CLOSE,
    NOISES,
    Outcome,
    Problems,
    drawn,
    identity_gap,
    noise_curve,
    outcome,
    own,
    train,
    twin,
)

STATIONARY = 1e-6  # length of the gradient that counts as zero
FAR = 0.2
UNDECAYED = 1e-12
FITTED_STEPS = 300


@dataclass(frozen=True)
class Reconstructions:
    """What the attack found in B networks of every kind.

    few, many: random signs, 6 points with 10 outputs and 10 with 20.      onehot: 6
    digits with their classes.
    single: one output.      undecayed: as `few`, trained without weight decay.
    twin_gap, twin_distance: (B,) and (B, n), for other data of the networks with one
    output.
    noise: (S, B, n), distances for `few` with noise of the relative sizes `NOISES` on
    theta.
    """

    few: Outcome
    many: Outcome
    onehot: Outcome
    single: Outcome
    undecayed: Outcome
    twin_gap: Tensor
    twin_distance: Tensor
    noise: Tensor


def draw_sets(setting: Setting, *, networks: int) -> Problems:
    """Digits, labels and starts of four groups of networks."""
    return drawn(setting.seeds(networks, "data reconstruction"), setting.device)


def own_sets(setting: Setting, X: object, y: object, *, networks: int) -> Problems:
    """The same with rows of a reader's X (N, d) and classes y (N,)."""
    return own(X, y, setting.seeds(networks, "data reconstruction"), setting.device)


def measure_reconstructions(problems: Problems, setting: Setting) -> Reconstructions:  # noqa: ARG001
    """Train all networks until their gradient vanishes, and attack them."""
    few, single = train(problems.few), train(problems.single)
    free = replace(problems.few, decay=UNDECAYED)
    other = twin(problems.single, single)
    moved = (other.inputs - problems.single.inputs).norm(dim=-1)
    return Reconstructions(
        outcome(problems.few, few),
        outcome(problems.many, train(problems.many)),
        outcome(problems.onehot, train(problems.onehot)),
        outcome(problems.single, single),
        outcome(free, train(free, steps=FITTED_STEPS)),
        identity_gap(other, single),
        moved / problems.single.inputs.norm(dim=-1),
        noise_curve(problems.few, few),
    )


@claim(
    kind="theorem",
    source="Haim, Vardi, Yehudai, Shamir and Irani 2022 (abstract read) for binary "
    "ReLU networks; Buzaglo, Haim, Yehudai, Vardi, Oz, Nikankin and Irani 2023 "
    "(abstract read) for several classes and weight decay. The row spaces, the count "
    "of equations and the twin data are proved or derived on the page",
    statement=r"Train $V \tanh(Wx + b) + c$ with weight decay to a vanishing gradient. "
    r"If $[W\ b]$ and $[V\ c]$ have rank $n$, the training inputs are common roots of "
    "equations that contain the parameters alone. With several outputs and random "
    "signs as labels all inputs are recovered so; with one output the rank is below "
    "$n$, and other training data have the same stationary parameters.",
    quick={"networks": 8},
    book={"networks": 12},
    full={"networks": 100},
    draw=draw_sets,
    measure=measure_reconstructions,
    own=own_sets,
)
def data_reconstruction(measured: Reconstructions) -> Evidence:
    """Stationarity, the two row spaces, the attack and its baselines, one-hot labels,
    one output, noise.
    """
    checks = (
        *_proved(measured),
        *_recovered(measured.few, measured.many),
        _counted(measured.few, measured.onehot),
        *_single(measured),
        *_noise(measured.noise),
    )
    control = Control(
        "no weight decay: fitted, but the start is not forgotten",
        Check.share(
            "networks of which every point is found within 1 %",
            _truth(measured.undecayed.solved, measured.undecayed.found),
            at_least=1.0,
            most=0.25,
            tag="observed",
            math=r"networks of which every point is found within $1\,\%$",
            reason="without decay the parameters keep their start, which is no "
            "combination of the gradients; three quarters is far from the share that "
            "the claim states",
        ),
    )
    notes = {
        "networks of each kind": len(measured.few.rank),
        "one-hot labels, networks of which all is found": int(
            measured.onehot.solved.sum()
        ),
    }
    return Evidence(checks, control, notes)


def _truth(said: Tensor, distances: Tensor) -> Tensor:
    """Truth values (B,) as 0 and 1, NaN where one of the distances (B, n) is not known."""
    return torch.where(distances.isnan().any(-1), torch.nan, said.double())


def _proved(measured: Reconstructions) -> tuple[Check, ...]:
    groups = (measured.few, measured.many, measured.onehot, measured.single)
    spans = torch.cat([_told(measured.few), _told(measured.many)])
    return (
        Check.each(
            "decay times |theta - sum_i c_i grad f(x_i)|",
            torch.cat([group.identity for group in groups]),
            at_most=STATIONARY,
            tag="proved",
            math=r"$\lambda\, \|\theta - \sum_i c_i \nabla f(x_i)\|$",
            reason="it is the length of the gradient, which counts as zero below "
            "$10^{-6}$; training stops at $3 \\cdot 10^{-9}$ or after 60,000 steps",
            precision=True,
        ),
        Check.each(
            "(x_i, 1) and (tanh(W x_i + b), 1) outside the row spaces, over |gradient| "
            "/ (decay sigma_n)",
            spans,
            at_most=1.0,
            tag="proved",
            math=r"$(x_i, 1)$ and $(\tanh(W x_i + b), 1)$ outside the row spaces of "
            r"$[W\ b]$ and $[V\ c]$, over $\|\nabla\| / (\lambda \sigma_n)$",
            reason="Wedin's bound for what the gradient that is left turns a row space "
            "by, where the rank is $n$",
            precision=True,
        ),
    )


def _told(group: Outcome) -> Tensor:
    """`spans` where the rank is the number of points, which the proposition assumes."""
    ranks = torch.stack([group.rank, group.outer_rank])
    return group.spans[ranks == group.found.shape[1]]


def _recovered(few: Outcome, many: Outcome) -> tuple[Check, ...]:
    ranks = torch.cat(
        [few.rank == few.found.shape[1], many.rank == many.found.shape[1]]
    )
    nearest = torch.cat([few.held.amin(-1), many.held.amin(-1)])
    chance = torch.cat([few.drawn.amin(-1), many.drawn.amin(-1)])
    told = r"every point found within $1\,\%$, "
    return (
        Check.share(
            "the rank of the first layer is the number of points",
            ranks,
            least=0.95,
            tag="observed",
            reason="it cannot be larger; that it is not smaller was seen in all "
            "networks of a study on other seeds",
        ),
        Check.share(
            "every point found within 1 %, n = 6, K = 10",
            few.solved,
            least=0.9,
            tag="observed",
            math=told + "$n = 6$, $K = 10$",
            reason="nine of ten networks; in studies on other seeds about nineteen of "
            "twenty",
        ),
        Check.share(
            "every point found within 1 %, n = 10, K = 20",
            many.solved,
            least=0.9,
            tag="observed",
            math=told + "$n = 10$, $K = 20$",
            reason="nine of ten networks; in studies on other seeds nearly all",
        ),
        Check.share(
            "nearest of 100 held-out points to any training point at least 20 % away",
            nearest,
            at_least=FAR,
            least=0.9,
            tag="observed",
            math="nearest of 100 held-out points to any training point at least "
            r"$20\,\%$ away",
            reason="twenty times what counts as found",
            repeats=0.2,
        ),
        Check.share(
            "nearest of 100 random candidates to any training point at least 10 % away",
            chance,
            at_least=FAR / 2,
            least=0.9,
            tag="observed",
            math="nearest of 100 random candidates to any training point at least "
            r"$10\,\%$ away",
            reason="ten times what counts as found",
            repeats=0.3,
        ),
    )


def _counted(few: Outcome, onehot: Outcome) -> Check:
    """Whether the number of distinct neurons says which networks give all their points
    away.
    """
    agree = [group.enough == group.solved for group in (few, onehot)]
    return Check.share(
        "all points are found where there are more than 2 n - 2 distinct neurons, and "
        "only there",
        torch.cat(agree),
        least=0.85,
        tag="derived",
        math="all points are found where there are more than $2n - 2$ distinct "
        "neurons, and only there ($n = 6$, random and one-hot labels)",
        reason="the count of equations and unknowns, for equations in general "
        "position; near the border the search can miss a root, and neurons can be "
        "nearly the same",
    )


def _single(measured: Reconstructions) -> tuple[Check, ...]:
    single = measured.single
    return (
        Check.each(
            "one output: gradient at the same parameters for twin data",
            measured.twin_gap,
            at_most=STATIONARY,
            tag="proved",
            reason="the gradient counts as zero below $10^{-6}$, as for the true data",
            precision=True,
        ),
        Check.share(
            "one output: every twin point at least 20 % from its original",
            measured.twin_distance.amin(-1),
            at_least=FAR,
            least=0.9,
            tag="observed",
            math=r"one output: every twin point at least $20\,\%$ from its original",
            reason="twenty times what counts as found",
            repeats=0.3,
        ),
        Check.share(
            "one output: rank of the first layer below n",
            single.rank < single.found.shape[1],
            least=0.95,
            tag="observed",
            math="one output: rank of the first layer below $n$",
            reason="then other data have the same parameters; seen in all networks of "
            "a study on other seeds",
        ),
        Check.share(
            "one output: networks of which some point is found within 1 %",
            _truth((single.found < CLOSE).any(-1), single.found),
            at_least=1.0,
            most=0.1,
            tag="observed",
            math=r"one output: networks of which some point is found within $1\,\%$",
            reason="the data are not determined, so it would be an accident",
        ),
    )


def _noise(distances: Tensor) -> tuple[Check, ...]:
    """Distances (S, B, n) under noise of the sizes `NOISES`."""
    middle = distances.median(-1).values
    ratio = middle[1] / middle[0] * (NOISES[0] / NOISES[1])
    return (
        Check.share(
            "median error under noise of 1e-4 over that under 1e-6, over 100",
            ratio,
            equals=1.0,
            atol=0.5,
            least=0.9,
            tag="derived",
            math="median error under noise of $10^{-4}$ over that under $10^{-6}$, "
            "over $100$",
            reason="a simple root moves in proportion to the noise, to leading order; "
            "the same noise, so that only curvature and lost roots are left",
        ),
        Check.share(
            "networks of which every point is found within 1 %, noise of 1 % on theta",
            _truth((distances[-1] < CLOSE).all(-1), distances[-1]),
            at_least=1.0,
            most=0.1,
            tag="observed",
            math=r"networks of which every point is found within $1\,\%$, noise of "
            r"$1\,\%$ on $\theta$",
            reason="the roots move by more than their distance",
        ),
    )
