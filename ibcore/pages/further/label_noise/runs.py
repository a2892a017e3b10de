"""Training with noise in the labels: linear predictors beta = u^2 - v^2 and u^2, and
small networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from ibcore.dynamics.batches import with_replacement
from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Square
from ibcore.measures.sharpness import exact_trace
from ibcore.models.diagonal import Diagonal
from ibcore.models.network import Network
from ibcore.oracles.least_trace import TRACE, LeastTrace, least_trace, weights
from ibcore.pages.further.label_noise.noise import isotropic, signs
from ibcore.problems.sparse_regression import sparse_regression

EXAMPLES, FEATURES, SUPPORT = 40, 100, 5
SCALE = 0.5  # |(u_j, v_j)| at the start
STEP_SIZE, BATCH = 0.03, 15
STRENGTHS = (1.0, 2.0)
POLISHED = 1e-5  # the mean square below which a run counts as back at zero loss
_SETTLED = 5e-6  # where it ends, unless it is slow
_EXACT = 1e-14  # where runs without noise end
_MOST = 6_000

NET_EXAMPLES, NET_INPUTS, NET_WIDTH = 10, 4, 20
NET_STEP_SIZE, NET_BATCH, NET_STRENGTH = 0.02, 1, 1.5
NET_FITTED, NET_SETTLED = 1e-12, 1e-8
_NET_POLISH, _NET_POLISH_MOST = 0.1, 10_000

# Linear predictors


@dataclass(frozen=True)
class Sparse:
    """B regressions with beta >= 0 and then the same with signs: X (2 B, n, d), y (2 B,
    n), and their programs.
    """

    X: Tensor
    y: Tensor
    truth: Tensor
    least: tuple[LeastTrace, ...]

    @classmethod
    def draw(cls, seeds: Sequence[int], device: torch.device) -> Sparse:
        drawn = [
            sparse_regression(
                EXAMPLES, FEATURES, SUPPORT, torch.Generator().manual_seed(seed)
            )
            for seed in seeds
        ]
        X = torch.stack([data.X for data in drawn]).repeat(2, 1, 1)
        truth = torch.stack([data.truth for data in drawn])
        truth = torch.cat([truth.abs(), truth])
        y = (X @ truth[..., None])[..., 0]
        least = tuple(
            least_trace(inputs, targets, positive=k < len(seeds))
            for k, (inputs, targets) in enumerate(zip(X, y, strict=True))
        )
        return cls(X.to(device), y.to(device), truth.to(device), least)

    @property
    def start(self) -> Tensor:
        """u = 1/2 and v = 0 in the first half, u = v = 1/2 over the root of 2 in the
        second, (2 B, 2 d).
        """
        half, d = len(self.X) // 2, self.X.shape[-1]
        ones = self.X.new_ones(half, d)
        one = torch.cat([ones, 0 * ones], -1)
        both = torch.cat([ones, ones], -1) / math.sqrt(2)
        return SCALE * torch.cat([one, both])

    def objective(self, copies: int = 1) -> Objective:
        model = Diagonal(self.X.repeat(copies, 1, 1))
        return Objective(model, Square(), self.y.repeat(copies, 1), shared=False)


@dataclass(frozen=True)
class Noisy:
    """What training with R kinds of noise left on 2 B regressions, R = no noise,
    strengths, isotropic of the last.

    errors: (R, K, 2 B), distance to the solution of the program after `stops` steps
    with noise, K of them.
    theta, log_loss: (R, 2 B, 2 d) and (R, 2 B), back at zero loss.
    memory: (S, B), how far log |u_j v_j| fell in the regressions with signs under S
    strengths, mean over j.
    """

    stops: tuple[int, ...]
    errors: Tensor
    theta: Tensor
    log_loss: Tensor
    memory: Tensor
    broken: tuple[str, ...]


def noisy_stops(steps: int, count: int = 8) -> tuple[int, ...]:
    """So many even stops up to the last step."""
    return tuple(round(steps * k / count) for k in range(1, count + 1))


def train_sparse(data: Sparse, steps: int, seed: int) -> Noisy:
    """`steps` with noise from the start, then descent without until the loss is zero."""
    draws = [torch.Generator().manual_seed(seed + k) for k in range(4)]
    stops, members = noisy_stops(steps), len(data.X)
    start, kinds = data.start, len(STRENGTHS)
    strength = data.X.new_tensor(STRENGTHS).repeat_interleave(members)
    quiet = settled_without_noise(data, draws[0])
    many = data.objective(kinds), start.repeat(kinds, 1)
    runs = [
        with_label_noise(*many, strength, stops, draws[1]),
        with_label_noise(
            isotropic(data.objective(), start, draws[2]),
            start,
            strength[-members:],
            stops,
            draws[3],
        ),
    ]
    raw = torch.cat([run.last for run in runs])
    polished = polish(data.objective(kinds + 1), raw, data.X.repeat(kinds + 1, 1, 1))
    theta = torch.cat([quiet.last, polished.last]).unflatten(0, (-1, members))
    log_loss = torch.cat([quiet.last_log_loss, polished.last_log_loss])
    best = torch.stack([one.primal for one in data.least]).to(data.X)
    noisy = torch.cat([run.theta for run in runs], 1)
    distance = errors(noisy.unflatten(1, (-1, members)), best).movedim(0, 1)
    flat = errors(theta[:1], best)[:, None].expand(1, len(stops), members)
    return Noisy(
        stops,
        torch.cat([flat, distance]),
        theta,
        log_loss.unflatten(0, (-1, members)),
        lost_memory(start, raw[: kinds * members].unflatten(0, (kinds, -1))),
        tuple(why for run in (*runs, polished) for why in breakdowns(run)),
    )


def with_label_noise(
    objective: Objective,
    start: Tensor,
    strength: Tensor,
    stops: Sequence[int],
    generator: torch.Generator,
    *,
    step_size: float = STEP_SIZE,
    batch: int = BATCH,
) -> Run:
    """Descent on batches of `batch`, with label noise of strength (B,)."""
    return descend(
        objective,
        start,
        constant(step_size),
        steps=stops,
        batches=with_replacement(batch, generator),
        label_noise=signs(strength, generator),
        max_seconds=math.inf,
    )


def settled_without_noise(data: Sparse, generator: torch.Generator) -> Run:
    """The same without noise, which ends at zero loss."""
    return descend(
        data.objective(),
        data.start,
        constant(STEP_SIZE),
        batches=with_replacement(BATCH, generator),
        until=lambda point: point.log_loss <= math.log(_EXACT),
        ask_every=20,
        max_steps=_MOST,
        max_seconds=math.inf,
    )


def polish(objective: Objective, theta: Tensor, X: Tensor, most: int = _MOST) -> Run:
    """Descent with all examples, X (B, n, d), and no noise until the loss is zero, or
    `most` steps.

    No eigenvalue is above the trace of the Hessian, so that steps of 1.9 over it are
    stable.
    """
    finite = torch.isfinite(theta).all(-1)
    whole = torch.where(finite[:, None], theta, 1.0)
    run = descend(
        objective,
        whole,
        constant(1.9 / trace(X, whole)),
        until=lambda point: point.log_loss <= math.log(_SETTLED),
        ask_every=50,
        max_steps=most,
        max_seconds=math.inf,
    )
    last = torch.where(finite[:, None], run.last, math.nan)
    return replace(
        run,
        last=last,
        last_log_loss=torch.where(finite, run.last_log_loss, math.nan),
    )


def breakdowns(run: Run) -> tuple[str, ...]:
    """Why members ended although they did not arrive."""
    good = run.arrived | run.converged
    return tuple(
        why
        for why, fine in zip(run.status, good.tolist(), strict=True)
        if not fine and "limit" not in why
    )


def coefficients(theta: Tensor) -> Tensor:
    """beta (..., d) of (..., 2 d)."""
    u, v = theta.chunk(2, -1)
    return u.square() - v.square()


def trace(X: Tensor, theta: Tensor) -> Tensor:
    """8 sum_j c_j (u_j^2 + v_j^2) of theta (..., 2 d), the trace of the Hessian."""
    u, v = theta.chunk(2, -1)
    return TRACE * (weights(X) * (u.square() + v.square())).sum(-1)


def errors(theta: Tensor, best: Tensor) -> Tensor:
    """|beta - best| of theta (..., 2 d)."""
    return torch.linalg.vector_norm(coefficients(theta) - best, dim=-1)


def lost_memory(start: Tensor, raw: Tensor) -> Tensor:
    """How far log |u_j v_j| fell, mean over j, for the second half of the members of
    raw (S, 2 B, 2 d), (S, B).
    """
    half = len(start) // 2
    before, after = (
        (u * v).abs().log()
        for u, v in (part.chunk(2, -1) for part in (start[half:], raw[:, half:]))
    )
    return (before - after).mean(-1)


# Networks


@dataclass(frozen=True)
class Nets:
    """B regressions of ten random points (B, 10, 4) and targets (B, 10), and a start of
    a network for each, (B, P).
    """

    X: Tensor
    y: Tensor
    starts: Tensor

    @classmethod
    def draw(cls, seeds: Sequence[int], device: torch.device) -> Nets:
        parts: list[tuple[Tensor, Tensor, Tensor]] = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            X = torch.randn(
                NET_EXAMPLES, NET_INPUTS, generator=generator, dtype=torch.float64
            )
            y = torch.randn(NET_EXAMPLES, generator=generator, dtype=torch.float64)
            start = Network(X, (NET_WIDTH,)).initial(1, generator)[0]
            parts.append((X, y, start))
        X, y, starts = (
            torch.stack(part).to(device) for part in zip(*parts, strict=True)
        )
        return cls(X, y, starts)

    def objective(self, copies: int = 1) -> Objective:
        model = Network(self.X.repeat(copies, 1, 1), (NET_WIDTH,))
        return Objective(model, Square(), self.y.repeat(copies, 1), shared=False)


@dataclass(frozen=True)
class NetRuns:
    """Traces of networks (3, K + 1, B) that are back at zero loss after K numbers of
    steps with noise, `stops`.

    The kinds are no noise, label noise, isotropic noise; the first stop is the start of
    the noise. A trace is NaN where a network does not come back.
    log_loss: (3, K + 1, B) there.
    """

    stops: tuple[int, ...]
    traces: Tensor
    log_loss: Tensor
    broken: tuple[str, ...]


def train_nets(data: Nets, steps: int, seed: int, count: int) -> NetRuns:
    """Networks at zero loss, then `steps` of stochastic descent of each kind, and
    descent back to zero loss.
    """
    draws = [torch.Generator().manual_seed(seed + k) for k in range(3)]
    members, stops = len(data.X), noisy_stops(steps, count)
    fitted = back_to_zero(data.objective(), data.starts, NET_FITTED)
    start = fitted.last
    strength = start.new_tensor([0.0, NET_STRENGTH]).repeat_interleave(members)
    train = partial(with_label_noise, step_size=NET_STEP_SIZE, batch=NET_BATCH)
    both = data.objective(2), start.repeat(2, 1)
    runs = [
        train(*both, strength, stops, draws[0]),
        train(
            isotropic(data.objective(), start, draws[1]),
            start,
            strength[-members:],
            stops,
            draws[2],
        ),
    ]
    states = torch.cat([run.theta for run in runs], 1)
    states = torch.cat([start.repeat(3, 1)[None], states])
    objective = data.objective(3 * len(states))
    polished = back_to_zero(objective, states.flatten(0, 1), NET_SETTLED)
    traces = exact_trace(objective, polished.last)

    def by_kind(values: Tensor) -> Tensor:
        return values.unflatten(0, (len(states), 3, members)).movedim(1, 0)

    return NetRuns(
        (0, *stops),
        by_kind(torch.where(polished.converged, traces, math.nan)),
        by_kind(polished.last_log_loss),
        tuple(why for run in (fitted, *runs, polished) for why in breakdowns(run)),
    )


def back_to_zero(objective: Objective, theta: Tensor, loss: float) -> Run:
    """Descent with all examples and no noise until the loss is this small."""
    return descend(
        objective,
        theta,
        constant(_NET_POLISH),
        until=lambda point: point.log_loss <= math.log(loss),
        ask_every=50,
        max_steps=_NET_POLISH_MOST,
        max_seconds=math.inf,
    )
