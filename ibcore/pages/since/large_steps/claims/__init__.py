"""The claims of the page, a module each."""

from ibcore.pages.since.large_steps.claims.central_flow import central_flow
from ibcore.pages.since.large_steps.claims.large_step_logistic import (
    large_step_logistic,
)
from ibcore.pages.since.large_steps.claims.sam_two_sharpnesses import (
    sam_two_sharpnesses,
)
from ibcore.pages.since.large_steps.claims.self_stabilization import self_stabilization

__all__ = [
    "central_flow",
    "large_step_logistic",
    "sam_two_sharpnesses",
    "self_stabilization",
]
