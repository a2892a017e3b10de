"""Starts of fully connected networks."""

from __future__ import annotations

import pytest
import torch

from ibcore.models.network import Network


@pytest.mark.parametrize("biases", [True, False])
def test_a_normal_start_has_the_stated_variances(biases):
    net = Network(torch.zeros(1, 50).double(), (400, 300), "relu", 10, biases)
    start = net.normal(3, torch.Generator().manual_seed(1115008))
    assert start.shape == (3, net.dimension)
    for (matrix, shift), scale in zip(
        net.layers(start), (2 / 50, 2 / 400, 1 / 300), strict=True
    ):
        entries = matrix.numel()
        expected = pytest.approx(scale, rel=5 * (2 / entries) ** 0.5)
        assert float(matrix.square().mean()) == expected
        assert shift is None or not shift.any()
