"""Claims on other algorithms, other losses and other geometries."""
