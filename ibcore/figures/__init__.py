"""Figures of the book: one module per page; every function draws on the Axes that it is
given.
"""

from ibcore.figures.style import PALETTE, figure, use_style

__all__ = ["PALETTE", "figure", "use_style"]
