import numpy as np
import pytest
import torch

from ibcore.figures import figure
from ibcore.oracles import runaway_completion as law
from ibcore.pages.regression.matrix_factorization.norm_to_infinity.claims import Runaway
from ibcore.pages.regression.matrix_factorization.norm_to_infinity.figures import (
    _written,
    plot_escape,
    plot_laws,
    plot_matrix,
    plot_runaway,
)
from ibcore.pages.regression.matrix_factorization.norm_to_infinity.runs import (
    Paths,
    Raw,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 - 1e-9, "1.0000"),
        (0.1234, "0.123"),
        (842.6, "843"),
        (5.31e-4, r"$5.3 \times 10^{-4}$"),
        (7.4e10, r"$7.4 \times 10^{10}$"),
    ],
)
def test_entries_are_written_as_a_reader_expects(value, text):
    assert _written(value) == text


def test_laws_are_drawn_as_lines_through_the_marks_of_their_depth():
    times = torch.tensor([1e4, 1e8, 1e12]).double()
    on = {
        k: Paths(
            torch.tensor([[law.entry(k, t) for t in times.tolist()]] * 2),
            torch.tensor([[law.loss(k, t) for t in times.tolist()]] * 2),
            torch.zeros(2, 3),
        )
        for k in (2, 3)
    }
    none = Raw(*[torch.zeros(0)] * 3)
    fig, axes = figure(2)
    plot_laws(axes, Runaway(times, on, {}, {}, none, {}, ()))
    for ax in axes:
        lines = ax.get_lines()
        assert len(lines) == 6
        for marks, line in ((lines[0], lines[2]), (lines[3], lines[5])):
            np.testing.assert_allclose(marks.get_ydata(), line.get_ydata(), rtol=1e-5)
    words = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert words == ["depth 2", "depth 3"]
    fig.draw_without_rendering()


def test_the_free_entry_stands_out_and_its_path_ends_at_the_moment():
    fig, (left, right) = figure(2)
    plot_matrix(left, np.array([[842.6, 1.0], [1.0, 1e-3]]))
    words = [text.get_text() for text in left.texts]
    assert words == ["843", "1.0000", "1.0000", r"$1.0 \times 10^{-3}$"]
    colors = {text.get_text(): text.get_color() for text in left.texts}
    assert colors["843"] != colors["1.0000"]
    times = np.array([1.0, 10.0, 100.0])
    values = (times, 1 / times)
    plot_runaway(right, times, values, values, 1)
    marks = [line.get_xdata()[-1] for line in right.get_lines()]
    assert marks == [100, 10, 10, 100, 10, 10]
    fig.draw_without_rendering()


def test_the_line_of_escapes_has_the_slope_four():
    fig, ax = figure()
    sizes = np.array([1e-2, 1e-4, 1e-6, 1e-8])
    plot_escape(ax, sizes, np.array([3.0, 5.0, 6.5, 8.0]), np.array([11.0, 13.0]))
    line, marks, rounded = ax.get_lines()
    x, y = line.get_data()
    assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(4)
    assert marks.get_ydata().tolist() == [9, 25, 42.25, 64]
    assert rounded.get_ydata().tolist() == [121, 169]
    fig.draw_without_rendering()
