"""The names that a program may rely on: importable from the top, described, and right as their examples say."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import ibcore

ROOT = Path(__file__).resolve().parent.parent
SHAPE = re.compile(r"\((?:[A-Za-z]{1,2}|\.\.\.)(?:, ?(?:[A-Za-z]|K|1))*,?\)")
YEAR = re.compile(r"\b1[89]\d\d\b|\b20\d\d\b")
# What claims are, and what is refused, has no shape; claims and settings are words.
WORDS = {"Claim", "InvalidInput", "NotSeparable", "Setting", "Verdict", "all_claims"}
# Nothing is checked: a loss or a verdict is made of nothing, an angle of any vectors.
UNCHECKED = {"Exponential", "Logistic", "Verdict", "all_claims", "sin_angle"}
THEORY = {
    *("Convolutional", "DeepFactorization", "DeepLinear", "Diagonal"),
    *("descend", "flow", "mirror_flow", "scipy_flow", "stiff_flow", "sharpness"),
    *("basis_pursuit", "max_margin", "minimum_norm", "norm_max_margin"),
    *("nuclear_completion", "q_alpha_minimizer"),
}
# Its module is loaded by every claim, whose own example asks it.
SHOWN_ELSEWHERE = {"all_claims": "Claim"}


def documented(name: str) -> str:
    """All that the docstring of a listed name says, for a class also of its methods."""
    found = getattr(ibcore, name)
    parts = [inspect.getdoc(found) or ""]
    if inspect.isclass(found):
        parts += [inspect.getdoc(part) or "" for part in vars(found).values()]
    return "\n\n".join(parts)


def examples(name: str) -> list[doctest.DocTest]:
    """The examples of a listed name, each as a program of its own."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = finder.find(getattr(ibcore, name), name, module=False, globs={})
    return [test for test in found if test.examples]


EXAMPLES = [test for name in ibcore.__all__ for test in examples(name)]


def program(code: str) -> str:
    """What a fresh Python prints."""
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.strip()


def type_checked() -> dict[str, str]:
    """The names that a type checker sees, with their modules."""
    tree = ast.parse((ROOT / "ibcore" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_the_list_is_one():
    assert sorted(ibcore.HOMES) == sorted(ibcore.__all__)
    assert type_checked() == ibcore.HOMES
    assert set(ibcore.__all__) <= set(dir(ibcore))


@pytest.mark.parametrize("name", ibcore.__all__)
def test_a_listed_name_comes_from_the_top_and_is_no_module(name):
    found = getattr(ibcore, name)
    assert found.__name__ == name
    assert found.__module__.startswith("ibcore.")
    assert not (ROOT / "ibcore" / name).exists()
    assert not (ROOT / "ibcore" / f"{name}.py").exists()


def test_the_package_itself_imports_a_name_from_its_module():
    from_the_top = [
        (path.name, alias.name)
        for path in (ROOT / "ibcore").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "ibcore"
        for alias in node.names
        if alias.name in ibcore.__all__
    ]
    assert from_the_top == []


def test_what_is_not_listed_is_not_there():
    with pytest.raises(AttributeError, match="no attribute 'gradient_flow'"):
        ibcore.gradient_flow  # noqa: B018
    with pytest.raises(ImportError, match="gradient_flow"):
        exec("from ibcore import gradient_flow")  # noqa: S102


def test_to_import_the_package_loads_nothing_large():
    heavy = "{'torch', 'matplotlib', 'numpy', 'scipy', 'cvxpy'}"
    code = f"import sys, ibcore; dir(ibcore); print({heavy} & set(sys.modules))"
    assert program(code) == "set()"


def test_a_listed_name_loads_what_it_needs_and_no_pictures():
    code = "import sys; from ibcore import max_margin, flow; print('matplotlib' in sys.modules)"
    assert program(code) == "False"


@pytest.mark.parametrize("test", EXAMPLES, ids=lambda test: test.name)
def test_an_example_is_right(test):
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.FAIL_FAST)
    report: list[str] = []
    result = runner.run(test, out=report.append, clear_globs=False)
    assert result.failed == 0, "".join(report)
    assert result.attempted == len(test.examples)


@pytest.mark.parametrize("test", EXAMPLES, ids=lambda test: test.name)
def test_an_example_says_what_comes_out_in_a_few_lines(test):
    wanted = [line for part in test.examples for line in part.want.splitlines()]
    assert wanted
    assert [line for line in wanted if "..." in line] == []
    lines = sum(part.source.count("\n") for part in test.examples) + len(wanted)
    assert 2 <= lines <= 8
    assert max(map(len, test.docstring.splitlines())) <= 88


def test_an_example_that_is_wrong_is_seen():
    def listed():
        """
        >>> 1 + 1
        3
        """

    (test,) = doctest.DocTestFinder().find(listed, "listed", globs={})
    assert doctest.DocTestRunner(verbose=False).run(test, out=str).failed == 1


@pytest.mark.parametrize("name", ibcore.__all__)
def test_a_docstring_says_what_goes_in_what_is_refused_and_where_it_comes_from(name):
    text = documented(name)
    if name not in SHOWN_ELSEWHERE:
        assert examples(name), "give it an example"
    if name not in WORDS:
        assert SHAPE.search(text), "say which shapes go in and come out"
    if name not in UNCHECKED:
        assert re.search(r"[Rr]aise[sd]\b", text), "say what is refused"
    if name in THEORY:
        assert YEAR.search(text), "say where it comes from"
    assert max(map(len, text.splitlines())) <= 88


def test_every_exception_is_listed():
    assert (WORDS | UNCHECKED | THEORY | set(SHOWN_ELSEWHERE)) <= set(ibcore.__all__)
    for name, other in SHOWN_ELSEWHERE.items():
        assert f"{name}()" in documented(other)


def changelog() -> list[str]:
    """The headings of the releases, the newest first."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)


def test_the_version_stands_in_the_changelog():
    assert changelog()[0] == "Unreleased"
    assert ibcore.__version__ in changelog() or changelog() == ["Unreleased"]


def test_the_changelog_names_every_name_of_the_first_release():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [name for name in ibcore.__all__ if f"`{name}`" not in text] == []


def test_readme_takes_listed_names_from_the_top():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    imports = [
        (node.module, alias.name)
        for block in blocks
        for node in ast.walk(ast.parse(textwrap.dedent(block)))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert [
        (module, name)
        for module, name in imports
        if name in ibcore.__all__ and module != "ibcore"
    ] == []
