"""Clusters on a line: where they lie, and which labels they have."""

import pytest
import torch

from ibcore.problems.clusters import alternating_clusters
from ibcore.validation import InvalidInput


def clusters(changes, per_cluster, seed=0):
    return alternating_clusters(
        changes, per_cluster, torch.Generator().manual_seed(seed)
    )


@pytest.mark.parametrize("changes", [1, 2, 5])
def test_labels_alternate_from_plus_one_between_clusters_a_gap_apart(changes):
    data = clusters(changes, 7)
    groups, labels = data.x.reshape(changes + 1, 7), data.y.reshape(changes + 1, 7)
    assert (data.changes, labels[0, 0]) == (changes, 1)
    assert bool((labels == labels[:, :1]).all())
    assert bool((labels[1:, 0] == -labels[:-1, 0]).all())
    assert bool((data.x.diff() > 0).all())
    assert bool((groups[1:, 0] - groups[:-1, -1] >= data.gap).all())
    assert torch.equal(data.X, torch.stack([data.x, torch.ones_like(data.x)], -1))


@pytest.mark.parametrize("changes", [1, 4])
def test_clusters_are_uniform_on_equal_intervals_that_fill_the_range(changes):
    """Of many points the ends of an interval are nearly reached: its length is half
    the gap, the first begins at -2 and the last ends at 2.
    """
    data = clusters(changes, 20_000)
    groups = data.x.reshape(changes + 1, -1)
    ends = torch.stack([groups[:, 0], groups[:, -1]])
    near = {"atol": 1e-3, "rtol": 0}
    torch.testing.assert_close(
        ends[1] - ends[0], torch.full((changes + 1,), data.gap / 2).double(), **near
    )
    torch.testing.assert_close(
        ends[0, 1:] - ends[1, :-1], torch.full((changes,), data.gap).double(), **near
    )
    assert [float(ends[0, 0]), float(ends[1, -1])] == pytest.approx([-2, 2], abs=1e-3)
    assert float(data.x.abs().max()) <= 2
    torch.testing.assert_close(
        groups.mean(-1), (groups[:, 0] + groups[:, -1]) / 2, atol=0.01, rtol=0
    )


def test_the_draw_is_that_of_its_generator():
    assert torch.equal(clusters(3, 4).x, clusters(3, 4).x)
    assert not torch.equal(clusters(3, 4).x, clusters(3, 4, seed=1).x)


@pytest.mark.parametrize("sizes", [(0, 2), (2, 0)])
def test_nothing_to_draw_is_refused(sizes):
    with pytest.raises(InvalidInput, match="is 0"):
        clusters(*sizes)
