import pytest
import torch

from ibcore.pages.regression.matrix_factorization.greedy_low_rank import (
    explorers,
    runs,
)


def test_a_frame_says_how_far_descent_and_the_nuclear_norm_are_off(monkeypatch):
    monkeypatch.setattr(explorers, "STOPS", (5, 20))
    monkeypatch.setattr(explorers, "SIZES", (1e-2,))
    explorers.trained.cache_clear()
    fig, sentence = explorers.explore_completion(2, 1e-2)
    explorers.trained.cache_clear()
    assert len(fig.axes) == 2
    assert sentence.startswith("Depth 2, a start of size 0.01: relative error")


def test_the_nuclear_completion_of_the_explorer_fits_and_is_not_the_truth():
    truth, rows, columns, nuclear = explorers.hidden_matrix()
    torch.testing.assert_close(
        nuclear[rows, columns], truth[rows, columns], atol=1e-9, rtol=0
    )
    assert float((nuclear - truth).norm() / truth.norm()) > 0.05


def test_recovery_is_a_share():
    found = runs.recovery(6, 1, (0.9,), 2, 300)
    assert set(found) == {"nuclear norm", "depth 2", "depth 3"}
    assert all(0 <= values[0] <= 1 for values in found.values())


def test_layers_have_the_scale_of_each_problem():
    draw = torch.Generator().manual_seed(1282)
    scale = torch.tensor([1e-3, 1.0]).double()
    layers = runs.normal_layers(3, 2, 50, scale, draw)
    spread = layers.square().mean((0, 2, 3)).sqrt() * 50**0.5
    assert (spread / scale).tolist() == pytest.approx([1, 1], rel=0.05)
