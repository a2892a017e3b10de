"""Margins of two-layer networks."""
