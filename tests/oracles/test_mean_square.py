"""Moments of SGD near a minimum: against the tree of all batches, against bisection,
and in order.
"""

from itertools import product

import pytest
import torch

from ibcore.oracles.mean_square import (
    batch_hessians,
    critical_step,
    mean_square_after,
    moment_operator,
    radius,
    square_moments,
    sufficient_step,
)
from ibcore.validation import InvalidInput


def hessians(seed, n=5, d=3):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return 2 * x[:, :, None] * x[:, None, :]


START = torch.tensor([0.3, -0.5, 0.8]).double()


@pytest.mark.parametrize("size", [1, 2, 5])
def test_moments_are_those_of_the_tree_of_all_batches(size):
    parts, step, count = hessians(1), 0.1, 3
    moves = torch.eye(3).double() - step * batch_hessians(parts, size)
    squares = []
    for path in product(moves, repeat=count):
        theta = START
        for move in path:
            theta = move @ theta
        squares.append(theta.square().sum())
    squares = torch.stack(squares)
    mean, deviation = square_moments(parts, size, step, START, count)
    assert mean == pytest.approx(float(squares.mean()), rel=1e-12)
    assert deviation == pytest.approx(
        float(squares.std(correction=0)), rel=1e-6, abs=1e-7
    )
    operator = moment_operator(parts, size, step)
    assert mean_square_after(operator, START, count) == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_the_critical_step_is_where_the_radius_passes_one(size):
    parts = hessians(2)
    low, high = 1e-3, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        inside = radius(moment_operator(parts, size, middle)) < 1
        low, high = (middle, high) if inside else (low, middle)
    assert critical_step(parts, size) == pytest.approx(low, rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_are_in_order(seed):
    parts = hessians(seed, 6, 3)
    steps = [critical_step(parts, size) for size in range(1, 7)]
    assert steps == sorted(steps)
    sharpness = float(torch.linalg.eigvalsh(parts.mean(0))[-1])
    assert steps[-1] * sharpness == pytest.approx(2, rel=1e-12)
    for size, step in enumerate(steps, start=1):
        assert sufficient_step(parts, size) <= step * (1 + 1e-12)


def test_the_sufficient_step_is_where_the_condition_becomes_an_equality():
    parts, size = hessians(3), 2
    step = sufficient_step(parts, size)
    moves = torch.eye(3).double() - step * batch_hessians(parts, size)
    largest = torch.linalg.eigvalsh((moves @ moves).mean(0))[-1]
    assert float(largest) == pytest.approx(1, rel=1e-12)


def test_thresholds_scale_with_the_loss():
    parts = hessians(4)
    assert critical_step(8 * parts, 2) == pytest.approx(critical_step(parts, 2) / 8)


def test_bad_input_is_refused():
    with pytest.raises(InvalidInput, match="batch has 6"):
        batch_hessians(hessians(1), 6)
    with pytest.raises(InvalidInput, match="singular"):
        critical_step(hessians(1, 2, 3), 1)
