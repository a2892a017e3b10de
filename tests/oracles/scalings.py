"""The scalings under which oracles are tried: hypothesis draws a few, the same at every
run.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

FACTORS = st.floats(-12, 12).map(lambda exponent: 10.0**exponent)
"""A change of units between 1e-12 and 1e12."""

few = settings(max_examples=12, derandomize=True, deadline=None, database=None)
