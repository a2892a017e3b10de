"""The map of scale and accuracy, its certificate, its two ends and the line between
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.classification.linear_networks.diagonal.maps import (
    TIMES,
    Problem,
    ScaleMap,
    contrasting,
    scale_map,
)
from ibcore.validation import InvalidInput

NEEDED = (1.0, 10.0, 100.0)  # scales that the checks name


@dataclass(frozen=True)
class Problems:
    """Problems, the scales alpha of the starts, and how many draws were rejected."""

    drawn: tuple[Problem, ...]
    scales: tuple[float, ...]
    rejected: int


@dataclass(frozen=True)
class ScaleMaps:
    """Maps of M problems over scales (S,) and accuracies log(1/L) (K,).

    broken: why runs and programs broke down.
    """

    scales: Tensor
    accuracies: Tensor
    maps: tuple[ScaleMap, ...]
    rejected: int
    broken: tuple[str, ...]

    def stacked(self, name: str) -> Tensor:
        """One field of all maps, (M, ...)."""
        return torch.stack([getattr(one, name) for one in self.maps])

    def column(self, scale: float) -> int:
        """The column of a scale."""
        return self.scales.tolist().index(scale)

    @property
    def rich(self) -> Tensor:
        """l1 margins over the largest, at the last stop for scales up to 1, (M, R)."""
        return self.stacked("ratios")[:, -1, self.scales <= 1]


def draw_problems(
    setting: Setting, *, datasets: int, scales: Sequence[float]
) -> Problems:
    """Six points in ten dimensions, see `contrasting`; raises `InvalidInput` where one
    of the scales 1, 10 and 100 is missing.
    """
    if not set(NEEDED) <= set(scales):
        raise InvalidInput(
            f"scales are {tuple(scales)}, expected 1, 10 and 100 among them."
        )
    drawn = [contrasting(setting, k) for k in range(datasets)]
    return Problems(
        tuple(problem for problem, _ in drawn),
        tuple(map(float, scales)),
        sum(rejected for _, rejected in drawn),
    )


def measure_maps(problems: Problems, setting: Setting) -> ScaleMaps:
    """Every problem at every scale and every accuracy of `TIMES`."""
    found = [
        scale_map(problem, problems.scales, setting.device)
        for problem in problems.drawn
    ]
    return ScaleMaps(
        torch.tensor(problems.scales, dtype=torch.float64),
        -torch.tensor(TIMES, dtype=torch.float64),
        tuple(one for one, _ in found),
        problems.rejected,
        tuple(reason for _, broken in found for reason in broken),
    )


@claim(
    kind="theorem",
    source="Moroshko, Woodworth, Gunasekar, Lee, Srebro and Soudry 2020 (recalled: the "
    "three limits), with Woodworth et al. 2020 for Q; the limits and the certificate "
    "are proved on the page",
    statement=r"A two-layer diagonal network that starts at $u = v = \alpha$ "
    r"minimizes, at every moment, the Woodworth function $Q_\alpha$ among the "
    r"predictors with at least its margins. As $L \to 0$ its direction is the $\ell_2$ "
    r"max-margin direction if $\log(1/L) / \alpha^2 \to 0$, the $\ell_1$ one if that "
    r"ratio grows without bound and $1/\alpha$ more slowly than every power of "
    r"$\log(1/L)$, and for $\alpha \to \infty$ at a fixed ratio the minimizer of "
    r"$Q_\alpha$ at equal margins, on data whose dual variables do not fall.",
    quick={"datasets": 1, "scales": (1.0, 10.0, 100.0)},
    book={"datasets": 1, "scales": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)},
    full={
        "datasets": 20,
        "scales": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
    },
    draw=draw_problems,
    measure=measure_maps,
)
def diag_init_scale_vs_accuracy(measured: ScaleMaps) -> Evidence:
    """The map of scale and accuracy, its certificate, its two ends and the line between
    them.
    """
    ratios, loose = measured.stacked("ratios"), measured.stacked("loose")
    checks = (
        *_certificate(measured.stacked("missing"), measured.stacked("residuals")),
        *_ends(
            measured.stacked("to_l2")[:, 4, measured.column(100.0)],
            1 - ratios[:, -1, measured.column(1.0)],
        ),
        _as_proved(measured.rich, measured.stacked("guaranteed")),
        *_between(measured.stacked("to_woodworth")),
        _tight(loose[:, -1] / loose[:, 2]),
    )
    notes = {
        "data sets": len(measured.maps),
        r"rejected ($\ell_2$ solution above 0.9 of the $\ell_1$ margin, or falling "
        "duals)": measured.rejected,
    }
    control = _depth_three(measured.stacked("deep"))
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _certificate(missing: Tensor, residuals: Tensor) -> tuple[Check, ...]:
    """The Woodworth programs (M, 3), and the optimality condition along every run (M,
    K, S).
    """
    return (
        Check.each(
            "Woodworth programs: relative gap or violation",
            missing,
            at_most=1e-8,
            tag="derived",
            math="$Q_\\alpha$ programs: relative gap or violation",
            reason="the tolerance asked of the solver",
            precision=True,
        ),
        Check.each(
            "asinh(beta / 2 alpha^2) in the cone of the data: residual, log L = -1 to "
            "-25",
            residuals[:, :3],
            at_most=1e-6,
            tag="proved",
            math=r"$\operatorname{asinh}(\beta / 2 \alpha^2)$ in the cone of the data: "
            r"residual, $\log L = -1$ to $-25$",
            reason=r"explicit steps at the tolerance $10^{-8}$, some hundred of them",
            precision=True,
        ),
        Check.each(
            "the same, log L = -1e2 to -1e6 (implicit steps)",
            residuals[:, 3:],
            at_most=1e-3,
            tag="proved",
            math=r"the same, $\log L = -10^2$ to $-10^6$ (implicit steps)",
            reason=r"error of the implicit steps; at most $4.4 \cdot 10^{-4}$ on 24 "
            "data sets",
            precision=True,
        ),
    )


def _ends(to_l2: Tensor, to_l1: Tensor) -> tuple[Check, ...]:
    """The two limits, one member a data set, (M,)."""
    return (
        Check.each(
            "l2 end, alpha = 100, log L = -1e3: sin to the l2 direction",
            to_l2,
            at_most=2e-2,
            tag="derived",
            math=r"$\ell_2$ end, $\alpha = 100$, $\log L = -10^3$: sin to the $\ell_2$ "
            "direction",
            reason=r"asinh departs from its argument $\beta/2\alpha^2 \le 0.17$ by the "
            "share $0.17^2/6 < 0.005$; four times that for the condition of the "
            "program",
        ),
        Check.each(
            "l1 end, alpha = 1, log L = -1e6: 1 - l1 margin ratio",
            to_l1,
            at_most=1e-2,
            tag="derived",
            math=r"$\ell_1$ end, $\alpha = 1$, $\log L = -10^6$: $1 - {}$ $\ell_1$ "
            "margin ratio",
            reason="the planted slack of 0.3 gives the rate $q^{-0.3} = 0.016$, times "
            "a small factor; at most 0.002 on 24 data sets",
        ),
    )


def _as_proved(ratios: Tensor, guaranteed: Tensor) -> Check:
    """l1 margins at the last stop from the scales up to 1, as shares of the largest,
    and what is proved of each, (M, R).
    """
    return Check.each(
        "alpha at most 1, log L = -1e6: l1 margin, share of the largest, at least as "
        "proved",
        ratios,
        at_least=guaranteed,
        tag="proved",
        math=r"$\alpha \le 1$, $\log L = -10^6$: $\ell_1$ margin, share of the "
        "largest, at least as proved",
        reason=r"$1 - O(\log(1/\alpha) / \log\log(1/L))$ with the constants of the "
        r"proof, from the state at $\log L = -25$",
    )


def _between(sines: Tensor) -> tuple[Check, ...]:
    """sin to the minimizer of Q_alpha at `PLACES`, (M, 3)."""
    return (
        Check.each(
            "alpha = 100, log(1/L) / alpha^2 = 1 and 100: sin to the minimizer of "
            "Q_alpha",
            sines[:, 1:],
            at_most=1e-2,
            tag="derived",
            math=r"$\alpha = 100$, $\log(1/L) / \alpha^2 = 1$ and $100$: sin to the "
            r"minimizer of $Q_\alpha$",
            reason=r"margins of the support differ by a few units of $\log(1/L) \ge "
            "10^4$, times the condition of the program",
        ),
        Check.each(
            "the same at ratio 1: sin for alpha = 100 over that for alpha = 10",
            sines[:, 1] / sines[:, 0],
            at_most=0.1,
            tag="derived",
            math=r"the same at ratio 1: sin for $\alpha = 100$ over that for $\alpha = "
            "10$",
            reason=r"the error falls like $1/\log(1/L)$ up to a logarithm: a hundredth "
            "to a fiftieth",
        ),
    )


def _tight(falls: Tensor) -> Check:
    """Non-complementarity at the last stop over that at log L = -25, (M, S)."""
    return Check.each(
        "non-complementarity at log L = -1e6 over that at log L = -25",
        falls,
        at_most=0.5,
        tag="derived",
        math=r"non-complementarity at $\log L = -10^6$ over that at $\log L = -25$",
        reason="the duals grow, those of margins above the least do not",
    )


def _depth_three(residuals: Tensor) -> Control:
    """Residuals (M, 2, R) of networks of depth 3."""
    return Control(
        "depth 3 from the same start, alpha at most 1",
        Check.each(
            "residual of the same test, log L = -5 and -25",
            residuals,
            at_least=1e-3,
            tag="observed",
            math=r"residual of the same test, $\log L = -5$ and $-25$",
            reason="a thousand times the bar of the claim at these losses",
        ),
        math=r"depth 3 from the same start, $\alpha \le 1$",
    )
