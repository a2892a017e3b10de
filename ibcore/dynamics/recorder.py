"""The stops of a run, what a batch of runs keeps at them, each member at its own pace,
and why each of them ends: for all engines of this folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, real_tensor


@dataclass(frozen=True)
class Stops:
    """Rising values (K,) of one variable: log t itself, or -log L."""

    variable: str
    values: Tensor

    @classmethod
    def of(cls, log_loss: object, log_time: object, like: Tensor) -> Stops:
        """Stops of exactly one variable, natural logarithms, in the dtype and on the
        device of `like`.

        Raises `InvalidInput` for none or both, and for times that do not rise or losses
        that do not fall.
        """
        if (log_loss is None) == (log_time is None):
            raise InvalidInput(
                "the flow got both or neither of log_loss and log_time; pass the stops "
                "in exactly one of them."
            )
        by_time = log_time is not None
        variable, given = ("log_time", log_time) if by_time else ("log_loss", log_loss)
        values = torch.atleast_1d(real_tensor(variable, given)).to(like)
        rising = values if by_time else -values
        if rising.ndim != 1 or bool((rising.diff() <= 0).any()):
            raise InvalidInput(
                f"{variable} has stops that do not {'rise' if by_time else 'fall'}; "
                "sort them and drop repetitions."
            )
        return cls(variable, rising)

    @property
    def by_time(self) -> bool:
        return self.variable == "log_time"


class Recorder:
    """What B members keep at K stops: one tensor (K, B, ...) a quantity, NaN where a
    stop was not reached.

    kept: the quantities known beforehand, and the seconds.      seen: those whose
    shapes show when they are first seen.
    """

    def __init__(self, stops: Tensor, like: Mapping[str, Tensor]) -> None:
        """`like` has an example (B, ...) of each quantity; the seconds since the
        beginning are kept as well.
        """
        batch = len(next(iter(like.values())))
        self.stops = stops
        self.next = torch.zeros(batch, dtype=torch.long, device=stops.device)
        self.kept = {
            name: stops.new_full((len(stops), *one.shape), torch.nan)
            for name, one in like.items()
        }
        self.kept["seconds"] = stops.new_full((len(stops), batch), torch.nan)
        self.seen: dict[str, Tensor] = {}
        self.began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.perf_counter() - self.began

    @property
    def pending(self) -> Tensor:
        """Members with a stop ahead of them, (B,)."""
        return self.next < len(self.stops)

    @property
    def target(self) -> Tensor:
        """The next stop of every member, the last one of those that came to it, (B,)."""
        return self.stops[self.next.clamp(max=len(self.stops) - 1)]

    def keep(self, members: Tensor, values: Mapping[str, Tensor]) -> None:
        """Record `values` (B, ...) of the `members` (B,) that stand on their next stop."""
        rows = (members & self.pending).nonzero()[:, 0]
        self.keep_rows(rows, {name: value[rows] for name, value in values.items()})

    def keep_rows(
        self,
        rows: Tensor,
        values: Mapping[str, Tensor | float],
        seen: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Record `values` (A, ...), or one for all, of the members `rows` (A,), each of
        which stands on its next stop, and what was `seen` of them besides.
        """
        places = self.next[rows]
        for name, value in {**values, "seconds": self.seconds}.items():
            kept = self.kept[name]
            kept[places, rows] = torch.as_tensor(value, dtype=kept.dtype).to(kept)
        for name, value in (seen or {}).items():
            if name not in self.seen:
                shape = (len(self.stops), len(self.next), *value.shape[1:])
                self.seen[name] = value.new_full(shape, torch.nan)
            self.seen[name][places, rows] = value
        self.next[rows] += 1

    def keep_arrived(
        self,
        arrived: Callable[[Tensor], Tensor],
        values: Mapping[str, Tensor],
    ) -> Tensor:
        """Record members as long as `arrived` says of stops (B,) who stands on them;
        who met the last one, (B,).
        """
        before = self.pending
        while bool((here := arrived(self.target) & self.pending).any()):
            self.keep(here, values)
        return before & ~self.pending


class Ends:
    """Which of B members still run, and in what words the others ended."""

    def __init__(self, members: Tensor, running: str = "") -> None:
        """`members` has one entry a member; `running` is the status of those that have
        not ended.
        """
        self.active = torch.ones(len(members), dtype=torch.bool, device=members.device)
        self._words = [running]
        self._which = torch.zeros_like(self.active, dtype=torch.long)

    def end(self, members: Tensor, status: str) -> None:
        """End those of `members` (B,) that run."""
        self.say(members & self.active, status)

    def end_each(self, members: Tensor, status: Callable[[int], str]) -> None:
        """The same, with a `status` for each."""
        rows = (members & self.active).nonzero()[:, 0]
        first = len(self._words)
        self._words += [status(member) for member in rows.tolist()]
        self._which[rows] = torch.arange(first, len(self._words)).to(rows)
        self.active[rows] = False

    def say(self, members: Tensor, status: str) -> None:
        """End `members` (B,) or, where they have ended, say it in other words."""
        self.end_rows(members.nonzero()[:, 0], status)

    def end_rows(self, rows: Tensor, status: str) -> None:
        """End the members `rows` (A,)."""
        if len(rows):
            self._words.append(status)
            self._which[rows] = len(self._words) - 1
            self.active[rows] = False

    @property
    def status(self) -> tuple[str, ...]:
        """One of every member."""
        return tuple(self._words[which] for which in self._which.tolist())


class Drift:
    """The largest change of each invariant along a run, relative to the larger of its
    start and 1, (B,).
    """

    def __init__(
        self, invariants: Mapping[str, Callable[[Tensor], Tensor]], theta: Tensor
    ) -> None:
        self.invariants = dict(invariants)
        self.start = {name: law(theta) for name, law in self.invariants.items()}
        self.largest = {name: theta.new_zeros(len(theta)) for name in self.invariants}

    def watch(self, theta: Tensor) -> None:
        """Look at the parameters (B, P)."""
        for name, law in self.invariants.items():
            start = self.start[name]
            change = ((law(theta) - start) / start.abs().clamp_min(1)).abs()
            worst = change.reshape(len(change), -1).amax(-1)
            self.largest[name] = torch.maximum(self.largest[name], worst)
