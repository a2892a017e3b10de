"""Answers in, answers out: fields below exercises, predictions, folded solutions.

    ```{exercise} Title                 is followed by fields for the questions that
    :label: ex-label                    the room of its page has under this label
    ...
    ```

    ```{predict} What will happen?      a question with options, of which [x] marks the
    - one thing                         one that happens, and after an empty line what
    - [x] another                       is told then

    Why it happens.
    ```

What follows a solution, up to the next exercise or heading, is folded into it. A cell
that only asks, `check("ex-label")`, is for notebooks and left out of the page.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from sphinx_exercise.directive import ExerciseDirective
from sphinx_exercise.nodes import is_exercise_node, is_solution_node, solution_node

from ibcore.exercises import exercises
from ibcore.questions import Question
from ibcore.questions.base import LETTERS

SCRIPTS = ("expression", "judge", "page", "questions", "predictions")
OPTION = re.compile(r"- (\[x\] )?(.+)")
ASKING = re.compile(r'from ibcore\.exercises import check|check\("[\w-]+"\)|')


class question_field(nodes.General, nodes.Element):  # noqa: N801  as docutils has it
    """A question; the last child holds the hints."""


class hints(nodes.comment):  # noqa: N801
    """One container a hint; a comment, so that the search does not show them."""


class prediction(nodes.General, nodes.Element):  # noqa: N801
    """A question before the fact; the last child is the answer."""


def digest(*parts: object) -> str:
    """A short name of a question as it is: answers to another one do not count."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:8]


class Parsing(SphinxDirective):
    """A directive that parses pieces of text."""

    def block(self, text: str, *classes: str) -> nodes.container:
        """A container with the parsed text."""
        found = nodes.container(classes=list(classes))
        lines = StringList(text.splitlines(), self.env.docname)
        self.state.nested_parse(lines, self.content_offset, found)
        return found

    def lettered(self, texts: Sequence[str]) -> list[nodes.Node]:
        """The texts under the letters a, b, c, ...; no list where there are none."""
        items = [nodes.list_item("", *self.block(text).children) for text in texts]
        shown = {"enumtype": "loweralpha", "classes": ["ib-options"]}
        return [nodes.enumerated_list("", *items, **shown)] if items else []


class CheckedExercise(Parsing, ExerciseDirective):
    """An exercise with its questions."""

    def run(self) -> list[nodes.Node]:
        """The exercise; the fields stand in its box."""
        found = super().run()
        for exercise in found:
            label = exercise["label"]
            for number, asked in enumerate(exercises().get(label, ()), 1):
                exercise[-1] += self.field(f"{label}/{number}", asked)
        return found

    def field(self, name: str, asked: Question) -> question_field:
        """One question."""
        name = f"{name}/{digest(asked.prompt, asked.options, asked.key())}"
        found = question_field(kind=asked.kind, name=name, key=asked.key())
        found += self.block(asked.prompt, "ib-prompt")
        found += self.lettered(asked.options)
        found += hints("", "", *(self.block(hint) for hint in asked.said))
        return found


