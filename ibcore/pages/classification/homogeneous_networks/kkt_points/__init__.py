"""KKT points of homogeneous networks."""
