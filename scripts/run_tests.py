"""Run every test: the package's, the notebooks against what they store, the built pages in a browser.

    python scripts/run_tests.py [pytest options]

Notebooks run in strict mode: words that differ in one character are a failure, and numbers that differ by more
than rounding and processors explain. All cells of a notebook share a kernel, so the tests of one file stay in one
process.
"""

from __future__ import annotations

import subprocess
import sys

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

if __name__ == "__main__":
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--dist",
        "loadfile",
        *NBVAL,
        *sys.argv[1:],
        "tests",
        "book",
    ]
    sys.exit(
        subprocess.run(
            command, cwd=ROOT, env=notebook_environment(building=False), check=False
        ).returncode
    )
