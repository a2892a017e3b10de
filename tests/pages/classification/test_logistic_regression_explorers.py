import itertools

import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ibcore.oracles.max_margin import max_margin
from ibcore.pages.classification.logistic_regression.explorers import (
    LOSSES,
    POWERS,
    explore_training,
    training_path,
    two_clouds,
)
from ibcore.pages.classification.logistic_regression.routes import three_routes


def test_the_two_clouds_are_as_described():
    data = two_clouds()
    best = max_margin(data.X, data.y)
    assert float(best.primal[0]) == pytest.approx(float(best.primal[1]))
    support = data.X[best.support]
    assert {tuple(row) for row in support.tolist()} == {
        (-0.5, 2.5),
        (1.5, 0.5),
        (0.5, -2.5),
        (-1.5, -0.5),
    } or len({tuple(row) for row in data.signed[best.support].tolist()}) == 2
    alpha = {}
    for row, dual in zip(data.signed.tolist(), best.dual.tolist(), strict=True):
        alpha[tuple(row)] = alpha.get(tuple(row), 0.0) + dual
    assert alpha[1.5, 0.5] / alpha[-0.5, 2.5] == pytest.approx(3)
    mean = data.signed.mean(0)
    assert abs(float(mean[0] - mean[1])) > 0.5


@pytest.mark.parametrize("loss", ["logistic", "1/margin"])
def test_a_frame_shows_where_training_stands(loss):
    fig, sentence = explore_training(POWERS[-1], loss)
    assert isinstance(fig, Figure)
    assert loss.capitalize() in sentence
    assert ("where this run ends" in sentence) == (loss == "1/margin")
    fig.canvas.draw()
    plt.close(fig)


def test_every_position_says_something_else():
    positions = list(itertools.product(POWERS, LOSSES))
    sentences = {explore_training(*position)[1] for position in positions}
    assert len(sentences) == len(positions)
    plt.close("all")


def test_paths_reach_their_last_stop():
    run, best = training_path("logistic")
    assert run.reached
    assert len(run.theta) == len(POWERS)
    assert float(run.log_time[3, 0]) == pytest.approx(3 * 2.302585092994046, rel=1e-10)
    assert training_path("logistic")[0] is run
    assert best.gap < 1e-10


def test_three_routes_head_to_one_direction():
    routes = three_routes(two_clouds(), steps=300, log_loss=-1e4)
    plain, scaled, log_time = routes
    assert [route.name for route in routes] == [
        "gradient descent",
        "loss-scaled descent",
        "log-time flow",
    ]
    for route in routes:
        measured = torch.stack([route.seconds, route.evaluations, route.sines])
        assert bool(measured.isfinite().all())
        assert bool((route.evaluations.diff() >= 0).all())
    assert float(log_time.sines[-1]) < float(scaled.sines[-1]) < float(plain.sines[-1])
