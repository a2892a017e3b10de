"""The claims of the page on greedy low-rank learning, one module each."""

from ibcore.pages.regression.matrix_factorization.greedy_low_rank.claims.deep_mf_singular_dynamics import (
    deep_mf_singular_dynamics,
)
from ibcore.pages.regression.matrix_factorization.greedy_low_rank.claims.mf_completion_rank import (
    mf_completion_rank,
)
from ibcore.pages.regression.matrix_factorization.greedy_low_rank.claims.mf_glrl import (
    mf_glrl,
)

__all__ = ["deep_mf_singular_dynamics", "mf_completion_rank", "mf_glrl"]
