"""The map of the survey: section of the review, page, claims, their code and their tests.

```{survey-map}
```
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from source_pages import module_of, tests_of
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from ibcore.claims import Claim, all_claims
from ibcore.review import SECTIONS, SINCE, Section

HEAD = ("| page | claims | tests |", "| --- | --- | --- |")


def rows() -> Iterator[str]:
    """Lines of Markdown: for each section of the review a heading and a table of its
    pages, then the same for what became known since.
    """
    part = ""
    for section in (*SECTIONS, SINCE):
        if section.part and section.part != part:
            yield from (f"## {section.part}", "")
        level = "###" if section.part else "##"
        yield from (f"{level} {section.title}", "", *_table(section), "")
        part = section.part


def _table(section: Section) -> Iterator[str]:
    yield from HEAD
    for page in section.pages:
        claims = [claim for claim in all_claims().values() if claim.page == page]
        cells = (
            f"{{doc}}`{page}`",
            "<br>".join(map(_claim, claims)),
            "<br>".join(_test(page, name) for name in tests_of(page)),
        )
        yield f"| {' | '.join(cells)} |"


def _claim(claim: Claim) -> str:
    return f"{{claim}}`{claim.id}` ({{source}}`code <{module_of(claim)}>`)"


def _test(page: str, name: str) -> str:
    """A link by what the file tests beyond the page's name: `claims` is all the rest."""
    stem = Path(name).stem.removeprefix(f"test_{page.rpartition('/')[2]}").strip("_")
    return f"{{source}}`{stem.replace('_', ' ') or 'claims'} <{name}>`"


class SurveyMap(SphinxDirective):
    """The tables of all sections."""

    def run(self) -> list[nodes.Node]:
        """The parsed headings and tables."""
        lines = StringList(list(rows()), "survey map")
        container = nodes.container()
        self.state.nested_parse(lines, 0, container, match_titles=1)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.add_directive("survey-map", SurveyMap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
