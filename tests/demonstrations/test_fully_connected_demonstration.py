import pytest
import torch

from ibcore.demonstrations.fully_connected import draw_network, leaning_clouds, trained
from ibcore.oracles.max_margin import max_margin
from ibcore.oracles.support_vectors import spans


def test_the_clouds_have_the_stated_solution():
    data = leaning_clouds()
    solution = max_margin(data.X, data.y)
    torch.testing.assert_close(solution.primal, torch.tensor([1.0, 0.0]).double(), atol=1e-9, rtol=0)
    assert not spans(data.signed, solution.dual)
    mean = data.signed.mean(0)
    assert float(mean[1] / mean[0]) > 0.5


def test_a_frame_tells_angle_and_rank():
    figure, sentence = draw_network(2, 0.3, -1e6)
    assert len(figure.axes) == 2
    assert "Depth 2 at log L = -1,000,000: the line is 0.0" in sentence
    assert "second singular value" in sentence
    assert "second" not in draw_network(1, 2.0, -4.0)[1]


def test_runs_are_kept_and_reach_their_stops():
    model, theta, _ = trained(2)
    assert trained(2)[1] is theta
    assert bool(theta.isfinite().all())
    assert float(model.outputs(theta[-1]).min()) == pytest.approx(1e6, rel=2e-3)
