import torch
from matplotlib.figure import Figure

from ibcore.demonstrations.simple_predictors import STEPS, WIDTHS, bending, draw_bending


def test_a_frame_counts_regions_and_points():
    fig, sentence = draw_bending(STEPS[-1], WIDTHS[0])
    assert isinstance(fig, Figure)
    assert f"{WIDTHS[0]} neurons after 2,000 steps" in sentence
    assert "linear pieces" in sentence
    fig.canvas.draw()


def test_the_network_straightens():
    run = bending(WIDTHS[0])
    assert run.kinks(0).regions(1e-2) > run.kinks(len(STEPS) - 1).regions(1e-2)
    assert bool((run.net.outputs(run.theta[-1:])[0] * run.problem.y > 0).all())
    values = run.values(run.problem.x, 0)
    torch.testing.assert_close(values.abs().mean(), torch.ones((), dtype=torch.float64))
