"""Univariate ReLU networks: few linear regions."""
