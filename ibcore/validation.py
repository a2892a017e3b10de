"""Refuse wrong input before work starts: what was got, what was expected, what to do."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from numbers import Integral, Real

import numpy as np
import torch
from scipy.sparse import issparse
from torch import Tensor

PRESETS = ("quick", "book", "full")
DEVICES = ("auto", "cpu", "cuda")
_OTHER = {"U": "text", "S": "text", "M": "dates", "m": "durations", "V": "records"}


class InvalidInput(ValueError):
    """Input on which a result would be meaningless; a `ValueError`.

    Raised before any work starts. The message says what was got, what was expected and
    what to do.

    >>> from ibcore import InvalidInput, max_margin
    >>> try:
    ...     max_margin([[1.0], [2.0]], [0, 1])
    ... except InvalidInput:
    ...     print("labels are -1 and +1")
    labels are -1 and +1
    """


class NotSeparable(InvalidInput):
    """Data without a separating direction, given to a statement about separable data.

    An `InvalidInput` that is raised only with a checked certificate: a combination of
    the y_i x_i with nonnegative weights that vanishes (Gordan 1873).

    >>> from ibcore import NotSeparable, max_margin
    >>> try:
    ...     max_margin([[1.0], [1.0]], [-1, 1])
    ... except NotSeparable:
    ...     print("one input, two labels")
    one input, two labels
    """


def real_tensor(name: str, value: object, *, ndim: int | None = None) -> Tensor:
    """`value` as a finite dense tensor: float32 where it is an array of that dtype,
    otherwise float64.

    Takes lists, numbers, tensors, and whatever turns into a NumPy array: DataFrames,
    reversed views, integers, truth values, half precision, any byte order, objects that
    are numbers. A tensor or array that needs no change is not copied. Raises
    `InvalidInput` for text, dates, complex numbers, sparse and masked data, NaN,
    infinities, empty data and another number of dimensions than `ndim`.
    """
    tensor = _dense(name, value) if isinstance(value, Tensor) else _array(name, value)
    if tensor.is_complex():
        raise InvalidInput(
            f"{name} is complex, expected real numbers. Pass its real part."
        )
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.double()
    if ndim is not None and tensor.ndim != ndim:
        raise InvalidInput(
            f"{name} has shape {tuple(tensor.shape)}, expected {ndim} dimension(s). "
            "Reshape it first."
        )
    if tensor.numel() == 0:
        raise InvalidInput(
            f"{name} is empty (shape {tuple(tensor.shape)}). Pass at least one entry."
        )
    bad = int((~torch.isfinite(tensor)).sum())
    if bad:
        raise InvalidInput(
            f"{name} has {bad} entries that are NaN or infinite. Remove or impute them "
            "first."
        )
    return tensor


def _dense(name: str, tensor: Tensor) -> Tensor:
    if tensor.layout != torch.strided or tensor.is_nested:
        raise InvalidInput(
            f"{name} is a sparse tensor, expected a dense one. Pass {name}.to_dense()."
        )
    return tensor


def _array(name: str, value: object) -> Tensor:
    """What is no tensor, by way of NumPy."""
    if issparse(value):
        raise InvalidInput(
            f"{name} is a sparse matrix, expected a dense array. Pass {name}.toarray()."
        )
    if isinstance(value, np.ma.MaskedArray):
        raise InvalidInput(
            f"{name} is a masked array, expected one without gaps. Pass "
            f"{name}.filled(number), or the rows that have no masked entry."
        )
    try:
        return torch.from_numpy(_numbers(_unpacked(value)))
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InvalidInput(
            f"{name} is a {type(value).__name__} that is no array of numbers "
            f"({error}). Pass a list, a NumPy array, a DataFrame or a tensor of real "
            "numbers."
        ) from error


def _unpacked(value: object) -> np.ndarray:
    if value is None:
        raise TypeError("it holds nothing")
    if isinstance(value, (list, tuple)):
        parts = [v.detach().cpu() if isinstance(v, Tensor) else v for v in value]
        array = np.asarray(parts)
        return array.astype(np.float64) if array.dtype.kind == "f" else array
    convert = getattr(value, "to_numpy", None)
    return np.asarray(convert() if convert else value)


def _numbers(array: np.ndarray) -> np.ndarray:
    """`array` in native byte order, writable and without negative strides, which
    PyTorch asks for.
    """
    kind = array.dtype.kind
    if kind == "O":
        array = np.array([_number(entry) for entry in array.flat]).reshape(array.shape)
    elif kind in _OTHER:
        raise TypeError(f"it holds {_OTHER[kind]}; encode them as numbers first")
    wanted = np.dtype(array.dtype.type) if array.dtype.kind == "c" else np.dtype(float)
    if array.dtype.kind == "f" and array.dtype.itemsize == 4:
        wanted = np.dtype(np.float32)
    copied = not array.flags.writeable or any(step < 0 for step in array.strides)
    return np.array(array, dtype=wanted) if copied else array.astype(wanted, copy=False)


def _number(entry: object) -> float:
    """An entry of an array of objects; what stands for a missing value is NaN."""
    if type(entry).__name__ in ("NoneType", "NAType", "NaTType"):
        return math.nan
    if isinstance(entry, (Real, Decimal, np.bool_)):
        return float(entry)
    if isinstance(entry, Tensor) and entry.numel() == 1:
        return float(entry)
    raise TypeError(f"one of its entries is {entry!r}; encode it as a number first")


def data_tensor(
    name: str, value: object, *, ndims: tuple[int, ...], shape: str
) -> Tensor:
    """`real_tensor` with one of the numbers of dimensions `ndims`, which a refusal
    calls `shape`.
    """
    tensor = real_tensor(name, value)
    if tensor.ndim not in ndims:
        raise InvalidInput(
            f"{name} have shape {tuple(tensor.shape)}, expected {shape}."
        )
    return tensor


def model_inputs(value: object) -> Tensor:
    """The inputs of a model, (n, d), shared by a batch, or (B, n, d)."""
    return data_tensor("inputs", value, ndims=(2, 3), shape="(n, d) or (B, n, d)")


def not_drawn(asked: str, tries: int, remedy: str) -> InvalidInput:
    """What a generator raises whose draws never gave what was `asked`."""
    return InvalidInput(f"none of {tries} draws gave {asked}. {remedy}")


def regression_data(
    X: object, y: object, *, single: bool = False
) -> tuple[Tensor, Tensor]:
    """Inputs `X` (n, d) and real targets `y` (n,) or, unless `single`, (n, K), finite
    and of matching length.
    """
    inputs, targets = real_tensor("X", X, ndim=2), real_tensor("y", y)
    if single and targets.shape != inputs.shape[:1]:
        raise InvalidInput(
            f"y has shape {tuple(targets.shape)}, expected ({len(inputs)},), one "
            "number a row of X. A column becomes one by y[:, 0]."
        )
    if targets.ndim not in (1, 2) or len(targets) != len(inputs):
        raise InvalidInput(
            f"X has shape {tuple(inputs.shape)} and y {tuple(targets.shape)}; expected "
            f"one target a row of X: y of shape ({len(inputs)},) or ({len(inputs)}, K)."
        )
    return inputs, targets.to(inputs)


def distinct_rows(name: str, rows: Tensor) -> None:
    """Refuse `rows` (n, d) of which two are closer than 1e-6 of their root mean square
    length.
    """
    apart = torch.cdist(rows, rows)
    apart.fill_diagonal_(torch.inf)
    if float(apart.min()) <= 1e-6 * float(rows.square().sum(-1).mean().sqrt()):
        first, second = divmod(int(apart.argmin()), len(rows))
        raise InvalidInput(
            f"rows {first} and {second} of {name} coincide, expected inputs that "
            "differ. Merge them."
        )


def binary_data(X: object, y: object) -> tuple[Tensor, Tensor]:
    """Inputs `X` (n, d) and labels `y` (n,) in {-1, +1}."""
    inputs, labels = real_tensor("X", X, ndim=2), binary_labels("y", y, ndim=1)
    if len(labels) != len(inputs):
        raise InvalidInput(
            f"X has {len(inputs)} rows and y {len(labels)} labels; expected one label "
            "a row."
        )
    return inputs, labels.to(inputs)


def class_data(X: object, y: object) -> tuple[Tensor, Tensor, int]:
    """Inputs `X` (n, d), classes `y` (n,) from 0 to K - 1, and K, at least two."""
    inputs = real_tensor("X", X, ndim=2).double()
    largest = int(real_tensor("y", y, ndim=1).amax())
    if largest < 1:
        raise InvalidInput(
            "y holds no class above 0; number the classes from 0 to K - 1, and give at "
            "least two."
        )
    return inputs, class_labels("y", y, largest + 1), largest + 1


def binary_labels(name: str, value: object, *, ndim: int | None = None) -> Tensor:
    """Labels -1 and +1, of any shape or with `ndim` dimensions; truth values are none."""
    if _truth_values(value):
        raise InvalidInput(
            f"{name} holds truth values, expected labels -1 and +1. Pass 2 * "
            f"np.asarray({name}) - 1."
        )
    labels = real_tensor(name, value, ndim=ndim)
    if not bool((labels.abs() == 1).all()):
        got = ", ".join(f"{v:g}" for v in labels.unique().tolist()[:6])
        raise InvalidInput(
            f"{name} has the values {got}; expected labels -1 and +1 only. For labels "
            f"0 and 1 pass 2 * {name} - 1."
        )
    return labels


def _truth_values(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return any(isinstance(entry, (bool, np.bool_)) for entry in value)
    kind = str(getattr(value, "dtype", "")).removeprefix("torch.")
    return kind in ("bool", "boolean")


def class_labels(name: str, value: object, count: int) -> Tensor:
    """Classes (n,), integers from 0 to `count` - 1, as int64."""
    try:
        labels = indices(name, value)
    except InvalidInput as error:
        raise InvalidInput(
            f"{error} Classes are integers from 0 to {count - 1}: np.unique({name}, "
            "return_inverse=True)[1] numbers them."
        ) from error
    if labels.ndim != 1 or not bool(((labels >= 0) & (labels < count)).all()):
        got = ", ".join(str(v) for v in labels.unique().tolist()[:6])
        raise InvalidInput(
            f"{name} has shape {tuple(labels.shape)} and the values {got}; expected "
            f"(n,) and integers from 0 to {count - 1}."
        )
    return labels


def indices(name: str, value: object) -> Tensor:
    """Integers of any shape as int64, from any array whose dtype is one of integers."""
    array = value if isinstance(value, Tensor) else _unpacked(value)
    whole = str(array.dtype).removeprefix("torch.").startswith(("int", "uint"))
    if not whole or not array.shape or 0 in array.shape:
        raise InvalidInput(
            f"{name} have shape {tuple(array.shape)} and dtype {array.dtype}, expected "
            "an array of integers."
        )
    if isinstance(array, Tensor):
        return array.long()
    return torch.from_numpy(np.array(array, dtype=np.int64, order="C"))


def positive_integer(name: str, value: object, *, least: int = 1) -> int:
    """`value`, of Python or NumPy, as an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InvalidInput(
            f"{name} is {value!r}, expected an integer of at least {least}."
        )
    return int(value)


def real_number(name: str, value: object) -> float:
    """`value`, of Python or NumPy, as a number that is not NaN; truth values are none."""
    number = _float(value)
    if math.isnan(number):
        raise InvalidInput(f"{name} is {value!r}, expected a number.")
    return number


def _float(value: object) -> float:
    """`value` where it is a real number, otherwise NaN."""
    usable = isinstance(value, Real) and not isinstance(value, bool)
    return float(value) if usable else math.nan  # type: ignore[arg-type]


def positive_number(name: str, value: object, *, infinite: bool = False) -> float:
    """`value` as a finite number above zero, or as `math.inf` where `infinite` numbers
    make sense.
    """
    number = _float(value)
    if not (number > 0 and (infinite or number < math.inf)):
        finite = "" if infinite else "finite "
        raise InvalidInput(f"{name} is {value!r}, expected a {finite}number above 0.")
    return number


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
