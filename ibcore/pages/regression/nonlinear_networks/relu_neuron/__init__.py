"""A single ReLU neuron: no function of the weights explains its limits."""
