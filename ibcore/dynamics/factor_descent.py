"""Gradient descent on the layers of W = W_k ... W_1 for a quadratic loss of W, many
problems in one batch.

From a small start the curvature along the path changes by many orders of magnitude: no
one step size is both stable at the end and able to leave the neighborhood of zero. Each
problem therefore has a step size of its own, renewed every other step: a fixed part of
1 over an estimate of the local smoothness,

    lambda_max(J^T J) + (k - 1) max_j ||W_j||^(k - 2) ||G||,        G the gradient with
    respect to W.

The first term, the curvature that the loss has through the tangent of the product, and
the norms are followed by one round of the power method each, started from the last
vectors. A step size that is renewed more rarely overshoots while the layers grow, and
then other, worse minima are found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.recorder import Recorder
from ibcore.dynamics.trajectory import NOT_FINITE, REACHED
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_tensor,
)

LossGradient = Callable[[Tensor], Tensor]
"""W (B, d, d) -> gradient of a quadratic loss with respect to W, (B, d, d): an affine function."""

_EVERY = 2  # steps between two estimates of the smoothness
_FIRST = 20  # rounds of the power method at the start


@dataclass(frozen=True)
class FactorRun:
    """Batched descent. layers: (k, B, d, d) at the end.   products: (K, B, d, d), W at
    the stops.   times: (K, B), sums of the step sizes up to the stops.   steps: (K,)
    the stops.   A problem whose descent diverged is NaN or infinite.
    """

    layers: Tensor
    products: Tensor
    times: Tensor
    steps: tuple[int, ...]

    @property
    def status(self) -> tuple[str, ...]:
        """Why each descent ended, in the words of `ibcore.dynamics.trajectory`."""
        finite = self.layers.isfinite().flatten(2).all(-1).all(0)
        return tuple(REACHED if good else NOT_FINITE for good in finite.tolist())


@threads()
def descend_factors(
    gradient: LossGradient,
    layers: object,
    stops: Sequence[int],
    *,
    safety: float = 0.5,
) -> FactorRun:
    """Gradient descent from `layers` (k, B, d, d), the input's first.

    It ends at the last of `stops`, rising step counts.

    safety: the step size times the estimated smoothness, at most 1; close
    to 1 the descent overshoots.
    Raises `InvalidInput` for layers that are not square, stops out of
    order, and where every descent diverges.
    """
    weights = real_tensor("layers", layers, ndim=4).clone()
    if weights.shape[-1] != weights.shape[-2]:
        raise InvalidInput(
            f"layers have shape {tuple(weights.shape)}, expected (k, B, d, "
            "d): square layers."
        )
    pairs = zip((0, *stops), stops, strict=False)
    if not stops or any(after <= before for before, after in pairs):
        raise InvalidInput(
            f"stops are {list(stops)[:6]}, expected at least one, rising "
            "step counts from 1 on."
        )
    if positive_number("safety", safety) > 1:
        raise InvalidInput(f"safety is {safety!r}, expected at most 1.")
    smoothness = _Smoothness(gradient, weights)
    time = weights.new_zeros(weights.shape[1])
    like = {"products": weights[0], "times": time}
    recorder = Recorder(weights.new_tensor(stops), like)
    everyone = torch.arange(len(time), device=time.device)
    ahead = list(stops)
    for step in range(positive_integer("the last stop", stops[-1])):
        below = partial_products(weights)
        slope = gradient(below[-1])
        if step % _EVERY == 0:
            eta = safety / smoothness.estimate(weights, below, slope)
        weights -= eta[:, None, None] * pulled_back(weights, below, slope)
        time = time + eta
        if step + 1 == ahead[0]:
            product = partial_products(weights)[-1]
            seen = {"products": product, "times": time}
            recorder.keep_rows(everyone, seen)
            del ahead[0]
    if not bool(torch.isfinite(weights).flatten(2).all(-1).all(0).any()):
        raise InvalidInput(
            f"the descent diverged: take a smaller safety than {safety}."
        )
    kept = recorder.kept
    return FactorRun(weights, kept["products"], kept["times"], tuple(stops))


def partial_products(layers: Tensor) -> list[Tensor]:
    """W_1, W_2 W_1, ..., W_k ... W_1, each (B, d, d), of `layers` (k, B, d, d)."""
    products = [layers[0].clone()]
    for layer in layers[1:]:
        products.append(torch.bmm(layer, products[-1]))
    return products


def pulled_back(layers: Tensor, below: Sequence[Tensor], slope: Tensor) -> Tensor:
    """Gradients of all layers, (k, B, d, d), from the gradient `slope` (B, d, d) with
    respect to the product.
    """
    gradients = torch.empty_like(layers)
    for j in range(len(layers) - 1, 0, -1):
        torch.bmm(slope, below[j - 1].mT, out=gradients[j])
        slope = torch.bmm(layers[j].mT, slope)
    gradients[0] = slope
    return gradients


def _pushed_forward(layers: Tensor, below: Sequence[Tensor], moves: Tensor) -> Tensor:
    """The change of the product, (B, d, d), for the changes `moves` (k, B, d, d) of the
    layers.
    """
    change = moves[0]
    for layer, move, product in zip(layers[1:], moves[1:], below, strict=False):
        change = torch.bmm(layer, change) + torch.bmm(move, product)
    return change


def _unit(vectors: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The vectors at length 1, and their lengths."""
    lengths = vectors.square().sum(dims, keepdim=True).sqrt()
    return vectors / lengths.clamp(min=torch.finfo(vectors.dtype).tiny), lengths


class _Smoothness:
    """Power methods on the layers, on the gradient, and on the Gauss-Newton curvature."""

    def __init__(self, gradient: LossGradient, layers: Tensor) -> None:
        self.gradient = gradient
        self.offset = gradient(torch.zeros_like(layers[0]))
        draw = torch.Generator().manual_seed(0)
        shape, self.rounds = layers.shape, _FIRST
        self.right, self.probe, self.turned = (
            torch.randn(size, generator=draw, dtype=layers.dtype).to(layers.device)
            for size in ((*shape[:-1], 1), shape[1:], (*shape[1:-1], 1))
        )

    def estimate(
        self, layers: Tensor, below: Sequence[Tensor], slope: Tensor
    ) -> Tensor:
        """The local smoothness, (B,)."""
        for _ in range(self.rounds):
            self.right, _length = _unit(layers.mT @ (layers @ self.right), (-1, -2))
            self.turned, _length = _unit(slope.mT @ (slope @ self.turned), (-1, -2))
            push = _pushed_forward(
                layers, below, pulled_back(layers, below, self.probe)
            )
            self.probe, curvature = _unit(self.gradient(push) - self.offset, (-1, -2))
        self.rounds = 1
        longest = _unit(layers @ self.right, (-1, -2))[1].amax(0)
        steepest = _unit(slope @ self.turned, (-1, -2))[1]
        depth = len(layers)
        return (curvature + (depth - 1) * longest ** (depth - 2) * steepest)[:, 0, 0]
