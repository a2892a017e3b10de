"""Pictures with sliders: live where a kernel runs, self-contained HTML in the built
book.
"""

from ibcore.explore.controls import Choice
from ibcore.explore.explorer import Explorer, explore

__all__ = ["Choice", "Explorer", "explore"]
