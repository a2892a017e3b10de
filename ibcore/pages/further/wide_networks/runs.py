"""Wide networks at their start: outputs and tangent kernels over many draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.models.wide import WideNetwork
from ibcore.validation import InvalidInput, distinct_rows, real_tensor

FEATURES, POINTS, NEW = 10, 8, 8
BIAS = 0.5
NARROW = 4


@dataclass(frozen=True)
class Sets:
    """B data sets. points: (B, N, d), the training inputs first.

    targets: (B, n).
    """

    points: Tensor
    targets: Tensor

    @property
    def examples(self) -> int:
        return self.targets.shape[-1]

    @property
    def inputs(self) -> Tensor:
        """The training inputs, (B, n, d)."""
        return self.points[:, : self.examples]


def drawn(seeds: Sequence[int], device: torch.device) -> Sets:
    """Eight training and eight new inputs of norm sqrt(d) in d = 10 dimensions, with
    standard normal targets.
    """
    points, targets = [], []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        draw = torch.randn(
            POINTS + NEW, FEATURES, generator=generator, dtype=torch.float64
        )
        points.append(on_sphere(draw))
        targets.append(torch.randn(POINTS, generator=generator, dtype=torch.float64))
    return Sets(torch.stack(points).to(device), torch.stack(targets).to(device))


def own(X: object, y: object, copies: int, device: torch.device) -> Sets:
    """A reader's X (n, d) and y (n,) as so many equal sets.

    Inputs are scaled to norm sqrt(d), targets to mean square 1. New inputs are halfway
    between each input and the next.
    """
    inputs = real_tensor("X", X, ndim=2).double()
    targets = real_tensor("y", y, ndim=1).double()
    if len(inputs) != len(targets) or not 2 <= len(inputs) <= 40:
        raise InvalidInput(
            f"X has {len(inputs)} rows and y {len(targets)} entries, expected the same "
            "number, from 2 to 40."
        )
    size = targets.square().mean().sqrt()
    if not bool(size > 0) or not bool((inputs.norm(dim=-1) > 0).all()):
        raise InvalidInput(
            "y is zero or a row of X is, expected targets and inputs that are not "
            "zero: the network has no biases."
        )
    inputs = on_sphere(inputs)
    distinct_rows("X, scaled to one length,", inputs)
    middle = inputs + inputs.roll(-1, 0)
    if not bool((middle.norm(dim=-1) > 1e-6 * inputs.norm(dim=-1)).all()):
        raise InvalidInput(
            "two neighboring rows of X are opposite, and nothing is halfway between "
            "them. Reorder the rows."
        )
    new = on_sphere(middle)
    points = torch.cat([inputs, new]).expand(copies, -1, -1).contiguous()
    return Sets(points.to(device), (targets / size).expand(copies, -1).to(device))


def on_sphere(points: Tensor) -> Tensor:
    """Points (..., d) scaled to norm sqrt(d)."""
    return points / points.norm(dim=-1, keepdim=True) * math.sqrt(points.shape[-1])


def products(
    points: Tensor, widths: tuple[int, ...], draws: int, generator: torch.Generator
) -> Tensor:
    """f(x_i) f(x_j) of so many networks with biases on points (n, d), (draws, n, n)."""
    net = WideNetwork(points, widths, bias=BIAS)
    outputs = net.outputs(net.start(draws, generator))
    return outputs[..., :, None] * outputs[..., None, :]


def block_errors(products: Tensor, expected: Tensor, sizes: Sequence[int]) -> Tensor:
    """Mean square error, over blocks and entries, of the covariance that is estimated
    from a block, (S,).

    products: (T, n, n) of single networks.      sizes: of the blocks, each a divisor of
    T.      Entries are in units of the standard deviations of the two outputs.
    """
    scale = expected.diagonal().sqrt()
    unit = scale[:, None] * scale
    errors = []
    for size in sizes:
        means = products.unflatten(0, (-1, size)).mean(1)
        errors.append(((means - expected) / unit).square().mean())
    return torch.stack(errors)


def standard_errors(products: Tensor, expected: Tensor) -> Tensor:
    """How many standard errors the mean of products (T, n, n) is off, (n (n + 1) / 2,)."""
    rows, columns = torch.triu_indices(*expected.shape)
    deviation = products.std(0) / math.sqrt(len(products))
    apart = (products.mean(0) - expected).abs() / deviation
    return apart[rows, columns]


def estimated_kurtosis(
    widths: tuple[int, ...], outputs: int, draws: int, generator: torch.Generator
) -> Tensor:
    """M_4 / M_2^2 - 3 over all outputs of `draws` networks without biases at one input,
    ().
    """
    point = on_sphere(torch.ones(1, FEATURES, dtype=torch.float64))
    net = WideNetwork(point, widths, out=outputs, biases=False)
    seen = net.outputs(net.start(draws, generator))
    return seen.pow(4).mean() / seen.square().mean().square() - 3


def kernel_errors(
    points: Tensor,
    expected: Tensor,
    widths: tuple[int, ...],
    draws: int,
    generators: Sequence[torch.Generator],
) -> Tensor:
    """|K - expected|_F / |expected|_F of tangent kernels at the start, (B, draws), of
    networks on points (B, n, d).
    """
    net = WideNetwork(points, widths, biases=False)
    size = expected.norm(dim=(-2, -1))
    errors = []
    for _ in range(draws):
        theta = torch.cat([net.start(1, generator) for generator in generators])
        apart = net.tangent_kernel(theta) - expected
        errors.append(apart.norm(dim=(-2, -1)) / size)
    return torch.stack(errors, 1)
