"""Lazy and rich training: how far wide networks move, and what they find if they hardly
do.
"""

from __future__ import annotations

from ibcore.pages.further.lazy_training.claims.mean_field_limit import mean_field_limit
from ibcore.pages.further.lazy_training.claims.ntk_constant import ntk_constant
from ibcore.pages.further.lazy_training.claims.ntk_lazy import ntk_lazy

__all__ = ["mean_field_limit", "ntk_constant", "ntk_lazy"]
