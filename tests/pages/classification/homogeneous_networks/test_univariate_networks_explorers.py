import itertools

import torch
from matplotlib.figure import Figure

from ibcore.pages.classification.homogeneous_networks.univariate_networks.explorers import (
    STEPS,
    WIDTHS,
    bending,
    explore_bending,
)


def test_a_frame_counts_regions_and_points():
    fig, sentence = explore_bending(STEPS[-1], WIDTHS[0])
    assert isinstance(fig, Figure)
    assert f"{WIDTHS[0]} neurons after 2,000 steps" in sentence
    assert "linear pieces" in sentence
    fig.canvas.draw()


def test_every_position_says_something_else():
    positions = list(itertools.product(STEPS, WIDTHS))
    assert len({explore_bending(*one)[1] for one in positions}) == len(positions)


def test_the_network_straightens():
    run = bending(WIDTHS[0])
    assert run.kinks(0).regions(1e-2) > run.kinks(len(STEPS) - 1).regions(1e-2)
    assert bool((run.net.outputs(run.theta[-1:])[0] * run.problem.y > 0).all())
    values = run.values(run.problem.x, 0)
    torch.testing.assert_close(values.abs().mean(), torch.ones((), dtype=torch.float64))
