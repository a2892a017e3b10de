"""Two-layer linear networks in regression: between l1 and l2 of the spectrum, and
l2.
"""
