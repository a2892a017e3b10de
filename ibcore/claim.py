"""What a claim is: a statement with its source, and an experiment in three steps that
puts it to the test.

Draw, measure, judge. Problems are drawn at random, or are a reader's own; a measurement
is a frozen record of arrays on the CPU, which can be saved; the judgment is a pure
function of it.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch

from ibcore.evidence import LEAST_MEMBERS, Evidence
from ibcore.measured import on_cpu
from ibcore.threads import threads
from ibcore.validation import (
    PRESETS,
    InvalidInput,
    one_of,
    pick_device,
    positive_integer,
)

Kept = TypeVar("Kept")
KINDS = ("theorem", "empirical", "open")


@dataclass(frozen=True)
class Setting:
    """Where and on which randomness a claim runs.

    preset: the sizes of the experiment, `quick`, `book` or `full`.
    seed: any integer from 0 on.
    device: where tensors are; `Setting.create` takes it in words.

    `Setting.create` raises `InvalidInput` for an unknown preset, a seed below 0 and a
    device that is not there.

    >>> from ibcore import Setting
    >>> Setting("book", seed=7).seeds(2, "data") == Setting(seed=7).seeds(2, "data")
    True
    """

    preset: str = "quick"
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @classmethod
    def create(
        cls, preset: str = "quick", seed: int = 0, device: str = "auto"
    ) -> Setting:
        """A setting from words; raises `InvalidInput` for an unknown preset or device."""
        one_of("preset", preset, PRESETS)
        return cls(preset, positive_integer("seed", seed, least=0), pick_device(device))

    def seeds(self, count: int, purpose: str) -> list[int]:
        """`count` independent seeds for `purpose`, the same in every preset and on
        every device.
        """
        entropy = np.random.SeedSequence([self.seed, zlib.crc32(purpose.encode())])
        return [
            int(word)
            for word in entropy.generate_state(count, np.uint64) >> np.uint64(1)
        ]

    def draw(
        self, count: int, purpose: str, keep: Callable[[torch.Generator], Kept | None]
    ) -> tuple[list[Kept], int]:
        """The first `count` draws for which `keep` returns something, as what it
        returned, and how many it rejected.

        `keep` draws from the generator it is given and returns None where a stated
        condition is broken. Raises `RuntimeError` where fewer than one draw in 200
        meets the condition.
        """
        kept: list[Kept] = []
        for tried, seed in enumerate(self.seeds(200 * count, purpose), start=1):
            found = keep(torch.Generator().manual_seed(seed))
            if found is not None:
                kept.append(found)
            if len(kept) == count:
                return kept, tried - count
        raise RuntimeError(
            f"only {len(kept)} of {200 * count} draws for '{purpose}' met their "
            "condition."
        )


@dataclass(frozen=True)
class Verdict:
    """The evidence for one claim together with what it was run on, and what was
    measured if it is kept.

    `stands` says whether every check holds and the control is refuted, `data` has the
    arrays behind the numbers, and `as_dict()` is the record that `ibcore verify --json`
    prints.

    >>> from ibcore import all_claims
    >>> verdict = all_claims()["gd-convex-rate"].verify(steps=20)
    >>> verdict.stands, verdict.as_dict()["control"]["refuted"]
    (True, True)
    """

    claim: Claim
    setting: Setting
    evidence: Evidence
    seconds: float
    measured: Any = None

    @property
    def stands(self) -> bool:
        """Every check holds and the control is refuted."""
        return self.evidence.holds and self.evidence.control.refuted

    def as_dict(self) -> dict[str, Any]:
        """The record that `ibcore verify --json` prints."""
        control = self.evidence.control
        failure = control.failure.as_dict()
        del failure["holds"]
        return {
            "id": self.claim.id,
            "page": self.claim.page,
            "kind": self.claim.kind,
            "holds": self.evidence.holds,
            "checks": [check.as_dict() for check in self.evidence.checks],
            "control": {
                **failure,
                "name": control.name,
                "threshold": control.failure.predicted,
                "refuted": control.refuted,
            },
            "notes": dict(self.evidence.notes),
            "broken": list(self.evidence.broken),
            "seed": self.setting.seed,
            "preset": self.setting.preset,
            "device": self.setting.device.type,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Claim:
    """A statement with its source and what puts it to the test.

    statement: what holds, in words, with formulas in LaTeX between dollar signs.
    draw, measure, judge: the three steps. Problems are draw(setting, **sizes);
        measure(problems, setting) is what was measured on them; judge(measured) is the
        evidence.
    own: problems from a reader's data, own(setting, X, y, **sizes), for claims whose
    truth is not planted.

    >>> from ibcore import all_claims
    >>> claim = all_claims()["gd-convex-rate"]
    >>> claim.kind, claim.own is None
    ('theorem', True)
    """

    id: str
    page: str
    kind: str
    source: str
    statement: str
    sizes: Mapping[str, Mapping[str, Any]]
    draw: Callable[..., Any]
    measure: Callable[[Any, Setting], Any]
    judge: Callable[[Any], Evidence]
    own: Callable[..., Any] | None = None

    def verify(
        self,
        setting: Setting | None = None,
        *,
        data: tuple[object, object] | None = None,
        **override: Any,
    ) -> Verdict:
        """Run the claim at the sizes of the setting's preset; `override` replaces
        single sizes.

        data: a reader's own X (n, d) and y (n,) in place of drawn problems. There are
        few members then, so that a share says what happened on these data and no more.

        Raises `InvalidInput` for unknown sizes, sizes with too few members for a share,
        and data that the claim does not take.

        A theorem holds at any seed:

        >>> from ibcore import Setting, all_claims
        >>> all_claims()["gd-convex-rate"].verify(Setting(seed=7), steps=20).stands
        True
        """
        setting = setting or Setting()
        sizes = self._sizes(setting, override)
        start = time.perf_counter()
        with threads():
            problems = self.problems(setting, data, **sizes)
            measured = on_cpu(self.measure(problems, setting))
            evidence = self.judge(measured)
        if data is None:
            self._enough(evidence)
        return Verdict(self, setting, evidence, time.perf_counter() - start, measured)

    def problems(
        self,
        setting: Setting,
        data: tuple[object, object] | None = None,
        **override: Any,
    ) -> Any:
        """What the claim measures: problems that it draws, or those of a reader's X and
        y.

        Raises `InvalidInput` for data where the claim takes none, or not these.
        """
        sizes = self._sizes(setting, override)
        if data is None:
            return self.draw(setting, **sizes)
        if self.own is None:
            raise InvalidInput(
                f"claim {self.id} takes no data: what it predicts is known of problems "
                "that it draws itself."
            )
        return self.own(setting, *data, **sizes)

    def _sizes(self, setting: Setting, override: Mapping[str, Any]) -> dict[str, Any]:
        known = self.sizes[setting.preset]
        unknown = set(override) - set(known)
        if unknown:
            raise InvalidInput(
                f"claim {self.id} has no size {', '.join(sorted(unknown))}; its sizes "
                f"are {', '.join(known)}."
            )
        return {**known, **override}

    def _enough(self, evidence: Evidence) -> None:
        """What a check asks of its members, and a theorem of its checks."""
        for check in (*evidence.checks, evidence.control.failure):
            if check.stated is not None and check.members < LEAST_MEMBERS:
                raise InvalidInput(
                    f"'{check.name}' is a share of {check.members} members, expected "
                    f"at least {LEAST_MEMBERS}. Pass larger sizes."
                )
        tags = {check.tag for check in evidence.checks}
        if self.kind == "theorem" and "proved" not in tags:
            raise ValueError(
                f"claim {self.id} is called a theorem, and none of its checks is "
                "tagged 'proved'."
            )


REGISTRY: dict[str, Claim] = {}


def claim(
    *,
    kind: str,
    source: str,
    statement: str,
    quick: Mapping[str, Any],
    book: Mapping[str, Any],
    full: Mapping[str, Any],
    draw: Callable[..., Any],
    measure: Callable[[Any, Setting], Any],
    own: Callable[..., Any] | None = None,
) -> Callable[[Callable[..., Evidence]], Claim]:
    """Register the function below as a claim; `quick`, `book` and `full` are the
    keyword sizes of its draw.

    The function is the judgment of what was measured. See `Claim`.
    """
    one_of("kind", kind, KINDS)

    def register(judge: Callable[[Any], Evidence]) -> Claim:
        identifier = judge.__name__.replace("_", "-")
        entry = Claim(
            identifier,
            page_of(judge.__module__),
            kind,
            source,
            statement,
            {"quick": quick, "book": book, "full": full},
            draw,
            measure,
            judge,
            own,
        )
        REGISTRY[identifier] = entry
        return entry

    return register


def page_of(module: str) -> str:
    """The page whose claims a module holds: its room below `ibcore.pages`.

    In a room the claims stand in `claims.py`, or in the modules of a folder `claims`.
    """
    below = module.removeprefix("ibcore.pages.").partition(".claims")[0]
    return below.replace(".", "/")
