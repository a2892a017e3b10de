"""Networks with many neurons reach the largest margin in variation norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.classification.homogeneous_networks.two_layer_margins.networks import (
    wide_start,
)
from ibcore.pages.classification.homogeneous_networks.two_layer_margins.wide import (
    STOPS,
    Batch,
    Certified,
    batch,
    clusters,
    exponents,
    gaps,
    groups,
    output_layer_only,
    own_points,
)

NARROW = (
    10  # a width at which part of the starts leave some point to no neuron of its sign
)
FEW = (STOPS[0], *STOPS[-3:])  # the stops of the further narrow networks


@dataclass(frozen=True)
class Problems:
    """Networks of many `widths` on certified problems, further ones of width `NARROW`,
    and starts with fixed features.

    batches: by groups of widths.      fixed: (1, P), one a problem.
    """

    certified: tuple[Certified, ...]
    rejected: int
    widths: tuple[int, ...]
    batches: tuple[Batch, ...]
    fixed: tuple[Tensor, ...]
    narrow: Batch


@dataclass(frozen=True)
class Widths:
    """Gaps of trained networks to the largest margin in variation norm, on D problems.

    rates: predicted exponents (D,).      seen: (W, R), whether a start sees every point
    with a neuron of its sign.
    gaps: (K, W, R) at the losses `STOPS`, of R runs a width, NaN where the flow has not
    come there.
    narrow_seen, narrow_gaps: (N,) and (4, N), the same for further networks of width
    `NARROW`, at the losses `FEW`.
    sines, shares: (D,), with the output layer alone trained, see `output_layer_only`.
    """

    problems: tuple[Certified, ...]
    rejected: int
    widths: tuple[int, ...]
    rates: Tensor
    seen: Tensor
    gaps: Tensor
    narrow_seen: Tensor
    narrow_gaps: Tensor
    sines: Tensor
    shares: Tensor

    @property
    def ends(self) -> Ends:
        """The networks whose start sees every point."""
        runs = self.gaps.shape[-1] // len(self.rates)
        allowed = bars(self.rates).repeat_interleave(runs).expand_as(self.seen)
        ratios = exponents(self.rates, self.gaps)
        return Ends(self.gaps[-1][self.seen], allowed[self.seen], ratios[self.seen])

    @property
    def narrow(self) -> Ends:
        """The further narrow networks whose start sees every point."""
        seen, ratios = self.narrow_seen, exponents(self.rates, self.narrow_gaps)
        return Ends(self.narrow_gaps[-1][seen], self._narrow_bars()[seen], ratios[seen])

    def narrow_shares(self) -> dict[str, float]:
        """Of all further narrow networks: seen, within their bars, and never at the
        first stop, seen or not.
        """
        never = self.narrow_gaps[0].isnan()
        kinds = {
            "seen": self.narrow_seen,
            "best": self.narrow_gaps[-1] <= self._narrow_bars(),
            "never": never,
            "never though seen": never & self.narrow_seen,
        }
        return {name: float(kind.double().mean()) for name, kind in kinds.items()}

    def _narrow_bars(self) -> Tensor:
        each = len(self.narrow_seen) // len(self.rates)
        return bars(self.rates).repeat_interleave(each)


@dataclass(frozen=True)
class Ends:
    """Of networks that see all points at the start: gaps, their bars, exponents over
    their predictions, (N,) each.
    """

    gaps: Tensor
    bars: Tensor
    ratios: Tensor


def draw_problems(
    setting: Setting, *, datasets: int, starts: int, widths: Sequence[int], narrow: int
) -> Problems:
    """Four clusters of two points each."""
    certified, rejected = clusters(setting, datasets)
    return _problems(setting, certified, rejected, starts, widths, narrow)


def own_problem(
    setting: Setting,
    X: object,
    y: object,
    *,
    datasets: int,  # noqa: ARG001
    starts: int,
    widths: Sequence[int],
    narrow: int,
) -> Problems:
    """Networks on a reader's points X (n, 2) of the plane with labels y (n,) in {-1,
    +1}.
    """
    return _problems(setting, [own_points(X, y)], 0, starts, widths, narrow)


def _problems(
    setting: Setting,
    certified: Sequence[Certified],
    rejected: int,
    starts: int,
    widths: Sequence[int],
    narrow: int,
) -> Problems:
    generator = torch.Generator().manual_seed(setting.seeds(1, "wide starts")[0])
    batches = [batch(certified, group, starts, generator) for group in groups(widths)]
    fixed = [wide_start(max(widths), 1, generator) for _ in certified]
    further = batch(certified, [NARROW], narrow, generator)
    return Problems(
        tuple(certified),
        rejected,
        tuple(widths),
        tuple(batches),
        tuple(fixed),
        further,
    )


def measure_widths(problems: Problems, setting: Setting) -> Widths:
    """Gradient flow down to log L = -1e10; with the output layer alone to -1e6."""
    certified, device = problems.certified, setting.device
    each = problems.batches
    count = sum(len(nets.theta) for nets in each) // len(problems.widths)
    seen = torch.cat([nets.seen().view(-1, count) for nets in each])
    trained = [gaps(nets, STOPS, device).unflatten(1, (-1, count)) for nets in each]
    pairs = zip(certified, problems.fixed, strict=True)
    fixed = torch.tensor(
        [output_layer_only(problem, start) for problem, start in pairs],
        dtype=torch.float64,
    )
    return Widths(
        certified,
        problems.rejected,
        problems.widths,
        torch.tensor([one.rate for one in certified], dtype=torch.float64),
        seen,
        torch.cat(trained, 1),
        problems.narrow.seen(),
        gaps(problems.narrow, FEW, device),
        *fixed.T,
    )


def bars(rates: Tensor) -> Tensor:
    """What the rate leaves at log L = -1e10 of a gap of a tenth at log L = -1, and 1e-8
    at least, (D,).
    """
    return torch.clamp(0.1 * 10 ** (-10 * rates), min=1e-8)


@claim(
    kind="theorem",
    source="Chizat and Bach 2020 (abstract read, theorem recalled: infinite width, "
    "given that the flow converges); finite widths are observed; for the output layer "
    "alone Soudry et al. 2018",
    statement="Both layers of an infinitely wide two-layer network with differentiable "
    "features, started balanced and with neurons of both signs in every direction, and "
    "trained by gradient flow on an exponential tail, maximize the margin in variation "
    "norm, if the flow converges; with the output layer alone trained, the margin of a "
    "kernel. Finite ReLU networks in the plane do so from starts at which every point "
    "is seen by a neuron of its sign.",
    quick={"datasets": 8, "starts": 1, "widths": [30, 100], "narrow": 3},
    book={"datasets": 8, "starts": 1, "widths": [10, 30, 100, 1000], "narrow": 4},
    full={
        "datasets": 50,
        "starts": 10,
        "widths": [10, 30, 100, 300, 1000, 3000],
        "narrow": 16,
    },
    draw=draw_problems,
    measure=measure_widths,
    own=own_problem,
)
def wide_2nn_f1_margin(measured: Widths) -> Evidence:
    """Normalized margins of trained networks of many widths over the certified largest
    one.
    """
    wide = measured.ends
    checks = (
        _oracle([problem.best.gap for problem in measured.problems]),
        *_reached("all points seen at the start", wide),
        *_reached(
            f"further networks of width {NARROW}, all points seen", measured.narrow
        ),
        _below(wide.gaps),
        _fixed_features(measured.sines),
    )
    control = Control(
        "only output layer trained",
        Check.share(
            "gap to the variation-norm margin at most 1e-2",
            1 - measured.shares,
            at_most=1e-2,
            most=0.25,
            tag="observed",
            math="gap to the variation-norm margin at most $10^{-2}$",
            reason="thousands of times the bars of the claim",
        ),
    )
    notes: dict[str, float | int | str] = {
        "data sets": len(measured.problems),
        "rejected (optimal neuron within 0.02 of a kink)": measured.rejected,
        "networks": measured.seen.numel(),
        "of these, every point seen by a neuron of its sign": int(measured.seen.sum()),
        f"further networks of width {NARROW}": len(measured.narrow_seen),
        "of these further ones, every point seen": int(measured.narrow_seen.sum()),
    }
    return Evidence(checks, control, notes=notes, broken=_unreached(measured))


def _unreached(measured: Widths) -> tuple[str, ...]:
    """Which networks that see all points at the start did not come to the last stop."""
    lost = measured.gaps[-1].isnan() & measured.seen
    return tuple(
        f"width {measured.widths[column]}, run {run}: the flow did not reach log L = "
        f"{STOPS[-1]:g}"
        for column, run in lost.nonzero().tolist()
    )


def _oracle(certified: Sequence[float]) -> Check:
    """Of the oracle's own gaps, one a problem."""
    return Check.each(
        "relative gap of the oracle: program against exact dual",
        certified,
        at_most=1e-8,
        tag="derived",
        reason="weak duality; tolerance of the solver",
        precision=True,
    )


