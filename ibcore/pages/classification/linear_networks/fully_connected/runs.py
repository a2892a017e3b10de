"""Problems of the page on fully connected linear networks, and gradient flow on the
layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.protocols import TailLoss
from ibcore.dynamics.trajectory import Trajectory, broke_down
from ibcore.measures.rates import slope
from ibcore.models.deep_linear import DeepLinear, random_start
from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.oracles.support_vectors import distinctness, offset_at_loss, spans
from ibcore.problems.separable import Classification, planted_margin
from ibcore.validation import InvalidInput, binary_data

POINTS, FEATURES, WIDTH = 10, 5, 5
SCALE = 0.2  # of the start: layers with singular values up to about 2 SCALE
DISTINCT = 0.02  # least difference, as a sine, between support vectors and others
SETTLED = 2  # the stop from which laws are read off
LEVELS = (-1e2, -1e4, -1e7, -1e10)
BEFORE = broke_down("its earlier phase did not end")

Solved = tuple[Classification, MaxMargin]


@dataclass(frozen=True)
class Batch:
    """B problems with their max-margin solutions: signed inputs (B, n, d), w_hat (B,
    d), duals (B, n).

    spanned: (B,), whether the support vectors span the input space.
    offsets: (B,), the limit of sin(angle to w_hat) log(1/L) where they do.
    certified: (B,), relative gap or violation of each program, the larger of both.
    depths: of the networks.      rejected, surplus: draws that were left out.
    """

    signed: Tensor
    w_hat: Tensor
    duals: Tensor
    spanned: Tensor
    offsets: Tensor
    certified: Tensor
    depths: tuple[int, ...]
    rejected: int
    surplus: int

    @classmethod
    def draw(
        cls, setting: Setting, each: int, purpose: str, depths: Sequence[int]
    ) -> Batch:
        """`each` problems whose support vectors span the space, then as many where they
        do not.

        Draws with a point that is distinct by less than `DISTINCT` are rejected: there
        the direction passes through a second law before it settles (derived on the
        page).
        """
        kept: dict[bool, list[Solved]] = {True: [], False: []}
        rejected = surplus = 0
        for seed in setting.seeds(100 * (each + 1), purpose):
            generator = torch.Generator().manual_seed(seed)
            problem = planted_margin(POINTS, FEATURES, 0.1, generator)
            solution = max_margin(problem.X, problem.y)
            kind = spans(problem.signed, solution.dual)
            if float(distinctness(problem.signed, solution.dual).min()) < DISTINCT:
                rejected += 1
            elif len(kept[kind]) == each:
                surplus += 1
            else:
                kept[kind].append((problem, solution))
            if all(len(pairs) == each for pairs in kept.values()):
                break
        solved = kept[True] + kept[False]
        return cls._of(solved, setting.device, depths, rejected, surplus)

    @classmethod
    def own(
        cls,
        setting: Setting,
        X: object,
        y: object,
        starts: int,
        depths: Sequence[int],
    ) -> Batch:
        """A reader's X (n, d) and y (n,), over the root mean square of X, for as many
        `starts`.

        Raises `InvalidInput` for malformed and `NotSeparable` for inseparable ones.
        """
        inputs, labels = binary_data(X, y)
        size = inputs.square().mean().sqrt()
        data = Classification(inputs / size if size > 0 else inputs, labels)
        solved = [(data, max_margin(data.X, data.y))] * starts
        return cls._of(solved, setting.device, depths, 0, 0)

    @classmethod
    def _of(
        cls,
        solved: Sequence[Solved],
        device: torch.device,
        depths: Sequence[int],
        rejected: int,
        surplus: int,
    ) -> Batch:
        if min(depths) < 1 or max(depths) < 2:
            raise InvalidInput(
                f"depths are {tuple(depths)}, expected numbers of layers, one of them "
                "above 1."
            )
        data, optima = zip(*solved, strict=True)
        signed = torch.stack([one.signed for one in data])
        duals = torch.stack([best.dual for best in optima])
        pairs = list(zip(signed, duals, strict=True))
        certificates = signed.new_tensor([(s.gap, s.violation) for s in optima])
        return cls(
            signed.to(device),
            torch.stack([best.primal for best in optima]).to(device),
            duals.to(device),
            torch.tensor([spans(*pair) for pair in pairs], device=device),
            torch.stack([offset_angle(*pair) for pair in solved]).to(device),
            certificates.amax(-1),
            tuple(depths),
            rejected,
            surplus,
        )

    def __len__(self) -> int:
        return len(self.signed)

    @property
    def notes(self) -> dict[str, float | int | str]:
        """Counts that a reader must know."""
        return {
            "problems": len(self),
            "rejected (distinct by less than 0.02)": self.rejected,
            "left out (enough of their kind)": self.surplus,
        }

    @property
    def deepest(self) -> int:
        """The largest of the depths."""
        depths = self.depths
        return max(depths)

    def network(self, depth: int) -> DeepLinear:
        """The network of `depth` whose outputs are the margins of all problems."""
        return DeepLinear(self.signed, (WIDTH,) * (depth - 1))


def offset_angle(data: Classification, best: MaxMargin) -> Tensor:
    """The limit of sin(angle to w_hat) log(1/L) if the support vectors span the space."""
    offset = offset_at_loss(data.signed, best.dual)
    axis = best.primal / best.primal.norm()
    return (offset - (offset @ axis) * axis).norm() * best.margin


def random_starts(
    setting: Setting, model: DeepLinear, count: int, scale: float, purpose: str
) -> Tensor:
    """Gaussian layers, (count, P), others for every depth."""
    seed = setting.seeds(1, f"{purpose} {model.degree}")[0]
    return random_start(model, count, scale, torch.Generator().manual_seed(seed))


def follow(
    model: DeepLinear,
    loss: TailLoss,
    start: Tensor,
    levels: Sequence[float] | float,
    **options: Any,
) -> Trajectory:
    """Gradient flow on the layers from `start` (B, P) to `levels` of log L."""
    return flow(model, loss, start, log_loss=levels, max_seconds=math.inf, **options)


def follow_on(
    model: DeepLinear,
    loss: TailLoss,
    theta: Tensor,
    spare: Tensor,
    levels: Sequence[float],
) -> Trajectory:
    """The flow from `theta` (B, P) on; members that broke down before, NaN in `theta`,
    stay NaN.

    spare: (B, P), what runs in their place, for the flow refuses NaN.
    """
    whole = theta.isfinite().all(-1)
    run = follow(model, loss, theta.where(whole[:, None], spare), levels)
    status = (s if w else BEFORE for s, w in zip(run.status, whole, strict=True))
    return replace(
        run,
        status=tuple(status),
        theta=run.theta.masked_fill(~whole[:, None], math.nan),
        log_loss=run.log_loss.masked_fill(~whole, math.nan),
        log_time=run.log_time.masked_fill(~whole, math.nan),
    )


def exponents(log_loss: Tensor, values: Tensor) -> Tensor:
    """Slopes of log `values` (K, B) against log log(1/L) from log L = -1e7 to -1e10,
    (B,).
    """
    sizes, late = -log_loss[SETTLED:], values[SETTLED:]
    return slope(sizes.log().T, late.log().T)


def corrections(log_loss: Tensor, depth: int, points: int) -> Tensor:
    """How far depth * exponent may be from its law, (B,), by what the laws leave out
    where exponents are read off.

    Relative to sigma_1^2, which grows like M^(2/depth) with M = log 1/L, the imbalances
    count, at most (2 SCALE)^2; relative to M the log n between M and the margins.
    """
    size = -log_loss[SETTLED]
    return (2 * SCALE) ** 2 * size ** (-2 / depth) + math.log(points) / size
