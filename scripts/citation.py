"""How to cite the book and its claims, from CITATION.cff.

```{cite-book}
```
{{ version }}
"""

from __future__ import annotations

import functools
from importlib import metadata
from typing import Any

import yaml
from docutils import nodes
from environment import ROOT
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective

from ibcore.claims import Claim


@functools.cache
def about() -> dict[str, Any]:
    """What CITATION.cff says of the book."""
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def book() -> str:
    """The BibTeX entry of the book."""
    return _entry("implicitbias", title=f"{{{about()['title']}}}")


def claim(one: Claim) -> str:
    """The BibTeX entry of a claim: the book's, with the claim in its note."""
    return _entry(
        f"implicitbias:{one.id}",
        title=f"{{{about()['title']}}}",
        note=f"{{Claim {one.id}, book/{one.page}}}",
    )


def _entry(key: str, **fields: str) -> str:
    told = about()
    year, _, _ = str(told["date-released"]).partition("-")
    names = " and ".join(author["name"] for author in told["authors"])
    known = {
        "author": f"{{{{{names}}}}}",
        **fields,
        "year": f"{{{year}}}",
        "version": f"{{{told['version']}}}",
    }
    lines = ",\n".join(f"  {name} = {value}" for name, value in known.items())
    return f"@misc{{{key},\n{lines}\n}}"


class CiteBook(SphinxDirective):
    """The entry of the book as text to copy."""

    def run(self) -> list[nodes.Node]:
        """A block of code."""
        return [nodes.literal_block(book(), book(), language="bibtex")]


def tell_version(_app: Sphinx, config: Config) -> None:
    """Let pages name the version, which is the package's."""
    config.version = config.release = metadata.version("ibcore")
    told = {"version": config.version}
    config.myst_substitutions = {**config.myst_substitutions, **told}


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.add_directive("cite-book", CiteBook)
    app.connect("config-inited", tell_version)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
