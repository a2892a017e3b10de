"""An explorer as one fragment of HTML: native sliders over pictures that are all in the
page.
"""

from __future__ import annotations

import html
import itertools
import json
import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from ibcore.explore.controls import Choice, Frame
from ibcore.validation import InvalidInput

MAX_BYTES = 1_000_000
WITHOUT_SCRIPTS = "The sliders need scripts. This is the starting picture; the list below says what the others show."


def fragment(
    uid: str, title: str, controls: Sequence[Choice], frames: Sequence[Frame]
) -> str:
    """The HTML of an explorer; `frames` in the order of `itertools.product` over the
    controls.

    Without scripts it shows the starting picture, its sentence and every position in
    words. Raises `InvalidInput` above a megabyte.
    """
    start = _index([choice.start for choice in controls], controls)
    body = "\n".join(
        [
            f'<div class="ibx" id="{uid}" role="group" aria-labelledby="{uid}-title">',
            f"<style>{_static('explorer.css')}</style>",
            f'<p class="ibx-title" id="{uid}-title">{html.escape(title)}</p>',
            '<div class="ibx-controls" hidden="">',
            *(
                _slider(f"{uid}-{number}", choice)
                for number, choice in enumerate(controls)
            ),
            "</div>",
            f'<div class="ibx-picture" role="img" aria-labelledby="{uid}-sentence">{_picture(frames[start])}</div>',
            _sentence(uid, frames[start]),
            f"<noscript><p>{WITHOUT_SCRIPTS}</p></noscript>",
            _in_words(controls, frames),
            f'<script type="application/json">{_data(controls, frames)}</script>',
            f"<script>{_static('explorer.js')}</script>",
            "</div>",
        ]
    )
    size = len(body.encode())
    if size > MAX_BYTES:
        raise InvalidInput(
            f"explorer {title!r} takes {size / 1e6:.2f} MB ({len(frames)} pictures of "
            f"{size / len(frames) / 1e3:.0f} kB), expected at most {MAX_BYTES / 1e6:g} "
            "MB. Use fewer positions, draw fewer points, or set rasterized=True on "
            "dense artists."
        )
    return body


def _slider(uid: str, choice: Choice) -> str:
    readout, width = (
        html.escape(choice.readouts[choice.start]),
        max(map(len, choice.readouts)),
    )
    return (
        f'<div class="ibx-control"><label for="{uid}">{html.escape(choice.label)}</label>'
        f'<input type="range" id="{uid}" min="0" max="{len(choice.values) - 1}" step="1" value="{choice.start}" '
        f'aria-valuetext="{readout}" autocomplete="off"/>'
        f'<output for="{uid}" aria-live="off" style="min-width:{width}ch">{readout}</output></div>'
    )


def _sentence(uid: str, frame: Frame) -> str:
    return (
        f'<p class="ibx-sentence" id="{uid}-sentence" aria-live="polite" aria-atomic="true">'
        f"{html.escape(frame.sentence)}</p>"
    )


def _picture(frame: Frame) -> str:
    return f'<div class="ibx-wide">{frame.wide}</div><div class="ibx-narrow">{frame.narrow}</div>'


def _in_words(controls: Sequence[Choice], frames: Sequence[Frame]) -> str:
    """Every position with its sentence, for readers without scripts or sight of the
    picture.
    """
    items = []
    for setting, frame in zip(
        itertools.product(*(choice.readouts for choice in controls)),
        frames,
        strict=True,
    ):
        where = ", ".join(
            f"{choice.label} {text}"
            for choice, text in zip(controls, setting, strict=True)
        )
        items.append(
            f"<li><b>{html.escape(where)}:</b> {html.escape(frame.sentence)}</li>"
        )
    return (
        f'<details class="ibx-words"><summary>All {len(frames)} pictures in words</summary>'
        f"<ul>{''.join(items)}</ul></details>"
    )


def _data(controls: Sequence[Choice], frames: Sequence[Frame]) -> str:
    """What the script reads; `</` is broken up because it would end the element."""
    data = {
        "readouts": [choice.readouts for choice in controls],
        "frames": [[_picture(frame), frame.sentence] for frame in frames],
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("</", "<\\/").replace("<!", "<\\u0021")


def _index(position: Sequence[int], controls: Sequence[Choice]) -> int:
    sizes = [len(choice.values) for choice in controls]
    return sum(i * math.prod(sizes[axis + 1 :]) for axis, i in enumerate(position))


@cache
def _static(name: str) -> str:
    return (
        (files("ibcore.explore") / "static" / name).read_text(encoding="utf-8").strip()
    )
