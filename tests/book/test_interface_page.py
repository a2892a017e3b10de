"""The page on the Python interface: every listed name once, as its docstring says, and code that runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import SimpleNamespace

import interface
import pytest
from docutils import nodes
from environment import ROOT
from interface import Example, Fields, Interface, Paragraph, anchor
from sphinx import addnodes

import ibcore

PAGE = (ROOT / "book" / "python_interface.md").read_text(encoding="utf-8")
ENTRIES = re.findall(r"^```\{interface\} (\S+)$", PAGE, re.MULTILINE)


def test_every_listed_name_has_one_entry():
    assert sorted(name for name in ENTRIES if "." not in name) == sorted(ibcore.__all__)
    assert len(set(ENTRIES)) == len(ENTRIES)


def test_the_code_of_the_page_runs(capsys):
    names: dict[str, object] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        assert max(map(len, block.splitlines())) <= 76
        exec(block, names)  # noqa: S102
    printed = capsys.readouterr().out
    assert float(re.search(r"\d\.\d+e-\d+", printed)[0]) < 1e-6
    assert printed.endswith("\nTrue\n")


def test_the_page_shows_the_changelog():
    assert "```{include} ../CHANGELOG.md" in PAGE
    assert (ROOT / "CHANGELOG.md").is_file()


@dataclass(frozen=True)
class Record:
    """What comes back.

    size: a number.      gap, rest: two
    more.
    """

    size: float
    gap: float
    rest: float


@dataclass(frozen=True)
class Longer(Record):
    """A record that builds on another.

    tail: (n,).
    """

    tail: float


def made_up(X, p: float = 1e-6, *, like=object(), **settings) -> Longer:  # noqa: B008
    """The first line, which
    goes on with `p`.

    X: (n, d).
    p: at least 1, see `flow`; not: a
    parameter.
    Note: this is none.

    >>> 1 + 1
    2
    """


def test_a_docstring_is_taken_apart():
    assert list(interface.blocks(made_up)) == [
        Paragraph("The first line, which goes on with `p`."),
        Fields(
            (
                ("X", "(n, d)."),
                (
                    "p",
                    "at least 1, see `flow`; not: a parameter. Note: this is none.",
                ),
            )
        ),
        Example(">>> 1 + 1\n2"),
    ]


def test_fields_that_share_a_line_are_told_apart():
    fields = list(interface.blocks(Record))[1]
    assert fields == Fields((("size", "a number."), ("gap, rest", "two more.")))


def test_parameters_are_written_as_in_a_call():
    assert interface.parameters(made_up) == [
        "X",
        "p=1e-06",
        "*",
        "like=...",
        "**settings",
    ]
    assert interface.parameters(ibcore.InvalidInput) == []
    assert interface.parameters(ibcore.Claim.verify)[0] == "setting=None"


def test_a_record_is_told_with_those_that_it_builds_on(monkeypatch):
    monkeypatch.setitem(made_up.__annotations__, "return", Longer)
    assert interface.result(made_up) == [Longer, Record]
    assert interface.result(ibcore.sharpness) == []
    assert interface.result(ibcore.Claim.verify) == [ibcore.Verdict]
    assert interface.result(ibcore.Linear) == []


def test_code_is_a_link_where_it_is_a_listed_name():
    before, code, between, link, after = interface.inline("A `p` of `flow`.")
    assert [part.astext() for part in (before, between, after)] == ["A ", " of ", "."]
    assert isinstance(code, nodes.literal)
    assert link["refid"] == anchor("flow")


def entry(*names: str, options: dict | None = None) -> list[list[nodes.Node]]:
    """What the directive makes on one page of these names."""
    env = SimpleNamespace(temp_data={}, seen=[])
    env.note_dependency = env.seen.append
    made = []
    for name in names:
        directive = object.__new__(Interface)
        directive.arguments, directive.options = [name], options or {}
        settings = SimpleNamespace(env=env)
        directive.state = SimpleNamespace(
            document=SimpleNamespace(settings=settings, current_source="page")
        )
        directive.lineno = 1
        directive.get_location = lambda: "page:1"
        made.append(directive.run())
    return made


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_begins_with_the_name_and_says_what_the_docstring_says(name):
    ((made,),) = entry(name)
    (line,) = made.findall(addnodes.desc_signature)
    assert line["ids"] == [anchor(name)]
    assert line["_toc_name"] == name
    assert next(line.findall(addnodes.desc_name)).astext() == name
    examples = list(made.findall(nodes.literal_block))
    assert all(example["language"] == "pycon" for example in examples)
    assert len(examples) == (0 if name == "all_claims" else 1)
    assert "`" not in made.astext()


def test_a_record_is_told_once_on_a_page():
    (first,), (second,) = entry("flow", "scipy_flow")
    assert "Returns Trajectory:" in first.astext()
    assert "gradient evaluations" in first.astext()
    assert "Returns Trajectory, as told at flow." in second.astext()
    assert "gradient evaluations" not in second.astext()


def test_a_record_with_an_entry_is_a_link():
    ((made,),) = entry("Claim.verify")
    assert made.astext().endswith("Returns Verdict.")
    assert list(made.findall(nodes.reference))[-1]["refid"] == anchor("Verdict")


def test_a_record_may_be_left_out():
    ((short,),) = entry("constant", options={"no-record": None})
    assert "Returns" not in short.astext()
    ((long,),) = entry("constant")
    assert "Returns Scheduled" in long.astext()


def test_a_name_that_is_not_listed_is_a_warning(monkeypatch):
    told = []
    warn = lambda *words, **_where: told.append(words[0] % words[1:])  # noqa: E731
    monkeypatch.setattr(interface.LOGGER, "warning", warn)
    assert entry("gradient_flow") == [[]]
    assert told == ["ibcore lists no gradient_flow"]
