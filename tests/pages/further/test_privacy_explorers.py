import numpy as np
import torch

from ibcore.figures import figure
from ibcore.pages.further.privacy import explorers, figures


def frames():
    return [
        (outputs, noise)
        for outputs in explorers.EXPLORED_OUTPUTS
        for noise in explorers.EXPLORED_NOISES
    ]


def test_the_first_frame_is_not_the_answer_and_the_last_is():
    _, first = explorers.explore_outputs(*frames()[0])
    _, last = explorers.explore_outputs(*frames()[-1])
    assert "one output, noise of 10 %" in first
    assert "0 of 6" in first
    assert "10 outputs, no noise: 6 of 6" in last


def test_every_frame_has_a_picture_and_a_sentence_of_its_own():
    pictures, sentences = set(), set()
    for frame in frames():
        fig, sentence = explorers.explore_outputs(*frame)
        sentences.add(sentence)
        pictures.add(np.nan_to_num(fig.axes[0].images[0].get_array()).tobytes())
    assert len(sentences) == len(pictures) == len(frames()) <= 30


def test_a_long_vector_is_shown_as_short_as_a_digit():
    points = torch.randn(3, 64, generator=torch.Generator().manual_seed(0)).double()
    small = points / points.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(explorers.shown(5 * small), explorers.shown(1.2 * small))
    assert not torch.equal(explorers.shown(small), explorers.shown(0.5 * small))


def test_every_figure_draws():
    fig, axes = figure(4, height=3)
    rng = np.random.default_rng(0)
    figures.plot_digits(
        axes[0], {"a": rng.uniform(size=(3, 64)), "b": np.ones((3, 64))}
    )
    spread = rng.uniform(1e-12, 1, (2, 4, 6))
    figures.plot_distances(axes[1], {"one": tuple(spread), "two": tuple(spread)})
    figures.plot_count(axes[2], {"one": (np.arange(4.0), spread[0, :, 0])}, 6)
    figures.plot_noise(axes[3], [1e-4, 1e-3], rng.uniform(0.1, 1, (2, 4, 6)))
    fig.draw_without_rendering()
    assert axes[0].images[0].get_array().shape == (20, 30)
