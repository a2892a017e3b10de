"""Links to claims, lists of them and their counts for pages without code, from the
claims and the stored verdicts.

    {claim}`logistic-max-margin`        a link to the line with the claim's verdict
    {kind}`logistic-max-margin`         theorem, empirical or open
    ```{claims} open                    all claims of a kind, section by section
    {{ claims }}, {{ theorems }}, ...   how many there are

A verdict is what the closing cell of the claim's page has stored; the check of the
notebooks compares it with a run.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.statemachine import StringList
from environment import ROOT
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from ibcore.claims import Claim, all_claims
from ibcore.evidence import TAGS
from ibcore.report.page import anchor
from ibcore.review import section_of

LOGGER = logging.getLogger(__name__)
LINE = re.compile(
    r"^(?P<id>[\w-]+) +(?P<outcome>stands|DOES NOT STAND); (?P<tally>[^;]+); control "
    "(?P<control>refuted|NOT REFUTED)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Stored:
    """The line on a claim that its page has stored: outcome, checks by tag, and what
    became of the control.
    """

    outcome: str
    tally: str
    control: str

    @property
    def stands(self) -> bool:
        """Every check holds and the control is refuted."""
        return self.outcome == "stands"

    @property
    def checks(self) -> Counter[str]:
        """How many checks there are by tag."""
        pairs = re.findall(rf"(\d+) ({'|'.join(TAGS)})", self.tally)
        return Counter({tag: int(count) for count, tag in pairs})


def stored_verdicts(text: str) -> dict[str, Stored]:
    """The verdicts by the claims' ids in what a page's cells have printed."""
    return {
        found["id"]: Stored(found["outcome"], found["tally"], found["control"])
        for found in LINE.finditer(text)
    }


def all_stored(root: Path = ROOT) -> dict[str, Stored]:
    """The verdicts of all pages."""
    verdicts = {}
    for page in dict.fromkeys(claim.page for claim in all_claims().values()):
        notebook = nbformat.read(root / "book" / f"{page}.ipynb", as_version=4)
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                verdicts |= stored_verdicts(
                    output.get("data", {}).get("text/plain", "")
                )
    return verdicts


def counts(stored: Mapping[str, Stored]) -> dict[str, str]:
    """Numbers of claims, standing claims, refuted controls, and of checks by tag, by
    the names that a page uses.
    """
    kinds = Counter(claim.kind for claim in all_claims().values())
    checks = sum((verdict.checks for verdict in stored.values()), Counter())
    found = {
        "claims": kinds.total(),
        "theorems": kinds["theorem"],
        "observations": kinds["empirical"],
        "questions": kinds["open"],
        "standing": sum(verdict.stands for verdict in stored.values()),
        "refuted": sum(verdict.control == "refuted" for verdict in stored.values()),
        "checks": checks.total(),
        **{f"checks_{tag}": checks[tag] for tag in TAGS},
    }
    return {name: str(number) for name, number in found.items()}


def listed(kind: str, stored: Mapping[str, Stored]) -> Iterator[str]:
    """Lines of Markdown: the claims of a kind with statement and verdict, folded by
    sections of the review.
    """
    chosen = [claim for claim in all_claims().values() if claim.kind == kind]
    for part, claims in itertools.groupby(chosen, key=_part):
        lines = [line for claim in claims for line in _item(claim, stored)]
        yield from (f":::{{dropdown}} {part} ({len(lines)})", *lines, ":::", "")


def _part(claim: Claim) -> str:
    section = section_of(claim.page)
    return section.part or section.title


def _item(claim: Claim, stored: Mapping[str, Stored]) -> Iterator[str]:
    verdict = stored[claim.id]
    yield (
        f"- {{claim}}`{claim.id}`: {claim.statement} *{verdict.outcome}: "
        f"{verdict.tally}; control {verdict.control}*"
    )


class ClaimRole(SphinxRole):
    """The id of a claim as a link to its verdict."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The link, or the bare id with a warning where there is no such claim."""
        name = nodes.literal(self.text, self.text)
        claim = all_claims().get(self.text)
        if claim is None:
            LOGGER.warning(
                "no claim is called %s", self.text, location=self.get_location()
            )
            return [name], []
        builder = self.env.app.builder
        page = builder.get_relative_uri(self.env.docname, f"book/{claim.page}")
        link = nodes.reference(
            "", "", name, internal=True, refuri=f"{page}#{anchor(claim)}"
        )
        return [link], []


class KindRole(SphinxRole):
    """The kind of the claim that is named."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The kind in words, or a warning where there is no such claim."""
        claim = all_claims().get(self.text)
        if claim is None:
            LOGGER.warning(
                "no claim is called %s", self.text, location=self.get_location()
            )
            return [], []
        return [nodes.Text(claim.kind)], []


class ClaimList(SphinxDirective):
    """All claims of the kind that is its argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The parsed lists."""
        lines = StringList(list(listed(self.arguments[0], all_stored())), "claims")
        container = nodes.container()
        self.state.nested_parse(lines, 0, container)
        return container.children


def count_claims(_app: Sphinx, config: Config) -> None:
    """Let pages name the numbers of claims."""
    config.myst_substitutions = {**config.myst_substitutions, **counts(all_stored())}


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.add_role("claim", ClaimRole())
    app.add_role("kind", KindRole())
    app.add_directive("claims", ClaimList)
    app.connect("config-inited", count_claims)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
