"""Training inputs read off the parameters of a network: at stationarity they are roots
of equations without data.

The network is f(x) = V tanh(W x + b) + c with parameters theta = (W, b, V, c), trained
with any differentiable loss and weight decay. Where the gradient vanishes, theta is a
combination of the gradients of the outputs at the training inputs. The rows of [W b]
are then combinations of the vectors (x_i, 1), and those of [V c] of (tanh(W x_i + b),
1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.threads import threads

_SCALES = (0.1, 10.0)  # of the starts, in units of the point of the row space next to 0
_APART = 0.05  # relative distance from which on two candidates count as two
_GAP = 10.0  # between what counts as a singular value and what as an error
_MANY = 20
_FLOOR = 1e-13  # below this share of the largest, a singular value is rounding


@dataclass(frozen=True)
class Layers:
    """Parameters of one network: inner W (m, d), shift b (m,), outer V (K, m) and top c
    (K,).
    """

    inner: Tensor
    shift: Tensor
    outer: Tensor
    top: Tensor

    @property
    def below(self) -> Tensor:
        """[W b], (m, d + 1)."""
        return torch.cat([self.inner, self.shift[:, None]], 1)

    @property
    def above(self) -> Tensor:
        """[V c], (K, m + 1)."""
        return torch.cat([self.outer, self.top[:, None]], 1)

    def hidden(self, points: Tensor) -> Tensor:
        """(tanh(W x + b), 1), (..., m + 1), at points (..., d)."""
        return _with_one(torch.tanh(points @ self.inner.mT + self.shift))


@dataclass(frozen=True)
class Candidates:
    """What `candidates` found: points (c, d) and their residuals (c,), the smallest
    first, and two ranks.

    rank, outer_rank: of [W b] and of [V c]; there are as many points as the first says,
    or fewer if fewer were found.
    """

    points: Tensor
    residuals: Tensor
    rank: int
    outer_rank: int


def numerical_rank(values: Tensor) -> int:
    """The place of the largest gap among singular values (k,) that fall; k where no gap
    is a factor of `_GAP`.
    """
    shares = values.clamp_min(values[0] * _FLOOR)
    gaps = shares[:-1] / shares[1:]
    if not len(gaps) or not bool(gaps.max() >= _GAP):
        return len(values)
    return int(gaps.argmax()) + 1


def row_space(matrix: Tensor, rank: int | None = None) -> tuple[Tensor, int]:
    """An orthonormal basis (r, k) of the row space of a matrix (m, k) of numerical rank
    r, or of `rank`, and r.
    """
    _, values, rows = torch.linalg.svd(matrix, full_matrices=False)
    rank = numerical_rank(values) if rank is None else min(rank, len(values))
    return rows[:rank], rank


def outside(vectors: Tensor, basis: Tensor) -> Tensor:
    """The part of vectors (..., k) that is orthogonal to the rows of `basis` (r, k)."""
    return vectors - (vectors @ basis.mT) @ basis


def distinct_neurons(layers: Layers, tolerance: float = 1e-3) -> int:
    """How many different neurons (w, b, v) there are, up to the sign that tanh passes
    on; silent ones are none.
    """
    rows = torch.cat([layers.below, layers.outer.mT], 1)
    lengths = torch.linalg.vector_norm(rows, dim=1)
    rows = rows[lengths > 1e-4 * lengths.max()]
    either = torch.minimum(torch.cdist(rows, rows), torch.cdist(rows, -rows))
    alike = either < tolerance * rows.norm(dim=1)
    kept: list[int] = []
    for place in range(len(rows)):
        if not bool(alike[place, kept].any()):
            kept.append(place)
    return len(kept)


@threads()
def candidates(
    layers: Layers,
    generator: torch.Generator,
    *,
    points: int | None = None,
    starts: int = 25,
    steps: int = 20,
) -> Candidates:
    """Roots x of: (x, 1) lies in the row space of [W b], and (tanh(W x + b), 1) in that
    of [V c].

    Levenberg's and Marquardt's method in coordinates of the first row space, from
    random points, `starts` for each unit of the rank, whose scale is log-uniform. Of
    all ends that are pairwise different, as many as the rank of [W b] are kept, those
    of least residual: the length of (tanh(W x + b), 1) outside the second row space.
    Nothing but theta is read.
    """
    below, rank = row_space(layers.below, points)
    above, outer_rank = row_space(layers.above, points)
    starts = starts * rank // (1 if rank <= _MANY else 8)
    nearest, frame = _affine(below)
    u = _starts(starts, rank - 1, generator).to(nearest) * nearest.norm()
    if rank > 1:
        u = _descend(u, layers.below @ nearest, layers.below @ frame.mT, above, steps)
    ends = (nearest + u @ frame)[:, :-1]
    residuals = outside(layers.hidden(ends), above).norm(dim=-1)
    kept = _different(ends, residuals, rank)
    return Candidates(ends[kept], residuals[kept], rank, outer_rank)


def random_points(
    layers: Layers, count: int, generator: torch.Generator
) -> tuple[Tensor, int]:
    """Points (count, d) where `candidates` may start: in the row space of [W b], of
    random scale; and its rank.
    """
    below, rank = row_space(layers.below)
    nearest, frame = _affine(below)
    u = _starts(count, rank - 1, generator).to(nearest) * nearest.norm()
    return (nearest + u @ frame)[:, :-1], rank


def _affine(basis: Tensor) -> tuple[Tensor, Tensor]:
    """The points of a row space (r, k) with last coordinate 1: that next to 0, (k,),
    and directions (r - 1, k).
    """
    last = basis[:, -1]
    nearest = (last / last.square().sum()) @ basis
    directions = torch.linalg.svd(last[None])[2][1:]
    return nearest, directions @ basis


def _starts(count: int, dimension: int, generator: torch.Generator) -> Tensor:
    low, high = (torch.tensor(scale).log() for scale in _SCALES)
    share = torch.rand(count, 1, generator=generator, dtype=torch.float64)
    normal = torch.randn(count, dimension, generator=generator, dtype=torch.float64)
    return normal * (low + share * (high - low)).exp() / max(dimension, 1) ** 0.5


def _descend(
    u: Tensor, offset: Tensor, slopes: Tensor, basis: Tensor, steps: int
) -> Tensor:
    """Least squares of (tanh(offset + slopes u), 1) outside the rows of `basis`, from
    every row of u (S, k).
    """
    damping = u.new_full((len(u),), 1e-2)
    rest, normal, pull = _equations(u, offset, slopes, basis)
    eye = torch.eye(u.shape[1]).to(u)
    for _ in range(steps):
        size = normal.diagonal(dim1=1, dim2=2).mean(-1) + 1e-300
        matrix = normal + (damping * size)[:, None, None] * eye
        move = torch.linalg.solve_ex(matrix, pull[..., None])[0][..., 0]
        tried = _equations(u - move, offset, slopes, basis)
        better = tried[0] < rest
        u = torch.where(better[:, None], u - move, u)
        rest = torch.where(better, tried[0], rest)
        normal = torch.where(better[:, None, None], tried[1], normal)
        pull = torch.where(better[:, None], tried[2], pull)
        damping = torch.where(better, damping / 5, damping * 4).clamp(1e-12, 1e6)
    return u


def _equations(
    u: Tensor, offset: Tensor, slopes: Tensor, basis: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Squared residuals (S,), Gauss-Newton matrices, half gradients."""
    hidden = torch.tanh(offset + u @ slopes.mT)
    rest = outside(_with_one(hidden), basis)
    jacobian = (1 - hidden.square())[..., None] * slopes
    inside = basis[:, :-1] @ jacobian
    normal = jacobian.mT @ jacobian - inside.mT @ inside
    pull = (jacobian.mT @ rest[:, :-1, None])[..., 0]
    return rest.square().sum(-1), normal, pull


def _different(points: Tensor, residuals: Tensor, most: int) -> list[int]:
    """Places of at most `most` points, of small residual first, no two of them alike."""
    kept: list[int] = []
    order = residuals.nan_to_num(torch.inf).argsort().tolist()
    for place in order:
        if len(kept) == most or not bool(residuals[place].isfinite()):
            break
        gaps = (points[kept] - points[place]).norm(dim=-1)
        if not kept or bool(gaps.min() > _APART * points[place].norm()):
            kept.append(place)
    return kept


def distances(points: Tensor, found: Tensor) -> Tensor:
    """Distance of each of the points (n, d) to the next of `found` (c, d), relative to
    its length, (n,).
    """
    if not len(found):
        return points.new_full((len(points),), torch.inf)
    return torch.cdist(points, found).amin(1) / points.norm(dim=-1)


def _with_one(vectors: Tensor) -> Tensor:
    return torch.cat([vectors, torch.ones_like(vectors[..., :1])], -1)
