"""The claims of the page on a ReLU neuron."""

from ibcore.pages.regression.nonlinear_networks.relu_neuron.claims.relu_neuron_factor_two import (
    relu_neuron_factor_two,
)
from ibcore.pages.regression.nonlinear_networks.relu_neuron.claims.relu_neuron_no_regularizer import (
    relu_neuron_no_regularizer,
)

__all__ = ["relu_neuron_factor_two", "relu_neuron_no_regularizer"]
