"""Training at the edge of stability, and models of it that can be solved."""
