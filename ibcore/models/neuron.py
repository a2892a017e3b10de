"""Networks of one neuron: x -> sigma(w.x), and x -> a sigma(w.x) with a trained a."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ibcore.models.activations import Activation, RightReLU
from ibcore.models.network import Network
from ibcore.models.square_fields import OneReLU
from ibcore.validation import InvalidInput, real_tensor


class Neuron(Network):
    """f(x; w) = sigma(w.x) with parameters w (B, d): a `Network` of one neuron, with
    closed derivatives that cost half as much.

    inputs: (n, d), shared by the batch, or (B, n, d).
    """

    def __init__(self, inputs: object, activation: Activation) -> None:
        super().__init__(inputs, (1,), activation, biases=False, output=[1.0])  # type: ignore[arg-type]

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        return self.phi.value(_scores(self.inputs, theta))

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dw = sigma'(z_i) x_i, (B, n, d)."""
        return self.phi.slope(_scores(self.inputs, theta))[..., None] * self.inputs

    def vjp(self, theta: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The outputs (B, n), and the map of weights to their pullback."""
        z = _scores(self.inputs, theta)
        return self.phi.value(z), lambda weights: _combine(
            self.inputs, weights * self.phi.slope(z)
        )

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i sigma''(z_i) x_i x_i^T, (B, d, d)."""
        bend = weights * self.phi.curvature(_scores(self.inputs, theta))
        return self.inputs.mT @ (bend[..., None] * self.inputs)

    def square_field(self, targets: Tensor) -> OneReLU | None:
        """Gradient flow of the mean square loss in NumPy, for `RightReLU` on inputs
        (n, d).
        """
        if isinstance(self.phi, RightReLU) and self.inputs.ndim == 2:
            return OneReLU.on(self.inputs, targets)
        return None


class HiddenNeuron(Network):
    """f(x; w, a) = a sigma(w.x): a `Network` of one hidden neuron, with closed
    derivatives that cost less.

    inputs: (n, d) or (B, n, d). Parameters `theta` (B, d + 1) hold w and then a.
    """

    def __init__(self, inputs: object, activation: Activation) -> None:
        super().__init__(inputs, (1,), activation, biases=False)  # type: ignore[arg-type]

    def product(self, theta: Tensor) -> Tensor:
        """u = a w, (..., d)."""
        return theta[..., -1:] * theta[..., :-1]

    def imbalance(self, theta: Tensor) -> Tensor:
        """a^2 - |w|^2, (...), which gradient flow conserves if sigma(z) = sigma'(z) z,
        as for leaky ReLU.
        """
        return theta[..., -1] ** 2 - theta[..., :-1].square().sum(-1)

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        return theta[..., -1:] * self.phi.value(_scores(self.inputs, theta[..., :-1]))

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta = (a sigma'(z_i) x_i, sigma(z_i)), (B, n, d + 1)."""
        a, z = theta[..., -1:], _scores(self.inputs, theta[..., :-1])
        by_w = (a * self.phi.slope(z))[..., None] * self.inputs
        return torch.cat([by_w, self.phi.value(z)[..., None]], -1)

    def vjp(self, theta: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The outputs (B, n), and the map of weights to their pullback."""
        a, z = theta[..., -1:], _scores(self.inputs, theta[..., :-1])
        h = self.phi.value(z)

        def pull(weights: Tensor) -> Tensor:
            by_w = a * _combine(self.inputs, weights * self.phi.slope(z))
            return torch.cat([by_w, (weights * h).sum(-1, keepdim=True)], -1)

        return a * h, pull

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i d^2 f(x_i)/dtheta^2, (B, d + 1, d + 1)."""
        a, z = theta[..., -1:], _scores(self.inputs, theta[..., :-1])
        mixed = _combine(self.inputs, weights * self.phi.slope(z))
        bend = weights * a * self.phi.curvature(z)
        rows = torch.cat(
            [self.inputs.mT @ (bend[..., None] * self.inputs), mixed[..., None]], -1
        )
        last = torch.cat([mixed, torch.zeros_like(a)], -1)
        return torch.cat([rows, last[..., None, :]], -2)


def leaky_mean_square(
    model: HiddenNeuron, targets: object
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """theta (A, d + 1) and the members (A,), in order -> L, (A,), its gradient, and a
    bound on its curvature, (A,).

    For activations without curvature the Hessian of L is (2/n) (J^T J + H), where |J^T
    J| is at most sum_i sigma(z_i)^2 + a^2 |X|^2 and |H| is the length of sum_i r_i
    sigma'(z_i) x_i; their sum is the bound.
    targets: (n,), shared by the batch, or (B, n).
    """
    y, sigma = real_tensor("targets", targets), model.phi
    whole, n = model.inputs, model.inputs.shape[-2]
    spreads = torch.linalg.matrix_norm(whole, 2) ** 2

    def values(theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        inputs, spread = whole, spreads
        if whole.ndim == 3 and len(members) < len(whole):
            inputs, spread = whole[members], spreads[members]
        a, z = theta[:, -1:], _scores(inputs, theta[:, :-1])
        h = sigma.value(z)
        r = a * h - (y[members] if y.ndim == 2 and len(members) < len(y) else y)
        pull = _combine(inputs, r * sigma.slope(z))
        gradient = torch.cat([a * pull, (r * h).sum(-1, keepdim=True)], -1) * (2 / n)
        bound = (
            h.square().sum(-1)
            + a[:, 0].square() * spread
            + torch.linalg.vector_norm(pull, dim=-1)
        ) * (2 / n)
        return r.square().mean(-1), gradient, bound

    return values


def balanced_to(weights: Tensor, imbalance: Tensor, sign: Tensor) -> Tensor:
    """theta (B, d + 1) with w = `weights` (B, d) and a^2 - |w|^2 = `imbalance` (B,), a
    of the `sign` (B,) given.

    Raises `InvalidInput` for an imbalance below -|w|^2.
    """
    square = imbalance + weights.square().sum(-1)
    if bool((square < 0).any()):
        raise InvalidInput(
            f"imbalance a^2 - |w|^2 is {float(square.min()):.3g} below its least value "
            "-|w|^2. Take longer weights or a larger imbalance."
        )
    return torch.cat([weights, (sign * square.sqrt())[:, None]], -1)


def safe_step(inputs: Tensor) -> Tensor:
    """n / (2 lambda_max(X^T X)), (B,), for inputs (B, n, d) of a ReLU neuron.

    It is half the step size up to which descent on the mean square loss moves away from
    no weights that fit all points.
    """
    return inputs.shape[-2] / (2 * torch.linalg.matrix_norm(inputs, 2).square())


def _scores(inputs: Tensor, weights: Tensor) -> Tensor:
    """w.x_i, (B, n)."""
    return (inputs @ weights[..., None])[..., 0]


def _combine(inputs: Tensor, coefficients: Tensor) -> Tensor:
    """sum_i coefficients_i x_i, (B, d)."""
    return (coefficients[..., None, :] @ inputs)[..., 0, :]
