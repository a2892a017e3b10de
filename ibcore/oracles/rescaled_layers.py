"""Between which bounds the sharpness of a two-layer ReLU network lies when its layers
are rescaled.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LayerBlocks:
    """Of the Hessian of the mean square loss: largest eigenvalues of its blocks, and
    the norm between them, (B,) each.

    hidden, output: of the block of the hidden and of the output weights.      coupling:
    of the block between the two.
    """

    hidden: Tensor
    output: Tensor
    coupling: Tensor

    @property
    def invariant(self) -> Tensor:
        """sqrt(hidden output), (B,), which no rescaling changes and no rescaled network
        is flatter than.
        """
        return (self.hidden * self.output).sqrt()

    def bounds(self, c: Tensor) -> tuple[Tensor, Tensor]:
        """Bounds (K, B) on the sharpness where hidden weights are times c (K,)."""
        hidden = self.hidden / c[:, None].square()
        output = self.output * c[:, None].square()
        middle, half = (hidden + output) / 2, (hidden - output) / 2
        upper = middle + torch.hypot(half, self.coupling)
        return torch.maximum(hidden, output), upper


def layer_blocks(
    inputs: Tensor, targets: Tensor, hidden: Tensor, output: Tensor
) -> LayerBlocks:
    """The blocks at f(x) = sum_j a_j relu(w_j . x), in closed form.

    inputs: (B, n, d).      targets: (B, n).      hidden: w, (B, m, d).      output: a,
    (B, m). Within a pattern of active neurons f is linear in w and linear in a, so that
    the two blocks on the diagonal have no second derivative of f in them, at any loss:
    they are (2/n) times Gram matrices.
    """
    n = inputs.shape[-2]
    inner = inputs @ hidden.mT
    gates = (inner > 0).to(inputs)
    features = inner * gates
    rest = (features @ output[..., None])[..., 0] - targets
    gated = gates * output[:, None]
    kernel = (inputs @ inputs.mT) * (gated @ gated.mT)
    between = torch.einsum("bij,bid,bik->bjdk", gated, inputs, features)
    own = torch.einsum("bi,bij,bid->bjd", rest, gates, inputs)
    between = between + torch.diag_embed(own.mT).movedim(1, 2)
    return LayerBlocks(
        2 / n * torch.linalg.eigvalsh(kernel)[:, -1],
        2 / n * torch.linalg.matrix_norm(features, ord=2).square(),
        2 / n * torch.linalg.matrix_norm(between.flatten(1, 2), ord=2),
    )
