"""What models on fixed inputs share."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ibcore.validation import model_inputs


@dataclass(frozen=True)
class OnInputs:
    """A model on `inputs`, (n, d) shared by the batch or (B, n, d), which any array of real numbers may hold.

    They are checked and converted once, when the model is made; raises `InvalidInput` as `model_inputs` does.
    """

    inputs: Tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", model_inputs(self.inputs))

    @property
    def like(self) -> Tensor:
        """A tensor whose dtype and device the parameters take."""
        return self.inputs
