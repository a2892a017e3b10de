"""A reader's own data: X and y from a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ibcore.validation import InvalidInput

FORMS = "an .npz file with arrays X and y, or a .csv file whose last column is y"


@dataclass(frozen=True)
class DataFile:
    """A file with data: its path, the digest of its bytes, X (n, d) and y (n,)."""

    path: str
    digest: str
    X: np.ndarray
    y: np.ndarray


def read(path: str | Path) -> DataFile:
    """The data of `FORMS`; a first line of a .csv file that holds no numbers is a
    header.

    Raises `InvalidInput` for a file that cannot be read or is of another form.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        X, y = (_npz if path.suffix == ".npz" else _csv)(path)
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInput(
            f"{path} cannot be read as data ({error}); expected {FORMS}."
        ) from error
    return DataFile(str(path.resolve()), hashlib.sha256(content).hexdigest(), X, y)


def _npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["X"], arrays["y"]


def _csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    if path.suffix != ".csv":
        raise ValueError(f"its name ends in {path.suffix or 'nothing'}")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = np.loadtxt(lines[_header(lines) :], delimiter=",", ndmin=2)
    if rows.shape[1] < 2:
        raise ValueError("it has one column")
    return rows[:, :-1], rows[:, -1]


def _header(lines: list[str]) -> int:
    """The number of lines before the numbers, 0 or 1."""
    try:
        np.loadtxt(lines[:1], delimiter=",")
    except ValueError:
        return 1
    return 0
