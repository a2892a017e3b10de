"""The course that a lecturer can give with the book, from book/course.yml.

```{course}          the weeks with their pages and exercises
```{course-graph}    which week rests on which, as a picture with its text
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from environment import ROOT
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PLAN = ROOT / "book" / "course.yml"
WIDTH, HEIGHT = 150, 52  # of a box, in pixels
GAP_X, GAP_Y = 26, 44


@dataclass(frozen=True)
class Week:
    """One week of the course.

    needs: the numbers, from 1, of the weeks that it rests on.
    exercises: labels of exercises that make an assignment.
    """

    title: str
    pages: tuple[str, ...]
    needs: tuple[int, ...]
    exercises: tuple[str, ...]


def weeks() -> list[Week]:
    """The weeks in their order."""
    entries = yaml.safe_load(PLAN.read_text(encoding="utf-8"))
    return [
        Week(
            entry["title"],
            *(tuple(entry[name]) for name in ("pages", "needs", "exercises")),
        )
        for entry in entries
    ]


def levels(plan: list[Week]) -> list[int]:
    """How many weeks a week has below it on the longest way, from 0."""
    found: list[int] = []
    for week in plan:
        found.append(max((found[need - 1] + 1 for need in week.needs), default=0))
    return found


def table(plan: list[Week]) -> Iterator[str]:
    """Lines of Markdown: one row a week."""
    yield from ("| week | read | assignments |", "| --- | --- | --- |")
    for number, week in enumerate(plan, start=1):
        pages = "<br>".join(f"{{doc}}`{page}`" for page in week.pages)
        exercises = "<br>".join(f"{{ref}}`{label}`" for label in week.exercises)
        yield f"| {number}. {week.title} | {pages} | {exercises} |"


def graph(plan: list[Week]) -> str:
    """The weeks as boxes, each below those that it rests on, as SVG."""
    level = levels(plan)
    place: list[tuple[int, int]] = []
    for number, row in enumerate(level):
        place.append((level[:number].count(row), row))
    columns = max(level.count(row) for row in set(level))
    width = columns * (WIDTH + GAP_X)
    height = (max(level) + 1) * (HEIGHT + GAP_Y)
    lines = [
        _line(place[need - 1], place[number])
        for number, week in enumerate(plan)
        for need in week.needs
    ]
    boxes = [
        _box(place[number], f"{number + 1}. {week.title}")
        for number, week in enumerate(plan)
    ]
    told = "; ".join(
        f"week {number} rests on {', '.join(map(str, week.needs)) or 'none'}"
        for number, week in enumerate(plan, start=1)
    )
    return (
        "<div class='course-graph' role='region' aria-label='Weeks' tabindex='0'>"
        f"<svg viewBox='0 0 {width} {height}' width='{width}' role='img' "
        f"aria-label='{html.escape(told)}'>{''.join((*lines, *boxes))}</svg></div>"
    )


def _corner(place: tuple[int, int]) -> tuple[float, float]:
    column, row = place
    return GAP_X / 2 + column * (WIDTH + GAP_X), GAP_Y / 2 + row * (HEIGHT + GAP_Y)


def _line(above: tuple[int, int], below: tuple[int, int]) -> str:
    (x, y), (x_end, y_end) = _corner(above), _corner(below)
    start = f"{x + WIDTH / 2} {y + HEIGHT}"
    bend = GAP_Y / 2
    end = f"{x_end + WIDTH / 2} {y_end}"
    return (
        f"<path d='M {start} c 0 {bend} {x_end - x} {y_end - y - HEIGHT - bend} "
        f"{x_end - x} {y_end - y - HEIGHT} L {end}' />"
    )


def _box(place: tuple[int, int], title: str) -> str:
    x, y = _corner(place)
    rows = textwrap.wrap(title, 20)
    first = y + HEIGHT / 2 + 5 - 9 * (len(rows) - 1)
    text = "".join(
        f"<tspan x='{x + WIDTH / 2}' y='{first + 18 * k}'>{html.escape(row)}</tspan>"
        for k, row in enumerate(rows)
    )
    return (
        f"<rect x='{x}' y='{y}' width='{WIDTH}' height='{HEIGHT}' rx='6' />"
        f"<text>{text}</text>"
    )


class Course(SphinxDirective):
    """The table."""

    def run(self) -> list[nodes.Node]:
        """The parsed table."""
        lines = StringList(list(table(weeks())), "course")
        container = nodes.container()
        self.state.nested_parse(lines, 0, container)
        return container.children


class CourseGraph(SphinxDirective):
    """The picture."""

    def run(self) -> list[nodes.Node]:
        """The picture as HTML."""
        return [nodes.raw("", graph(weeks()), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.add_directive("course", Course)
    app.add_directive("course-graph", CourseGraph)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
