"""A function that draws, its sliders, and the form in which they are shown."""

from __future__ import annotations

import itertools
import math
import os
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from ibcore.explore.controls import Choice, Draw, Frame, check_controls
from ibcore.explore.still import fragment
from ibcore.explore.svg import figure_svg
from ibcore.threads import threads
from ibcore.validation import InvalidInput

if TYPE_CHECKING:
    from ipywidgets import VBox

MAX_FRAMES = 200
PHONE_INCHES = 4.7
_numbers = itertools.count(1)

Position = tuple[int, ...]


def explore(draw: Draw, *, title: str, **controls: Choice) -> Explorer:
    """Sliders over the pictures that `draw` makes; put it last in a cell.

    draw: called with one value per control, by name; returns a Matplotlib figure and
        one sentence in plain words that says what this picture shows (its alternative
        text, announced on every change).
    title: what the reader can explore.
    controls: one `Choice` per parameter of `draw`.

    With a kernel a picture is computed when a slider is released, once per position.
    While the book is being built (IBCORE_BUILDING_BOOK=1) all of them are computed here
    and become one fragment of HTML that needs nothing else.

    Raises `InvalidInput` for controls that do not fit `draw`, for a result that is no
    figure with a sentence, and for a fragment that is too large for a page.
    """
    check_controls(draw, title, controls)
    explorer = Explorer(draw, title, controls)
    if os.environ.get("IBCORE_BUILDING_BOOK") == "1":
        explorer.to_html()
    else:
        explorer.frame(explorer.start)
    return explorer


class Explorer:
    """What `explore` returns; a notebook shows it as sliders, a terminal as text."""

    def __init__(self, draw: Draw, title: str, controls: Mapping[str, Choice]) -> None:
        self.title = title
        self.controls = dict(controls)
        self.start: Position = tuple(choice.start for choice in controls.values())
        self.uid = f"ibx{next(_numbers)}"
        self._draw = draw
        self._frames: dict[Position, Frame] = {}

    def frame(self, position: Position) -> Frame:
        """The picture and sentence at one index per control; drawn on the first call."""
        if position not in self._frames:
            self._frames[position] = self._compute(position)
        return self._frames[position]

    def to_html(self) -> str:
        """The explorer as a fragment of HTML with every picture in it, each also laid
        out for a phone.
        """
        return self._html

    @cached_property
    def _html(self) -> str:
        sizes = [len(choice.values) for choice in self.controls.values()]
        if math.prod(sizes) > MAX_FRAMES:
            raise InvalidInput(
                f"explorer {self.title!r} has {math.prod(sizes)} pictures, expected at "
                f"most {MAX_FRAMES}. Use fewer values or fewer controls."
            )
        for position in itertools.product(*map(range, sizes)):
            self._frames[position] = self._compute(position, phone=True)
        frames = [self._frames[position] for position in sorted(self._frames)]
        return fragment(self.uid, self.title, list(self.controls.values()), frames)

    @threads()
    def _compute(self, position: Position, *, phone: bool = False) -> Frame:
        values = {
            name: choice.values[i]
            for (name, choice), i in zip(self.controls.items(), position, strict=True)
        }
        result = self._draw(**values)
        if not (
            isinstance(result, tuple)
            and len(result) == 2
            and isinstance(result[0], Figure)
            and isinstance(result[1], str)
            and result[1].strip()
        ):
            raise InvalidInput(
                f"draw returned {_shape(result)} for {values}, expected a pair: a "
                "Matplotlib figure and a sentence. End it with `return fig, 'What "
                "this picture shows.'`."
            )
        fig, sentence = result
        prefix = "".join([self.uid, *(f"-{i}" for i in position)])
        narrow = figure_svg(fig, f"{prefix}n", width=PHONE_INCHES) if phone else ""
        wide = figure_svg(fig, prefix)
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close(fig)
        return Frame(wide, narrow, " ".join(sentence.split()))

    def __repr__(self) -> str:
        """The same text on every machine: title, controls, what the starting picture
        shows.
        """
        rows = [
            f"  {choice.label}: {choice.readouts[choice.start]} (of "
            f"{_listed(choice.readouts)})"
            for choice in self.controls.values()
        ]
        return "\n".join(
            [f"Explorer: {self.title}", *rows, self.frame(self.start).sentence]
        )

    def _repr_mimebundle_(self, **_kinds: object) -> dict[str, Any]:
        """HTML in the book, widgets in a notebook, text everywhere."""
        if os.environ.get("IBCORE_BUILDING_BOOK") == "1":
            return {"text/plain": repr(self), "text/html": self.to_html()}
        return {**self.view._repr_mimebundle_(), "text/plain": repr(self)}

    @cached_property
    def view(self) -> VBox:
        """The live sliders, picture and caption as widgets."""
        from ibcore.explore.live import sliders  # noqa: PLC0415  widgets are needed with a kernel only

        return sliders(self.title, self.controls.values(), self.frame)


def _shape(result: object) -> str:
    if isinstance(result, tuple):
        return f"a tuple of {', '.join(type(item).__name__ for item in result) or 'nothing'}"
    return f"a {type(result).__name__}"


def _listed(readouts: tuple[str, ...]) -> str:
    if len(readouts) <= 8:
        return ", ".join(readouts)
    return f"{len(readouts)} values from {readouts[0]} to {readouts[-1]}"
