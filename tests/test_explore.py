"""Explorers: what they refuse, what they show with a kernel, what the built book gets."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import ipywidgets
import numpy as np
import pytest

from ibcore.explore import Choice, explore
from ibcore.explore.still import MAX_BYTES
from ibcore.explore.svg import figure_svg, slim
from ibcore.figures import figure
from ibcore.validation import InvalidInput

WIDTHS, RATES = [16, 64, 256], [0.5, 1e-7]


def draw(width, rate):
    fig, ax = figure()
    ax.plot([0, 1, 2], [0, width, 1])
    ax.set_title(f"width {width}")
    return fig, f"Width {width} at rate {rate}:\n   <peak> & more."


def sliders(**changes):
    return explore(
        draw,
        **{
            "title": "Wide & <narrow>",
            "width": Choice("Width", WIDTHS, start=1),
            "rate": Choice("Rate", RATES),
            **changes,
        },
    )


@pytest.fixture(scope="module")
def svg(busy):
    return figure_svg(busy, "p")


def two():
    return explore(lambda on: draw(1, on), title="t", on=Choice("On", [0, 1]))


@pytest.fixture
def building(monkeypatch):
    monkeypatch.setenv("IBCORE_BUILDING_BOOK", "1")


@pytest.fixture(scope="module")
def html():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IBCORE_BUILDING_BOOK", "1")
        return sliders().to_html()


@pytest.fixture(scope="module")
def busy():
    """A figure with every kind of mark that Matplotlib writes with an id or a color of
    its own.
    """
    fig, ax = figure()
    x = np.linspace(0, 1, 50)
    ax.plot(x, x**2, marker="o", markeredgecolor="white")
    ax.fill_between(x, 0.5 * x, hatch="//", color="#d1495b")
    ax.imshow(np.eye(3), extent=(0, 1, 0, 1), aspect="auto")
    ax.set(
        yscale="symlog",
        xlabel=r"loss $\eta^2 \hat w_i$ < 1 & 'more'",
        ylabel="0.123456",
    )
    ax.text(0.5, 0.5, "gray", color="0.3")
    return fig


class TestText:
    def test_names_controls_and_starting_sentence(self):
        assert repr(sliders()) == (
            "Explorer: Wide & <narrow>\n  Width: 64 (of 16, 64, 256)\n  Rate: 0.5 (of "
            "0.5, 1e-07)\nWidth 64 at rate 0.5: <peak> & more."
        )

    def test_shortens_a_long_list_of_values(self):
        assert "Width: 0 (of 20 values from 0 to 19)" in repr(
            sliders(width=Choice("Width", range(20)))
        )

    def test_reads_values_out_in_the_given_format(self):
        assert Choice("a", [1.0, 2.0], format="{:.2f} s").readouts == (
            "1.00 s",
            "2.00 s",
        )
        assert Choice(
            "a", [True, False], format=lambda on: "on" if on else "off"
        ).readouts == ("on", "off")

    def test_is_the_same_while_the_book_is_built(self, monkeypatch):
        plain = repr(two())
        monkeypatch.setenv("IBCORE_BUILDING_BOOK", "1")
        bundle = two()._repr_mimebundle_()
        assert set(bundle) == {"text/html", "text/plain"}
        assert bundle["text/plain"] == plain


class TestLive:
    def test_is_a_widget_and_text_but_no_html(self):
        bundle = sliders()._repr_mimebundle_()
        assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/plain"}
        assert bundle["text/plain"].startswith("Explorer: ")

    def test_draws_only_what_is_looked_at_and_that_once(self):
        calls = []

        def counting(width, rate):
            calls.append((width, rate))
            return draw(width, rate)

        explorer = explore(
            counting,
            title="t",
            width=Choice("Width", WIDTHS),
            rate=Choice("Rate", RATES),
        )
        view = explorer.view
        width, rate = view.children[1:3]
        width.index = 2
        rate.index = 1
        width.index = 0
        rate.index = 0
        assert calls == [(16, 0.5), (256, 0.5), (256, 1e-7), (16, 1e-7)]

    def test_moves_picture_and_caption_on_release(self):
        view = sliders().view
        slider, picture, caption = (
            view.children[1],
            view.children[-2],
            view.children[-1],
        )
        before = picture.value
        assert isinstance(slider, ipywidgets.SelectionSlider)
        assert not slider.continuous_update
        assert slider.description == "Width"
        slider.index = 2
        assert "width 256" in picture.value != before
        assert "Width 256 at rate 0.5: &lt;peak&gt; &amp; more." in caption.value

    def test_shows_an_error_instead_of_losing_it(self):
        def failing(width):
            if width > 16:
                raise ZeroDivisionError("no such width")
            return draw(width, 0)

        view = explore(failing, title="t", width=Choice("Width", WIDTHS)).view
        view.children[1].index = 1
        assert "ZeroDivisionError: no such width" in view.children[-1].value


@pytest.mark.usefixtures("building")
class TestStill:
    def test_is_well_formed_and_asks_no_other_host(self, html):
        scripts = re.compile(r"<(script|style)[^>]*>.*?</\1>", re.DOTALL)
        ET.fromstring(scripts.sub("", html))  # noqa: S314
        assert not re.search(r"https?://|url\((?!#)|@import|<link|\bsrc=", html)

    def test_has_native_labelled_sliders_with_read_outs(self, html):
        for label, readout, last in (("Width", "64", 2), ("Rate", "0.5", 1)):
            pattern = rf'<label for="([^"]+)">{label}</label><input ([^>]+)><output for="([^"]+)"[^>]*>(.*?)<'
            slider = re.search(pattern, html)
            assert slider[1] == slider[3]
            assert slider[4] == readout
            attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', slider[2]))
            assert attributes["type"] == "range"
            assert attributes["id"] == slider[1]
            assert (attributes["max"], attributes["aria-valuetext"]) == (
                str(last),
                readout,
            )

    def test_holds_every_frame_in_the_order_of_the_sliders(self, html):
        data = json.loads(
            re.search(
                r'<script type="application/json">(.*?)</script>', html, re.DOTALL
            )[1]
        )
        assert data["readouts"] == [["16", "64", "256"], ["0.5", "1e-07"]]
        sentences = [
            f"Width {width} at rate {rate}: <peak> & more."
            for width in WIDTHS
            for rate in RATES
        ]
        assert [sentence for _, sentence in data["frames"]] == sentences
        assert all(
            f">width {WIDTHS[i // 2]}<" in picture
            for i, (picture, _) in enumerate(data["frames"])
        )

    def test_without_scripts_shows_the_starting_picture_and_all_sentences(self, html):
        html = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
        assert html.count("<svg ") == 2  # wide and narrow
        assert ">width 64<" in html
        assert re.search(
            r'aria-live="polite"[^>]*>Width 64 at rate 0.5: &lt;peak&gt; &amp; more.<',
            html,
        )
        assert html.count("<li>") == 6
        assert '<div class="ibx-controls" hidden="">' in html
        assert "<noscript>" in html

    def test_two_on_a_page_share_no_id(self):
        pages = [two().to_html() for _ in range(2)]
        ids = [set(re.findall(r"""\bid=\\?["']([^"'\\]+)""", page)) for page in pages]
        assert not ids[0] & ids[1]
        assert len(ids[0]) > 5

    def test_is_refused_when_too_large_for_a_page(self, monkeypatch):
        monkeypatch.setattr("ibcore.explore.still.MAX_BYTES", 10_000)
        with pytest.raises(
            InvalidInput,
            match=r"takes 0\.\d+ MB \(2 pictures of \d+ kB\), expected at most 0.01 MB",
        ):
            two()

    def test_is_small_for_ordinary_pictures(self, html):
        assert len(html) < MAX_BYTES / 10

    def test_is_refused_with_too_many_pictures(self):
        with pytest.raises(InvalidInput, match="300 pictures, expected at most 200"):
            sliders(width=Choice("Width", range(150)))  # 150 times two rates

    def test_fails_in_the_cell_when_a_later_picture_fails(self):
        with pytest.raises(InvalidInput, match="draw returned a NoneType"):
            explore(
                lambda width: draw(width, 0) if width < 64 else None,
                title="t",
                width=Choice("Width", WIDTHS),
            )


class TestPicture:
    def test_takes_text_color_background_and_font_from_the_page(self, svg):
        assert "currentColor" in svg
        assert "var(--ibx-page,#fff)" in svg
        assert not re.search(
            r"#000000|#ffffff|#4d4d4d|font-family|DejaVu|<style|<metadata|http", svg
        )

    def test_keeps_its_colors(self, svg):
        assert "#2f7fc1" in svg

    def test_resolves_every_reference_within_itself(self, svg):
        ids = re.findall(r"\bid='([^']+)'", svg)
        used = set(re.findall(r"url\(#([^)]+)\)|href='#([^']+)'", svg))
        assert {a or b for a, b in used} == set(ids)
        assert len(ids) == len(set(ids))
        assert all(name.startswith("p-") for name in ids)

    def test_rounds_coordinates_but_never_text(self, svg):
        assert ">0.123456<" in svg
        assert not re.search(r" [dxy]='[^']*\.\d{3}", svg)

    def test_writes_formulas_as_runs_of_text(self, svg):
        text = ET.fromstring(svg)  # noqa: S314
        spans = [span.text.replace("\xa0", " ") for span in text.iter("tspan")]
        assert "loss " in spans
        assert " < 1 & 'more'" in spans

    def test_draws_glyphs_of_other_fonts_as_outlines_in_their_color(self):
        fig, ax = figure()
        ax.axis("off")
        ax.text(0.5, 0.5, r"$\mathcal{L}x$", color="#d1495b")
        svg = figure_svg(fig, "p")
        outline = re.search(r"<path d='(M[^']+)' style='fill:#d1495b'/>", svg)
        assert outline
        assert len(outline[1]) > 50
        assert re.findall(r"<tspan[^>]*>([^<]*)<", svg) == ["x"]

    def test_is_the_same_on_every_run(self, busy, svg):
        assert figure_svg(busy, "p") == svg

    def test_leaves_the_figure_as_it_was(self, busy):
        size = tuple(busy.get_size_inches())
        narrow = figure_svg(busy, "p", width=3.0)
        assert tuple(busy.get_size_inches()) == size
        assert narrow.startswith("<svg viewBox='0 0 216 ")

    def test_drops_what_is_not_drawn(self):
        svg = slim(
            "<svg viewBox='0 0 1 1'><metadata>m</metadata><g id='a'><path d='M 0 0' "
            "style='fill: none'/></g></svg>",
            "p",
        )
        assert svg.endswith("butt'/>")


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"title": "  "}, "title is '  '"),
            ({"width": Choice("Width", [])}, "width has 0 value"),
            ({"width": Choice("Width", [16])}, "width has 1 value"),
            ({"width": Choice("", WIDTHS)}, "label of width"),
            (
                {"width": Choice("Width", WIDTHS, start=3)},
                "expected an integer from 0 to 2",
            ),
            ({"width": Choice("Width", WIDTHS, start=-1)}, "starts at position -1"),
            (
                {"width": Choice("Width", WIDTHS, start=64)},
                "start is a position in values",
            ),
            (
                {"width": Choice("Width", [0.11, 0.12], format="{:.1f}")},
                "several values of width read 0.1",
            ),
            ({"width": WIDTHS}, "width is a list, expected a Choice"),
            ({"depth": Choice("Depth", [1, 2])}, "controls are depth, rate, width"),
        ],
    )
    def test_controls(self, changes, message):
        with pytest.raises(InvalidInput, match=message):
            sliders(**changes)

    def test_no_control(self):
        with pytest.raises(InvalidInput, match="no control"):
            explore(draw, title="t")

    def test_a_missing_control(self):
        with pytest.raises(
            InvalidInput, match="draw takes rate, width and the controls are width"
        ):
            explore(draw, title="t", width=Choice("Width", WIDTHS))

    def test_a_drawing_function_that_is_none(self):
        with pytest.raises(InvalidInput, match="draw is a str, expected a function"):
            explore("draw", title="t", width=Choice("Width", WIDTHS))

    @pytest.mark.parametrize(
        ("result", "got"),
        [
            (None, "a NoneType"),
            ((1, "words"), "a tuple of int, str"),
            ((figure()[0], " "), "a tuple of PageFigure, str"),
            (figure()[0], "a PageFigure"),
        ],
    )
    def test_a_result_that_is_no_figure_with_a_sentence(self, result, got):
        with pytest.raises(
            InvalidInput, match=f"draw returned {got} for .* expected a pair"
        ):
            explore(lambda width: result, title="t", width=Choice("Width", WIDTHS))  # noqa: ARG005

    def test_any_keyword_is_accepted_by_a_function_that_takes_any(self):
        explore(
            lambda **values: draw(values["width"], 0),
            title="t",
            width=Choice("Width", WIDTHS),
        )
