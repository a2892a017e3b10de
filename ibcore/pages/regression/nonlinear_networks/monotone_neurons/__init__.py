"""Monotone neurons: the nearest solution, and the regularizer of one hidden neuron."""