class Predict(Parsing):
    """A question that can be answered before the page does."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """The question, open; scripts close it."""
        [question] = self.arguments
        try:
            texts, right, answer = foreseen("\n".join(self.content))
        except ValueError as error:
            raise self.error(str(error)) from None
        name = f"{self.env.docname}/{digest(question, texts)}"
        found = prediction(name=name, right=right)
        found += self.block(question, "ib-prompt")
        found += self.lettered(texts)
        found += self.block(
            f"**What happens: {LETTERS[right]}.** {answer}", "ib-answer"
        )
        return [found]


def foreseen(text: str) -> tuple[list[str], int, str]:
    """The options of a prediction, the number of the one that happens, and what is
    told then; raises `ValueError` where one of the three is missing.
    """
    lines, _, answer = text.strip().partition("\n\n")
    options = [OPTION.fullmatch(line) for line in lines.split("\n")]
    right = [place for place, one in enumerate(options) if one and one[1]]
    texts = [one[2] for one in options if one]
    if len(texts) < len(options) or len(right) != 1 or not answer.strip():
        raise ValueError(
            "A prediction has options, one a line, one of them marked `- [x]`, then an "
            "empty line and what happens."
        )
    return texts, right[0], answer.strip()


def visit_question(translator: Any, node: question_field) -> None:
    """Open the field; whatever needs a script is made by the script."""
    own = {"data-kind": node["kind"], "data-name": node["name"]}
    translator.body.append(translator.starttag(node, "div", CLASS="ib-question", **own))


def visit_prediction(translator: Any, node: prediction) -> None:
    """Open the prediction."""
    own = {"data-name": node["name"], "data-right": node["right"]}
    translator.body.append(
        translator.starttag(node, "div", CLASS="ib-prediction", **own)
    )
    translator.body.append('<p class="ib-title">Before you look</p>\n')


def close(translator: Any, _node: nodes.Element) -> None:
    """End either of them."""
    translator.body.append("</div>\n")


def visit_hints(translator: Any, node: hints) -> None:
    """Write the key with the hints as HTML, encoded: it keeps nobody from reading it,
    and everybody from reading it by accident.
    """
    told = []
    for hint in node.children:
        start = len(translator.body)
        for child in hint.children:
            child.walkabout(translator)
        told.append("".join(translator.body[start:]))
        del translator.body[start:]
    text = json.dumps({**node.parent["key"], "hints": told}, allow_nan=False)
    encoded = base64.b64encode(text.encode()).decode()
    translator.body.append(f'<data class="ib-key" value="{encoded}" hidden></data>\n')
    raise nodes.SkipNode


def visit_solution(translator: Any, node: solution_node) -> None:
    """Open a folded solution: it needs no script, and is opened by the keyboard."""
    title, *rest = node.children
    translator.body.append(translator.starttag(node, "details", CLASS="ib-solution"))
    translator.body.append("<summary>")
    for link in list(title.findall(nodes.reference)):
        link.replace_self(link.children)
    for child in title.children:
        child.walkabout(translator)
    translator.body.append("</summary>\n")
    node.children = rest


def close_solution(translator: Any, _node: nodes.Element) -> None:
    """End the folded solution."""
    translator.body.append("</details>\n")


def skip(_translator: Any, _node: nodes.Element) -> None:
    """Leave out what only a browser can show."""
    raise nodes.SkipNode


def asks(cell: nodes.Node) -> bool:
    """Whether a cell does nothing but ask the questions of an exercise."""
    if not isinstance(cell, nodes.container) or "cell" not in cell["classes"]:
        return False
    source = next(iter(cell.findall(nodes.literal_block)), None)
    lines = source.astext().split("\n") if source else []
    return any(lines) and all(ASKING.fullmatch(line) for line in lines)


def following(solution: nodes.Element) -> Iterator[nodes.Node]:
    """What stands behind a solution, up to the next exercise, solution or heading."""
    siblings = solution.parent.children
    for node in siblings[siblings.index(solution) + 1 :]:
        if isinstance(node, nodes.section) or is_exercise_node(node):
            return
        if is_solution_node(node):
            return
        yield node


def fold(_app: Sphinx, document: nodes.document) -> None:
    """Leave out the cells that ask, and fold what belongs to a solution into it."""
    for cell in [cell for cell in document.findall(nodes.container) if asks(cell)]:
        cell.parent.remove(cell)
    for solution in list(document.findall(solution_node)):
        if not isinstance(solution.children[-1], nodes.section):
            raise ExtensionError(f"a solution in {document['source']} has no content")
        solution["classes"] = [one for one in solution["classes"] if one != "dropdown"]
        for node in list(following(solution)):
            solution.parent.remove(node)
            solution[-1] += node


def add_scripts(
    app: Sphinx, _page: str, _template: str, _context: object, document: object
) -> None:
    """Load the scripts on pages that need them."""
    if isinstance(document, nodes.document) and next(
        iter(
            document.findall(lambda node: isinstance(node, question_field | prediction))
        ),
        None,
    ):
        for name in SCRIPTS:
            app.add_js_file(f"checks/{name}.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension; it stands behind sphinx_exercise in _config.yml."""
    others = dict.fromkeys(("latex", "text", "man", "texinfo"), (skip, None))
    app.add_node(question_field, html=(visit_question, close), **others)
    app.add_node(prediction, html=(visit_prediction, close), **others)
    app.add_node(hints, html=(visit_hints, None), **others)
    app.add_node(
        solution_node, override=True, html=(visit_solution, close_solution), **others
    )
    app.add_directive("exercise", CheckedExercise, override=True)
    app.add_directive("predict", Predict)
    app.connect("doctree-read", fold)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
