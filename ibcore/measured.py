"""Measurements: frozen dataclasses of arrays, kept on the CPU, saved to a file and
loaded again.
"""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ibcore.validation import InvalidInput

_CLASS = "class"
_PLAIN = (str, int, float, bool, type(None))


def on_cpu(value: Any) -> Any:
    """`value` with every tensor in it on the CPU and without a graph, through
    dataclasses, tuples, lists and dicts.
    """
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _rebuilt(type(value), _mapped(_fields(value), on_cpu))
    return _mapped(value, on_cpu)


def save(measured: Any, path: str | Path) -> None:
    """Write a measurement to `path`, in PyTorch's format, with no code in it.

    Raises `InvalidInput` where it holds anything but dataclasses of ibcore, tensors,
    tuples, lists, dicts, text and numbers.
    """
    torch.save(_encoded(on_cpu(measured)), path)


def load(path: str | Path) -> Any:
    """The measurement that `save` wrote; raises `InvalidInput` for a file of another
    origin or version.
    """
    try:
        return _decoded(torch.load(path, map_location="cpu", weights_only=True))
    except (AttributeError, ImportError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{path} holds no measurement of this version of ibcore ({error})."
        ) from error


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(change(part) for part in value)
    if isinstance(value, dict):
        return {key: change(part) for key, part in value.items()}
    return value


def _fields(value: Any) -> dict[str, Any]:
    return {
        field.name: getattr(value, field.name) for field in dataclasses.fields(value)
    }


def _rebuilt(kind: type, fields: dict[str, Any]) -> Any:
    """An instance with these fields, which were checked when it was first made."""
    instance: Any = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(instance, name, value)
    return instance


def _encoded(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        if not kind.__module__.startswith("ibcore."):
            raise InvalidInput(
                f"a measurement holds a {kind.__qualname__} of {kind.__module__}, "
                "expected dataclasses of ibcore."
            )
        name = f"{kind.__module__}:{kind.__qualname__}"
        return {_CLASS: name, "fields": _mapped(_fields(value), _encoded)}
    if isinstance(value, tuple | list | dict):
        return _mapped(value, _encoded)
    if isinstance(value, (Tensor, *_PLAIN)):
        return value
    raise InvalidInput(
        f"a measurement holds a {type(value).__name__}, expected tensors, text and "
        "numbers."
    )


def _decoded(value: Any) -> Any:
    if isinstance(value, dict) and _CLASS in value:
        module, _, name = value[_CLASS].partition(":")
        if not module.startswith("ibcore."):
            raise TypeError(f"{module} is no module of ibcore")
        kind = getattr(importlib.import_module(module), name)
        fields = _mapped(value["fields"], _decoded)
        if set(fields) != {field.name for field in dataclasses.fields(kind)}:
            raise TypeError(f"{name} has other fields")
        return _rebuilt(kind, fields)
    return _mapped(value, _decoded)
