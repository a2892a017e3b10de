"""Build the book into _build/html: execute what changed, stop at the first thing that
is wrong.

    python scripts/build_book.py

A change in the package or in what it is built on executes every notebook again; a
change in a page executes that page; no change does nothing. Warnings are errors.
Afterwards every page of _toc.yml must exist, show nothing written to stderr, and ask no
other host for anything.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import yaml
from environment import RECORDS, ROOT, notebook_environment

BUILD = ROOT / "_build"
HTML = BUILD / "html"
DIGESTS = BUILD / "digests.json"
CODE = ("ibcore", "requirements.txt", "constraints.txt")
# Pages show the changelog, the citation and the code of tests. The wheel of the package,
# which the book carries, is made of the last three too.
TEXT = (
    *("book", "_config.yml", "_toc.yml", "scripts", "CHANGELOG.md", "CITATION.cff"),
    "tests/pages",
    *("pyproject.toml", "README.md", "LICENSE"),
)
UNTRACKED = {"__pycache__", ".ipynb_checkpoints", ".virtual_documents"}
PAGE_BYTES = 1_500_000
LOADING = {"src", "srcset", "data", "poster", "action", "background"}
STYLE_URL = re.compile(r"url\(['\"]?((?:https?:)?//[^)'\"]+)")
ENTRANCE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Implicit Bias in Deep Learning: an executable survey</title>
<meta http-equiv="refresh" content="0; url=book/index.html"></head>
<body><main><h1><a href="book/index.html">Open the book</a></h1></main></body></html>
"""


def contents(names: Iterable[str], root: Path = ROOT) -> str:
    """A digest of the contents of files and folders below `root`."""
    total = hashlib.sha256()
    for path in sorted(path for name in names for path in files(root / name)):
        total.update(
            f"{path.relative_to(root).as_posix()}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
        )
    return total.hexdigest()


def digest(names: Iterable[str], root: Path = ROOT) -> str:
    """A digest of the contents of files and folders below `root`, and of this Python."""
    parts = f"{sys.version}\n{platform.platform()}\n{contents(names, root)}"
    return hashlib.sha256(parts.encode()).hexdigest()


def files(path: Path) -> Iterator[Path]:
    """The file at `path`, or the files in the folder, without traces of running them."""
    if path.is_file():
        yield path
    elif path.is_dir() and path.name not in UNTRACKED:
        for child in path.iterdir():
            yield from files(child)


def pages(toc: Path = ROOT / "_toc.yml") -> list[str]:
    """The pages of the table of contents, without suffix, the landing page first."""

    def walk(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (node[key] for key in ("root", "file") if key in node)
            for value in node.values():
                yield from walk(value)
        elif isinstance(node, list):
            for item in node:
                yield from walk(item)

    return list(walk(yaml.safe_load(toc.read_text(encoding="utf-8"))))


def is_current(digests: dict[str, str]) -> bool:
    """Whether the book on disk was built from these very files."""
    return (
        DIGESTS.exists()
        and json.loads(DIGESTS.read_text(encoding="utf-8")) == digests
        and all(
            (HTML / f"{page}.html").exists() for page in ("index", "search", *pages())
        )
    )


def clear(digests: dict[str, str]) -> None:
    """Remove what could be stale: pages always, executed notebooks when code or
    requirements changed or their records are gone.
    """
    before = json.loads(DIGESTS.read_text(encoding="utf-8")) if DIGESTS.exists() else {}
    if before.get("code") != digests["code"] or not RECORDS.is_dir():
        print(
            "The package or its requirements changed, or what the notebooks recorded is "
            "gone: every notebook runs again.",
            flush=True,
        )
        shutil.rmtree(BUILD, ignore_errors=True)
    shutil.rmtree(HTML, ignore_errors=True)
    shutil.rmtree(BUILD / ".doctrees", ignore_errors=True)
    BUILD.mkdir(exist_ok=True)
    DIGESTS.write_text(json.dumps({"code": digests["code"]}), encoding="utf-8")


class Loads(HTMLParser):
    """Collects what a page asks other hosts for; links that a reader follows are none
    of that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hosts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at the attributes that make a browser load something."""
        loading = LOADING | ({"href"} if tag in ("link", "use", "image") else set())
        if tag == "link" and dict(attrs).get("rel") in (
            "canonical",
            "next",
            "prev",
            "author",
            "search",
        ):
            return
        self.hosts += [
            value
            for name, value in attrs
            if name in loading and value and re.match(r"(https?:)?//", value)
        ]


def faults(page: Path) -> list[str]:
    """What is wrong with one built page, in words."""
    if not page.exists():
        return ["it was not written"]
    text = page.read_text(encoding="utf-8")
    loads = Loads()
    loads.feed(text)
    found = [f"it asks another host for {url}" for url in loads.hosts]
    found += [
        f"its style asks another host for {url}" for url in STYLE_URL.findall(text)
    ]
    if re.search(r'class="[^"]*\bstderr\b', text):
        found.append("a cell wrote to stderr")
    if len(text.encode()) > PAGE_BYTES:
        found.append(
            f"it takes {len(text.encode()) / 1e6:.1f} MB, more than "
            f"{PAGE_BYTES / 1e6:g} MB"
        )
    return found


def main() -> int:
    """Build the book; 0 if it stands in _build/html, 1 if not."""
    digests = {"code": digest(CODE), "text": digest(TEXT)}
    if is_current(digests):
        print(f"The book is up to date: {HTML / 'index.html'}")
        return 0
    clear(digests)
    start = time.perf_counter()
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(ROOT),
        "-W",
        "-n",
        "--keep-going",
    ]
    code = subprocess.run(
        command, env=notebook_environment(building=True), cwd=ROOT, check=False
    ).returncode
    if code:
        print("The book was NOT built: see the warnings above.", file=sys.stderr)
        return 1
    (HTML / "index.html").write_text(ENTRANCE, encoding="utf-8")
    wrong = [
        f"{page}: {fault}"
        for page in ("index", "search", *pages())
        for fault in faults(HTML / f"{page}.html")
    ]
    if wrong:
        print(
            "The book was built and is NOT fit to read:",
            *wrong,
            sep="\n  ",
            file=sys.stderr,
        )
        return 1
    DIGESTS.write_text(json.dumps(digests), encoding="utf-8")
    print(f"The book took {time.perf_counter() - start:.0f} s: {HTML / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
