"""Entries of the page on the Python interface, from the docstrings of the listed names.

    ```{interface} flow             name, parameters, docstring, example, and what the
                                    function returns
    ```{interface} Claim.verify     the same of a method of a listed class

With the option `:no-record:` it is not told what a function returns.

A docstring is plain text: paragraphs, lines `name: ...` on parameters or fields, and
an example. What stands between backticks is code, and a link where it is a listed name.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import ibcore

LOGGER = logging.getLogger(__name__)
FIELD = re.compile(r"(?P<names>[A-Za-z_]\w*(?:, [A-Za-z_]\w*)*): +(?P<text>.*)")
SAME_LINE = re.compile(r" {3,}")  # between two fields of one line
CODE = re.compile(r"`([^`]+)`")


@dataclasses.dataclass(frozen=True)
class Paragraph:
    """Sentences, in one line."""

    text: str


@dataclasses.dataclass(frozen=True)
class Fields:
    """What is said of parameters or fields, by their names."""

    items: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Example:
    """Python as at its prompt, with what it prints."""

    code: str


Block = Paragraph | Fields | Example


def anchor(name: str) -> str:
    """Where the entry of a name stands on its page."""
    return f"interface-{name.replace('.', '-')}"


def parameters(found: object) -> list[str]:
    """The parameters as they are written in a call: `p`, `*`, `log_loss=None`."""
    if inspect.isclass(found) and issubclass(found, BaseException):
        return []
    written, keywords = [], False
    for name, part in inspect.signature(found).parameters.items():
        if name == "self":
            continue
        if part.kind is part.KEYWORD_ONLY and not keywords:
            keywords = True
            written.append("*")
        stars = {part.VAR_POSITIONAL: "*", part.VAR_KEYWORD: "**"}.get(part.kind, "")
        default = "" if part.default is part.empty else f"={_default(part.default)}"
        written.append(f"{stars}{name}{default}")
    return written


def _default(value: object) -> str:
    """A default value in short; what a function makes is left open."""
    text = repr(value)
    return "..." if text.startswith("<") else text


def blocks(found: object) -> Iterator[Block]:
    """The parts of a docstring."""
    names = {part.strip("*").partition("=")[0] for part in parameters(found)}
    for text in (inspect.getdoc(found) or "").split("\n\n"):
        if text.startswith(">>>"):
            yield Example(text)
        else:
            yield from _prose(text.splitlines(), names)


def _prose(lines: list[str], names: set[str]) -> Iterator[Block]:
    """A paragraph, and the fields that follow in it."""
    sentences: list[str] = []
    items: list[tuple[str, list[str]]] = []
    for line in (part for whole in lines for part in SAME_LINE.split(whole.strip())):
        field = FIELD.fullmatch(line)
        if field and set(field["names"].split(", ")) <= names:
            items.append((field["names"], [field["text"]]))
        else:
            (items[-1][1] if items else sentences).append(line)
    if sentences:
        yield Paragraph(" ".join(sentences))
    if items:
        yield Fields(tuple((name, " ".join(text)) for name, text in items))


def result(found: object) -> list[type]:
    """The record that a function returns and those that it builds on, if it is one."""
    if inspect.isclass(found):
        return []
    kind = typing.get_type_hints(found).get("return")
    mro = kind.__mro__ if inspect.isclass(kind) else ()
    return [part for part in mro if dataclasses.is_dataclass(part)]


def inline(text: str) -> list[nodes.Node]:
    """Text with its code, which links to the entry of a listed name."""
    found: list[nodes.Node] = []
    for number, part in enumerate(CODE.split(text)):
        if number % 2 == 0:
            found.append(nodes.Text(part))
        elif part in ibcore.__all__:
            code = nodes.literal(part, part)
            place = anchor(part)
            found.append(nodes.reference("", "", code, internal=True, refid=place))
        else:
            found.append(nodes.literal(part, part))
    return found


def shown(found: object) -> Iterator[nodes.Node]:
    """What a docstring says."""
    for block in blocks(found):
        if isinstance(block, Paragraph):
            yield nodes.paragraph("", "", *inline(block.text))
        elif isinstance(block, Example):
            yield nodes.literal_block(block.code, block.code, language="pycon")
        else:
            yield nodes.bullet_list("", *(_item(*item) for item in block.items))


def _item(names: str, text: str) -> nodes.list_item:
    """One line on a parameter, or on several that belong together."""
    labels: list[nodes.Node] = []
    for name in names.split(", "):
        labels += [nodes.literal(name, name), nodes.Text(", ")]
    labels[-1] = nodes.Text(": ")
    return nodes.list_item("", nodes.paragraph("", "", *labels, *inline(text)))


def _signature(name: str, found: object) -> addnodes.desc_signature:
    """The line that an entry begins with; the table of contents of the page lists it."""
    line = addnodes.desc_signature("", "", ids=[anchor(name)], _toc_name=name)
    if inspect.isclass(found):
        kind = "exception" if issubclass(found, Exception) else "class"
        line += addnodes.desc_annotation("", f"{kind} ")
    line += addnodes.desc_name(name, name)
    if not inspect.isclass(found) or parameters(found):
        pieces = [addnodes.desc_parameter(part, part) for part in parameters(found)]
        line += addnodes.desc_parameterlist("", "", *pieces)
    return line


class Interface(SphinxDirective):
    """The entry of the name that is its argument."""

    required_arguments = 1
    option_spec: ClassVar = {"no-record": directives.flag}

    def run(self) -> list[nodes.Node]:
        """The entry, or nothing with a warning where the name is not listed."""
        name = self.arguments[0]
        if name.partition(".")[0] not in ibcore.__all__:
            LOGGER.warning("ibcore lists no %s", name, location=self.get_location())
            return []
        found = attrgetter(name)(ibcore)
        self.env.note_dependency(inspect.getsourcefile(inspect.unwrap(found)))
        content = addnodes.desc_content("", *shown(found))
        if "no-record" not in self.options:
            content += list(self._returns(name, found))
        kind = "class" if inspect.isclass(found) else "function"
        entry = addnodes.desc("", domain="py", objtype=kind, classes=["py", kind])
        entry += [_signature(name, found), content]
        return [entry]

    def _returns(self, name: str, found: Any) -> Iterator[nodes.Node]:
        """What a record holds, at the first function that returns it; a link for one
        with an entry of its own.
        """
        first = self.env.temp_data.setdefault("interface_records", {})
        for number, kind in enumerate(result(found)):
            start = "It has all of" if number else "Returns"
            said = f"{start} `{kind.__name__}`"
            if kind.__name__ in ibcore.__all__:
                yield nodes.paragraph("", "", *inline(f"{said}."))
            elif kind in first:
                told = inline(f"{said}, as told at `{first[kind]}`.")
                yield nodes.paragraph("", "", *told)
            else:
                first[kind] = name
                yield nodes.paragraph("", "", *inline(f"{said}:"))
                yield nodes.container("", *shown(kind), classes=["interface-record"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.add_directive("interface", Interface)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
