"""The claims of the page on losses and finite times."""

from ibcore.pages.classification.extensions.losses_and_paths.claims.finite_time_path import (
    finite_time_path,
)
from ibcore.pages.classification.extensions.losses_and_paths.claims.loss_tail_matters import (
    loss_tail_matters,
)
from ibcore.pages.classification.extensions.losses_and_paths.claims.multiclass_svm import (
    multiclass_svm,
)

__all__ = ["finite_time_path", "loss_tail_matters", "multiclass_svm"]
