"""The two parts of a decoder that is trained on next tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.trajectory import early_ends
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.multiclass import multiclass_max_margin
from ibcore.oracles.next_token import NextTokenLimit
from ibcore.pages.classification.logistic_regression.runs import (
    LEAST_RATE,
    LOG_10,
    OWN_RATE,
)
from ibcore.pages.since.attention_and_language.decoding import Training, limit_of
from ibcore.problems.next_tokens import (
    NextTokens,
    conflicting,
    counted,
    drawn_next_tokens,
)
from ibcore.validation import InvalidInput, real_tensor

VOCABULARY, FEATURES, SUPPORTS = 6, 5, (1, 2, 3, 2)
FACTOR, SHIFT = 1.5, 2.0
POWERS = (2, 3, 4, 5, 6, 7, 8)
LOG_TIMES = tuple(power * LOG_10 for power in POWERS)
LATE = (1e3, 1e4, 1e5)
_COMPATIBLE = 1e-12  # divergence at which log odds count as realized


@dataclass(frozen=True)
class Text:
    """Contexts with their limit, a start (V, d), and the same with a contradiction."""

    data: NextTokens
    limit: NextTokenLimit
    start: Tensor
    against: NextTokens
    against_limit: NextTokenLimit

    @classmethod
    def of(cls, data: NextTokens, start: Tensor) -> Text:
        """With both limits."""
        against = conflicting(data, FACTOR, SHIFT)
        return cls(data, limit_of(data), start, against, limit_of(against))

    @property
    def slowest(self) -> float:
        """The smaller rate at which the remainders of the two settle."""
        rates = [one.program.rate for one in (self.limit, self.against_limit)]
        return float(np.min(rates))


@dataclass(frozen=True)
class Texts:
    """Problems, and how many draws settle too slowly and were rejected."""

    drawn: tuple[Text, ...]
    rejected: int


@dataclass(frozen=True)
class Decoders:
    """What the flow on the cross entropy of N problems came to.

    certified: (N, 3), gap and violation of the margin program, and the gradient at the
    finite part.
    bounds: (K, N), the excess CE - H over its bound at t = 1e2 to 1e8.
    laws: (K, N), t (CE - H) / |W_mm|^2 there.
    odds: (K, N), largest error of the log odds of two tokens that follow.
    drifts: (K, N), t |W_F - W*| / |c|.
    late_laws, sines: (3, N), the same law, and sines of the angle to W_mm, at log t =
    1e3, 1e4 and 1e5.
    one_hot: (N,), angle in degrees to the solution for the most likely tokens at 1e5.
    against_odds, against_bounds, against_sines: (N,), (K, N), (N,), of data that
    contradict themselves: `odds` at t = 1e8, `bounds` with the infimum of CE in place
    of H, and `sines` at log t = 1e5.
    """

    certified: Tensor
    bounds: Tensor
    laws: Tensor
    odds: Tensor
    drifts: Tensor
    late_laws: Tensor
    sines: Tensor
    one_hot: Tensor
    against_odds: Tensor
    against_bounds: Tensor
    against_sines: Tensor
    rejected: int
    broken: tuple[str, ...]


def draw_texts(setting: Setting, *, texts: int) -> Texts:
    """`texts` problems whose remainder settles like t^-0.005 or faster."""
    kept, rejected = setting.draw(texts, "next tokens", _drawn)
    return Texts(tuple(kept), rejected)


def _drawn(generator: torch.Generator) -> Text | None:
    data = drawn_next_tokens(VOCABULARY, FEATURES, SUPPORTS, generator)
    start = torch.randn(data.size, generator=generator, dtype=torch.float64)
    text = Text.of(data, start)
    return text if text.slowest >= LEAST_RATE else None


def own_texts(setting: Setting, X: object, y: object, *, texts: int) -> Texts:
    """`texts` random starts on a reader's contexts X (n, d), equal rows for equal
    contexts, and next tokens y (n,), whole numbers from 0 on. Contexts are scaled to mean
    square 1.

    Raises `InvalidInput` for malformed data, log odds that contradict each other, no
    context that two tokens follow, and data that settle too slowly; `NotSeparable`
    where no decoder has the margins.
    """
    inputs = real_tensor("X", X, ndim=2).double()
    size = inputs.square().mean().sqrt()
    data = counted(inputs / size if size > 0 else inputs, y)
    text = Text.of(data, torch.zeros(data.size, dtype=torch.float64))
    if text.limit.divergence > _COMPATIBLE:
        raise InvalidInput(
            "no decoder realizes the log odds of X, y: the cross entropy stays "
            f"{text.limit.divergence:.2g} above the entropy. Take more dimensions than "
            "there are contexts."
        )
    rate = text.slowest
    if not rate >= OWN_RATE:
        raise InvalidInput(
            f"the flow on these data settles like t^-{rate:.2g}, too slowly for the "
            f"times of the claim, which needs t^-{OWN_RATE:g} or faster."
        )
    starts = [
        torch.randn(data.size, generator=torch.Generator().manual_seed(seed)).double()
        for seed in setting.seeds(texts, "next tokens, own data")
    ]
    against = (text.against, text.against_limit)
    return Texts(tuple(Text(data, text.limit, W, *against) for W in starts), 0)


def measure_decoders(texts: Texts, setting: Setting) -> Decoders:  # noqa: ARG001
    """The flow to t = 1e8, and off F from there to log t = 1e5."""
    drawn = texts.drawn
    runs = [
        Training.run(one.data, one.limit, one.start, LOG_TIMES, LATE) for one in drawn
    ]
    others = [
        Training.run(one.against, one.against_limit, one.start, LOG_TIMES, LATE)
        for one in drawn
    ]
    limits = [one.limit for one in drawn]
    certified = [
        (one.program.gap, one.program.violation, one.gradient_norm) for one in limits
    ]
    return Decoders(
        torch.tensor(certified).double(),
        torch.stack([run.bounds for run in runs], 1),
        torch.stack([run.laws for run in runs], 1),
        torch.stack([run.odds for run in runs], 1),
        torch.stack([run.drifts for run in runs], 1),
        torch.stack([run.late_laws for run in runs], 1),
        torch.stack([run.sines for run in runs], 1),
        torch.stack(
            [
                _one_hot(one.data, run.late[-1])
                for one, run in zip(drawn, runs, strict=True)
            ]
        ),
        torch.stack([run.odds[-1] for run in others]),
        torch.stack([run.bounds for run in others], 1),
        torch.stack([run.sines[-1] for run in others]),
        texts.rejected,
        early_ends("flow", *runs) + early_ends("contradicting data", *others),
    )


def _one_hot(data: NextTokens, decoder: Tensor) -> Tensor:
    """Angle to the multiclass solution for the most likely tokens in degrees, ()."""
    best = multiclass_max_margin(data.contexts, data.shares.argmax(1), data.size[0])
    u, v = decoder.flatten(), best.primal
    return torch.rad2deg(torch.acos((u @ v / (u.norm() * v.norm())).clamp(-1, 1)))


@claim(
    kind="theorem",
    source="Thrampoulidis 2024, Theorem 2 (read), for gradient descent; the limits and "
    "the bound of the flow are proved, and the rates derived, on the page",
    statement="A linear decoder $W$ on fixed contexts $h_j$, trained on the cross "
    "entropy of next tokens, where some decoder realizes the log odds of the tokens "
    "that follow each context, and some decoder keeps these level and all others "
    "behind. Gradient flow from any start realizes the log odds in the limit, by the "
    "unique solution in the span $F$ of their differences; off $F$ it diverges in the "
    r"direction of the hard-margin solution $W_{\mathrm{mm}}$, and $t$ times the cross "
    r"entropy above the entropy tends to $\|W_{\mathrm{mm}}\|_F^2$.",
    quick={"texts": 8},
    book={"texts": 12},
    full={"texts": 200},
    draw=draw_texts,
    measure=measure_decoders,
    own=own_texts,
)
def next_token_margin(measured: Decoders) -> Evidence:
    """Both parts of the decoder, the loss, and data that contradict themselves."""
    checks = (
        _bound(measured.bounds),
        *_inside(measured.odds[-1], measured.drifts[POWERS.index(6)]),
        *_laws(measured.laws[-1], measured.late_laws[-1]),
        _direction(measured.sines[-1]),
        _one_hot_apart(measured.one_hot),
        *_contradiction(measured.against_bounds, measured.against_sines),
        _certificate(measured.certified),
    )
    control = Control(
        "one context more, which contradicts another: the same tokens, 1.5 times the "
        "vector, other log odds",
        Check.share(
            "largest error of the log odds at most 0.1, t = 1e8",
            measured.against_odds,
            at_most=0.1,
            most=0.25,
            tag="derived",
            math="largest error of the log odds at most $0.1$, $t = 10^8$",
            reason="two log odds that differ by 2 from what they would have to be to "
            "each other leave an error of 0.8 at least, whatever the decoder",
        ),
        math="one context more, which contradicts another: the same tokens, $1.5$ "
        "times the vector, other log odds",
    )
    notes = {
        "data sets": len(measured.one_hot),
        "rejected (rate below 0.005)": measured.rejected,
    }
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _bound(bounds: Tensor) -> Check:
    """Excess of the cross entropy over its bound, (K, N)."""
    return Check.each(
        "excess of the cross entropy over its bound, t = 1e2 to 1e8",
        bounds.amax(0),
        at_most=1,
        tag="proved",
        math="excess of the cross entropy over its bound, $t$ from $10^2$ to $10^8$",
        reason=r"proved on the page: a multiple of $\log^2 t/t$; both parts of the "
        "decoder follow",
    )


def _inside(odds: Tensor, drifts: Tensor) -> tuple[Check, ...]:
    """Errors of log odds at t = 1e8, and t |W_F - W*| / |c| at t = 1e6, (N,)."""
    return (
        Check.share(
            "largest error of the log odds at most 1e-5, t = 1e8",
            odds,
            at_most=1e-5,
            least=0.9,
            tag="proved",
            math="largest error of the log odds at most $10^{-5}$, $t = 10^8$",
            reason=r"proved to vanish, derived to fall like $1/t$ with a factor of the "
            "data that is above $10^3$ for few of them",
            precision=True,
        ),
        Check.share(
            "t |W_F - W*| over the predicted |c| within 20 % of 1, t = 1e6",
            drifts,
            equals=1,
            atol=0.2,
            least=0.9,
            tag="derived",
            math=r"$t\,\|W_F - W^*\|/\|c\|$ within 20 % of 1, $t = 10^6$",
            reason=r"the derivation leaves out $t^{-\kappa}$, with $\kappa$ the rate at "
            "which the part of the decoder off $F$ settles; for small rates it is not "
            "small",
        ),
    )


def _laws(early: Tensor, late: Tensor) -> tuple[Check, ...]:
    """t (CE - H) / |W_mm|^2 at t = 1e8 and at log t = 1e5, (N,)."""
    return (
        Check.share(
            "t (CE - H) over |W_mm|^2 within 2 % of 1, t = 1e8",
            early,
            equals=1,
            atol=0.02,
            least=0.9,
            tag="derived",
            math=r"$t\,(\mathrm{CE} - H)/\|W_{\mathrm{mm}}\|_F^2$ within 2 % of 1, $t = "
            "10^8$",
            reason=r"the remainder falls like $t^{-2\kappa}$, with $\kappa$ the rate at "
            "which the part of the decoder off $F$ settles; for small rates it is not "
            "small; below 1 % on 50 data sets",
        ),
        Check.each(
            "the same at log t = 1e5, F held from t = 1e8 on",
            late,
            equals=1,
            atol=1e-3,
            tag="derived",
            math=r"the same at $\log t = 10^5$, $F$ held from $t = 10^8$ on",
            reason=r"the flow's tolerance of $10^{-8}$ times $\log t = 10^5$; the "
            "remainder is far below",
            precision=True,
        ),
    )


def _direction(sines: Tensor) -> Check:
    return Check.largest(
        "sin of the angle to W_mm at log t = 1e5",
        sines,
        at_most=1e-4,
        growth=0.25,
        tag="proved",
        math=r"$\sin\angle(W, W_{\mathrm{mm}})$ at $\log t = 10^5$",
        reason=r"$C/\log t$; the theorem does not bound $C$, which stayed below 4 on 50 "
        "data sets",
    )


def _one_hot_apart(angles: Tensor) -> Check:
    return Check.share(
        "angle to the multiclass solution for the most likely tokens at least 20 degrees",
        angles,
        at_least=20,
        least=0.9,
        tag="observed",
        math=r"angle to the multiclass solution for the most likely tokens at least "
        r"$20^\circ$",
        reason="two other programs; no theorem says how far apart they are",
    )


def _contradiction(bounds: Tensor, sines: Tensor) -> tuple[Check, ...]:
    """Of data that contradict themselves, (K, N) and (N,)."""
    return (
        Check.each(
            "contradicting data: CE less its infimum over the bound, t = 1e2 to 1e8",
            bounds.amax(0),
            at_most=1,
            tag="proved",
            math="contradicting data: CE less its infimum over the bound, $t$ from "
            "$10^2$ to $10^8$",
            reason="the same proof, with the infimum, which Newton's method finds, in "
            "place of the entropy",
        ),
        Check.largest(
            "contradicting data: sin of the angle to W_mm at log t = 1e5",
            sines,
            at_most=1e-4,
            growth=0.25,
            tag="proved",
            math=r"contradicting data: $\sin\angle(W, W_{\mathrm{mm}})$ at $\log t = 10^5$",
            reason=r"$C/\log t$ as above: off $F$ nothing changes",
        ),
    )


def _certificate(certified: Tensor) -> Check:
    return Check.each(
        "margin program: relative gap or violation; gradient at the finite part",
        certified.abs(),
        at_most=1e-10,
        tag="derived",
        reason="duality and rounding",
        precision=True,
    )
