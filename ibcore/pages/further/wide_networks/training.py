"""Wide networks in training, beside the linear models that predict them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cvxpy as cp
import torch
from torch import Tensor

from ibcore.dynamics import explicit
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Square
from ibcore.models.linear import Linear
from ibcore.models.wide import WideNetwork
from ibcore.oracles.infinite_width import limit_kernel
from ibcore.oracles.linearized import (
    descent_outputs,
    flow_outputs,
    least_change,
    limit_outputs,
)
from ibcore.pages.further.wide_networks.runs import Sets

STOPS = (0, 1, 2, 3, 4, 6, 8, 10, 13, 16, 20)
SPLITS = (6, 12)
STEPS = (*STOPS, 30, 50, 100, 200)


@dataclass(frozen=True)
class Gaps:
    """What B networks of each of W widths did, against the linear predictions.

    All are root mean squares over points, over that of y - f_0 on the training inputs.
    flow: (W, 2, B), largest over time, of gradient flow against the matrix exponential
    with the kernel of infinite width, on training and on new inputs.      bound: (W,
    B), what is proved of it on training inputs, the largest |K_t - K|_2 over the least
    eigenvalue of the limit K.
    descent: (W, 2, B), of descent against the powers of I - 2 eta K / n with the
    network's own kernel at its start.
    limit, own_limit: (W, B), at new inputs after the last step, against the
    interpolants of both kernels.
    distance: (W, B), |theta - theta_0| there over the least norm of the change with the
    kernel of infinite width.
    """

    flow: Tensor
    bound: Tensor
    descent: Tensor
    limit: Tensor
    own_limit: Tensor
    distance: Tensor


@dataclass(frozen=True)
class Trained:
    """Networks `net` on the training inputs, the same on `all` points, from `start` (B,
    P), with unit steps (B,).
    """

    net: WideNetwork
    everywhere: WideNetwork
    start: Tensor
    targets: Tensor
    unit: Tensor

    def descend(self, split: int, stops: Sequence[int]) -> explicit.Run:
        """Descent with steps of unit / split, recorded after so many units, with the
        outputs everywhere.
        """
        return explicit.descend(
            Objective(self.net, Square(), self.targets, shared=False),
            self.start,
            constant(self.unit / split),
            steps=[split * stop for stop in stops],
            watch={
                "outputs": lambda point, _: self.everywhere.outputs(point.theta),
                "kernel": lambda point, _: self.net.tangent_kernel(point.theta),
            },
            max_seconds=math.inf,
        )

    def flow(self) -> tuple[Tensor, Tensor]:
        """Outputs (K, B, N) of gradient flow at `STOPS` units of time, extrapolated
        from two step sizes, and kernels.

        The kernels (K, B, n, n) are those of the smaller steps.
        """
        coarse, fine = (self.descend(split, STOPS).watched for split in SPLITS)
        return 2 * fine["outputs"] - coarse["outputs"], fine["kernel"]


def networks(
    sets: Sets, widths: tuple[int, ...], generators: Sequence[torch.Generator]
) -> tuple[Trained, Tensor]:
    """Networks of these widths, one a set, and their tangent kernels at the start on
    all points, (B, N, n).

    The unit of time is n / (2 lambda), half the largest stable step of the network's
    own kernel at its start.
    """
    everywhere = WideNetwork(sets.points, widths, biases=False)
    start = torch.cat([everywhere.start(1, generator) for generator in generators])
    kernel = everywhere.tangent_kernel(start)[..., : sets.examples]
    top = torch.linalg.eigvalsh(kernel[:, : sets.examples])[:, -1]
    net = WideNetwork(sets.inputs, widths, biases=False)
    unit = sets.examples / (2 * top)
    return Trained(net, everywhere, start, sets.targets, unit), kernel


def gaps(
    sets: Sets,
    shapes: Sequence[tuple[int, ...]],
    generators: Callable[[int], Sequence[torch.Generator]],
) -> Gaps:
    """Train networks of every shape and compare; generators: of the number of a shape,
    one a set.
    """
    rows = [
        _gaps(sets, shape, generators(number)) for number, shape in enumerate(shapes)
    ]
    return Gaps(*(torch.stack(parts) for parts in zip(*rows, strict=True)))


def _gaps(
    sets: Sets, widths: tuple[int, ...], generators: Sequence[torch.Generator]
) -> tuple[Tensor, ...]:
    trained, mine = networks(sets, widths, generators)
    limit = limit_kernel(sets.points, sets.inputs, len(widths), 0.0)
    run = trained.descend(1, STEPS)
    seen, y, n = run.watched["outputs"], sets.targets, sets.examples
    first, last = seen[0], seen[-1]
    size = root_mean_square(y - first[:, :n])
    steps = torch.tensor(STEPS).to(y)
    descent = seen - descent_outputs(mine, first, y, steps, trained.unit)
    ends = [
        root_mean_square((last - limit_outputs(kernel, first, y))[:, n:])
        for kernel in (limit, mine)
    ]
    moved = (run.theta[-1] - run.theta[0]).norm(dim=-1)
    return (
        *_flow_gap(sets, trained, limit, first),
        _largest(descent, n) / size,
        ends[0] / size,
        ends[1] / size,
        moved / least_change(limit, first, y),
    )


def _flow_gap(
    sets: Sets, trained: Trained, limit: Tensor, first: Tensor
) -> tuple[Tensor, Tensor]:
    """Largest over time of |f_t - prediction| with the kernel of infinite width, (2,
    B), and the bound (B,).
    """
    n, (seen, kernels) = sets.examples, trained.flow()
    times = torch.tensor(STOPS).to(first)[:, None] * trained.unit
    apart = seen - flow_outputs(limit, first, sets.targets, times)
    size = root_mean_square(sets.targets - first[:, :n])
    moved = torch.linalg.matrix_norm(kernels - limit[:, :n], ord=2).amax(0)
    least = torch.linalg.eigvalsh(limit[:, :n])[:, 0]
    return _largest(apart, n) / size, moved / least


def flow_gaps(
    sets: Sets,
    shapes: Sequence[tuple[int, ...]],
    generators: Callable[[int], Sequence[torch.Generator]],
) -> Tensor:
    """`Gaps.flow` alone, (W, 2, B)."""
    rows = []
    for number, shape in enumerate(shapes):
        trained, _ = networks(sets, shape, generators(number))
        limit = limit_kernel(sets.points, sets.inputs, len(shape), 0.0)
        first = trained.everywhere.outputs(trained.start)
        rows.append(_flow_gap(sets, trained, limit, first)[0])
    return torch.stack(rows)


def _largest(apart: Tensor, n: int) -> Tensor:
    """Largest root mean square over time of differences (K, B, N), on training and new
    points, (2, B).
    """
    parts = [
        root_mean_square(part).amax(0) for part in (apart[..., :n], apart[..., n:])
    ]
    return torch.stack(parts)


def root_mean_square(values: Tensor) -> Tensor:
    """Over the last dimension."""
    return values.square().mean(-1).sqrt()


def linear_models(
    sets: Sets, width: int, generators: Sequence[torch.Generator]
) -> tuple[Tensor, Tensor]:
    """Descent on the linearized networks in their parameters, against the closed form
    with J J^T: (B,) and (B,).

    The largest difference of an output at any stop, over the largest start; and the
    largest relative difference between the length of the change of the parameters and
    the least that gives the same training outputs.
    """
    trained, _ = networks(sets, (width,), generators)
    J = trained.everywhere.jacobian(trained.start)
    first, n, y = trained.everywhere.outputs(trained.start), sets.examples, sets.targets
    model = Linear(J[:, :n], first[:, :n])
    everywhere = Linear(J, first)
    run = explicit.descend(
        Objective(model, Square(), y, shared=False),
        torch.zeros_like(trained.start),
        constant(trained.unit),
        steps=STEPS,
        watch={"outputs": lambda point, _: everywhere.outputs(point.theta)},
        max_seconds=math.inf,
    )
    kernel = J @ J[:, :n].mT
    steps = torch.tensor(STEPS).to(y)
    expected = descent_outputs(kernel, first, y, steps, trained.unit)
    seen = run.watched["outputs"]
    apart = (seen - expected).abs().amax((0, 2))
    least = torch.stack([least_change(kernel, first, f[:, :n]) for f in seen[1:]])
    change = run.theta[1:].norm(dim=-1) / least - 1
    return apart / first.abs().amax(-1), change.abs().amax(0)


def least_norm_program(sets: Sets, first: Tensor) -> Tensor:
    """Values (N,) at all points of the first set of f_0 + sum_j c_j K(., z_j) of least
    norm through the targets.

    The z_j are all N points, K the kernel of infinite width of one hidden layer, and
    `first` (N,) is f_0.
    """
    points, y = sets.points[0], sets.targets[0]
    gram = limit_kernel(points, points, 1, 0.0).cpu().numpy()
    n = len(y)
    values = cp.Variable(len(points))
    norm = cp.matrix_frac(values, (gram + gram.T) / 2)
    fits = [values[:n] == (y - first[:n]).cpu().numpy()]
    cp.Problem(cp.Minimize(norm), fits).solve(solver=cp.CLARABEL)
    return first + torch.from_numpy(values.value).to(first)
