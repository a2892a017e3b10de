"""Fitting: what a network does between the points, and which polynomial is chosen."""
