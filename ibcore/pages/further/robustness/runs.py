"""Networks on nearly orthogonal inputs, trained far into the tail, and what flips them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import OverTail
from ibcore.dynamics.trajectory import early_ends
from ibcore.losses import Exponential
from ibcore.measures.robustness import (
    Neurons,
    attacked_margins,
    certified_margins,
    norms_to_flip,
)
from ibcore.models.margins import Margins
from ibcore.models.network import Network, of_neurons
from ibcore.oracles.robustness import robust_network
from ibcore.problems.near_orthogonal import coordinates, two_classes
from ibcore.threads import threads
from ibcore.validation import InvalidInput, binary_data

WIDTH = 50
SHARE = 0.3  # of a step in log L, roughly; at 0.05 the norms that flip change by less than one percent
FAR, NEAR = -345.4, -46.1  # log of losses of 1e-150 and 1e-20
_MOST_STEPS = 30_000


@dataclass(frozen=True)
class Sets:
    """B data sets: inputs (B, n, r) in a basis of their span or as they are, labels y
    (B, n), and their dimension d.

    A weight that is orthogonal to all inputs is never trained, so that training in
    coordinates of the span is training in all of R^d.
    """

    inputs: Tensor
    y: Tensor
    dimension: int

    @classmethod
    def draw(cls, seeds: Sequence[int], n: int, d: int, device: torch.device) -> Sets:
        """n uniform inputs of length sqrt(d) for every seed, in coordinates of their
        span.
        """
        inputs, y = coordinates(seeds, n, d), two_classes(len(seeds), n)
        return cls(inputs.to(device), y.to(device), d)

    @property
    def unit(self) -> float:
        """sqrt(d/n)."""
        return math.sqrt(self.dimension / self.inputs.shape[1])

    @property
    def universal(self) -> Tensor:
        """The unit vector along sum_k y_k x_k of every data set, (B, r)."""
        return self.along(self.y)

    def along(self, labels: Tensor) -> Tensor:
        """The unit vector along the sum of the inputs times `labels` (B, n)."""
        total = (labels[..., None] * self.inputs).sum(1)
        return total / torch.linalg.vector_norm(total, dim=-1, keepdim=True)

    def against(self, vector: Tensor) -> Tensor:
        """-y_i times `vector` (B, r) for every point, (B, n, r): what moves each
        towards the other class.
        """
        return -self.y[..., None] * vector[:, None]

    def repeated(self, times: int) -> Sets:
        """The same data sets several times, one copy after the other."""
        return Sets(
            self.inputs.repeat(times, 1, 1), self.y.repeat(times, 1), self.dimension
        )


@dataclass(frozen=True)
class Trained:
    """B networks at the end of training: their neurons, log L (B,), and why runs ended
    early.
    """

    net: Neurons
    log_loss: Tensor
    broken: tuple[str, ...]


def start(
    sets: Sets, seeds: Sequence[int], scale: Tensor, *, biases: bool = True
) -> Tensor:
    """Normal parameters (B, P) with the variances of PyTorch's default, 1/(3 fan-in),
    times `scale` (B,) squared.
    """
    r = sets.inputs.shape[-1] + biases
    rows = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        a = torch.randn(WIDTH, generator=generator, dtype=torch.float64)
        w = torch.randn(WIDTH, r, generator=generator, dtype=torch.float64)
        sizes = math.sqrt(3 * WIDTH), math.sqrt(3 * sets.dimension)
        rows.append(of_neurons(a / sizes[0], w / sizes[1]))
    return torch.stack(rows).to(sets.inputs) * scale[:, None].to(sets.inputs)


def margins_of(sets: Sets, *, biases: bool = True) -> Margins:
    """The margins of the network with 50 neurons; a bias is a constant input."""
    inputs = sets.inputs
    if biases:
        inputs = torch.nn.functional.pad(inputs, (0, 1), value=1.0)
    return Margins(Network(inputs, (WIDTH,), "relu", biases=False), sets.y)


def descent(
    sets: Sets,
    theta: Tensor,
    log_loss: float,
    *,
    biases: bool = True,
    share: float = SHARE,
) -> Run:
    """Gradient descent on the mean exponential loss to a level of it.

    The steps stay small beside one over the curvature of log L,
    so that the path is close to that of gradient flow.
    """
    return descend(
        Objective(margins_of(sets, biases=biases), Exponential()),
        theta,
        OverTail(share / (math.sqrt(2) * sets.unit)),
        log_loss=[log_loss],
        max_steps=_MOST_STEPS,
        max_seconds=math.inf,
    )


def train(
    sets: Sets,
    seeds: Sequence[int],
    scale: Tensor,
    log_loss: float = FAR,
    *,
    biases: bool = True,
) -> Trained:
    """Networks from random starts of the size `scale` (B,), at `log_loss`."""
    run = descent(
        sets, start(sets, seeds, scale, biases=biases), log_loss, biases=biases
    )
    net = neurons(sets, run.theta[0], biases=biases)
    return Trained(net, run.log_loss[0], early_ends("training", run))


def neurons(sets: Sets, theta: Tensor, *, biases: bool = True) -> Neurons:
    """The network of parameters (B, P), its bias apart from its weights."""
    a, w = margins_of(sets, biases=biases).predictor.neurons(theta)  # type: ignore[attr-defined]
    b = w[..., -1] if biases else torch.zeros_like(a)
    return Neurons(a, b, w[..., :-1] if biases else w)


def universal_norms(net: Neurons, sets: Sets) -> Tensor:
    """What flips each point along sum_k y_k x_k, over sqrt(d/n), (B, n)."""
    moves = sets.against(sets.universal)
    return norms_to_flip(net, sets.inputs, sets.y, moves) / sets.unit


def in_all_dimensions(
    net: Neurons, basis: Tensor, seeds: Sequence[int], scale: Tensor
) -> Neurons:
    """The network with weights in R^d: those in the span, and a start orthogonal to it
    that training never moved.

    basis: (B, d, n) of the span.      scale: (B,) of the start.
    """
    d = basis.shape[1]
    draws = [
        torch.randn(
            WIDTH, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
        )
        for seed in seeds
    ]
    drawn = torch.stack(draws).to(basis) * scale[:, None, None].to(basis)
    rest = drawn - drawn @ basis @ basis.mT
    return Neurons(net.a, net.b, net.w @ basis.mT + rest / math.sqrt(3 * d))


@dataclass(frozen=True)
class Robust:
    """Networks that are robust by construction, on B data sets.

    radius: (B,), over sqrt(d).      certified: (B, n) least margins within 0.98 radii,
    proved neuron by neuron.
    attacked, beyond: (B, n) least margins that the attack finds within 0.98 and 1.02
    radii.
    size: (B,), the squared norm of its parameters, all margins 1.
    """

    radius: Tensor
    certified: Tensor
    attacked: Tensor
    beyond: Tensor
    size: Tensor


def robust(sets: Sets, seed: int) -> Robust:
    """The constructed networks, their certificate, and attacks on them."""
    a, b, w, radius = robust_network(sets.inputs, sets.y, sets.dimension)
    net = Neurons(a, b, w)
    begin = attack_starts(sets, seed)
    least = [
        attacked_margins(net, sets.inputs, sets.y, share * radius, begin)
        for share in (0.98, 1.02)
    ]
    return Robust(
        radius / math.sqrt(sets.dimension),
        certified_margins(net, sets.inputs, sets.y, 0.98 * radius),
        least[0],
        least[1],
        net.squared_norm,
    )


def attack_starts(sets: Sets, seed: int, tries: int = 4) -> Tensor:
    """Directions (B, R, n, r): random ones, the universal one, away from the point,
    towards the nearest of the others.

    A network that reads only the span of the inputs is attacked within it without loss.
    """
    X, y = sets.inputs, sets.y
    generator = torch.Generator().manual_seed(seed)
    shape = (len(X), tries, *X.shape[1:])
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64).to(X)
    products = (X @ X.mT).masked_fill(y[:, :, None] * y[:, None, :] > 0, -math.inf)
    nearest = products.argmax(-1)[..., None].expand_as(X)
    known = (sets.against(sets.universal), -X, X.gather(1, nearest) - X)
    return torch.cat([drawn, torch.stack(known, 1)], 1)


@dataclass(frozen=True)
class Followed:
    """A network trained on one data set, whose inputs were scaled to length sqrt(d),
    and what flips its points.

    norms: (n,) along the universal direction, over the length of the inputs.
    halfway: (n,), half of the distance to the nearest point of the other class, over
    the same: no network that classifies both is more robust.
    """

    sets: Sets
    net: Neurons
    norms: Tensor
    halfway: Tensor

    def moves(self, vector: Tensor | None = None) -> Tensor:
        """Unit vectors (1, n, d): along -y_i `vector` (1, d), or each point's own
        gradient where there is none.
        """
        if vector is not None:
            return self.sets.against(vector)
        slope = self.sets.y[..., None] * self.net.gradients(self.sets.inputs)
        return -slope / torch.linalg.vector_norm(slope, dim=-1, keepdim=True)


@threads()
def follow(X: object, y: object, *, seed: int = 0, log_loss: float = NEAR) -> Followed:
    """A network with 50 neurons on X (n, d), no row zero, and y (n,) in {-1, +1}, from
    a small start.

    Raises `InvalidInput` for malformed data. Where the loss is not reached all numbers
    are NaN.
    """
    inputs, labels = binary_data(X, y)
    lengths = torch.linalg.vector_norm(inputs, dim=-1, keepdim=True)
    if not bool((lengths > 0).all()):
        raise InvalidInput("X has a row of zeros, which cannot be scaled to a length.")
    scaled = math.sqrt(inputs.shape[1]) * inputs / lengths
    sets = Sets(scaled[None], labels[None], inputs.shape[1])
    small = torch.full((1,), 0.1, dtype=torch.float64)
    net = train(sets, [seed], small, log_loss).net
    apart = torch.cdist(scaled, scaled).masked_fill(labels[:, None] == labels, math.inf)
    root = math.sqrt(inputs.shape[1])
    return Followed(
        sets,
        net,
        universal_norms(net, sets)[0] * sets.unit / root,
        apart.amin(-1) / 2 / root,
    )
