"""Leaky ReLU networks that become linear, or whose boundary does."""
