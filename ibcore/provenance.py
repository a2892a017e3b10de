"""What a result was computed with: the code behind a claim and the versions of the
libraries.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import platform
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from ibcore import HOMES, MODULES

PACKAGE = Path(__file__).resolve().parent
LIBRARIES = ("numpy", "scipy", "torch", "cvxpy", "clarabel", "scikit-learn")


@cache
def code_digest(module: str) -> str:
    """A digest of the code of `module` and of all of ibcore that it imports, directly
    or not.

    Comments, docstrings and layout do not count. `module` itself may lie outside
    ibcore.
    """
    found: dict[str, str] = {}
    waiting = [module, *_parents_and_self(module)]
    while waiting:
        name = waiting.pop()
        path = _source(name, outside=name == module)
        if path is not None and name not in found:
            found[name], imports = _read(path)
            waiting += imports
    return _digest("\n".join(f"{name} {found[name]}" for name in sorted(found)))


@cache
def versions() -> dict[str, str]:
    """The versions on which the digits of a result depend: Python's minor one and the
    numerical libraries'.
    """
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, **{name: version(name) for name in LIBRARIES}}


def version(distribution: str) -> str:
    """The installed version of a distribution, or `not installed`."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


@cache
def _read(path: Path) -> tuple[str, tuple[str, ...]]:
    """The digest of one file's code, and the modules of ibcore that it names in
    imports.
    """
    tree = ast.parse(path.read_bytes())
    imports = tuple(dict.fromkeys(_imports(tree)))
    return _digest(ast.dump(_without_docstrings(tree))), imports


def _imports(tree: ast.AST) -> Iterator[str]:
    """Names of modules, and of what may be a module, below ibcore; their packages too,
    which an import also runs.
    """
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            for module in _homes(name):
                yield from _parents_and_self(module)


def _homes(name: str) -> Iterable[str]:
    """The modules behind an import: those of the listed names where it is from the top
    of ibcore, all of them for `import ibcore` and `from ibcore import *`.
    """
    top, _, listed = name.partition(".")
    if top != PACKAGE.name:
        return (name,)
    if listed in ("", "*"):
        return MODULES
    return (HOMES.get(listed, name),)


def _parents_and_self(name: str) -> list[str]:
    """Below ibcore, whose own file holds the version and a list of names only."""
    parts = name.split(".")
    ends = range(2, len(parts) + 1) if parts[0] == PACKAGE.name else ()
    return [".".join(parts[:end]) for end in ends]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) and isinstance(ast.get_docstring(node, clean=False), str):
            node.body = node.body[1:]
    return tree


def _source(name: str, *, outside: bool) -> Path | None:
    """The file of a module; None for a name that is none, such as a function's."""
    parts = name.split(".")
    if parts[0] == PACKAGE.name:
        stem = PACKAGE.joinpath(*parts[1:])
        files = (stem.with_suffix(".py"), stem / "__init__.py")
        return next((path for path in files if path.is_file()), None)
    spec = importlib.util.find_spec(name) if outside else None
    return Path(spec.origin) if spec and spec.origin else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
