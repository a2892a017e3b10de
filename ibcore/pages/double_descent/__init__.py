"""Double descent: the risk of growing models, its peak, and where interpolating noise
does no harm.
"""
