"""What a small norm of the parameters means in function space: roughness, quasi-norms,
least variation norm.
"""

from __future__ import annotations

from ibcore.pages.further.parameter_norms.claims.function_space_1d import (
    function_space_1d,
)
from ibcore.pages.further.parameter_norms.claims.function_space_multid import (
    function_space_multid,
)

__all__ = ["function_space_1d", "function_space_multid"]
