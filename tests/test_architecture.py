"""The modules are joined in one direction: nothing below the claims imports a neighbor."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "ibcore"
BOTTOM = {
    "bars",
    "validation",
    "evidence",
    "threads",
    "measured",
    "claim",
    "batch",
    "linear_algebra",
    "potentials",
}
JOINS = {"pages"}
LOWER = {
    "problems",
    "models",
    "losses",
    "dynamics",
    "oracles",
    "measures",
    "figures",
    "explore",
    "questions",
}
FILES = sorted(PACKAGE.rglob("*.py"))


def unit(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def imported(path: Path) -> set[str]:
    """The modules and folders of ibcore that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= (
                {node.module}
                if node.module != "ibcore"
                else {f"ibcore.{alias.name}" for alias in node.names}
            )
    return {unit(name) for name in names if name.split(".")[0] == "ibcore"} - {
        "",
        "__version__",
    }


@pytest.mark.parametrize(
    "path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_imports_point_downwards(path):
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    allowed = {own} | BOTTOM | (LOWER if own in JOINS else set())
    if own in BOTTOM | LOWER | JOINS:
        assert imported(path) <= allowed, (
            f"{path.name} may import from ibcore: {', '.join(sorted(allowed))}"
        )


def test_to_verify_claims_needs_no_matplotlib(tmp_path):
    """Of all pages: the command line reads every claim before it runs one."""
    program = (
        "import sys; from ibcore.command_line import run; run(['verify', "
        f"'gd-convex-rate', '--out', {str(tmp_path)!r}]); print('matplotlib' in "
        "sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines()[-1] == "False"


def test_the_parts_are_all_there():
    assert {path.stem for path in PACKAGE.iterdir()} >= BOTTOM | LOWER | JOINS


ROOT = PACKAGE.parent
SOURCES = sorted(
    path
    for folder in ("ibcore", "scripts", "benchmarks", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
LONGEST_FILE, LONGEST_FUNCTION, WIDE = 400, 60, 88


def of_source(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=of_source)
def test_files_and_functions_are_short(path):
    """A function is as long as its code; what its docstring promises may take room."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE, "make two files of it, by meaning"
    long = [
        f"{node.name}: {lines_of(node)} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and lines_of(node) > LONGEST_FUNCTION
    ]
    assert long == []


def lines_of(function: ast.FunctionDef) -> int:
    """Lines of a function without its decorators and docstring."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - (docstring.end_lineno - docstring.lineno + 1)


def test_lines_are_not_dense():
    lines = [
        line
        for path in SOURCES
        if path.is_relative_to(PACKAGE)
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert sum(map(len, lines)) / len(lines) <= 46
    assert sum(len(line) > WIDE for line in lines) / len(lines) < 0.03


MIRRORED = ("dynamics", "models", "measures", "oracles", "problems")
MIRRORS = [
    path.relative_to(PACKAGE)
    for folder in MIRRORED
    for path in sorted((PACKAGE / folder).rglob("*.py"))
    if path.name != "__init__.py"
]


@pytest.mark.parametrize("module", MIRRORS, ids=Path.as_posix)
def test_a_module_is_tested_where_one_guesses_first(module):
    """Modules of a room are held by the tests of its page."""
    mirror = Path("tests") / module.parent / f"test_{module.name}"
    assert (ROOT / mirror).exists(), f"say what must hold of {module} in {mirror}"


# What all models promise, and why the runs of all methods end.
OF_ALL = {"models/test_derivatives.py", "dynamics/test_endings.py"}


@pytest.mark.parametrize("folder", MIRRORED)
def test_a_test_says_of_which_module_it_is(folder):
    """test_<module>.py, or test_<module>_<what>.py where one file would be long."""
    names = [module.stem for module in MIRRORS if module.parts[0] == folder]
    lost = [
        path.name
        for path in (ROOT / "tests" / folder).glob("test_*.py")
        if f"{folder}/{path.name}" not in OF_ALL
        and not any(f"{path.stem}_".startswith(f"test_{name}_") for name in names)
    ]
    assert lost == []
