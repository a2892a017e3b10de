"""How far inputs have to be moved before a two-layer ReLU network changes its answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.threads import threads

_AT_ONCE = 500  # random directions that are held in memory for every network


@dataclass(frozen=True)
class Neurons:
    """B networks f(x) = sum_j a_j relu(w_j.x + b_j): output weights a, biases b (B, m),
    input weights w (B, m, d).
    """

    a: Tensor
    b: Tensor
    w: Tensor

    def preactivations(self, X: Tensor) -> Tensor:
        """w_j.x_i + b_j, (B, n, m), at X (B, n, d)."""
        return torch.baddbmm(self.b[:, None], X, self.w.mT)

    def outputs(self, X: Tensor) -> Tensor:
        """f at X (B, n, d), (B, n)."""
        return _read(self.preactivations(X), self.a)

    def gradients(self, X: Tensor) -> Tensor:
        """The derivative of f in its input at X (B, n, d), (B, n, d), with relu'(0) =
        0.
        """
        return ((self.preactivations(X) > 0) * self.a[:, None]) @ self.w

    @property
    def squared_norm(self) -> Tensor:
        """The least squared norm of parameters that compute f: 2 sum_j |a_j| |(w_j,
        b_j)|, (B,).
        """
        inner = (self.w.square().sum(-1) + self.b.square()).sqrt()
        return 2 * (self.a.abs() * inner).sum(-1)


@threads()
def norms_to_flip(net: Neurons, X: Tensor, y: Tensor, direction: Tensor) -> Tensor:
    """The least t >= 0 with y_i f(x_i + t e_i) <= 0, (B, n), infinite where there is
    none and NaN where f is.

    X: (B, n, d).      y: (B, n) of -1 and +1.      direction: unit vectors e, (B, n,
    d). Along a line f is piecewise linear with a bend where a neuron changes its state,
    so that t is exact.
    """
    z, slope = net.preactivations(X), direction @ net.w.mT
    bends = torch.where(slope == 0, 0.0, -z / torch.where(slope == 0, 1.0, slope))
    t = torch.nn.functional.pad(bends.clamp_min(0).sort(-1).values, (1, 0))
    moved = z[..., None, :] + t[..., None] * slope[..., None, :]
    values = y[..., None] * (moved.relu() @ net.a[:, None, :, None])[..., 0]
    last = y * _read(slope, net.a)
    beyond = torch.where(last < 0, t[..., -1] - values[..., -1] / last, math.inf)
    crossed = values <= 0
    place = crossed.to(torch.int8).argmax(-1, keepdim=True)
    before = (place - 1).clamp_min(0)
    (t0, t1), (v0, v1) = (
        (rows.gather(-1, before)[..., 0], rows.gather(-1, place)[..., 0])
        for rows in (t, values)
    )
    inside = torch.where(v0 > 0, t0 + (t1 - t0) * v0 / (v0 - v1), t1)
    found = torch.where(crossed.any(-1), inside, beyond)
    return torch.where(values.isnan().any(-1), math.nan, found)


def certified_margins(net: Neurons, X: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """A lower bound on y_i f(x) over all x within `radius` (B,) of x_i, (B, n), neuron
    by neuron.

    Within r of x_i the preactivation of neuron j lies within |w_j| r of that at x_i.
    The bound takes the worst of these for every neuron on its own.
    """
    reach = torch.linalg.vector_norm(net.w, dim=-1)[:, None] * radius[:, None, None]
    z = net.preactivations(X)
    signed = y[..., None] * net.a[:, None]
    return (signed * torch.where(signed > 0, z - reach, z + reach).relu()).sum(-1)


@threads()
def attacked_margins(
    net: Neurons, X: Tensor, y: Tensor, radius: Tensor, starts: Tensor, steps: int = 30
) -> Tensor:
    """The least y_i f(x) that projected gradient descent finds within `radius` (B,) of
    x_i, (B, n).

    starts: directions (B, R, n, d) of any length, from which R attacks begin at the
    edge of the ball. Steps are a fifth of the radius along the unit gradient; where the
    gradient is zero the attack stays.
    """
    tries = starts.shape[1]
    ball = radius[:, None, None]
    points, labels = X.repeat(1, tries, 1), y.repeat(1, tries)
    shift = ball * _unit(starts.flatten(1, 2))
    least = labels * net.outputs(points + shift)
    for _ in range(steps):
        slope = labels[..., None] * net.gradients(points + shift)
        shift = shift - ball / 5 * _unit(slope)
        length = torch.linalg.vector_norm(shift, dim=-1, keepdim=True)
        shift = shift * torch.clamp(ball / length.clamp_min(1e-300), max=1)
        least = torch.minimum(least, labels * net.outputs(points + shift))
    return least.unflatten(1, (tries, -1)).amin(1)


@threads()
def flipped_shares(
    net: Neurons,
    X: Tensor,
    y: Tensor,
    norm: float,
    count: int,
    generator: torch.Generator,
) -> Tensor:
    """The share of pairs of a point and a random direction of length `norm` with y_i
    f(x_i + z) <= 0, (B,).

    The `count` directions of each network are uniform, and are tried at all of its
    points X (B, n, d).
    """
    z, total = net.preactivations(X), torch.zeros(len(X)).to(X)
    for first in range(0, count, _AT_ONCE):
        shape = (len(X), min(_AT_ONCE, count - first), X.shape[-1])
        drawn = torch.randn(shape, generator=generator, dtype=torch.float64).to(X)
        shifts = norm * _unit(drawn) @ net.w.mT
        for row, label in zip(z.unbind(1), y.unbind(1), strict=True):
            values = label[:, None] * _read(row[:, None] + shifts, net.a)
            flipped = torch.where(values.isnan(), math.nan, (values <= 0).to(values))
            total = total + flipped.sum(-1)
    return total / (count * X.shape[1])


def _read(preactivations: Tensor, a: Tensor) -> Tensor:
    """sum_j a_j relu(z_j) of (B, n, m) and (B, m)."""
    return (preactivations.relu() @ a[..., None])[..., 0]


def _unit(vectors: Tensor) -> Tensor:
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / torch.where(length == 0, 1.0, length)
