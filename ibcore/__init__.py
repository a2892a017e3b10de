"""Experiments of *Implicit Bias in Deep Learning: an executable survey*.

The names of `__all__` are what a program may rely on; the page "Python interface" of
the book says what each of them does. They are loaded when they are first asked for, so
that to import the package takes no time. All else is private and may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ibcore.claim import Claim, Setting, Verdict
    from ibcore.claims import all_claims
    from ibcore.dynamics.explicit import descend
    from ibcore.dynamics.log_time import flow
    from ibcore.dynamics.mirror_flow import mirror_flow
    from ibcore.dynamics.objective import Objective
    from ibcore.dynamics.paces import constant
    from ibcore.dynamics.scipy_flow import scipy_flow
    from ibcore.dynamics.stiff_flow import stiff_flow
    from ibcore.losses import Exponential, Logistic, Square
    from ibcore.measures.directions import sin_angle
    from ibcore.measures.sharpness import sharpness
    from ibcore.models.convolutional import Convolutional
    from ibcore.models.deep_linear import DeepLinear
    from ibcore.models.diagonal import Diagonal
    from ibcore.models.linear import Linear
    from ibcore.models.margins import Margins
    from ibcore.models.matrix_factorization import DeepFactorization
    from ibcore.models.network import Network
    from ibcore.models.observations import Entries
    from ibcore.oracles.basis_pursuit import basis_pursuit
    from ibcore.oracles.least_squares import minimum_norm
    from ibcore.oracles.max_margin import max_margin
    from ibcore.oracles.norm_margin import norm_max_margin
    from ibcore.oracles.nuclear_minimization import nuclear_completion
    from ibcore.oracles.q_alpha import q_alpha_minimizer
    from ibcore.validation import InvalidInput, NotSeparable

__all__ = [
    "Claim",
    "Convolutional",
    "DeepFactorization",
    "DeepLinear",
    "Diagonal",
    "Entries",
    "Exponential",
    "InvalidInput",
    "Linear",
    "Logistic",
    "Margins",
    "Network",
    "NotSeparable",
    "Objective",
    "Setting",
    "Square",
    "Verdict",
    "all_claims",
    "basis_pursuit",
    "constant",
    "descend",
    "flow",
    "max_margin",
    "minimum_norm",
    "mirror_flow",
    "norm_max_margin",
    "nuclear_completion",
    "q_alpha_minimizer",
    "scipy_flow",
    "sharpness",
    "sin_angle",
    "stiff_flow",
]

MODULES = {
    "ibcore.claim": ("Claim", "Setting", "Verdict"),
    "ibcore.claims": ("all_claims",),
    "ibcore.dynamics.explicit": ("descend",),
    "ibcore.dynamics.log_time": ("flow",),
    "ibcore.dynamics.mirror_flow": ("mirror_flow",),
    "ibcore.dynamics.objective": ("Objective",),
    "ibcore.dynamics.paces": ("constant",),
    "ibcore.dynamics.scipy_flow": ("scipy_flow",),
    "ibcore.dynamics.stiff_flow": ("stiff_flow",),
    "ibcore.losses": ("Exponential", "Logistic", "Square"),
    "ibcore.measures.directions": ("sin_angle",),
    "ibcore.measures.sharpness": ("sharpness",),
    "ibcore.models.convolutional": ("Convolutional",),
    "ibcore.models.deep_linear": ("DeepLinear",),
    "ibcore.models.diagonal": ("Diagonal",),
    "ibcore.models.linear": ("Linear",),
    "ibcore.models.margins": ("Margins",),
    "ibcore.models.matrix_factorization": ("DeepFactorization",),
    "ibcore.models.network": ("Network",),
    "ibcore.models.observations": ("Entries",),
    "ibcore.oracles.basis_pursuit": ("basis_pursuit",),
    "ibcore.oracles.least_squares": ("minimum_norm",),
    "ibcore.oracles.max_margin": ("max_margin",),
    "ibcore.oracles.norm_margin": ("norm_max_margin",),
    "ibcore.oracles.nuclear_minimization": ("nuclear_completion",),
    "ibcore.oracles.q_alpha": ("q_alpha_minimizer",),
    "ibcore.validation": ("InvalidInput", "NotSeparable"),
}
# The module of each name, read also by `provenance`, which follows imports.
HOMES = {name: module for module, names in MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """The object of a listed name, from its module."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    """What is here already, and the listed names."""
    return sorted({*globals(), *__all__})
