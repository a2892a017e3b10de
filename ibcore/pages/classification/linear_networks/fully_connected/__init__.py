"""Fully connected linear networks: the direction of the product, the rank of the
layers, and how fast.
"""
