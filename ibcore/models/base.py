"""A model is what it outputs: its derivatives follow, and closed forms override them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor

from ibcore.batch import rows_of
from ibcore.validation import model_inputs


class Model:
    """A batch of predictors on fixed inputs; a subclass writes `outputs`, and `select`
    and `minibatch` for its data.

    Parameters `theta` (B, P) hold one predictor a row, and a row of outputs depends on
    its own row of theta alone. Outputs are (B, n), or (B, n, K) where a predictor has K
    of them. Derivatives come from `outputs` by automatic differentiation; a closed form
    that is cheaper overrides them.
    """

    @property
    def linear(self) -> bool:
        """Whether the Jacobian does not depend on the parameters."""
        return False

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n) or (B, n, K)."""
        raise NotImplementedError

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df(x_i)/dtheta, (B, P), for weights of the shape of the
        outputs.
        """
        pulled = torch.func.vjp(self.outputs, theta)[1]
        return pulled(weights)[0]

    def vjp(self, theta: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The outputs and the map of weights to their pullback; a model overrides it
        where the two share work.
        """
        return self.outputs(theta), partial(self.pullback, theta)

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta, (B, n, P) or (B, n, K, P)."""
        outputs, pulled = torch.func.vjp(self.outputs, theta)[:2]
        shape = outputs.shape[1:]
        basis = torch.eye(shape.numel()).to(outputs).reshape(-1, 1, *shape)
        rows = torch.func.vmap(pulled)(basis.expand(-1, *outputs.shape))[0]
        return rows.movedim(0, 1).unflatten(1, shape)

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i d^2 f(x_i)/dtheta^2, (B, P, P), for weights of the shape of
        the outputs.
        """

        def gradient(point: Tensor) -> Tensor:
            return Model.pullback(self, point, weights)

        pulled = torch.func.vjp(gradient, theta)[1]
        basis = torch.eye(theta.shape[-1]).to(theta)[:, None]
        rows = torch.func.vmap(pulled)(basis.expand(-1, *theta.shape))[0]
        return rows.movedim(0, 1)

    def select(self, members: Tensor) -> Self:
        """The model of these members (A,) of the batch."""
        raise NotImplementedError

    def minibatch(self, rows: Tensor) -> Self:
        """The model on these of its inputs, (b,) for all members or (B, b)."""
        raise NotImplementedError


def with_fields(instance: Any, **fields: Any) -> Any:
    """A copy of a frozen dataclass with other fields, which are not checked again."""
    other = copy.copy(instance)
    for name, value in fields.items():
        object.__setattr__(other, name, value)
    return other


@dataclass(frozen=True)
class OnInputs(Model):
    """A model on `inputs`, (n, d) shared by the batch or (B, n, d), which any array of
    real numbers may hold.

    They are checked and converted once, when the model is made; raises `InvalidInput`
    as `model_inputs` does.
    """

    inputs: Tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", model_inputs(self.inputs))

    @property
    def like(self) -> Tensor:
        """A tensor whose dtype and device the parameters take."""
        return self.inputs

    @property
    def examples(self) -> int:
        """The number of inputs n."""
        return self.inputs.shape[-2]

    def select(self, members: Tensor) -> Self:
        if self.inputs.ndim == 2:
            return self
        return with_fields(self, inputs=self.inputs[members])

    def minibatch(self, rows: Tensor) -> Self:
        chosen = rows_of(self.inputs, rows, shared=self.inputs.ndim == 2)
        return with_fields(self, inputs=chosen)
