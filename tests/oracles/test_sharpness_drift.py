import numpy as np
import pytest

from ibcore.oracles.sharpness_drift import Line, jump, jump_gain

LINE = Line(np.array([2.5, 0.3]), np.array([0.8, 0.7]), np.array([0.1, 1.1]), 0.1)


def exact_step(x, y, line, radius, example=None):
    """A sharpness-aware step on sum_i h_i x_i^2 / 2, or on one example, by hand."""

    def gradient(x, y):
        widths, slopes = line.widths(y), line.slopes(y)
        if example is not None:
            chosen = len(x) * (np.arange(len(x)) == example)
            widths, slopes = chosen * widths, chosen * slopes
        return np.append(widths * x, (slopes * x**2).sum() / 2)

    g = gradient(x, y)
    ahead = np.append(x, y) + radius * g / np.linalg.norm(g)
    moved = np.append(x, y) - line.step_size * gradient(ahead[:-1], ahead[-1])
    return moved[:-1], moved[-1]


def test_the_jump_returns_its_mirror_image():
    size = jump(2.0, 0.3, 0.05)
    assert size - 0.3 * 2.0 * (size + 0.05) == pytest.approx(-size)
    assert jump_gain(0.6) == pytest.approx(((size + 0.05) / 0.05) ** 2)


@pytest.mark.parametrize("example", [None, 0, 1])
def test_forces_are_those_of_steps_at_the_jump(example):
    """With a small radius; one example is drawn once in two steps."""
    radius, y = 1e-4, 0.9
    widths = LINE.widths(y) * (1 if example is None else 2)
    x = np.array([jump(width, 0.1, radius) for width in widths])
    if example is None:
        x[1] = 0
        after = exact_step(x, y, LINE, radius)[1]
        force = LINE.force_of_all(y)
    else:
        after = exact_step(x, y, LINE, radius, example)[1]
        gain = jump_gain(0.1 * widths[example])
        force = -2 * LINE.slopes(y)[example] / 2 * gain
    assert (after - y) / (0.1 * radius**2) == pytest.approx(force, rel=1e-3)
    both = -(LINE.slopes(y) * jump_gain(0.2 * LINE.widths(y))).sum() / 2
    assert LINE.force_of_one(y) == pytest.approx(both)


def test_small_steps_have_the_forces_of_both_sharpnesses():
    small = Line(LINE.floor, LINE.rate, LINE.center, 1e-9)
    assert small.force_of_all(0.7) == pytest.approx(-small.slopes(0.7)[0] / 2)
    assert small.force_of_one(0.7) == pytest.approx(-small.slopes(0.7).sum() / 2)
    least = (0.8 * 0.1 + 0.7 * 1.1) / 1.5  # of the trace
    assert small.rest_of_one() == pytest.approx(least, abs=1e-6)


def test_paths_end_where_the_forces_vanish():
    assert LINE.path_of_all(1.3, [1.0, 40.0])[-1] == pytest.approx(0.1, abs=1e-6)
    end = LINE.path_of_one(1.3, [1.0, 40.0])[-1]
    assert end == pytest.approx(LINE.rest_of_one(), abs=1e-6)
    assert LINE.force_of_one(LINE.rest_of_one()) == pytest.approx(0, abs=1e-9)
    small = Line(LINE.floor, np.array([0.8, 0.0]), LINE.center, 1e-9)
    assert small.path_of_all(1.3, [0.5])[0] == pytest.approx(0.1 + 1.2 * np.exp(-0.4))


def test_conditions_on_a_line():
    assert LINE.separated(0.1, 1.3, 2.0)
    assert not LINE.separated(0.1, 1.3, 20.0)
    assert LINE.stable(0.1, 1.3, 0.8)
    assert not LINE.stable(0.1, 1.3, 0.5)
