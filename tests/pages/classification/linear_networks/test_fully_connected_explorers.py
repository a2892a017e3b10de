import itertools

import pytest
import torch

from ibcore.oracles.max_margin import max_margin
from ibcore.oracles.support_vectors import spans
from ibcore.pages.classification.linear_networks.fully_connected.explorers import (
    DEPTHS,
    LOG_LOSSES,
    SCALES,
    compare_routes,
    explore_network,
    leaning_clouds,
    trained,
)


def test_the_clouds_have_the_stated_solution():
    data = leaning_clouds()
    solution = max_margin(data.X, data.y)
    torch.testing.assert_close(
        solution.primal, torch.tensor([1.0, 0.0]).double(), atol=1e-9, rtol=0
    )
    assert not spans(data.signed, solution.dual)
    mean = data.signed.mean(0)
    assert float(mean[1] / mean[0]) > 0.5


def test_a_frame_tells_angle_and_rank():
    figure, sentence = explore_network(2, 0.1, -1e6)
    assert len(figure.axes) == 2
    assert "Depth 2 at log L = -1,000,000: the line is 0.0" in sentence
    assert "second singular value" in sentence
    assert "second" not in explore_network(1, 1.0, -4.0)[1]


def test_every_position_of_the_explorer_draws_another_picture():
    frames = {}
    for position in itertools.product(DEPTHS, SCALES, LOG_LOSSES):
        fig, sentence = explore_network(*position)
        data = [
            line.get_xydata().round(12).tobytes()
            for ax in fig.axes
            for line in ax.lines
        ]
        frames[sentence, b"".join(data)] = position
    assert len(frames) == len(DEPTHS) * len(SCALES) * len(LOG_LOSSES)


def test_runs_are_kept_and_reach_their_stops():
    model, theta, _ = trained(2)
    assert trained(2)[1] is theta
    assert bool(theta.isfinite().all())
    assert float(model.outputs(theta[-1]).min()) == pytest.approx(1e6, rel=2e-3)


def test_ordinary_descent_stops_far_from_the_limit_and_the_flow_does_not():
    (_, descended, far), (_, flowed, near) = compare_routes(2, 100)
    assert flowed < -9.9e9 < -10 < descended
    assert near < 1e-3
    assert far > 1
