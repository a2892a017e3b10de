"""The linear predictor x -> w.x."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Self

import torch
from torch import Tensor

from ibcore.batch import rows_of
from ibcore.models.base import OnInputs, with_fields
from ibcore.validation import InvalidInput, data_tensor, real_number


@dataclass(frozen=True)
class Linear(OnInputs):
    """Linear predictor on `inputs`, (n, d) shared by the batch or (B, n, d) one set a
    member.

    With signed inputs y_i x_i its outputs are the margins y_i w.x_i. `offset`, of shape
    (n,) or (B, n), is added to them. Parameters `theta` (B, d) hold w.

    Raises `InvalidInput` for inputs that are no finite numbers in one of these shapes,
    and an offset that has not one entry for each input.

    >>> import torch
    >>> from ibcore import Linear
    >>> Linear([[3.0, 4.0], [1.0, 0.0]]).outputs(torch.tensor([[1.0, 2.0]]).double())
    tensor([[11.,  1.]], dtype=torch.float64)
    """

    offset: Tensor | float = 0.0
    linear = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.offset, Real):
            object.__setattr__(self, "offset", real_number("offset", self.offset))
            return
        offset = data_tensor(
            "offset", self.offset, ndims=(1, 2), shape="(n,) or (B, n)"
        ).to(self.inputs)
        points = self.inputs.shape[-2]
        if offset.shape[-1] != points:
            raise InvalidInput(
                f"offset has {offset.shape[-1]} entries, expected one for each of the "
                f"{points} inputs."
            )
        object.__setattr__(self, "offset", offset)

    @property
    def dimension(self) -> int:
        return self.inputs.shape[-1]

    def outputs(self, theta: Tensor) -> Tensor:
        outputs = _product(self.inputs, theta[..., None])[..., 0]
        plain = isinstance(self.offset, float) and self.offset == 0
        return outputs if plain else outputs + self.offset

    def jacobian(self, theta: Tensor) -> Tensor:
        return self.inputs.expand(len(theta), *self.inputs.shape[-2:])

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:  # noqa: ARG002
        return _product(weights[:, None, :], self.inputs)[:, 0]

    def select(self, members: Tensor) -> Self:
        part = super().select(members)
        if isinstance(self.offset, float) or self.offset.ndim == 1:
            return part
        return with_fields(part, offset=self.offset[members])

    def minibatch(self, rows: Tensor) -> Self:
        part = super().minibatch(rows)
        if isinstance(self.offset, float):
            return part
        shared = self.offset.ndim == 1
        return with_fields(part, offset=rows_of(self.offset, rows, shared=shared))


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b, a third faster where both are batches of small matrices."""
    return torch.bmm(a, b) if a.ndim == b.ndim == 3 and len(a) == len(b) else a @ b
