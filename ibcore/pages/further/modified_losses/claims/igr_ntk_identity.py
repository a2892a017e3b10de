"""Both sides for four architectures, before and after training."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics import explicit
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.dynamics.trajectory import early_ends
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Square
from ibcore.models.network import Network
from ibcore.oracles.tangent_kernel import finite_tangent_kernel
from ibcore.validation import regression_data

ARCHITECTURES = (
    ((16,), "tanh", 1),
    ((12, 12), "relu", 1),
    ((8, 8, 8), "tanh", 1),
    ((12,), "tanh", 3),
)


TRAINED = (0, 50)  # steps after which the identity is checked


@dataclass(frozen=True)
class Kernels:
    """Inputs X (B, n, d) and targets Y (A, B, n, K), K of each of A architectures;
    starts of each, (B, P).
    """

    X: Tensor
    targets: tuple[Tensor, ...]
    starts: tuple[Tensor, ...]


@dataclass(frozen=True)
class Identities:
    """Both sides of the identity for A architectures at S stops of training, for B
    networks: (A, S, B) each.

    gradient: |grad E|^2 / 4 by automatic differentiation of the loss.      kernel: sum
    eps_i K_ij eps_j.
    last: the same with the kernel of the last layer alone.      broken: why runs ended
    early.
    """

    gradient: Tensor
    kernel: Tensor
    last: Tensor
    broken: tuple[str, ...] = ()

    @property
    def gaps(self) -> Tensor:
        """Relative difference of the two sides."""
        return (self.kernel / self.gradient - 1).abs()

    @property
    def control_gaps(self) -> Tensor:
        """The same with the kernel of the last layer alone."""
        return (self.last / self.gradient - 1).abs()


def draw_kernels(setting: Setting, *, networks: int) -> Kernels:
    """Ten Gaussian inputs in three dimensions with Gaussian targets, and a random
    network of every architecture.
    """
    draws = [
        torch.Generator().manual_seed(seed)
        for seed in setting.seeds(networks, "tangent kernel")
    ]
    X = torch.stack(
        [torch.randn(10, 3, generator=g, dtype=torch.float64) for g in draws]
    )
    y = torch.stack(
        [torch.randn(10, 3, generator=g, dtype=torch.float64) for g in draws]
    )
    return _kernels(X.to(setting.device), y.to(setting.device), draws)


def own_kernels(setting: Setting, X: object, y: object, *, networks: int) -> Kernels:
    """Random networks of every architecture on a reader's X (n, d) and y (n,); several
    outputs all learn y.
    """
    inputs, targets = regression_data(X, y, single=True)
    draws = [
        torch.Generator().manual_seed(seed)
        for seed in setting.seeds(networks, "tangent kernel")
    ]
    shape = (networks, len(targets), 3)
    return _kernels(
        inputs.double().to(setting.device).expand(networks, -1, -1),
        targets.double().to(setting.device)[:, None].expand(shape),
        draws,
    )


def _kernels(X: Tensor, y: Tensor, draws: list[torch.Generator]) -> Kernels:
    targets, starts = [], []
    for widths, activation, out in ARCHITECTURES:
        net = Network(X, widths, activation, out)
        starts.append(torch.cat([net.initial(1, g) for g in draws]).to(X))
        targets.append(y[..., 0] if out == 1 else y[..., :out])
    return Kernels(X, tuple(targets), tuple(starts))


def measure_kernels(kernels: Kernels, setting: Setting) -> Identities:  # noqa: ARG001
    """Both sides at random networks and after 50 steps of gradient descent."""
    sides: list[Tensor] = []
    broken: tuple[str, ...] = ()
    for (widths, activation, out), targets, start in zip(
        ARCHITECTURES, kernels.targets, kernels.starts, strict=True
    ):
        net = Network(kernels.X, widths, activation, out)
        objective = Objective(net, Square(), targets, shared=False)
        run = explicit.descend(
            objective, start, constant(0.02), steps=TRAINED, max_seconds=math.inf
        )
        broken += early_ends(activation, run)
        stops = [
            _sides(kernels.X, targets, theta, widths, activation, out)
            for theta in run.theta
        ]
        sides.append(torch.stack(stops, 1))
    gradient, kernel, last = torch.stack(sides, 1)
    return Identities(gradient, kernel, last, broken)


def _sides(
    X: Tensor,
    targets: Tensor,
    theta: Tensor,
    widths: tuple[int, ...],
    activation: str,
    out: int,
) -> Tensor:
    """|grad E|^2 / 4, eps K eps, and this with the kernel of the last layer: (3, B)."""
    net = Network(X, widths, activation, out)
    point = theta.detach().requires_grad_()
    total = X.shape[-2] * Square().mean(net.outputs(point), targets)
    (gradient,) = torch.autograd.grad(total.sum(), point)
    residuals = (net.outputs(theta) - targets).flatten(1)
    sides = [gradient.square().sum(-1) / 4]
    for count in (None, (widths[-1] + 1) * out):
        K = finite_tangent_kernel(theta, X, widths, activation, out, last=count)
        sides.append(torch.einsum("bi,bij,bj->b", residuals, K, residuals))
    return torch.stack(sides)


@claim(
    kind="theorem",
    source="Barrett and Dherin 2021, appendix A.3 (recalled); proved on the page",
    statement=r"For the sum of squares $E = \sum_i \varepsilon_i^2$ of residuals "
    r"$\varepsilon_i = f_\theta(x_i) - y_i$ the term of the modified loss is "
    r"$\frac\eta4 \|\nabla E\|^2 = \eta \sum_{ij} \varepsilon_i K_{ij} \varepsilon_j$ "
    r"with the tangent kernel $K_{ij} = \nabla f_\theta(x_i) \cdot \nabla "
    r"f_\theta(x_j)$.",
    quick={"networks": 8},
    book={"networks": 12},
    full={"networks": 200},
    draw=draw_kernels,
    measure=measure_kernels,
    own=own_kernels,
)
def igr_ntk_identity(measured: Identities) -> Evidence:
    """Both sides for four architectures, before and after training."""
    checks = (
        Check.each(
            "relative difference of the two sides",
            measured.gaps,
            at_most=1e-12,
            tag="proved",
            reason="rounding: some hundred operations of $10^{-16}$ each, enlarged "
            "where the sum cancels, as it may by chance; at most $10^{-13}$ on 6,400 "
            "networks",
            precision=True,
            over_seeds=0.99,
        ),
    )
    control = Control(
        "the kernel of the last layer alone",
        Check.each(
            "relative difference of the two sides at least 1e-3",
            measured.control_gaps,
            at_least=1e-3,
            tag="derived",
            math=r"relative difference of the two sides at least $10^{-3}$",
            reason="the inner layers add a sum of squares, which is not small where "
            "they learn; a billion times the bar of the claim",
        ),
    )
    notes = {"networks": measured.gaps.numel()}
    return Evidence(checks, control, notes, measured.broken)
