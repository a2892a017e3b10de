"""The claims of the page, one module each."""

from ibcore.pages.since.features.claims.grokking_two_biases import (
    grokking_two_biases,
)
from ibcore.pages.since.features.claims.modular_addition_margin import (
    modular_addition_margin,
)
from ibcore.pages.since.features.claims.near_homogeneous_kkt import (
    near_homogeneous_kkt,
)
from ibcore.pages.since.features.claims.saddle_to_saddle import saddle_to_saddle

__all__ = [
    "grokking_two_biases",
    "modular_addition_margin",
    "near_homogeneous_kkt",
    "saddle_to_saddle",
]
