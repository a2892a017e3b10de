"""The claims of the survey: one module per page, one function per claim.

A claim is a function `name_with_underscores(setting, **sizes) -> Evidence` under the decorator
`claim`. Its id is the name with hyphens and its page the path of its module below `ibcore.claims`.
"""

from __future__ import annotations

import importlib
import pkgutil
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch

from ibcore.evidence import Evidence
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
    """Where and on which randomness a claim runs."""

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
        """`count` independent seeds for `purpose`, the same in every preset and on every device."""
        entropy = np.random.SeedSequence([self.seed, zlib.crc32(purpose.encode())])
        return [
            int(word)
            for word in entropy.generate_state(count, np.uint64) >> np.uint64(1)
        ]

    def draw(
        self, count: int, purpose: str, keep: Callable[[torch.Generator], Kept | None]
    ) -> tuple[list[Kept], int]:
        """The first `count` draws for which `keep` returns something, as what it returned, and how many it rejected.

        `keep` draws from the generator it is given and returns None where a stated condition is broken. Raises
        `RuntimeError` where fewer than one draw in 200 meets the condition.
        """
        kept: list[Kept] = []
        for tried, seed in enumerate(self.seeds(200 * count, purpose), start=1):
            found = keep(torch.Generator().manual_seed(seed))
            if found is not None:
                kept.append(found)
            if len(kept) == count:
                return kept, tried - count
        raise RuntimeError(
            f"only {len(kept)} of {200 * count} draws for '{purpose}' met their condition."
        )


@dataclass(frozen=True)
class Verdict:
    """The evidence for one claim together with what it was run on."""

    claim: Claim
    setting: Setting
    evidence: Evidence
    seconds: float

    @property
    def data(self) -> Mapping[str, Any]:
        """Arrays behind the numbers, for figures."""
        return self.evidence.data

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
    """A statement with its source and the function that puts it to the test.

    statement: what holds, in words, with formulas in LaTeX between dollar signs.
    """

    id: str
    page: str
    kind: str
    source: str
    statement: str
    sizes: Mapping[str, Mapping[str, Any]]
    experiment: Callable[..., Evidence]

    def verify(self, setting: Setting | None = None, **override: Any) -> Verdict:
        """Run the claim at the sizes of the setting's preset; `override` replaces single sizes."""
        setting = setting or Setting()
        known = self.sizes[setting.preset]
        unknown = set(override) - set(known)
        if unknown:
            raise InvalidInput(
                f"claim {self.id} has no size {', '.join(sorted(unknown))}; "
                f"its sizes are {', '.join(known)}."
            )
        start = time.perf_counter()
        with threads():
            evidence = self.experiment(setting, **{**known, **override})
        if self.kind == "theorem" and not any(
            check.tag == "proved" for check in evidence.checks
        ):
            raise ValueError(
                f"claim {self.id} is called a theorem, and none of its checks is tagged 'proved'."
            )
        return Verdict(self, setting, evidence, time.perf_counter() - start)


_REGISTRY: dict[str, Claim] = {}


def claim(
    *,
    kind: str,
    source: str,
    statement: str,
    quick: Mapping[str, Any],
    book: Mapping[str, Any],
    full: Mapping[str, Any],
) -> Callable[[Callable[..., Evidence]], Claim]:
    """Register the function below as a claim; `quick`, `book` and `full` are its keyword sizes."""
    one_of("kind", kind, KINDS)

    def register(experiment: Callable[..., Evidence]) -> Claim:
        identifier = experiment.__name__.replace("_", "-")
        page = experiment.__module__.removeprefix(f"{__name__}.").replace(".", "/")
        entry = Claim(
            identifier,
            page,
            kind,
            source,
            statement,
            {"quick": quick, "book": book, "full": full},
            experiment,
        )
        _REGISTRY[identifier] = entry
        return entry

    return register


def all_claims() -> dict[str, Claim]:
    """Every claim of the survey by its id, in the order of the pages."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    return dict(sorted(_REGISTRY.items(), key=lambda item: PAGES.index(item[1].page)))


PAGES = (
    "introduction",
    "double_descent",
    "classification/logistic_regression",
    "classification/linear_networks/fully_connected",
    "classification/linear_networks/diagonal_and_convolutional",
    "classification/homogeneous_networks/kkt_points",
    "classification/homogeneous_networks/two_layer_margins",
    "classification/homogeneous_networks/simple_predictors",
    "classification/homogeneous_networks/margin_bounds",
    "classification/extensions/optimizers",
    "classification/extensions/losses_and_paths",
    "classification/extensions/mirror_descent",
    "regression/linear_regression",
    "regression/linear_networks/diagonal_networks",
    "regression/linear_networks/convolutional_and_fully_connected",
    "regression/matrix_factorization/nuclear_norm",
    "regression/matrix_factorization/greedy_low_rank",
    "regression/matrix_factorization/norm_to_infinity",
    "regression/nonlinear_networks/monotone_neurons",
    "regression/nonlinear_networks/relu_neuron",
)
