"""Sliders in a notebook with a kernel: a picture is drawn when a slider is released."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets

from ibcore.explore.controls import Choice, Frame


def sliders(
    title: str,
    choices: Iterable[Choice],
    frame_at: Callable[[tuple[int, ...]], Frame],
) -> ipywidgets.VBox:
    """One slider per choice above the picture and sentence that `frame_at` has for
    their positions.
    """
    controls = [_slider(choice) for choice in choices]
    picture, caption = ipywidgets.HTML(), ipywidgets.HTML()

    def update(*_: Any) -> None:
        position = tuple(control.index for control in controls)
        try:
            frame = frame_at(position)
        except Exception as error:  # noqa: BLE001  a widget's callback would lose it
            caption.value = _caption(
                f"This picture could not be drawn. {type(error).__name__}: {error}"
            )
            return
        picture.value = (
            f'<div role="img" aria-label="{html.escape(frame.sentence)}" style="max-width:40rem">'
            f"{frame.wide}</div>"
        )
        caption.value = _caption(frame.sentence)

    for control in controls:
        control.observe(update, names="index")
    update()
    heading = ipywidgets.HTML(f"<strong>{html.escape(title)}</strong>")
    return ipywidgets.VBox([heading, *controls, picture, caption])


def _slider(choice: Choice) -> ipywidgets.SelectionSlider:
    options = [(text, index) for index, text in enumerate(choice.readouts)]
    return ipywidgets.SelectionSlider(
        options=options,
        index=choice.start,
        description=choice.label,
        continuous_update=False,
        style={"description_width": "initial"},
        layout=ipywidgets.Layout(width="100%", max_width="32rem"),
    )


def _caption(text: str) -> str:
    return f'<p role="status" style="margin:0;max-width:40rem">{html.escape(text)}</p>'
