"""Run notebooks and store what they print: text outputs only, the same bytes on every
run.

    python scripts/store_outputs.py book/introduction.ipynb ...

Each notebook runs from its own folder in a fresh kernel of this environment. Its stdout
and its text/plain results are stored; pictures and widgets are left out, because they
are drawn when the book is built. A cell that fails, that writes to stderr or that shows
a format which the check would compare (HTML, LaTeX, SVG) is an error, and the notebook
stays as it was.
"""

from __future__ import annotations

import argparse
import configparser
import functools
import hashlib
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import nbformat
from compare_numbers import numbers_file, shown_numbers
from environment import ROOT, notebook_environment
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode

SANITIZE = ROOT / "tests" / "book" / "sanitize.cfg"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
TIMEOUT = 600
UNCHECKED = ("image/png", "image/jpeg", "application/vnd.jupyter.widget-view+json")
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


class Unstorable(Exception):
    """A notebook whose outputs cannot be stored."""


@functools.cache
def sanitizers(path: Path = SANITIZE) -> list[tuple[re.Pattern[str], str]]:
    """The (pattern, replacement) pair of addresses in the file that nbval reads too;
    numbers are stored as they are.
    """
    sections = configparser.RawConfigParser()
    sections.read(path, encoding="utf-8")
    addresses = sections["addresses"]
    return [(re.compile(addresses["regex"]), addresses["replace"])]


def sanitized(text: str) -> str:
    """`text` without what differs between two runs, such as addresses."""
    for pattern, replacement in sanitizers():
        text = pattern.sub(replacement, text)
    return text


def stored(output: NotebookNode) -> NotebookNode | None:
    """The text of one output, or None when it has none; raises `Unstorable`."""
    if output.output_type == "stream":
        if output.name == "stderr":
            raise Unstorable(
                f"it writes to stderr: {output.text.strip()[:500]}\nRemove the cause: "
                "a page shows no warnings and no progress bars."
            )
        return nbformat.v4.new_output(
            "stream", name="stdout", text=sanitized(output.text)
        )
    foreign = [mime for mime in output.data if mime not in (*UNCHECKED, "text/plain")]
    if foreign:
        raise Unstorable(
            f"it shows {', '.join(foreign)}, which the notebook check would compare. "
            "Print text instead, or show a figure."
        )
    if "text/plain" not in output.data:
        return None
    count = (
        {"execution_count": output.execution_count}
        if output.output_type == "execute_result"
        else {}
    )
    text = sanitized(output.data["text/plain"])
    return nbformat.v4.new_output(
        output.output_type, data={"text/plain": text}, **count
    )


def merge_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Consecutive pieces of stdout as one; where a stream is cut depends on timing."""
    merged: list[NotebookNode] = []
    for output in outputs:
        if merged and output.output_type == merged[-1].output_type == "stream":
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def tidy(notebook: NotebookNode) -> NotebookNode:
    """The executed notebook with text outputs, no run times, ids made from the cells'
    sources.
    """
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: Counter[str] = Counter()
    for number, cell in enumerate(notebook.cells):
        digest = hashlib.sha256(
            f"{cell.cell_type}\n{cell.source}".encode()
        ).hexdigest()[:8]
        seen[digest] += 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        cell.metadata = nbformat.from_dict(
            {key: value for key, value in cell.metadata.items() if key != "execution"}
        )
        if cell.cell_type == "code":
            try:
                cell.outputs = merge_streams(
                    [
                        text
                        for output in cell.outputs
                        if (text := stored(output)) is not None
                    ]
                )
            except Unstorable as error:
                raise Unstorable(f"cell {number}:\n{cell.source}\n{error}") from None
    return notebook


def store(path: Path) -> bool:
    """Execute the notebook at `path` and rewrite it; returns whether its bytes changed."""
    before = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(before, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError) as error:
        raise Unstorable(ANSI.sub("", str(error))) from None
    numbers = {
        name: one
        for cell in notebook.cells
        for name, one in shown_numbers(cell.get("outputs", [])).items()
    }
    changed = store_numbers(numbers_file(path), numbers)
    after = nbformat.writes(tidy(notebook), version=4).rstrip("\n") + "\n"
    path.write_text(after, encoding="utf-8")
    return changed or after != before


def store_numbers(path: Path, numbers: Mapping[str, object]) -> bool:
    """Write the numbers of verdicts and sentences; returns whether the file changed."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    after = json.dumps(numbers, indent=1, ensure_ascii=False) + "\n" if numbers else ""
    if after:
        path.write_text(after, encoding="utf-8")
    else:
        path.unlink(missing_ok=True)
    return after != before


def main() -> int:
    """Store the outputs of the notebooks named on the command line; 1 if any could not
    be.
    """
    parser = argparse.ArgumentParser(
        description="Run notebooks and store their text outputs."
    )
    parser.add_argument("notebooks", nargs="+", type=Path)
    failures = 0
    environment = notebook_environment(building=False)
    os.environ.clear()
    os.environ.update(environment)
    for path in parser.parse_args().notebooks:
        try:
            print(f"{path}: {'stored' if store(path) else 'unchanged'}", flush=True)
        except (Unstorable, OSError) as error:
            failures += 1
            print(f"{path}: NOT STORED. {error}", file=sys.stderr, flush=True)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
