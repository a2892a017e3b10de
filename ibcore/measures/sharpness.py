"""Sharpness: the ends and the trace of the spectrum of a Hessian, of which only
products with vectors are known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ibcore.linear_algebra import symmetric_eigen
from ibcore.validation import InvalidInput, positive_integer, positive_number

Product = Callable[[Tensor], Tensor]
"""v -> H v for vectors (B, P), one symmetric matrix H a member; see `Objective.curvature`."""

_OFTEN = 8  # up to so many products it is asked after each whether the eigenvalues are known, later after every fourth
_WEIGHTS = (1.0, 0.5, 0.25)  # of the leading vectors in the next start of `Sharpness`
_FRESH = 0.01  # relative length of the random vector in it
_BREAKDOWN = (
    1e-12  # of |H|: a residual below it is rounding, and the Krylov space is invariant
)


@dataclass(frozen=True)
class Eigenvalues:
    """Eigenvalues at one end of the spectra of B matrices, from the end inwards, with
    what is known of their error.

    values: (B, count).      vectors: (B, count, P), of length one.
    residuals: (B, count), |H v - value v|; an eigenvalue of H lies within this distance
    of each value.
    errors: (B, count), the smaller of the residual and residual^2 / gap, the bound of
        Kato and Temple, where the gap is the distance to the nearest other value that
        was found, less its residual.
    products: the number of products with H.      converged: whether all residuals met
    the tolerance, (B,).
    """

    values: Tensor
    vectors: Tensor
    residuals: Tensor
    errors: Tensor
    products: int
    converged: Tensor


def largest_eigenvalues(
    product: Product,
    start: Tensor,
    *,
    count: int = 1,
    tolerance: float = 1e-5,
    most: int = 200,
) -> Eigenvalues:
    """The `count` largest eigenvalues, by Lanczos' iteration with full
    reorthogonalization.

    product: see `Product`.      start: (B, P), not zero; random, or the eigenvectors of
    a matrix nearby. Of a multiple eigenvalue one copy is found, and nothing of an
    eigenvector to which the start is orthogonal. It ends when the residuals of all
    members are at most `tolerance` times the largest absolute value that was found, and
    after `most` products; then `converged` is false. The errors are far smaller, of
    order tolerance^2, but it is the residual that must be small: beside a larger
    eigenvalue close by, of which the start knows next to nothing, the bound of Kato and
    Temple is small for the wrong one. A matrix that is not finite has the values NaN.
    Raises `InvalidInput` for a start that is zero or not finite, and a count above P.

    Source: Lanczos 1950; Parlett 1998, chapter 13; the bounds are his theorems 4.5.1
    and 10.3.1 (Kato, Temple).
    """
    positive_number("tolerance", tolerance)
    space = _Krylov(product, _checked(start, count), min(most, start.shape[-1]))
    return space.until(count, tolerance)


def smallest_eigenvalues(
    product: Product,
    start: Tensor,
    *,
    count: int = 1,
    tolerance: float = 1e-5,
    most: int = 200,
) -> Eigenvalues:
    """The `count` smallest eigenvalues, the smallest first; all else as in
    `largest_eigenvalues`.
    """
    found = largest_eigenvalues(
        lambda vector: -product(vector),
        start,
        count=count,
        tolerance=tolerance,
        most=most,
    )
    return Eigenvalues(
        -found.values,
        found.vectors,
        found.residuals,
        found.errors,
        found.products,
        found.converged,
    )


def _checked(start: Tensor, count: int) -> Tensor:
    if positive_integer("count", count) > start.shape[-1]:
        raise InvalidInput(
            f"{count} eigenvalues were asked for; the matrix has {start.shape[-1]}."
        )
    lengths = torch.linalg.vector_norm(start, dim=-1)
    if not bool(((lengths > 0) & lengths.isfinite()).all()):
        raise InvalidInput("a start of the iteration is zero or not finite.")
    return _unit(start)


def _unit(vectors: Tensor) -> Tensor:
    return vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)


class _Krylov:
    """An orthonormal basis of the Krylov space of every member, and H projected to it."""

    def __init__(self, product: Product, start: Tensor, most: int) -> None:
        members, size = start.shape
        self.product, self.next, self.most, self.size = product, start, most, 0
        self.basis = start.new_empty(members, most, size)
        self.projected = start.new_zeros(members, most, most)
        self.rest = start.new_zeros(members)

    @property
    def full(self) -> bool:
        return self.size == self.most

    def grow(self) -> None:
        """One vector more."""
        place = self.size
        self.basis[:, place] = self.next
        image = self.product(self.next)
        self.size += 1
        image, column = self._orthogonal(image)
        self.projected[:, : self.size, place] = column
        self.projected[:, place, : self.size] = column
        self.rest = torch.linalg.vector_norm(image, dim=-1)
        if self.full:
            self.rest = self._at_the_end(self.rest)
            return
        scale = self.projected.flatten(1).abs().amax(-1)
        broken = self.rest <= _BREAKDOWN * scale
        self.next = image / self.rest[:, None]
        if bool(broken.any()):
            self.rest = torch.where(broken, 0, self.rest)
            self.next = torch.where(broken[:, None], self._fresh(), self.next)

    def _at_the_end(self, rest: Tensor) -> Tensor:
        """A basis of the whole space leaves nothing."""
        whole = self.size == self.basis.shape[-1]
        return torch.where(rest.isfinite(), 0, rest) if whole else rest

    def _orthogonal(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """The part of `vector` (B, P) that is orthogonal to the basis, and the
        coefficients of the rest, (B, size).
        """
        basis = self.basis[:, : self.size]
        total = vector.new_zeros(len(vector), self.size)
        for _ in range(2):  # twice is enough (Parlett 1998, section 6.9)
            part = (basis @ vector[..., None])[..., 0]
            vector = vector - (part[:, None] @ basis)[:, 0]
            total = total + part
        return vector, total

    def _fresh(self) -> Tensor:
        """A unit vector orthogonal to the basis: of the axis that the basis covers
        least.
        """
        basis = self.basis[:, : self.size]
        axis = basis.square().sum(1).argmin(-1)
        unit = torch.nn.functional.one_hot(axis, basis.shape[-1]).to(basis)
        left = self._orthogonal(unit)[0]
        return _unit(left)

    def until(self, count: int, tolerance: float) -> Eigenvalues:
        """The `count` largest eigenvalues, as soon as they meet the tolerance or there
        is no room any more.
        """
        while True:
            self.grow()
            if self.asked(count):
                found = self.largest(count, tolerance)
                known = found.converged | found.values.isnan().any(-1)
                if self.full or bool(known.all()):
                    return found

    def leading(self, weights: tuple[float, ...]) -> Tensor:
        """The sum of the leading vectors found, with these weights, (B, P)."""
        count = min(len(weights), self.size)
        vectors = self.largest(count, 1.0).vectors
        return torch.tensor(weights[:count]).to(vectors) @ vectors

    def asked(self, count: int) -> bool:
        """Whether the eigenvalues are looked at now."""
        soon = self.size <= _OFTEN or self.size % 4 == 0
        return self.full or (self.size >= count and soon)

    def largest(self, count: int, tolerance: float) -> Eigenvalues:
        values, rotations = symmetric_eigen(self.projected[:, : self.size, : self.size])
        values, rotations = values.flip(-1), rotations.flip(-1)
        residuals = self.rest[:, None] * rotations[:, -1].abs()
        errors = _errors(values, residuals)
        allowed = tolerance * values.abs().amax(-1, keepdim=True)
        met = (residuals[:, :count] <= allowed).all(-1)
        vectors = rotations[..., :count].mT @ self.basis[:, : self.size]
        return Eigenvalues(
            values[:, :count],
            vectors,
            residuals[:, :count],
            errors[:, :count],
            self.size,
            met,
        )


def _errors(values: Tensor, residuals: Tensor) -> Tensor:
    """What `Eigenvalues` says, (B, k), of all k values that were found, (B, k),
    falling.
    """
    if values.shape[-1] == 1:
        return residuals
    inner = values.diff(dim=-1).neg()
    beyond = values.new_full((len(values), 1), torch.inf)
    below = torch.cat([inner - residuals[:, 1:], beyond], -1)
    above = torch.cat([beyond, inner - residuals[:, :-1]], -1)
    gap = torch.minimum(below, above).clamp_min(0)
    return torch.minimum(residuals, residuals.square() / gap)


@dataclass(frozen=True)
class Trace:
    """Estimates of the traces of B matrices, (B,), and their standard errors, (B,)."""

    value: Tensor
    error: Tensor


def trace(
    product: Product, like: Tensor, probes: int, generator: torch.Generator
) -> Trace:
    """The trace of H by v . H v over `probes` random vectors of signs v, one product
    each.

    like: (B, P), for shape, dtype and device. The estimate is unbiased and its variance
    is 2 sum_(i != j) H_ij^2 / probes; the error is estimated from the spread. Source:
    Hutchinson 1990. Raises `InvalidInput` for one probe.
    """
    if positive_integer("probes", probes) < 2:
        raise InvalidInput("the error of a trace is estimated from two probes or more.")
    shape = (probes, *like.shape)
    signs = torch.randint(2, shape, generator=generator).to(like) * 2 - 1
    values = torch.stack([(sign * product(sign)).sum(-1) for sign in signs])
    return Trace(values.mean(0), values.std(0) / probes**0.5)


def sharpness(
    objective: Any, theta: Tensor, *, tolerance: float = 1e-8, seed: int = 0
) -> Tensor:
    """The largest Hessian eigenvalue of the objective at theta (B, P), (B,), from
    random vectors of `seed`.

    tolerance: of the relative residual.

    NaN for members that miss it, and for parameters that are not finite. Products with
    the Hessian are all that is computed of it (Lanczos 1950). Raises `InvalidInput` for
    a tolerance that is not positive.

    For least squares it is the largest eigenvalue of (2/n) X^T X:

    >>> import torch
    >>> from ibcore import Linear, Objective, Square, sharpness
    >>> objective = Objective(Linear([[1.0, 0], [0, 3]]), Square(), torch.zeros(2))
    >>> round(sharpness(objective, torch.zeros(1, 2).double()).item(), 8)
    9.0
    """
    whole, safe = _finite(theta)
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(theta.shape, generator=generator, dtype=torch.float64)
    found = largest_eigenvalues(
        objective.curvature(safe), start.to(theta), tolerance=tolerance
    )
    return torch.where(whole & found.converged, found.values[:, 0], math.nan)


def exact_trace(objective: Any, theta: Tensor, copies: int = 1) -> Tensor:
    """The trace of the Hessian at theta (B, P) by products with all axes, (B,), NaN
    where theta is not finite.

    objective: of `copies` times the members; so many axes are done at once.
    """
    whole, safe = _finite(theta)
    product = objective.curvature(safe.repeat(copies, 1))
    total = theta.new_zeros(len(theta))
    for axes in torch.eye(theta.shape[-1]).to(theta).split(copies):
        units = torch.zeros(copies, *theta.shape).to(theta)
        units[: len(axes)] = axes[:, None]
        images = product(units.flatten(0, 1)).view_as(units)
        total += (units * images).sum((0, -1))
    return torch.where(whole, total, math.nan)


def _finite(theta: Tensor) -> tuple[Tensor, Tensor]:
    """Which members are finite, (B,), and theta with zeros for the others."""
    whole = theta.isfinite().all(-1)
    return whole, torch.where(whole[:, None], theta, 0.0)


class Sharpness:
    """A quantity that `descend` watches: the largest Hessian eigenvalue of the
    objective, (A,).

    The first call starts from random vectors of `seed`; each later one from the three
    leading vectors of the call before, with falling weights, so that an eigenvalue that
    overtakes is not missed. `tolerance` is that of the relative residual; the
    eigenvalue itself is known far better. A member that misses it after `most` products
    is NaN.
    """

    def __init__(
        self, *, tolerance: float = 1e-4, most: int = 200, seed: int = 0
    ) -> None:
        self.tolerance, self.most, self.products = tolerance, most, 0
        self._generator = torch.Generator().manual_seed(seed)
        self._leading = torch.empty(0)

    def __call__(self, point: Any, members: Tensor) -> Tensor:
        space = _Krylov(
            point.objective.curvature(point.theta),
            self._start(point.theta, members),
            min(self.most, point.theta.shape[-1]),
        )
        found = space.until(1, self.tolerance)
        self.products += found.products
        mixed = space.leading(_WEIGHTS)
        good = found.converged
        self._leading[members[good]] = mixed[good]
        return torch.where(good, found.values[:, 0], torch.nan)

    def _start(self, theta: Tensor, members: Tensor) -> Tensor:
        shape = theta.shape
        draw = torch.randn(shape, generator=self._generator, dtype=torch.float64)
        draw = draw.to(theta) / shape[-1] ** 0.5
        if not len(self._leading):
            self._leading = draw
            return _unit(draw)
        return _unit(self._leading[members] + _FRESH * draw)
