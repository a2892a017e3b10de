"""What a reader can choose, and what one choice shows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ibcore.validation import InvalidInput

Draw = Callable[..., tuple[Any, str]]
Format = str | Callable[[Any], str]


@dataclass(frozen=True)
class Choice:
    """One slider: its label, the values it steps through and the position it starts
    from.

    format: how a value is read out, as a format string such as "{:.1e}" or a function;
    without one, numbers are written in their shortest form.
    """

    label: str
    values: Sequence[Any]
    start: int = 0
    format: Format | None = None

    @property
    def readouts(self) -> tuple[str, ...]:
        """What the slider says at each position."""
        return tuple(self._read(value) for value in self.values)

    def _read(self, value: Any) -> str:
        if callable(self.format):
            return str(self.format(value))
        if self.format is not None:
            return self.format.format(value)
        return f"{value:g}" if isinstance(value, float) else str(value)


class Frame(NamedTuple):
    """One position of all sliders: the picture as SVG, wide and for a phone (or ""),
    and what it shows in words.
    """

    wide: str
    narrow: str
    sentence: str


def check_controls(draw: Draw, title: str, controls: Mapping[str, Choice]) -> None:
    """Refuse controls with which no picture could be drawn; raises `InvalidInput`."""
    if not (isinstance(title, str) and title.strip()):
        raise InvalidInput(
            f"title is {title!r}, expected words. Say what the reader can explore."
        )
    if not controls:
        raise InvalidInput(
            "explore() got no control, expected at least one. "
            'Pass for example width=Choice("Width", [64, 256]).'
        )
    for name, choice in controls.items():
        _check_choice(name, choice)
    _check_parameters(draw, set(controls))


def _check_choice(name: str, choice: Choice) -> None:
    if not isinstance(choice, Choice):
        raise InvalidInput(
            f"{name} is a {type(choice).__name__}, expected a Choice. "
            f'Pass {name}=Choice("{name.capitalize()}", [...]).'
        )
    if not (isinstance(choice.label, str) and choice.label.strip()):
        raise InvalidInput(
            f"the label of {name} is {choice.label!r}, expected words. Name the "
            "quantity."
        )
    count = len(choice.values)
    if count < 2:
        raise InvalidInput(
            f"{name} has {count} value(s), expected at least two. Add values, or fix "
            f"{name} in the drawing function."
        )
    if (
        isinstance(choice.start, bool)
        or not isinstance(choice.start, int)
        or not 0 <= choice.start < count
    ):
        raise InvalidInput(
            f"{name} starts at position {choice.start!r}, expected an integer from 0 "
            f"to {count - 1}. start is a position in values, not a value."
        )
    repeated = {text for text in choice.readouts if choice.readouts.count(text) > 1}
    if repeated:
        raise InvalidInput(
            f"several values of {name} read {', '.join(sorted(repeated))}, expected "
            "one read-out a value. Pass a format with more digits."
        )


def _check_parameters(draw: Draw, given: set[str]) -> None:
    if not callable(draw):
        raise InvalidInput(
            f"draw is a {type(draw).__name__}, expected a function. Pass "
            "draw(**values) -> (figure, sentence)."
        )
    parameters = inspect.signature(draw).parameters.values()
    named = {
        p.name
        for p in parameters
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }
    required = {
        p.name
        for p in parameters
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    }
    surplus = (
        set() if any(p.kind is p.VAR_KEYWORD for p in parameters) else given - named
    )
    if surplus or required - given:
        raise InvalidInput(
            f"draw takes {', '.join(sorted(named)) or 'no parameter'} and the controls "
            f"are {', '.join(sorted(given))}; expected the same names. Rename one or "
            "the other."
        )
