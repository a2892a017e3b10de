"""Gradient flow of a network with one hidden ReLU layer, through its kinks.

Let z_ij = w_j . x_i + b_j be what neuron j receives from input i. While no z_ij changes
its sign the flow is smooth, and an explicit method of order 8 follows it. A step ends
where some z_ij comes to zero. What happens there is decided by the two speeds of z_ij,
with the input counted as active and as silent: if both lead on, the kink is crossed. If
both lead back, the flow *slides* along z_ij = 0, with the share p_ij in [0, 1] of the
gradient of input i for which z_ij stays zero. Then - d theta/dt is in the Clarke
subdifferential of the loss, and by this it is defined (Filippov 1988). A pair leaves
the kink where its share leaves [0, 1].

Three limits. A slide is kept where a_j passes through 0, although the kink then repels
and both sides could be entered as well: from there the flow is not unique, and descent
ends where its step size happens to take it. Kinks of one neuron that are met at the
same time are decided one after the other; equal inputs count as one. Of a z_ij that
crosses its kink and returns within a step, a cubic through both ends of the step has to
tell.

What a run keeps is first of all its list of events, as long as it happens to become,
and steps end on the stops: there is nothing for `ibcore.dynamics.recorder` to do. Why
it ended is said in the words of all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.dynamics.tableaus import DORMAND_PRINCE_8
from ibcore.dynamics.trajectory import (
    NOT_FINITE,
    REACHED,
    UNDERFLOW,
    broke_down,
    step_limit,
    wall_limit,
)
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_number,
    real_number,
    real_tensor,
)

Array = NDArray[np.float64]
Sides = NDArray[np.bool_]
_ROUNDING = 1e-14  # distance beyond a kink, relative to 1 + |x_i| |w_j|, at which it counts as met
_ON, _OFF, _SLIDE = "on", "off", "slide"


@dataclass(frozen=True)
class KinkEvent:
    """At `time`, `neuron` j and `example` i met the kink and are then `on` (active),
    `off` or on the `slide`.
    """

    time: float
    neuron: int
    example: int
    then: str


@dataclass(frozen=True)
class KinkedRun:
    """Where one flow went.

    path: (K, P) states at the stops, NaN where the run ended before.   events: all
    meetings with a kink, in order.
    status: `reached the last stop`, or what cut it short.   steps: accepted.
    """

    path: Tensor
    events: tuple[KinkEvent, ...]
    status: str
    steps: int

    @property
    def complete(self) -> bool:
        return self.status == REACHED

    def count(self, then: str) -> int:
        """How many meetings ended `on`, `off` or on the `slide`."""
        return sum(event.then == then for event in self.events)


@threads()
def kinked_flow(
    X: object,
    y: object,
    theta: object,
    *,
    times: Sequence[float],
    decay: float = 0.0,
    tolerance: float = 1e-10,
    max_steps: int = 100_000,
    max_seconds: float = math.inf,
) -> KinkedRun:
    """Gradient flow of (1/n) sum_i (f(x_i) - y_i)^2 + (decay/2) |theta|^2 from `theta`
    (P,) to the last of `times`.

    f(x) = sum_j a_j max(0, w_j . x + b_j) + c, with theta in the order of
    `ibcore.models.network.Network`: the w_j (m d), b (m), a (m) and c, so that P = m (d
    + 2) + 1.   X: (n, d).   y: (n,).   times: rising, above 0.
    tolerance: of the local error, relative to each entry and to 1.
    Raises `InvalidInput` for shapes that do not fit and for times out of order.
    """
    inputs = real_tensor("X", X, ndim=2).detach().cpu().double().numpy()
    labels = real_tensor("y", y, ndim=1).detach().cpu().double().numpy()
    start = real_tensor("theta", theta, ndim=1).detach().cpu().double().numpy()
    width, rest = divmod(len(start) - 1, inputs.shape[1] + 2)
    if rest or width < 1 or len(labels) != len(inputs):
        raise InvalidInput(
            f"X {inputs.shape}, y {labels.shape} and theta {start.shape} do not fit: "
            "expected y (n,) and theta (m (d + 2) + 1,)."
        )
    stops = np.asarray(times, dtype=float)
    if stops.ndim != 1 or not len(stops) or (np.diff(stops, prepend=0.0) <= 0).any():
        raise InvalidInput("times do not rise from above 0; sort them.")
    examples, weights, means = _distinct(inputs, labels)
    net = _Network(inputs[examples], means, weights, width, real_number("decay", decay))
    own = np.empty_like(start)
    own[net.places] = start
    run = _Run(net, own, positive_number("tolerance", tolerance), examples)
    path = np.full((len(stops), len(start)), np.nan)
    try:
        with np.errstate(all="ignore"):
            status = run.follow(stops, path, max_steps, max_seconds)
    except np.linalg.LinAlgError as error:
        status = broke_down(f"inputs that slide together are dependent ({error})")
    states = torch.from_numpy(path[:, net.places])
    return KinkedRun(states, tuple(run.events), status, run.steps)


def _distinct(X: Array, y: Array) -> tuple[NDArray[np.intp], Array, Array]:
    """Where each distinct input stands first, its share of all examples, and the mean
    of its labels.

    The flow of these is that of all: (f - y)^2 + (f - y')^2 = 2 (f - (y + y')/2)^2 and
    a constant.
    """
    _, first, which, counts = np.unique(
        X + 0.0, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    means = np.bincount(which.ravel(), weights=y) / counts
    order = first.argsort()
    return first[order], counts[order] / len(y), means[order]


class _Network:
    """The field of the flow, given which pairs (input, neuron) are active and which
    slide, (n, m) each.

    The state has the rows (w_j, b_j), then a and c; `places` says where the entries of
    theta are in it.
    """

    def __init__(
        self, X: Array, y: Array, weights: Array, width: int, decay: float
    ) -> None:
        self.inputs = np.column_stack([X, np.ones(len(X))])
        self.y, self.weights, self.width, self.decay = y, weights, width, decay
        self.lengths = np.linalg.norm(self.inputs, axis=1)
        self.rows = width * self.inputs.shape[1]
        rows = np.arange(self.rows).reshape(width, -1)
        rest = np.arange(self.rows, self.rows + width + 1)
        self.places = np.concatenate([rows[:, :-1].ravel(), rows[:, -1], rest])

    def parts(self, theta: Array) -> tuple[Array, Array, float]:
        """(w_j, b_j) as rows (m, d + 1), a (m,) and c."""
        rows = theta[: self.rows].reshape(self.width, -1)
        return rows, theta[self.rows : -1], float(theta[-1])

    def received(self, theta: Array) -> Array:
        """z (n, m)."""
        return np.asarray(self.inputs @ self.parts(theta)[0].T)

    def field(self, theta: Array, on: Sides, slide: Sides) -> Array:
        """d theta/dt."""
        rows, out, shift = self.parts(theta)
        active = on * (self.inputs @ rows.T)
        push = -2 * self.weights * (active @ out + shift - self.y)
        turn = (on * push[:, None]).T @ self.inputs * out[:, None] - self.decay * rows
        for j in np.flatnonzero(slide.any(0)) if slide.any() else ():
            kinks = self.inputs[slide[:, j]]
            turn[j] -= kinks.T @ np.linalg.solve(kinks @ kinks.T, kinks @ turn[j])
        lift = push @ active - self.decay * out
        last = push.sum() - self.decay * shift
        return np.concatenate([turn.ravel(), lift, [last]])

    def shares(self, theta: Array, on: Sides, slide: Sides) -> Array:
        """p_ij of the pairs that slide, (n, m), and 1/2 for the others."""
        shares = np.full(slide.shape, 0.5)
        rows, out, shift = self.parts(theta)
        push = np.where(on, self.inputs @ rows.T, 0.0) @ out + shift - self.y
        push *= -2 * self.weights
        for j in np.flatnonzero(slide.any(0)):
            which = slide[:, j]
            kinks = self.inputs[which]
            turn = (on[:, j] * push) @ self.inputs * out[j] - self.decay * rows[j]
            force = np.linalg.solve(kinks @ kinks.T, kinks @ turn)
            shares[which, j] = -force / (out[j] * push[which])
        return shares

    def speeds(self, theta: Array, on: Sides, slide: Sides) -> Array:
        """d z_ij/dt, (n, m)."""
        return self.received(self.field(theta, on, slide))

    def room(self, theta: Array, on: Sides, slide: Sides) -> Array:
        """(n, m), below 0 where a pair is beyond its kink, or slides with a share
        outside [0, 1].
        """
        z = self.received(theta)
        room = np.where(on, z, -z)
        if slide.any():
            shares = self.shares(theta, on, slide)
            room = np.where(slide, np.minimum(shares, 1 - shares), room)
        sizes = 1 + np.linalg.norm(self.parts(theta)[0], axis=1)
        return np.asarray(room + _ROUNDING * sizes * self.lengths[:, None])


class _Run:
    """The state of one integration."""

    def __init__(
        self,
        net: _Network,
        theta: Array,
        tolerance: float,
        examples: NDArray[np.intp],
    ) -> None:
        self.net, self.theta, self.tolerance = net, theta.copy(), tolerance
        self.examples = examples
        self.t, self.h, self.steps = 0.0, 1e-3, 0
        self.on = net.received(theta) > 0
        self.slide = np.zeros_like(self.on)
        self.events: list[KinkEvent] = []

    def follow(
        self, stops: Array, path: Array, max_steps: int, max_seconds: float
    ) -> str:
        """Step to the last stop; the reason why it ended."""
        deadline = time.perf_counter() + max_seconds
        for number, stop in enumerate(stops):
            while self.t < stop:
                if self.steps == max_steps:
                    return step_limit(max_steps)
                if time.perf_counter() > deadline:
                    return wall_limit(max_seconds)
                if reason := self._advance(stop):
                    return reason
            path[number] = self.theta
        return REACHED

    def _advance(self, stop: float) -> str:
        """One accepted step, to a kink at the most; the reason why there is none."""
        while True:
            h = min(self.h, stop - self.t)
            end, error = self._try(h)
            if not math.isfinite(error):
                return NOT_FINITE
            factor = min(5.0, max(0.2, 0.9 * max(error, 1e-10) ** (-1 / 8)))
            if error <= 1:
                break
            self.h = h * factor
            if self.t + self.h == self.t:
                return UNDERFLOW
        h, end, room = self._first_dip(h, end)
        if room.min() < 0:
            h, end, room = self._meet(h, end, room)
            self._move(h, end)
            self._switch(np.argwhere(room < 0))
        else:
            self._move(h, end, last=h == stop - self.t, stop=stop)
            self.h = max(self.h, h * factor)
        return ""

    def _first_dip(self, h: float, end: Array) -> tuple[float, Array, Array]:
        """A step of length h with its room, or a shorter one that ends where a pair is
        beyond its kink for a while.

        Of a pair that nears its kink at the start of the step and leaves it at the end,
        the cubic with these values and speeds has one minimum on the way.
        """
        net, sides = self.net, (self.on, self.slide)
        room, inward = net.room(end, *sides), np.where(self.on, h, -h)
        first = inward * net.speeds(self.theta, *sides)
        last = inward * net.speeds(end, *sides)
        turns = ~self.slide & (first < 0) & (last > 0)
        if room.min() < 0 or not turns.any():
            return h, end, room
        before = net.room(self.theta, *sides)[turns]
        rise, first, last = room[turns] - before, first[turns], last[turns]
        bend, twist = 3 * rise - 2 * first - last, first + last - 2 * rise
        where = -first / (bend + np.sqrt(bend**2 - 3 * first * twist))
        least = before + where * (first + where * (bend + where * twist))
        if least.min() < 0:
            early = h * float(where[least.argmin()])
            point, _ = self._try(early)
            there = net.room(point, *sides)
            if there.min() < 0:
                return early, point, there
        return h, end, room

    def _move(
        self, h: float, end: Array, *, last: bool = False, stop: float = 0.0
    ) -> None:
        self.t = stop if last else self.t + h
        self.theta, self.steps = end, self.steps + 1

    def _try(self, h: float) -> tuple[Array, float]:
        """The end of a step of length h, and its error over the tolerance."""
        pair, stages = DORMAND_PRINCE_8, np.empty((12, len(self.theta)))
        for k, row in enumerate(pair.a):
            point = self.theta + h * (row[:k] @ stages[:k])
            stages[k] = self.net.field(point, self.on, self.slide)
        end = self.theta + h * (pair.b @ stages)
        scale = self.tolerance * (1 + np.maximum(np.abs(self.theta), np.abs(end)))
        fifth = np.square(pair.e5[:12] @ stages / scale).mean()
        third = np.square(pair.e3[:12] @ stages / scale).mean()
        return end, h * fifth / math.sqrt(max(fifth + 0.01 * third, 1e-300))

    def _meet(self, h: float, end: Array, room: Array) -> tuple[float, Array, Array]:
        """The shortest step after which a pair is beyond its kink by no more than
        rounding, its end and its room.
        """
        low, before = 0.0, self.net.room(self.theta, self.on, self.slide)
        for tries in range(200):
            pair = np.unravel_index(room.argmin(), room.shape)
            if room[pair] > -_ROUNDING or h - low <= 1e-15 * max(self.t, h):
                break
            share = max(before[pair], 0.0) / (max(before[pair], 0.0) - room[pair])
            share = 0.5 if tries % 3 == 2 else min(max(share, 1e-3), 0.999)
            middle = low + share * (h - low)
            point, _ = self._try(middle)
            there = self.net.room(point, self.on, self.slide)
            if there.min() < 0:
                h, end, room = middle, point, there
            else:
                low, before = middle, there
        return h, end, room

    def _switch(self, pairs: NDArray[np.intp]) -> None:
        """What pairs at their kink do next."""
        for pair in map(tuple, pairs):
            if self.slide[pair]:
                self._release(pair)
                continue
            was = bool(self.on[pair])
            self.on[pair] = not was
            onward = self.net.speeds(self.theta, self.on, self.slide)[pair]
            if (onward > 0) == was:
                self.on[pair], self.slide[pair] = False, True
            self._note(pair)
            self._settle(pair[1])

    def _release(self, pair: tuple) -> None:
        """End the slide of a pair on the side that its share says."""
        shares = self.net.shares(self.theta, self.on, self.slide)
        self.slide[pair], self.on[pair] = False, bool(shares[pair] > 0.5)
        self._note(pair)
        self._settle(pair[1])

    def _settle(self, neuron: int) -> None:
        """Other pairs of the neuron that can no longer slide."""
        for _ in range(len(self.on)):
            shares = self.net.shares(self.theta, self.on, self.slide)[:, neuron]
            outside = self.slide[:, neuron] & (np.abs(shares - 0.5) > 0.5 + 1e-9)
            if not outside.any():
                return
            example = int(np.argmax(outside))
            self.slide[example, neuron] = False
            self.on[example, neuron] = bool(shares[example] > 0.5)
            self._note((example, neuron))

    def _note(self, pair: tuple) -> None:
        then = _SLIDE if self.slide[pair] else _ON if self.on[pair] else _OFF
        example = int(self.examples[pair[0]])
        self.events.append(KinkEvent(float(self.t), int(pair[1]), example, then))
