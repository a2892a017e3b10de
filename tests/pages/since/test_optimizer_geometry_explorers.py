import itertools

import torch

from ibcore.pages.since.optimizer_geometry import explorers


def ratios(data, optimizer):
    late = explorers.train(data).ratios[-1]
    return late[explorers.OPTIMIZERS.index(optimizer)]


def test_every_position_says_something_else():
    positions = list(itertools.product(explorers.OPTIMIZERS, explorers.DATA))
    sentences = [explorers.explore_margins(*position)[1] for position in positions]
    assert len(set(sentences)) == len(positions)
    assert "without epsilon" in explorers.explore_margins(*positions[12])[1]


def test_a_frame_draws():
    fig, sentence = explorers.explore_margins("Muon", "as drawn")
    fig.draw_without_rendering()
    assert len(fig.axes) == 2
    assert "the spectral norm that tends to 1" in sentence


def test_each_method_fills_its_own_bar():
    for data in explorers.DATA:
        assert float(ratios(data, "spectral descent")[0]) > 0.99
        assert float(ratios(data, "Muon")[0]) > 0.99
        assert float(ratios(data, "normalized gradient descent")[1]) > 0.98
        assert float(ratios(data, "sign descent")[2]) > 0.99
        assert float(ratios(data, "Adam, epsilon 0")[2]) > 0.96
    assert float(ratios("as drawn", "Adam, epsilon 1e-8").max()) < 0.97


def test_turning_the_points_leaves_methods_that_know_no_coordinates_alone():
    for optimizer in ("spectral descent", "Muon", "normalized gradient descent"):
        plain, turned = (ratios(data, optimizer)[:2] for data in explorers.DATA[:2])
        torch.testing.assert_close(plain, turned, rtol=1e-4, atol=0)
    plain, turned = (ratios(data, "sign descent")[:2] for data in explorers.DATA[:2])
    assert float((plain - turned).abs().max()) > 0.01
