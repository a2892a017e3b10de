import dataclasses
import itertools
import math

import pytest
import torch

from ibcore.claims import Setting
from ibcore.oracles.fourier_margin import fourier_max_margin, fourier_norm
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.oracles.separability import NotSeparable
from ibcore.pages.classification.linear_networks.convolutional import claims as page
from ibcore.pages.classification.linear_networks.convolutional import explorers, runs
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {page.conv_linear_fourier.id: page.conv_linear_fourier}
CPU = torch.device("cpu")


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def test_no_network_is_above_the_certified_optimum(verdicts):
    found = verdicts["conv-linear-fourier"].measured
    assert found.gaps.shape == (2, 8, 4)
    assert float(found.gaps.min()) > -1e-7
    assert float(found.excess(found.single).min()) > -1e-7


def test_the_control_survives_with_kernels_of_full_width(verdicts):
    found = verdicts["conv-linear-fourier"].measured
    full = dataclasses.replace(found, single=found.full[-1, :, 0])
    assert not page.conv_linear_fourier.judge(full).control.refuted


def test_kernels_of_one_entry_go_to_the_l2_margin(verdicts):
    """Up to ten times the flow's tolerance of 1e-5."""
    found = verdicts["conv-linear-fourier"].measured
    for rows, beta in zip(found.waves.signed, found.single, strict=True):
        plain = norm_max_margin(rows, torch.ones(len(rows)).double(), 2).primal
        torch.testing.assert_close(beta, plain, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("rate", "strictness", "kept"),
    [(0.3, 0.01, True), (0.29, 0.01, False), (0.3, 0.009, False), (2.0, 0.5, True)],
)
def test_optima_that_decide_slowly_are_rejected(rate, strictness, kept):
    best = fourier_max_margin([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]], [1.0, 1.0])
    made_up = dataclasses.replace(best, rate=rate, strictness=strictness)
    assert runs.clear_cut(made_up) is kept


def test_gaps_that_are_missing_count_as_large():
    gaps = torch.full((2, 8, 4), 1e-4).double()
    gaps[0] = 1e-2
    certified = torch.zeros(8).double()
    assert falls(page.full_gaps(certified, gaps)) == []
    lost = gaps.clone()
    lost[:, :5] = math.nan
    assert falls(page.full_gaps(certified * math.nan, lost)) == [0, 1, 2]
    assert not page.single_gaps(torch.full((8,), math.nan).double()).holds
    exact = torch.full((2, 8, 4), 1e-9).double()
    assert falls(page.full_gaps(certified, exact)) == []


def test_a_shift_of_the_inputs_shifts_the_predictor():
    """The flow from shifted starts on shifted inputs: convolutions commute with shifts."""
    waves = runs.Waves.draw(Setting("quick", 3), 1, 2)
    shifted = dataclasses.replace(waves, signed=waves.signed.roll(3, -1))
    u, v = waves.full.chunk(2, -1)
    moved = torch.cat([u, v.roll(3, -1)], -1)
    found, _ = runs.train(waves, waves.full, None, CPU)
    expected, _ = runs.train(shifted, moved, None, CPU)
    torch.testing.assert_close(found[0].roll(3, -1), expected[0], rtol=0, atol=1e-3)


def test_own_data_take_the_place_of_drawn_ones():
    generator = torch.Generator().manual_seed(7401)
    X = torch.randn(6, 10, generator=generator).double()
    y = torch.tensor([1.0, -1.0] * 3).double()
    verdict = page.conv_linear_fourier.verify(data=(X, y))
    assert verdict.measured.gaps.shape == (2, 1, 32)
    larger = page.own_waves(Setting(), X * 1e6, y, datasets=8, starts=4)
    torch.testing.assert_close(larger.signed, verdict.measured.waves.signed)
    assert verdict.evidence.checks[0].holds
    with pytest.raises(NotSeparable):
        page.conv_linear_fourier.verify(data=(X[:1].repeat(2, 1), y[:2]))


def test_every_position_of_the_explorer_says_something_else():
    positions = list(itertools.product(explorers.KERNELS, explorers.POWERS))
    sentences = [explorers.explore_training(*position)[1] for position in positions]
    assert len(set(sentences)) == len(positions)
    assert "4 of 9" in explorers.explore_training(16, 8)[1]
    assert "9 of 9" in explorers.explore_training(1, 8)[1]
    best = explorers.four_of_nine().best[0]
    assert int((explorers.spectrum(best) > 1e-6).sum()) == 4


def test_the_shares_of_the_frequencies():
    time = torch.arange(16).double()
    beta = 2 * torch.cos(2 * math.pi * 3 * time / 16) + 1
    shares = explorers.spectrum(beta)
    assert shares.tolist() == pytest.approx([1 / 3, 0, 0, 2 / 3, 0, 0, 0, 0, 0])
    assert float(fourier_norm(beta)) == pytest.approx(12)
