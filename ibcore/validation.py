"""Refuse wrong input before work starts: what was got, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

PRESETS = ("quick", "book", "full")
DEVICES = ("auto", "cpu", "cuda")


class InvalidInput(ValueError):
    """Input on which a result would be meaningless."""


class NotSeparable(InvalidInput):
    """Data without a separating direction, given to a statement about separable data."""


def real_tensor(name: str, value: object, *, ndim: int | None = None) -> Tensor:
    """`value` as a finite floating tensor (float64 unless it is a floating array or tensor already)."""
    try:
        tensor = torch.as_tensor(value)
        if tensor.is_floating_point() and not hasattr(value, "dtype"):
            tensor = torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInput(
            f"{name} is a {type(value).__name__} that is no array of numbers ({error}). "
            f"Pass a list, a NumPy array or a tensor of real numbers."
        ) from error
    if tensor.is_complex():
        raise InvalidInput(
            f"{name} is complex, expected real numbers. Pass its real part."
        )
    if not tensor.is_floating_point():
        tensor = tensor.double()
    if ndim is not None and tensor.ndim != ndim:
        raise InvalidInput(
            f"{name} has shape {tuple(tensor.shape)}, expected {ndim} dimension(s). "
            f"Reshape it first."
        )
    if tensor.numel() == 0:
        raise InvalidInput(
            f"{name} is empty (shape {tuple(tensor.shape)}). Pass at least one entry."
        )
    bad = int((~torch.isfinite(tensor)).sum())
    if bad:
        raise InvalidInput(
            f"{name} has {bad} entries that are NaN or infinite. "
            f"Remove or impute them first."
        )
    return tensor


def regression_data(X: object, y: object) -> tuple[Tensor, Tensor]:
    """Inputs `X` (n, d) and real targets `y` (n,) or (n, K), finite and of matching length."""
    inputs, targets = real_tensor("X", X, ndim=2), real_tensor("y", y)
    if targets.ndim not in (1, 2) or len(targets) != len(inputs):
        raise InvalidInput(
            f"X has shape {tuple(inputs.shape)} and y {tuple(targets.shape)}; expected "
            f"one target a row of X: y of shape ({len(inputs)},) or ({len(inputs)}, K)."
        )
    return inputs, targets.to(inputs)


def binary_data(X: object, y: object) -> tuple[Tensor, Tensor]:
    """Inputs `X` (n, d) and labels `y` (n,) in {-1, +1}."""
    inputs, labels = real_tensor("X", X, ndim=2), real_tensor("y", y, ndim=1)
    if len(labels) != len(inputs):
        raise InvalidInput(
            f"X has {len(inputs)} rows and y {len(labels)} labels; expected one label a row."
        )
    if not bool(((labels == 1) | (labels == -1)).all()):
        got = ", ".join(f"{v:g}" for v in labels.unique().tolist()[:6])
        raise InvalidInput(
            f"y has the values {got}; expected labels -1 and +1 only. "
            f"For labels 0 and 1 pass 2 * y - 1."
        )
    return inputs, labels.to(inputs)


def positive_integer(name: str, value: object, *, least: int = 1) -> int:
    """`value` as an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidInput(
            f"{name} is {value!r}, expected an integer of at least {least}."
        )
    return value


def positive_number(name: str, value: float) -> float:
    """`value` as a finite number above zero."""
    if not (isinstance(value, (int, float)) and 0 < value < float("inf")):
        raise InvalidInput(f"{name} is {value!r}, expected a finite number above 0.")
    return float(value)


def one_of(name: str, value: str, choices: Iterable[str]) -> str:
    """`value` if it is among `choices`."""
    choices = tuple(choices)
    if value not in choices:
        raise InvalidInput(
            f"{name} is {value!r}, expected one of {', '.join(choices)}."
        )
    return value


def pick_device(name: str) -> torch.device:
    """The device called `auto`, `cpu` or `cuda`; `auto` takes a GPU where there is one."""
    one_of("device", name, DEVICES)
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidInput(
            "device is 'cuda' but PyTorch sees no CUDA device here. Use --device cpu, "
            "or install a CUDA build of PyTorch on a machine with an NVIDIA GPU."
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
