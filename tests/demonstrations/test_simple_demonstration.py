import torch
from matplotlib.figure import Figure

from ibcore.demonstrations.simple_predictors import (
    STEPS,
    WIDTHS,
    bending,
    class_sines,
    draw_bending,
)
from ibcore.problems.separable import orthogonally_separable


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


def test_neurons_of_a_class_turn_to_its_own_margin():
    """The sines fall like the root of log 1/L."""
    generator = torch.Generator().manual_seed(7603)
    data = orthogonally_separable(10, 3, generator)
    found = class_sines(data, 6, [-1e6, -1e10], generator)
    for sines in found.values():
        assert sines.shape == (2, 3)
        assert bool((sines[1] < 1e-4).all())
        torch.testing.assert_close(
            sines[0] / sines[1], torch.full((3,), 100.0).double(), rtol=0.25, atol=0
        )
