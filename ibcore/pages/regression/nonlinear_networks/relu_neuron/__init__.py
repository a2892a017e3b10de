"""A ReLU neuron: no function explains its limit; the norm does up to a factor of two."""
