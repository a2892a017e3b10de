import torch

from ibcore.pages.since.large_steps import explorers


def test_frames_below_at_and_beyond_the_edge():
    fig, sentence = explorers.explore_valley(0.9, 0.4)
    assert len(fig.axes) == 2
    assert "y is 2.20 on average" in sentence
    assert "The minimum is stable" in sentence
    _, sentence = explorers.explore_valley(1.25, 1.5)
    assert "y is 1.92 on average and S is 1.00 times 2/step" in sentence
    assert "The program says 1.92 and 1" in sentence
    _, sentence = explorers.explore_valley(1.5, 0.4)
    assert "beyond 1.33 times 2 / S its orbit is not stable" in sentence


def test_every_choice_has_a_sentence_of_its_own():
    told = {
        explorers.explore_valley(ratio, start)[1]
        for ratio in explorers.RATIOS
        for start in explorers.STARTS
    }
    assert len(told) == len(explorers.RATIOS) * len(explorers.STARTS)


def test_the_curves_of_a_frame_are_what_they_are_called():
    fig, _ = explorers.explore_valley(1.25, 1.5)
    lines = {line.get_label(): line.get_xydata() for line in fig.axes[1].lines}
    assert abs(lines["gradient flow"][-1, 1] - 2.2) < 1e-3
    assert abs(lines["central flow"][-1, 1] - lines["running mean"][-1, 1]) < 0.01
    assert lines["descent"][0, 1] == 1.5
    mean = torch.from_numpy(lines["descent"][-30:, 1]).mean()
    assert abs(float(mean) - lines["running mean"][-1, 1]) < 0.02
