import math

import numpy as np
import pytest
import torch

from ibcore.oracles.fourier_margin import fourier_max_margin, fourier_norm
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.problems.sparse_margin import wave_teacher
from ibcore.validation import NotSeparable


def draw(*shape, seed=0):
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def test_one_point_is_separated_best_by_its_strongest_frequency():
    x = torch.cos(2 * torch.pi * 2 * torch.arange(8) / 8).double()[None] + 0.1 * draw(
        1, 8
    )
    solution = fourier_max_margin(x, torch.ones(1))
    strength = torch.fft.fft(x, norm="ortho").abs().max()
    assert solution.value == pytest.approx(1 / float(strength), rel=1e-7)
    spectrum = torch.fft.fft(solution.primal).abs()
    assert spectrum.argsort()[-2:].sort().values.tolist() == [2, 6]


def test_norm_of_deltas_and_waves():
    delta, wave = torch.eye(9)[0].double(), torch.ones(9).double() / 3
    assert float(fourier_norm(delta)) == pytest.approx(3)
    assert float(fourier_norm(wave)) == pytest.approx(1)


def test_certificate_and_invariance_under_shifts():
    teacher = draw(10, seed=1)
    X = draw(7, 10, seed=2)
    y = (X @ teacher).sign()
    solution, shifted = fourier_max_margin(X, y), fourier_max_margin(X.roll(3, 1), y)
    assert abs(solution.gap) < 1e-7
    assert float((y * (X @ solution.primal)).min()) == pytest.approx(1, abs=1e-12)
    pull = np.abs(np.fft.fft((y[:, None] * X).T @ solution.dual, norm="ortho"))
    assert pull.max() <= 1 + 1e-12
    assert shifted.value == pytest.approx(solution.value, rel=1e-6)
    assert solution.value <= float(fourier_norm(norm_max_margin(X, y, 2).primal)) + 1e-9


def test_data_without_a_separator_are_refused():
    with pytest.raises(NotSeparable):
        fourier_max_margin([[1.0, 2.0], [-1.0, -2.0]], [1.0, 1.0])


def test_one_wave_is_approached_at_rate_one():
    wave = torch.cos(2 * math.pi * 3 * torch.arange(16, dtype=torch.float64) / 16)[None]
    best = fourier_max_margin(wave, torch.ones(1))
    assert best.slack == pytest.approx(1, abs=1e-6)
    assert best.rate == pytest.approx(1, abs=1e-6)


def test_shifts_and_scales_of_the_inputs_change_neither_rate_nor_strictness():
    data = wave_teacher(12, 16, 2, 0.1, torch.Generator().manual_seed(11))
    one, two = (fourier_max_margin(X, data.y) for X in (data.X, 3 * data.X.roll(5, -1)))
    assert two.rate == pytest.approx(one.rate, abs=1e-4)
    assert two.strictness == pytest.approx(one.strictness, abs=1e-4)
