"""The review that the book mirrors: its sections in its order, and the pages on each;
and the pages on what became known since.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A section of Vardi 2023, with the title of the section that holds it, and the
    pages of the book on it.
    """

    title: str
    part: str
    pages: tuple[str, ...]


_CLASSIFICATION = "Implicit Bias in Classification"
_REGRESSION = "Implicit Bias in Regression"
_FURTHER = "Additional Implicit Biases and Further Implications"

SECTIONS = (
    Section("Introduction", "", ("introduction",)),
    Section("The Double-Descent Phenomenon", "", ("double_descent",)),
    Section(
        "Logistic regression",
        _CLASSIFICATION,
        ("classification/logistic_regression",),
    ),
    Section(
        "Linear networks",
        _CLASSIFICATION,
        (
            "classification/linear_networks/fully_connected",
            "classification/linear_networks/diagonal",
            "classification/linear_networks/convolutional",
        ),
    ),
    Section(
        "Homogeneous neural networks",
        _CLASSIFICATION,
        (
            "classification/homogeneous_networks/kkt_points",
            "classification/homogeneous_networks/two_layer_margins",
            "classification/homogeneous_networks/simple_predictors",
            "classification/homogeneous_networks/univariate_networks",
            "classification/homogeneous_networks/margin_bounds",
        ),
    ),
    Section(
        "Extensions",
        _CLASSIFICATION,
        (
            "classification/extensions/optimizers",
            "classification/extensions/losses_and_paths",
            "classification/extensions/mirror_descent",
        ),
    ),
    Section(
        "Linear regression",
        _REGRESSION,
        ("regression/implicit_regularizers", "regression/linear_regression"),
    ),
    Section(
        "Linear networks",
        _REGRESSION,
        (
            "regression/linear_networks/diagonal_networks",
            "regression/linear_networks/convolutional_and_fully_connected",
        ),
    ),
    Section(
        "Matrix factorization as a test-bed for neural networks",
        _REGRESSION,
        (
            "regression/matrix_factorization/nuclear_norm",
            "regression/matrix_factorization/greedy_low_rank",
            "regression/matrix_factorization/norm_to_infinity",
        ),
    ),
    Section(
        "Nonlinear networks",
        _REGRESSION,
        (
            "regression/nonlinear_networks/monotone_neurons",
            "regression/nonlinear_networks/relu_neuron",
        ),
    ),
    Section(
        "Dynamical Stability",
        "",
        (
            "dynamical_stability/stable_minima",
            "dynamical_stability/flat_minima",
            "dynamical_stability/function_space",
            "dynamical_stability/edge_of_stability",
        ),
    ),
    Section("Label noise", _FURTHER, ("further/label_noise",)),
    Section("Modified losses", _FURTHER, ("further/modified_losses",)),
    Section("Balancedness", _FURTHER, ("further/balancedness",)),
    Section("Norms in function space", _FURTHER, ("further/parameter_norms",)),
    Section(
        "The NTK regime",
        _FURTHER,
        ("further/wide_networks", "further/lazy_training"),
    ),
    Section("Adversarial robustness", _FURTHER, ("further/robustness",)),
    Section("Privacy", _FURTHER, ("further/privacy",)),
    Section("Conclusion", "", ("conclusion",)),
)

SINCE = Section(
    "Since the review",
    "",
    (
        "since/optimizer_geometry",
        "since/large_steps",
        "since/features",
        "since/attention_and_language",
    ),
)


def section_of(page: str) -> Section:
    """The section of the review that a page is on, or `SINCE`."""
    [found] = [section for section in (*SECTIONS, SINCE) if page in section.pages]
    return found
