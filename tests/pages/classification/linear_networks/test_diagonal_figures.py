from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ibcore.figures import figure
from ibcore.oracles.quasi_norm import LocalMinimizers
from ibcore.pages.classification.linear_networks.diagonal.claims.diag_classification_quasinorm import (
    Deep,
    DeepEnds,
    Limits,
    Planted,
)
from ibcore.pages.classification.linear_networks.diagonal.figures import (
    plot_coefficients,
    plot_exponents,
    plot_minimizers,
    plot_ratio_paths,
    plot_scale_map,
)

NONE = torch.empty(0).double()


def ends_at(ranks, minimizers):
    """Starts that end at minimizers of these ranks, of quasi-norms 1, 2, and so on."""
    values = torch.arange(1, minimizers + 1).double()
    listed = LocalMinimizers(NONE, NONE, values, 0.0, 1)
    return DeepEnds(Deep(4, NONE, listed, NONE), NONE, torch.tensor(ranks), NONE)


def test_exponents_stand_over_their_slacks():
    slacks = torch.tensor([0.2, 0.5]).double()
    planted = Planted(NONE, NONE, slacks, NONE)
    log_loss = -torch.tensor([[1e2, 1e2], [1e4, 1e4]]).double()
    gaps = log_loss.abs() ** -slacks
    limits = Limits(planted, gaps, log_loss, NONE, NONE, (), ())
    _, ax = figure()
    plot_exponents(ax, limits)
    line, marks = ax.lines
    np.testing.assert_allclose(marks.get_xydata(), [[0.2, 0.2], [0.5, 0.5]])
    np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())


def test_starts_are_counted_where_they_end_and_labels_are_relative():
    _, ax = figure()
    plot_minimizers(ax, ends_at([0, 0, 2, -1], 12))
    assert [bar.get_height() for bar in ax.patches] == [2, 0, 1, 0, 0, 0, 0, 0]
    assert [label.get_text() for label in ax.get_xticklabels()][:3] == ["1", "2", "3"]
    assert ax.get_title() == "Depth 4: 12 local minimizers"


@pytest.mark.parametrize(
    ("ranks", "minimizers", "shown"),
    [([0], 3, 3), ([9, 0], 12, 10), ([-1, -1], 12, 8)],
)
def test_no_start_ends_outside_the_figure(ranks, minimizers, shown):
    _, ax = figure()
    plot_minimizers(ax, ends_at(ranks, minimizers))
    assert len(ax.patches) == shown
    heights = [bar.get_height() for bar in ax.patches]
    assert sum(heights) == sum(rank >= 0 for rank in ranks)


def test_the_line_of_the_map_is_where_accuracy_is_the_square_of_the_scale():
    scales, accuracies = torch.tensor([0.1, 1, 100]), torch.tensor([1, 1e2, 1e6])
    ratios = torch.tensor([[0.99, 0.8, 0.75]] * 3)
    shown = SimpleNamespace(ratios=ratios.double())
    measured = SimpleNamespace(scales=scales, accuracies=accuracies, maps=(shown,))
    fig, ax = figure()
    plot_scale_map(ax, measured)
    x, y = ax.lines[0].get_xydata().T
    np.testing.assert_allclose(y, 2 * x)
    assert ax.get_xlim() == pytest.approx((-1, 2))
    assert ax.get_ylim() == pytest.approx((0, 6))
    assert fig.axes[1].get_ylabel() == "$\\ell_1$ margin / largest"


def test_coefficients_are_shares_of_their_norms_in_the_order_of_the_sparse_ones():
    _, ax = figure()
    plot_coefficients(ax, np.array([1.0, 0.0, -3.0]), np.array([0.0, 0.0, -2.0]))
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == [-1, 0, 0, -0.75, 0.25, 0]


def test_the_current_place_is_marked_on_its_path():
    _, ax = figure()
    powers, ratios = np.array([0.0, 1.0]), np.array([[0.2, 0.3, 0.4], [0.5, 0.6, 0.7]])
    plot_ratio_paths(ax, powers, ratios, ("0.1", "1", "10"), (1, 0))
    marks = [line.get_xydata() for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_array_equal(marks, [[[1.0, 0.5]]])
    names = [label.get_text() for label in ax.get_legend().get_texts()]
    assert names == ["0.1", "1", "10"]
