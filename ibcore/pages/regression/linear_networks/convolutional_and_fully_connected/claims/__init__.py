"""The claims of the page, one module each."""

from ibcore.pages.regression.linear_networks.convolutional_and_fully_connected.claims.fc_linear_min_l2 import (
    fc_linear_min_l2,
)
from ibcore.pages.regression.linear_networks.convolutional_and_fully_connected.claims.linear_nets_unified_conv_regression import (  # noqa: E501
    linear_nets_unified_conv_regression,
)

__all__ = ["fc_linear_min_l2", "linear_nets_unified_conv_regression"]
