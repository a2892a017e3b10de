"""What the notebooks store, and that the comparison with a fresh run would notice a
change.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from environment import ROOT, notebook_environment
from run_tests import NBVAL

from ibcore.claims import PAGES

NOTEBOOKS = sorted(
    path
    for path in (ROOT / "book").rglob("*.ipynb")
    if ".ipynb_checkpoints" not in path.parts
)
# Words by which a cell would escape the comparison.
ESCAPES = (
    "nbval_ignore_output",
    "nbval_skip",
    "nbval_raises_exception",
    "raises-exception",
    "nbval-skip",
    "nbval-ignore-output",
    "skip-execution",
)


def flaws(notebook) -> list[str]:
    """Why the stored outputs of a notebook would prove nothing, or would show what no
    page should.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    found = [
        f"it stores {output.output_type} {output.get('name', '')}"
        for output in outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    ]
    found += [
        f"it stores {mime}"
        for output in outputs
        for mime in output.get("data", {})
        if mime != "text/plain"
    ]
    found += [
        f"a cell says {word}"
        for cell in cells
        for word in ESCAPES
        if word in cell.source.lower() or word in cell.metadata.get("tags", [])
    ]
    if not any(
        output.get("text") or output.get("data", {}).get("text/plain")
        for output in outputs
    ):
        found.append(
            "it stores no text output, so a fresh run has nothing to differ from"
        )
    if any(cell.execution_count is None for cell in cells if cell.source.strip()):
        found.append("a cell has not been run")
    if "widgets" in notebook.metadata:
        found.append("it stores widgets")
    return found


def test_there_is_a_notebook_for_every_page():
    assert {
        path.relative_to(ROOT / "book").with_suffix("").as_posix() for path in NOTEBOOKS
    } >= {"index", *PAGES}


@pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_a_notebook_stores_what_it_prints_and_no_more(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    remedy = f"Run: .venv/bin/python scripts/store_outputs.py {path.relative_to(ROOT)}"
    assert flaws(notebook) == [], remedy


def cell(*outputs, source="1 + 1", count=1, **metadata):
    return nbformat.v4.new_code_cell(
        source, outputs=list(outputs), execution_count=count, metadata=metadata
    )


def text(value="2", **more):
    return nbformat.v4.new_output(
        "execute_result", data={"text/plain": value, **more}, execution_count=1
    )


@pytest.mark.parametrize(
    ("cells", "flaw"),
    [
        ([cell()], "it stores no text output"),
        ([nbformat.v4.new_markdown_cell("words")], "it stores no text output"),
        (
            [
                cell(
                    text(),
                    nbformat.v4.new_output("stream", name="stderr", text="a warning"),
                )
            ],
            "stderr",
        ),
        (
            [
                cell(
                    text(),
                    nbformat.v4.new_output(
                        "error", ename="ValueError", evalue="", traceback=[]
                    ),
                )
            ],
            "error",
        ),
        ([cell(text(**{"image/png": "aGk="}))], "image/png"),
        ([cell(text(**{"text/html": "<p>"}))], "text/html"),
        ([cell(text(), count=None)], "not been run"),
        ([cell(text(), source="# NBVAL_IGNORE_OUTPUT\n1 + 1")], "nbval_ignore_output"),
        ([cell(text(), tags=["nbval-skip"])], "nbval-skip"),
    ],
)
def test_the_guard_refuses(cells, flaw):
    assert any(flaw in found for found in flaws(nbformat.v4.new_notebook(cells=cells)))


def test_the_guard_accepts_plain_text():
    assert flaws(nbformat.v4.new_notebook(cells=[cell(text()), cell()])) == []


CELLS = [
    "print('risk', 1 / 8)",
    "object()",
    """
from ibcore.explore import Choice, explore
from ibcore.figures import figure
explore(lambda n: (figure()[0], f"The risk is {n / 8}."), title="Risk", n=Choice("n", [1, 2]))""",
    "figure()[0]",
]


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    """A notebook with a number, an address, an explorer and a figure, run and stored as
    the pages are.
    """
    path = tmp_path_factory.mktemp("notebook") / "page.ipynb"
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    run("scripts/store_outputs.py", str(path), expect=0)
    return path


def run(*arguments: str, expect: int) -> str:
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=notebook_environment(building=False),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == expect, result.stdout + result.stderr
    return result.stdout + result.stderr


def compare(path: Path, *, expect: int) -> str:
    return run(
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        *NBVAL,
        str(path),
        expect=expect,
    )


def test_storing_twice_gives_the_same_bytes(stored):
    before = stored.read_bytes()
    assert "unchanged" in run("scripts/store_outputs.py", str(stored), expect=0)
    assert stored.read_bytes() == before
    assert flaws(nbformat.read(stored, as_version=4)) == []


def test_a_fresh_run_agrees_with_what_is_stored(stored):
    assert "4 passed" in compare(stored, expect=0)


def test_a_changed_word_and_a_changed_number_are_noticed(stored, tmp_path):
    changed = stored.read_text(encoding="utf-8")
    for old, new in (
        ("risk 0.125", "risk 0.250"),
        ("The risk is 0.125.", "A risk is 0.125."),
        ("1 Axes", "2 Axes"),
    ):
        assert changed.count(old) == 1
        changed = changed.replace(old, new)
    (tmp_path / "page.ipynb").write_text(changed, encoding="utf-8")
    report = compare(tmp_path / "page.ipynb", expect=1)
    assert "3 failed, 1 passed" in report
    assert all(f"Cell {number}" in report for number in (0, 2, 3))
    assert "0.125 is printed, 0.250 is stored" in report


def test_a_last_digit_is_not(stored, tmp_path):
    changed = stored.read_text(encoding="utf-8").replace("risk 0.125", "risk 0.131")
    (tmp_path / "page.ipynb").write_text(changed, encoding="utf-8")
    assert "4 passed" in compare(tmp_path / "page.ipynb", expect=0)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import warnings\nwarnings.warn('careful')", "writes to stderr"),
        ("from IPython.display import HTML\nHTML('<b>')", "text/html"),
    ],
)
def test_a_notebook_that_should_not_be_stored_stays_as_it_was(
    tmp_path, source, complaint
):
    path = tmp_path / "page.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path
    )
    before = path.read_bytes()
    assert complaint in run("scripts/store_outputs.py", str(path), expect=1)
    assert path.read_bytes() == before
