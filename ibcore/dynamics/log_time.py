"""Gradient flow for losses with an exponential tail, followed until the loss is
exp(-1e10) and beyond.

Gradient flow d theta/dt = -grad L on the mean loss visits the same points as

    d theta/ds = sum_i p_i grad m_i(theta),   p = softmax(log(-l'(m_i))),   ds =
    mean_i(-l'(m_i)) dt,

whose right-hand side is bounded however small the loss. log L and log t are carried as
logarithms; neither underflows nor overflows. Every run begins with the explicit
Dormand-Prince 8(5,3). In s the flow grows stiff, with the stiffness of the softmax, and
an L-stable method takes over: RODAS 4(3) for predictors that are linear in theta, whose
step count grows like log log(1/L), and the prox-linear method for networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ibcore.dynamics.log_time_batch import ROUNDING, Batch, Limits
from ibcore.dynamics.protocols import Model, TailLoss, checked_parts, starting_point
from ibcore.dynamics.recorder import Stops
from ibcore.dynamics.trajectory import (
    Trajectory,
)
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    one_of,
    positive_integer,
    positive_number,
)

METHODS = ("auto", "explicit", "stiff")


@threads()
def flow(
    model: Model,
    loss: TailLoss,
    theta: Tensor,
    *,
    log_loss: float | Sequence[float] | Tensor | None = None,
    log_time: float | Sequence[float] | Tensor | None = None,
    method: str = "auto",
    tolerance: float = 1e-6,
    implicit_tolerance: float = 1e-2,
    max_steps: int = 20_000,
    max_seconds: float = 300.0,
    invariants: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
) -> Trajectory:
    """Gradient flow on the mean loss from `theta` (B, P), recorded at the given stops.

    Exactly one of `log_loss` (falling) and `log_time` (rising), natural logarithms,
    lists the stops. The `loss` is one of margins with a tail, and the `model` has these
    as outputs, (B, n). The explicit phase (Dormand and Prince 8(5,3)) gives way to a
    stiff one (RODAS 4(3), Hairer and Wanner 1996): for linear predictors where
    stability would limit its step, for networks where every margin is above 30 and the
    loss has an exponential tail. Stops are met to 1e-10 relative, in the stiff phase of
    networks to 1e-3; `Trajectory` holds the values where they were met.

    `tolerance` bounds the error of one step: of the parameters, relative to 1 +
    |theta_i| (explicit), of the weights p and, relative to 1 + |m_i|, of the margins
    (stiff, linear), and of log t, relative to 1 + |log t|; it is 32 machine epsilons if
    that is more, as in single precision. `implicit_tolerance` bounds the error of one
    stiff step of a network relative to |theta|; time is then known to about 1e-4 in log
    t beside the rounding of the margins. Below log L = -1e11 double precision cannot
    tell the margins apart.

    A run ends at its last stop, after `max_steps` steps (accepted and rejected),
    `max_seconds` of wall clock for the batch, when its step falls below rounding, or at
    rest at a positive loss, as where the data are not separable; `Trajectory.status`
    says which, in the words of `ibcore.dynamics.trajectory`. At rest all later times
    have the same state, so that stops of `log_time` are met, while lower losses never
    come. A stop above the loss of the start keeps the start. `invariants` maps names to
    functions of theta (B, P) -> (B,) or (B, k) that the flow conserves; their drift is
    reported.

    Raises `InvalidInput` for stops out of order, a last stop that every start has
    passed, a method other than auto, explicit and stiff, the stiff method on a model
    that is not linear, and parameters that are not finite or do not fit the model. They
    are converted to the dtype of its data.

    One example x = 1 and the exponential loss have w(t) = log(1 + t):

    >>> from ibcore import Exponential, Linear, flow
    >>> run = flow(Linear([[1.0]]), Exponential(), [[0.0]], log_time=[10, 1e6])
    >>> run.theta.flatten().round(decimals=3)  # log(1 + e^10), log(1 + e^1000000)
    tensor([1.0000e+01, 1.0000e+06], dtype=torch.float64)
    >>> run.reached
    True
    """
    checked_parts(model, loss)
    theta = starting_point(model, theta)
    stops = Stops.of(log_loss, log_time, theta)
    one_of("method", method, METHODS)
    tolerance = positive_number("tolerance", tolerance)
    limits = Limits(
        max(tolerance, ROUNDING * torch.finfo(theta.dtype).eps),
        positive_number("implicit_tolerance", implicit_tolerance),
        positive_integer("max_steps", max_steps),
        positive_number("max_seconds", max_seconds, infinite=True),
    )
    if method == "stiff" and not model.linear:
        raise InvalidInput(
            "method is 'stiff' but the model is not linear; use method='auto' or "
            "'explicit'."
        )
    run = Batch(model, loss, stops, limits)
    return run.integrate(theta, method, dict(invariants or {}))
