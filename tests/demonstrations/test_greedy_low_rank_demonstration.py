import torch

from ibcore.demonstrations import greedy_low_rank as page


def test_a_frame_says_how_far_descent_and_the_nuclear_norm_are_off(monkeypatch):
    monkeypatch.setattr(page, "STOPS", (5, 20))
    monkeypatch.setattr(page, "SIZES", (1e-2,))
    page.trained.cache_clear()
    fig, sentence = page.draw_completion(2, 1e-2)
    page.trained.cache_clear()
    assert len(fig.axes) == 2
    assert sentence.startswith("Depth 2, a start of size 0.01: relative error")


def test_the_nuclear_completion_of_the_explorer_fits_and_is_not_the_truth():
    truth, rows, columns, nuclear = page.hidden_matrix()
    torch.testing.assert_close(
        nuclear[rows, columns], truth[rows, columns], atol=1e-9, rtol=0
    )
    assert float((nuclear - truth).norm() / truth.norm()) > 0.05


def test_recovery_is_a_share():
    found = page.recovery(6, 1, (0.9,), 2, 300)
    assert set(found) == {"nuclear norm", "depth 2", "depth 3"}
    assert all(0 <= values[0] <= 1 for values in found.values())
