from ibcore.demonstrations.diagonal_and_convolutional import (
    draw_training,
    three_of_twelve,
)
from ibcore.oracles.norm_margin import norm_max_margin


def test_explorer_draws_and_says_what_it_shows():
    fig, sentence = draw_training(7, 1.0, 2)
    assert len(fig.axes) == 2
    assert "3 of 12 coefficients" in sentence
    _, early = draw_training(0, 10.0, 2)
    assert "3 of 12" not in early


def test_the_explored_problem_is_what_it_says():
    data = three_of_twelve()
    assert int((norm_max_margin(data.X, data.y, 1).primal.abs() > 1e-9).sum()) == 3
