"""Linear classification data whose separability is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import betainc
from torch import Tensor

from ibcore.validation import InvalidInput, positive_integer, real_number


@dataclass(frozen=True)
class Classification:
    """Inputs X (n, d) with labels y (n,) in {-1, +1}; `signed` is y_i x_i, whose
    products with w are margins.
    """

    X: Tensor
    y: Tensor

    @property
    def signed(self) -> Tensor:
        return self.y[:, None] * self.X


@dataclass(frozen=True)
class PlantedMargin(Classification):
    """Gaussian data at distance at least `margin` from the hyperplane of a unit
    `teacher` (d,).
    """

    teacher: Tensor
    margin: float


@dataclass(frozen=True)
class BoundedMargin(PlantedMargin):
    """As `PlantedMargin`, in the ball of `radius`: x = y (margin + u) teacher + sqrt(d
    - 1) v.

    u is uniform on [0, 1] and v uniform on the unit sphere orthogonal to the teacher.
    """

    radius: float

    def error(self, w: Tensor) -> Tensor:
        """Probability that a fresh point lies on the wrong side of w (..., d), to about
        1e-6, as (...,).
        """
        w = w / torch.linalg.vector_norm(w, dim=-1, keepdim=True)
        along = (w @ self.teacher.to(w)).cpu().numpy()
        across = np.sqrt(np.clip(1 - along**2, 1e-300, None) * (len(self.teacher) - 1))
        nodes, weights = np.polynomial.legendre.leggauss(64)
        height = np.multiply.outer(along / across, self.margin + (nodes + 1) / 2)
        return torch.as_tensor(_cap(height, len(self.teacher) - 1) @ (weights / 2))


def _cap(height: np.ndarray, d: int) -> np.ndarray:
    """P(v_1 <= -height) for v uniform on the unit sphere of R^d, d >= 2."""
    tail = betainc((d - 1) / 2, 0.5, 1 - np.clip(np.abs(height), 0, 1) ** 2) / 2
    return np.where(height >= 0, tail, 1 - tail)


@dataclass(frozen=True)
class PlantedSplit(Classification):
    """`overlap` (n,) marks points of a subspace with orthonormal `basis` (d, k) that no
    direction separates.
    """

    overlap: Tensor
    basis: Tensor


def _normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _labels(generator: torch.Generator, n: int) -> Tensor:
    return torch.randint(2, (n,), generator=generator).double() * 2 - 1


def planted_margin(
    n: int, d: int, margin: float, generator: torch.Generator
) -> PlantedMargin:
    """n points y (margin + |g|) teacher + N(0, I) orthogonal to it, g ~ N(0, 1):
    separable by construction.
    """
    positive_integer("n", n)
    positive_integer("d", d, least=2)
    if not 0 <= real_number("margin", margin) < float("inf"):
        raise InvalidInput(
            f"margin is {margin!r}, expected a finite number of at least 0."
        )
    teacher = _normal(generator, d)
    teacher = teacher / teacher.norm()
    y = _labels(generator, n)
    across = _normal(generator, n, d)
    across = across - (across @ teacher)[:, None] * teacher
    along = y * (margin + _normal(generator, n).abs())
    return PlantedMargin(across + along[:, None] * teacher, y, teacher, margin)


def orthogonally_separable(
    n: int, d: int, generator: torch.Generator
) -> Classification:
    """n points of either sign in turn, y (1, u / 4) with u uniform on the unit cube of
    d - 1 dimensions.

    x_i . x_j is at least 1 where the labels agree and at most -1 where they do not
    (Phuong and Lampert 2021).
    """
    positive_integer("n", n, least=2)
    positive_integer("d", d)
    one_side = torch.rand(n, d, generator=generator, dtype=torch.float64) / 4
    one_side[:, 0] = 1
    y = torch.ones(n, dtype=torch.float64)
    y[1::2] = -1
    return Classification(y[:, None] * one_side, y)


def bounded_margin(
    n: int, d: int, margin: float, generator: torch.Generator
) -> BoundedMargin:
    """n points of `BoundedMargin` in d >= 3 dimensions."""
    positive_integer("d", d, least=3)
    plain = planted_margin(n, d, margin, generator)
    across = plain.X - (plain.X @ plain.teacher)[:, None] * plain.teacher
    across = across / across.norm(dim=1, keepdim=True) * (d - 1) ** 0.5
    along = plain.y * (margin + torch.rand(n, generator=generator, dtype=torch.float64))
    X = across + along[:, None] * plain.teacher
    return BoundedMargin(
        X, plain.y, plain.teacher, margin, (d - 1 + (margin + 1) ** 2) ** 0.5
    )


def planted_split(
    overlap: int, separable: int, d: int, span: int, generator: torch.Generator
) -> PlantedSplit:
    """`overlap` points with random labels in a `span`-dimensional subspace, `separable`
    points off it.

    The separable points have a component of at least 1/2 along one direction orthogonal
    to the subspace, on the side of their label. Whether the random labels do overlap is
    for the caller to check.
    """
    for name, value in (("overlap", overlap), ("separable", separable), ("span", span)):
        positive_integer(name, value)
    positive_integer("d", d, least=span + 1)
    rotation = torch.linalg.qr(_normal(generator, d, d)).Q
    inside = _normal(generator, overlap, span) @ rotation[:, :span].T
    y = _labels(generator, overlap + separable)
    outside = _normal(generator, separable, d)
    outside[:, span] = y[overlap:] * (0.5 + outside[:, span].abs())
    X = torch.cat([inside, outside @ rotation.T])
    marks = torch.arange(overlap + separable) < overlap
    return PlantedSplit(X, y, marks, rotation[:, :span])


def separators(
    signed: Tensor,
    level: float | Tensor,
    start: Tensor,
    *,
    count: int,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """`count` directions w with signed @ w >= level and |w| <= 1, by hit-and-run from
    the interior point `start`.

    signed: (n, d) rows y_i x_i.      level: one, or one a chain, (count,).      start:
    (d,) or (count, d). Returns (count, d): the ends of independent chains of `steps`
    steps each; every step is uniform on the chord of the set in a random direction.
    """
    level = torch.as_tensor(level, dtype=start.dtype)[..., None]
    if bool(((start @ signed.T) <= level).any()) or bool(
        (start.norm(dim=-1) >= 1).any()
    ):
        raise InvalidInput(
            "start lies outside {signed @ w > level, |w| < 1}; pass an interior point."
        )
    w = start.expand(count, -1)
    for _ in range(steps):
        u = _normal(generator, count, signed.shape[1]).to(start)
        u = u / u.norm(dim=1, keepdim=True)
        slope, room = u @ signed.T, w @ signed.T - level
        crossing = -room / slope
        low = torch.where(slope > 0, crossing, torch.full_like(slope, -torch.inf)).amax(
            1
        )
        high = torch.where(slope < 0, crossing, torch.full_like(slope, torch.inf)).amin(
            1
        )
        middle = (w * u).sum(1)
        reach = (middle.square() + 1 - w.square().sum(1)).clamp_min(0).sqrt()
        low, high = (
            torch.maximum(low, -middle - reach),
            torch.minimum(high, -middle + reach),
        )
        share = torch.rand(count, generator=generator, dtype=torch.float64).to(start)
        w = w + (low + share * (high - low).clamp_min(0))[:, None] * u
    return w
