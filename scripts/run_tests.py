"""Run every test: the package's, the notebooks against what they store, the built pages
in a browser.

    python scripts/run_tests.py [--only-notebooks] [pytest options]

Notebooks run in strict mode: words that differ in one character are a failure, and
numbers that differ by more than rounding and processors explain. All cells of a
notebook share a kernel, so the tests of one file stay in one process.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from environment import ROOT, notebook_environment

NBVAL = (
    "--nbval",
    "--nbval-current-env",
    "-p",
    "scripts.compare_numbers",
    "--nbval-cell-timeout=600",
    "--nbval-sanitize-with",
    str(ROOT / "tests" / "book" / "sanitize.cfg"),
)
NOTEBOOKS = ("book",)
ONLY = "--only-notebooks"


def command(options: Sequence[str], paths: Sequence[str]) -> list[str]:
    """The call of pytest that runs the tests and the notebooks in `paths`."""
    pytest = [sys.executable, "-m", "pytest", "--dist", "loadfile"]
    return [*pytest, *NBVAL, *options, *paths]


if __name__ == "__main__":
    options = [option for option in sys.argv[1:] if option != ONLY]
    paths = NOTEBOOKS if ONLY in sys.argv else ("tests", *NOTEBOOKS)
    done = subprocess.run(
        command(options, paths),
        cwd=ROOT,
        env=notebook_environment(building=False),
        check=False,
    )
    sys.exit(done.returncode)
