"""The claims of the page on monotone neurons."""

from ibcore.pages.regression.nonlinear_networks.monotone_neurons.claims.leaky_one_hidden import (
    leaky_one_hidden,
)
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.claims.neuron_monotone_min_distance import (
    neuron_monotone_min_distance,
)

__all__ = ["leaky_one_hidden", "neuron_monotone_min_distance"]
