"""Overfitting as it was taught, labels without meaning, smooth or wiggly."""

from ibcore.pages.introduction.claims.intro_poly_overfit import intro_poly_overfit
from ibcore.pages.introduction.claims.intro_random_labels import intro_random_labels
from ibcore.pages.introduction.claims.smooth_or_wiggly import smooth_or_wiggly

__all__ = ["intro_poly_overfit", "intro_random_labels", "smooth_or_wiggly"]
