"""Leaky ReLU networks that become simple: as linear functions, and with a linear boundary."""