def _reached(name: str, ends: Ends) -> tuple[Check, Check]:
    """Whether networks come to the largest margin at log L = -1e10, and as fast as
    predicted.
    """
    return (
        Check.share(
            f"{name}: gap to the variation-norm margin at log L = -1e10 within its bar",
            ends.gaps - ends.bars,
            at_most=0,
            least=0.9,
            tag="observed",
            math=f"{name}: gap to the variation-norm margin at $\\log L = -10^{{10}}$ "
            "within its bar",
            reason=r"the theorem is for infinite width. With the rate $\kappa$ that "
            r"the data predict, a gap of a tenth at $\log L = -1$ has become $10^{-1 - "
            r"10 \kappa}$; $10^{-8}$ is the oracle's own gap",
        ),
        Check.share(
            f"{name}: exponent over the predicted rate at least 0.95",
            ends.ratios,
            at_least=0.95,
            least=0.9,
            tag="derived",
            reason="the slowest mode of the linearization; a start may hold little of "
            "it, and a gap that reaches rounding ends low",
        ),
    )


def _below(found: Tensor) -> Check:
    return Check.share(
        "no network beats the oracle by more than 1e-8",
        found,
        at_least=-1e-8,
        least=0.9,
        tag="derived",
        math="no network beats the oracle by more than $10^{-8}$",
        reason="weak duality; the oracle's own gap",
        precision=True,
    )


def _fixed_features(sines: Tensor) -> Check:
    return Check.each(
        "only output layer trained: sin of the angle to its own max margin",
        sines,
        at_most=1e-4,
        tag="proved",
        math=r"only output layer trained: $\sin\angle$ to its own max margin",
        reason=r"$C/\log\frac1L$ at $\log L = -10^6$, with a constant of the data",
    )
