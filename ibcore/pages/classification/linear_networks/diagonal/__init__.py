"""Diagonal linear networks: sparse limits, and the scale of the start against the
accuracy.
"""
