"""The ledger: every claim of the book in one table, from the records that the book's own
notebooks wrote and from the stored sweep over seeds.

    ```{ledger}
    ```

The table is filled in after all pages have been read, when every notebook has run.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from typing import Any

import citation
from docutils import nodes
from environment import RECORDS, ROOT
from source_pages import module_of, source_link, tests_of
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from ibcore.claim import KINDS
from ibcore.claims import Claim, all_claims
from ibcore.report.book_records import BookRecord, kept
from ibcore.report.page import anchor, style, typeset
from ibcore.review import section_of

LOGGER = logging.getLogger(__name__)
SWEEP = ROOT / "book" / "sweep.json"
COLUMNS = ("claim", "page", "verdict", "seconds", "seeds")


class LedgerTable(nodes.General, nodes.Element):
    """The place of the table on its page."""


class LedgerDirective(SphinxDirective):
    """Marks the place."""

    def run(self) -> list[nodes.Node]:
        """The mark."""
        return [LedgerTable()]


def stored_sweep() -> dict[str, Mapping[str, Any]]:
    """What the stored sweep says of each claim; empty where none is stored."""
    if not SWEEP.exists():
        return {}
    return json.loads(SWEEP.read_text(encoding="utf-8"))["claims"]


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the table in its place; its formulas are none that Sphinx has seen."""
    for place in list(doctree.findall(LedgerTable)):
        app.env.get_domain("math").data["has_equations"][docname] = True
        place.replace_self(nodes.raw("", table(app, docname), format="html"))


def table(app: Sphinx, docname: str) -> str:
    """The table with its filters, in HTML; a warning for a claim without a record."""
    records, sweep = kept(RECORDS), stored_sweep()
    rows = []
    for claim in all_claims().values():
        if claim.id in records:
            rows.append(
                _row(app, docname, claim, records[claim.id], sweep.get(claim.id))
            )
        else:
            LOGGER.warning("the claim %s has left no record on its page", claim.id)
    head = "".join(f"<th scope='col'>{name}</th>" for name in COLUMNS)
    return (
        f"<div class='ledger'><style>{style()}</style>{_filters(len(rows))}<table>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _filters(count: int) -> str:
    parts = dict.fromkeys(map(_part, all_claims().values()))
    return (
        "<form class='ledger-filters' hidden>"
        "<label>Words <input type='search' name='words' autocomplete='off'></label>"
        + _select("Kind", "kind", KINDS)
        + _select("Part", "part", parts)
        + _select("Verdict", "verdict", ("stands", "does not stand"))
        + _select("Order", "order", ("name", "seconds", "seeds"), "of the pages")
        + f"<output aria-live='polite'>{count} claims</output></form>"
    )


def _select(label: str, name: str, values: Iterable[str], default: str = "all") -> str:
    options = "".join(
        f"<option value='{html.escape(value)}'>{html.escape(text)}</option>"
        for value, text in (("", default), *((value, value) for value in values))
    )
    return f"<label>{label} <select name='{name}'>{options}</select></label>"


def _part(claim: Claim) -> str:
    section = section_of(claim.page)
    return section.part or section.title


def _row(
    app: Sphinx,
    docname: str,
    claim: Claim,
    record: BookRecord,
    seeds: Mapping[str, Any] | None,
) -> str:
    page = f"book/{claim.page}"
    uri = app.builder.get_relative_uri(docname, page)
    verdict = "stands" if record.stands else "does not stand"
    control = "refuted" if record.record["control"]["refuted"] else "NOT REFUTED"
    about = {
        "id": f"ledger-{claim.id}",
        "data-name": claim.id,
        "data-kind": claim.kind,
        "data-part": _part(claim),
        "data-verdict": verdict,
        "data-seconds": f"{record.record['seconds']:.3f}",
        "data-seeds": f"{_share(seeds):.4f}",
        "data-words": _words(claim, record),
    }
    attributes = " ".join(
        f"{name}='{html.escape(text, quote=True)}'" for name, text in about.items()
    )
    cells = (
        ("page", f"<a href='{uri}'>{html.escape(_title(app, page))}</a>"),
        ("verdict", f"{verdict}: {record.tally}; control {control}"),
        ("seconds", f"{record.record['seconds']:.1f}"),
        ("seeds", _seeds(seeds)),
    )
    body = "".join(f"<td data-label='{name}'>{text}</td>" for name, text in cells)
    return (
        f"<tr {attributes}><th scope='row'><a href='{uri}#{anchor(claim)}'><code>"
        f"{claim.id}</code></a> ({claim.kind}) {typeset(claim.statement)}"
        f"{_details(app, docname, claim, record)}</th>{body}</tr>"
    )


def _details(app: Sphinx, docname: str, claim: Claim, record: BookRecord) -> str:
    """What was predicted, measured and required, folded; source, code and tests."""
    files = [module_of(claim), *tests_of(claim.page)]
    links = ", ".join(
        f"<a href='{source_link(app, docname, name)}'><code>{name.rpartition('/')[2]}"
        "</code></a>"
        for name in files
    )
    run = record.record
    return (
        "<details><summary>what was measured</summary>"
        f"<div class='ibv'>{record.table}</div><p>Source: {html.escape(claim.source)}.</p>"
        f"<p>Sizes of the preset <em>{run['preset']}</em>, seed {run['seed']}. "
        f"Code and tests: {links}.</p>"
        f"<pre>{html.escape(citation.claim(claim))}</pre></details>"
    )


def _words(claim: Claim, record: BookRecord) -> str:
    """What the search looks at, in lower case."""
    names = [check["name"] for check in record.record["checks"]]
    return " ".join((claim.id, claim.statement, claim.source, *names)).lower()


def _title(app: Sphinx, page: str) -> str:
    return app.env.titles[page].astext()


def _share(seeds: Mapping[str, Any] | None) -> float:
    """The share of seeds at which the claim stood; 2, after all others, where it was not
    swept.
    """
    return seeds["stands"] / seeds["seeds"] if seeds else 2.0


def _seeds(seeds: Mapping[str, Any] | None) -> str:
    if seeds is None:
        return "not swept"
    low, high = seeds["interval"]
    return (
        f"{seeds['stands']} of {seeds['seeds']} ({100 * low:.0f} to {100 * high:.0f} %)"
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.add_node(LedgerTable)
    app.add_directive("ledger", LedgerDirective)
    app.connect("doctree-resolved", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
