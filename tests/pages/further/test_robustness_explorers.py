import itertools

import numpy as np

from ibcore.figures import figure
from ibcore.pages.further.robustness import explorers, figures


def test_every_frame_says_something_else_and_there_are_few():
    frames = list(
        itertools.product(explorers.EXPLORED_DIRECTIONS, explorers.EXPLORED_LENGTHS)
    )
    assert len(frames) <= 30
    sentences = [explorers.explore_digits(*frame)[1] for frame in frames]
    assert len(set(sentences)) == len(frames)


def test_the_first_frame_flips_nothing_and_the_universal_direction_most():
    first = explorers.EXPLORED_DIRECTIONS[0], explorers.EXPLORED_LENGTHS[0]
    fig, sentence = explorers.explore_digits(*first)
    assert len(fig.axes) == 3
    assert ": 0 of 40 training digits are misread" in sentence
    assert "read as a 3" in sentence
    _, sentence = explorers.explore_digits("universal", 0.4)
    assert "read as an 8" in sentence
    assert int(sentence.split(": ")[1].split(" of ")[0]) > 30


def test_every_figure_draws():
    fig, axes = figure(3, rows=2, height=5)
    rng = np.random.default_rng(0)
    plots = axes.ravel()
    figures.plot_digit(plots[0], rng.uniform(0, 16, 64), "title", 0.0)
    figures.plot_digit(plots[1], rng.normal(size=64), "title", 2.0)
    figures.plot_outputs(
        plots[1], np.ones(6), rng.normal(size=6), 3, ["digits 3", "digits 8"]
    )
    figures.plot_profiles(
        plots[2], np.linspace(0, 1, 9), rng.normal(size=(9, 4)), "title", "blue"
    )
    figures.plot_norms(plots[3], rng.uniform(1, 2, (5, 8)), 1.8, "title")
    figures.plot_scaling(
        plots[4], [4, 16], [rng.uniform(0.1, 0.3, (3, k)) for k in (4, 16)],
        rng.uniform(0.4, 0.5, (2, 3)),
    )  # fmt: skip
    figures.plot_shares(
        plots[5], rng.uniform(0, 0.1, (2, 4)), rng.uniform(0, 0.1, (2, 4))
    )
    fig.draw_without_rendering()
    assert len(plots[4].lines) == 3
