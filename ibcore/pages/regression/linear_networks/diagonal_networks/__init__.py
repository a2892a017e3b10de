"""Diagonal linear networks in regression: the function that gradient flow minimizes at
every scale, depth and shape.
"""
