import pytest
import torch

from ibcore.pages.introduction.explorers import (
    DEGREES,
    LEVELS,
    SCALES,
    STARTS,
    explore_degree,
    explore_initialization,
    explore_training,
    smooth_or_wiggly,
    training_film,
)
from ibcore.pages.introduction.runs import FIT


def test_polynomials_break_near_ten_coefficients_and_recover():
    errors = [
        float(explore_degree(degree, 1)[1].rstrip(".").split()[-1])
        for degree in (3, 9, 60)
    ]
    assert errors[1] > 10 * errors[2] > 5 * errors[0]


@pytest.mark.parametrize("degree", [1, 9])
def test_a_polynomial_says_what_it_shows(degree):
    figure, sentence = explore_degree(degree, 2)
    assert f"{degree + 1} coefficients for 10 points" in sentence
    assert ("training error 0," in sentence) == (degree == 9)
    assert (
        "test error"
        in figure.axes[0].get_title(loc="left") + figure.axes[0].get_title()
    )


@pytest.mark.parametrize("start", STARTS)
def test_films_end_at_a_fit_and_only_the_wiggly_one_is_wiggly(start):
    film = training_film(start)
    assert len(film.states) == len(LEVELS) + 1
    assert bool((film.loss.diff() < 0).all())
    assert float(film.loss[-1]) <= FIT
    assert (float(film.ratio[-1]) > 10) == (start == "wiggly")
    assert (float(film.ratio[-1]) < 2) == (start != "wiggly")


def test_pictures_pass_through_the_points_at_the_end():
    figure, sentence = explore_training("large", len(LEVELS))
    assert "fits the points and is 1." in sentence
    network, dots = figure.axes[0].lines[-2:]
    for x, y in zip(*dots.get_data(), strict=True):
        nearest = abs(network.get_xdata() - x).argmin()
        assert abs(network.get_ydata()[nearest] - y) < 0.01


def test_before_training_the_network_is_zero():
    figure, sentence = explore_training("small", 0)
    assert "zero everywhere" in sentence
    assert not figure.axes[0].lines[-2].get_ydata().any()


def test_a_network_that_did_not_fit_is_named_and_dashed():
    figure, sentence = explore_initialization(0.01, 64)
    assert "did not fit" in sentence
    assert "times as rough" not in sentence
    line = figure.axes[0].lines[-2]
    assert line.get_linestyle() == "--"
    assert line.get_label().endswith("does not fit")


def test_large_starts_end_near_the_kernel_interpolant():
    sentence = explore_initialization(1000.0, 1024)[1]
    assert float(sentence.split("at most ")[1].split(" away")[0]) < 0.1


def test_every_position_says_something_of_its_own():
    degrees = [explore_degree(k, row)[1] for k in DEGREES for row in (1, 2)]
    starts = [
        explore_training(start, progress)[1]
        for start in STARTS
        for progress in range(len(LEVELS) + 1)
    ]
    assert len(set(degrees)) == 26
    assert len(set(starts)) == 21
    assert len(SCALES) * 3 == 15


def test_the_cover_has_few_frames():
    controls = smooth_or_wiggly().controls.values()
    counts = torch.tensor([len(choice.values) for choice in controls])
    assert int(counts.prod()) == 21
