"""Pages with the code of claims and of their tests, to which the ledger and the map
link.

    {source}`code <ibcore/pages/introduction/claims.py>`    a link to the page with that file
"""

from __future__ import annotations

import functools
import html
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from environment import ROOT
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import ReferenceRole

from ibcore.claims import PAGES, Claim, all_claims

LOGGER = logging.getLogger(__name__)


def module_of(claim: Claim) -> str:
    """The file, from the root, that holds a claim."""
    return _below_root(Path(inspect.getfile(claim.judge)))


def tests_of(page: str) -> list[str]:
    """The files, from the root, that test a page; empty where there are none."""
    folder, _, name = page.rpartition("/")
    found = (ROOT / "tests" / "pages" / folder).glob(f"test_{name}*.py")
    return sorted(map(_below_root, found), key=len)


@functools.cache
def sources() -> dict[str, str]:
    """The files that have a page, with the name of that page in the book."""
    names = {module_of(claim) for claim in all_claims().values()}
    names |= {name for page in PAGES for name in tests_of(page)}
    return {name: f"source/{name.removesuffix('.py')}" for name in sorted(names)}


def source_link(app: Sphinx, docname: str, name: str) -> str:
    """The address of a file's page, from the page `docname`."""
    return app.builder.get_relative_uri(docname, sources()[name])


def _below_root(path: Path) -> str:
    return path.resolve().relative_to(ROOT).as_posix()


class SourceRole(ReferenceRole):
    """A file as a link to the page with its code."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The link, or the bare title with a warning where the file has no page."""
        title = nodes.inline(self.title, self.title)
        if self.target not in sources():
            LOGGER.warning(
                "no page shows the file %s", self.target, location=self.get_location()
            )
            return [title], []
        uri = source_link(self.env.app, self.env.docname, self.target)
        return [nodes.reference("", "", title, internal=True, refuri=uri)], []


def collect_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """One page a file, with its code."""
    for name, page in sources().items():
        text = (ROOT / name).read_text(encoding="utf-8")
        code = app.builder.highlighter.highlight_block(text, "python")
        folder, _, file = html.escape(name).rpartition("/")
        title, where = (re.sub("([/_])", r"\1<wbr>", text) for text in (file, folder))
        body = f"<h1>{title}</h1>\n<p>in <code>{where}</code></p>\n{code}"
        yield page, {"title": name, "body": body}, "page.html"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.add_role("source", SourceRole())
    app.connect("html-collect-pages", collect_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
