"""One neuron, x -> sigma(w.x), and one hidden neuron, x -> a sigma(w.x)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.models.activations import Activation
from ibcore.models.base import OnInputs
from ibcore.validation import InvalidInput, real_tensor


@dataclass(frozen=True)
class Neuron(OnInputs):
    """f(x; w) = sigma(w.x) with parameters w (B, d).

    inputs: (n, d), shared by the batch, or (B, n, d).
    """

    activation: Activation

    @property
    def dimension(self) -> int:
        return self.inputs.shape[-1]

    def pre_activations(self, theta: Tensor) -> Tensor:
        """z_i = w.x_i, (B, n)."""
        return _scores(self.inputs, theta)

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        return self.activation.value(self.pre_activations(theta))

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dw = sigma'(z_i) x_i, (B, n, d)."""
        return (
            self.activation.slope(self.pre_activations(theta))[..., None] * self.inputs
        )

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df(x_i)/dw, (B, d), for weights (B, n)."""
        return self.vjp(theta)[1](weights)

    def vjp(self, theta: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The outputs (B, n), and the map of weights to their pullback."""
        z = self.pre_activations(theta)
        return self.activation.value(z), lambda weights: _combine(
            self.inputs, weights * self.activation.slope(z)
        )

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i sigma''(z_i) x_i x_i^T, (B, d, d)."""
        bend = weights * self.activation.curvature(self.pre_activations(theta))
        return self.inputs.mT @ (bend[..., None] * self.inputs)


@dataclass(frozen=True)
class HiddenNeuron(OnInputs):
    """f(x; a, w) = a sigma(w.x): a network of one hidden neuron.      inputs: (n, d) or
    (B, n, d).

    Parameters `theta` (B, 1 + d) hold a and then w.
    """

    activation: Activation

    @property
    def dimension(self) -> int:
        return 1 + self.inputs.shape[-1]

    def product(self, theta: Tensor) -> Tensor:
        """u = a w, (..., d)."""
        return theta[..., :1] * theta[..., 1:]

    def imbalance(self, theta: Tensor) -> Tensor:
        """a^2 - |w|^2, (...), which gradient flow conserves if sigma(z) = sigma'(z) z,
        as for leaky ReLU.
        """
        return theta[..., 0] ** 2 - theta[..., 1:].square().sum(-1)

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        return theta[..., :1] * self.activation.value(
            _scores(self.inputs, theta[..., 1:])
        )

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta = (sigma(z_i), a sigma'(z_i) x_i), (B, n, 1 + d)."""
        a, z = theta[..., :1], _scores(self.inputs, theta[..., 1:])
        return torch.cat(
            [
                self.activation.value(z)[..., None],
                (a * self.activation.slope(z))[..., None] * self.inputs,
            ],
            -1,
        )

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df(x_i)/dtheta, (B, 1 + d), for weights (B, n)."""
        a, z = theta[..., :1], _scores(self.inputs, theta[..., 1:])
        return torch.cat(
            [
                (weights * self.activation.value(z)).sum(-1, keepdim=True),
                a * _combine(self.inputs, weights * self.activation.slope(z)),
            ],
            -1,
        )

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i d^2 f(x_i)/dtheta^2, (B, 1 + d, 1 + d)."""
        a, z = theta[..., :1], _scores(self.inputs, theta[..., 1:])
        mixed = _combine(self.inputs, weights * self.activation.slope(z))
        bend = weights * a * self.activation.curvature(z)
        rest = self.inputs.mT @ (bend[..., None] * self.inputs)
        top = torch.cat([torch.zeros_like(a), mixed], -1)
        return torch.cat(
            [top[..., None, :], torch.cat([mixed[..., None], rest], -1)], -2
        )


def leaky_mean_square(
    model: HiddenNeuron, targets: object
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """theta (A, 1 + d) and the members (A,), in order -> L, (A,), its gradient, and a
    bound on its curvature, (A,).

    For activations without curvature the Hessian of L is (2/n) (J^T J + H), where |J^T
    J| is at most sum_i sigma(z_i)^2 + a^2 |X|^2 and |H| is the length of sum_i r_i
    sigma'(z_i) x_i; their sum is the bound.
    targets: (n,), shared by the batch, or (B, n).
    """
    y, sigma = real_tensor("targets", targets), model.activation
    whole, n = model.inputs, model.inputs.shape[-2]
    spreads = torch.linalg.matrix_norm(whole, 2) ** 2

    def values(theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        inputs, spread = whole, spreads
        if whole.ndim == 3 and len(members) < len(whole):
            inputs, spread = whole[members], spreads[members]
        a, z = theta[:, :1], _scores(inputs, theta[:, 1:])
        h = sigma.value(z)
        r = a * h - (y[members] if y.ndim == 2 and len(members) < len(y) else y)
        pull = _combine(inputs, r * sigma.slope(z))
        gradient = torch.cat([(r * h).sum(-1, keepdim=True), a * pull], -1) * (2 / n)
        bound = (
            h.square().sum(-1)
            + a[:, 0].square() * spread
            + torch.linalg.vector_norm(pull, dim=-1)
        ) * (2 / n)
        return r.square().mean(-1), gradient, bound

    return values


def balanced_to(weights: Tensor, imbalance: Tensor, sign: Tensor) -> Tensor:
    """theta (B, 1 + d) with w = `weights` (B, d) and a^2 - |w|^2 = `imbalance` (B,), a
    of the `sign` (B,) given.

    Raises `InvalidInput` for an imbalance below -|w|^2.
    """
    square = imbalance + weights.square().sum(-1)
    if bool((square < 0).any()):
        raise InvalidInput(
            f"imbalance a^2 - |w|^2 is {float(square.min()):.3g} below its least value "
            "-|w|^2. Take longer weights or a larger imbalance."
        )
    return torch.cat([(sign * square.sqrt())[:, None], weights], -1)


def _scores(inputs: Tensor, weights: Tensor) -> Tensor:
    """w.x_i, (B, n)."""
    return (inputs @ weights[..., None])[..., 0]


def _combine(inputs: Tensor, coefficients: Tensor) -> Tensor:
    """sum_i coefficients_i x_i, (B, d)."""
    return (coefficients[..., None, :] @ inputs)[..., 0, :]
