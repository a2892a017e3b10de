"""What the methods of this folder ask of a model and of a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from torch import Tensor

from ibcore.validation import InvalidInput, real_tensor


class Model(Protocol):
    """Outputs (B, n) of a batch of parameters (B, P) and their Jacobian (B, n, P).

    `linear` says that the Jacobian does not depend on the parameters.
    """

    @property
    def linear(self) -> bool: ...

    def outputs(self, theta: Tensor) -> Tensor: ...

    def jacobian(self, theta: Tensor) -> Tensor: ...


@runtime_checkable
class PullsBack(Protocol):
    """A model with a cheaper way to J^T weights, (B, P), for weights (B, n), than
    through its Jacobian J.
    """

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor: ...


class TailLoss(Protocol):
    """A decreasing loss of the margin by its logarithms: log l, log(-l') and d/dm
    log(-l').
    """

    def log_value(self, margins: Tensor) -> Tensor: ...

    def log_slope(self, margins: Tensor) -> Tensor: ...

    def log_slope_rate(self, margins: Tensor) -> Tensor: ...


class Predictor(Protocol):
    """Outputs (B, n) of a batch of parameters (B, P)."""

    def outputs(self, theta: Tensor) -> Tensor: ...


def checked_parts(model: object, loss: object) -> None:
    """Raises `InvalidInput` where `model` is no model or `loss` no loss of the margin,
    but a class or data.
    """
    for name, value, example, methods in (
        ("model", model, "Linear(y[:, None] * X)", ("outputs", "jacobian")),
        ("loss", loss, "Logistic()", ("log_value", "log_slope", "log_slope_rate")),
    ):
        if isinstance(value, type) or not all(hasattr(value, m) for m in methods):
            got = (
                f"the class {value.__name__}"
                if isinstance(value, type)
                else f"a {type(value).__name__}"
            )
            raise InvalidInput(
                f"{name} is {got}, expected an object with {', '.join(methods)}, such "
                f"as {example}."
            )


def starting_point(model: Predictor, theta: object) -> Tensor:
    """`theta` (B, P) as `fitting` gives it, where the outputs of the model are (B, n),
    as `usable_outputs` says.
    """
    start = fitting(model, theta)
    outputs = usable_outputs(start, lambda: model.outputs(start))
    if outputs.ndim != 2:
        raise InvalidInput(
            f"the outputs of the model have shape {tuple(outputs.shape)}; expected one "
            "number an example, (B, n)."
        )
    return start


def fitting(model: object, theta: object) -> Tensor:
    """`theta` (B, P) in the dtype and on the device of the data of `model`.

    A model tells its number of parameters P by `dimension`, and a tensor of its data by
    `like`, if it can. Raises `InvalidInput` for parameters that are not finite and
    another P.
    """
    start, like = real_tensor("theta", theta, ndim=2), getattr(model, "like", None)
    size = getattr(model, "dimension", None)
    if size is not None and start.shape[1] != size:
        raise InvalidInput(
            f"theta has shape {tuple(start.shape)}, expected (B, {size}): the model "
            f"has {size} parameters."
        )
    return start if like is None else start.to(like)


def usable_outputs(start: Tensor, compute: Callable[[], Tensor]) -> Tensor:
    """Outputs (B, n) or (B, n, K) at a start (B, P), by `compute`.

    Raises `InvalidInput` for a batch that does not fit the data, and where no member
    has finite outputs.
    """
    try:
        outputs = compute()
    except RuntimeError as error:
        raise InvalidInput(
            f"theta has shape {tuple(start.shape)} and dtype {start.dtype}, which the "
            f"model does not take ({error})."
        ) from error
    if outputs.ndim < 2 or len(outputs) != len(start):
        raise InvalidInput(
            f"theta has shape {tuple(start.shape)} and the outputs of the model "
            f"{tuple(outputs.shape)}; expected one row of outputs a row of theta."
        )
    if not bool(outputs.flatten(1).isfinite().all(-1).any()):
        raise InvalidInput(
            "the outputs of the model at theta are not finite. Look for NaN in its "
            "data, or start from smaller parameters."
        )
    return outputs


def pullback(model: Model | PullsBack, theta: Tensor, weights: Tensor) -> Tensor:
    """sum_i weights_i grad f_i(theta), (B, P), for weights (B, n)."""
    if isinstance(model, PullsBack):
        return model.pullback(theta, weights)
    return (weights[:, None, :] @ model.jacobian(theta))[:, 0]
