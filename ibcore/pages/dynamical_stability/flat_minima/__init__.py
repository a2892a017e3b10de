"""What flat minima are, and why flatness is a property of parameters and not of
functions.
"""
