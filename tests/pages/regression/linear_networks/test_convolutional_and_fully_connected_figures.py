import numpy as np
import torch

from ibcore.figures import figure
from ibcore.pages.regression.linear_networks.convolutional_and_fully_connected.figures import (
    plot_excess,
    plot_small_start,
    plot_spectrum,
    plot_transition,
)


def test_the_spectrum_stands_between_its_two_limits():
    _, ax = figure()
    network, sparse, dense = np.array([[0.1, 1.0], [0.0, 1.2], [0.5, 0.5]])
    plot_spectrum(ax, network, sparse, dense)
    shown = [line.get_ydata().tolist() for line in ax.lines]
    assert shown == [network.tolist(), sparse.tolist(), dense.tolist()]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["network", r"least $\ell_1$", r"least $\ell_2$"]


def test_the_current_run_is_ringed():
    _, ax = figure()
    scales = np.array([1.0, 0.1])
    curves = {"even": np.array([0.5, 0.05]), "generic": np.array([0.6, 0.3])}
    plot_transition(ax, scales, curves, "generic", 0.1)
    ring = ax.lines[-1]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (0.1, 0.3)
    assert [text.get_text() for text in ax.texts] == ["even", "generic"]


def test_runs_on_even_inputs_have_a_predicted_line_each():
    scales = torch.tensor([1.0, 0.1]).numpy()
    values = torch.tensor([[0.3, 0.1], [0.2, 0.05]]).numpy()
    _, axes = figure(2)
    plot_excess(axes, scales, values, scales, values + 1, scales, values)
    left, right = axes
    assert [line.get_linestyle() for line in left.lines] == ["-", "None"] * 2
    np.testing.assert_allclose(left.lines[0].get_ydata(), values[0] + 1)
    assert len(right.lines) == 2


def test_small_starts_have_lines_of_slope_one_with_their_constants():
    scales = np.array([1.0, 0.1])
    values = np.array([[0.3, 0.1], [0.2, 0.05]])
    constants = np.array([[2.0, 3.0], [4.0, 5.0]])
    _, axes = figure(2)
    plot_small_start(axes, scales, values, values, constants)
    for ax, column in zip(axes, constants.T, strict=True):
        assert len(ax.lines) == 4
        for line, constant in zip(ax.lines[::2], column, strict=True):
            np.testing.assert_allclose(line.get_ydata(), constant * line.get_xdata())
