"""All claims of the survey, in the order of its pages."""

from __future__ import annotations

import importlib
import pkgutil

from ibcore import pages
from ibcore.claim import REGISTRY, Claim, Setting, Verdict, claim

__all__ = ["PAGES", "Claim", "Setting", "Verdict", "all_claims", "claim"]

PAGES = (
    "introduction",
    "double_descent",
    "classification/logistic_regression",
    "classification/linear_networks/fully_connected",
    "classification/linear_networks/diagonal",
    "classification/linear_networks/convolutional",
    "classification/homogeneous_networks/kkt_points",
    "classification/homogeneous_networks/two_layer_margins",
    "classification/homogeneous_networks/simple_predictors",
    "classification/homogeneous_networks/univariate_networks",
    "classification/homogeneous_networks/margin_bounds",
    "classification/extensions/optimizers",
    "classification/extensions/losses_and_paths",
    "classification/extensions/mirror_descent",
    "regression/implicit_regularizers",
    "regression/linear_regression",
    "regression/linear_networks/diagonal_networks",
    "regression/linear_networks/convolutional_and_fully_connected",
    "regression/matrix_factorization/nuclear_norm",
    "regression/matrix_factorization/greedy_low_rank",
    "regression/matrix_factorization/norm_to_infinity",
    "regression/nonlinear_networks/monotone_neurons",
    "regression/nonlinear_networks/relu_neuron",
    "dynamical_stability/stable_minima",
    "dynamical_stability/flat_minima",
    "dynamical_stability/function_space",
    "dynamical_stability/edge_of_stability",
    "further/label_noise",
    "further/modified_losses",
    "further/balancedness",
    "further/parameter_norms",
    "further/wide_networks",
    "further/lazy_training",
    "further/robustness",
    "further/privacy",
    "since/optimizer_geometry",
    "since/large_steps",
    "since/features",
    "since/attention_and_language",
)


def all_claims() -> dict[str, Claim]:
    """Every claim by its id, in the order of the pages.

    They stand in the module or the folder `claims` of each room below `ibcore.pages`.
    """
    for module in pkgutil.walk_packages(pages.__path__, f"{pages.__name__}."):
        if "claims" in module.name.split("."):
            importlib.import_module(module.name)
    return dict(sorted(REGISTRY.items(), key=lambda item: PAGES.index(item[1].page)))
