"""The claims of the page on the nuclear norm, one module each."""

from ibcore.pages.regression.matrix_factorization.nuclear_norm.claims.mf_nuclear_commuting import (
    mf_nuclear_commuting,
)
from ibcore.pages.regression.matrix_factorization.nuclear_norm.claims.mf_nuclear_refuted import (
    mf_nuclear_refuted,
)
from ibcore.pages.regression.matrix_factorization.nuclear_norm.claims.mf_sensing_rip import (
    mf_sensing_rip,
)

__all__ = ["mf_nuclear_commuting", "mf_nuclear_refuted", "mf_sensing_rip"]
