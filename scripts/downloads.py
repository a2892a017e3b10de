"""What a reader downloads from the built book: its package as a wheel, and notebooks
that begin by getting it.

A version number stays the same while the package is written, so the wheel of a book
carries a local label (PEP 440), a digest of the package: two books with different code
never share a version.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from build_book import contents, files
from environment import ROOT
from nbformat import NotebookNode

PACKAGE = ("ibcore", "pyproject.toml")
PARTS = (*PACKAGE, "README.md", "LICENSE")
VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
INIT = Path("ibcore/__init__.py")
# The first moment that a zip file can hold: the same package gives the same bytes at
# any time.
EPOCH = "315532800"
OPENING = """\
# Gets the package ibcore, exactly as this page was built with it, where it is missing.
from importlib import invalidate_caches, metadata

wanted = "{version}"


def installed():
    return next((d.version for d in metadata.distributions(name="ibcore")), None)


if installed() is None or ("+" in installed() and installed() != wanted):
    %pip install --quiet {links} "ibcore=={version}"
    invalidate_caches()
if installed() is None:
    raise ModuleNotFoundError(
        "{advice}"
        " Then run this cell again."
    )
if installed() != wanted:
    print(f"This page was built with ibcore {{wanted}}, and installed is {{installed()}}.")
    print("To replace it: "
          "{advice}"
          " Then run:")
    print('%pip install {links} "ibcore=={version}"')"""


def package_version(root: Path = ROOT) -> str:
    """The version of the package below `root` with the digest of its files, such as
    0.1.0+h1a2b3c4d5e6f.
    """
    found = VERSION.search((root / INIT).read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{INIT} has no line __version__ = ..., expected one.")
    return f"{found[1]}+h{contents(PACKAGE, root)[:12]}"


def wheel_name(root: Path = ROOT) -> str:
    """The file name of the package's wheel."""
    return f"ibcore-{package_version(root)}-py3-none-any.whl"


def build_wheel(folder: Path, root: Path = ROOT) -> Path:
    """Write the wheel of the package below `root` into `folder`, without a network and
    beside the tree.
    """
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        for path in (path for part in PARTS for path in files(root / part)):
            target = copy / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
            target.chmod(0o644)
        labeled = f'__version__ = "{package_version(root)}"'
        text = (copy / INIT).read_text(encoding="utf-8")
        (copy / INIT).write_text(VERSION.sub(labeled, text), encoding="utf-8")
        run = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--isolated", "--quiet"),
                *("--no-cache-dir", "--disable-pip-version-check"),
                *("wheel", "--no-index", "--no-deps", "--no-build-isolation"),
                *("--wheel-dir", str(folder.resolve()), str(copy)),
            ],
            env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH},
            capture_output=True,
            text=True,
            check=False,
            umask=0o022,
        )
    wheel = folder / wheel_name(root)
    if run.returncode or not wheel.exists():
        raise RuntimeError(f"the package's wheel was not built:\n{run.stderr.strip()}")
    return wheel


def opening(root: Path = ROOT, address: str = "") -> NotebookNode:
    """The cell that gets the package.

    address: where the book is served, if that is known.
    """
    wheel, links = wheel_name(root), "--find-links ."
    advice = (
        f"Put {wheel} into the folder of this notebook; it is in the download menu of "
        "every page of the book."
    )
    if address:
        url = f"{address.rstrip('/')}/_static/{wheel.replace('+', '%2B')}"
        advice = f"Get online, or put {wheel} into the folder of this notebook."
        links += f" --find-links {url}"
    cell = nbformat.v4.new_code_cell(
        OPENING.format(version=package_version(root), links=links, advice=advice)
    )
    cell.id = "get-ibcore"
    return cell


def downloadable(path: Path, root: Path = ROOT, address: str = "") -> str:
    """The text of the notebook at `path`, with the cell that gets the package before
    all others.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, opening(root, address))
    return nbformat.writes(notebook, version=4) + "\n"
