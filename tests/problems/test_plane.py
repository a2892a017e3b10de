import math

import pytest
import torch

from ibcore.problems.plane import (
    HALF_WIDTH,
    SECTORS,
    four_clusters,
    neurons_that_see,
    shallow_pair,
)
from ibcore.validation import InvalidInput, NotSeparable


@pytest.mark.parametrize(
    ("sector", "seen"),
    [
        ("both", (True, True)),
        ("none", (False, False)),
        ("right", (True, False)),
        ("left", (False, True)),
    ],
)
def test_neurons_see_the_points_they_should(sector, seen):
    a, w = neurons_that_see(sector, 500, 0.3, torch.Generator().manual_seed(0))
    assert bool((((w @ shallow_pair().X.T) > 0) == torch.tensor(seen)).all())
    assert float(a.std()) == pytest.approx(0.3, rel=0.15)
    assert float(w.square().sum(1).mean()) == pytest.approx(2 * 0.09, rel=0.2)


def test_sectors_fill_the_circle():
    assert sum(half for _, half in SECTORS.values()) == pytest.approx(math.pi)
    assert math.tan(HALF_WIDTH) == pytest.approx(0.25)


def test_four_clusters_alternate_within_their_width():
    data = four_clusters(3, torch.Generator().manual_seed(1), half_width=0.2)
    assert data.X.shape == (12, 2)
    assert torch.allclose(data.X.norm(dim=1), torch.ones(12, dtype=torch.float64))
    centers = (
        torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
        .double()
        .repeat_interleave(3, 0)
    )
    assert float((data.X * centers).sum(1).min()) >= math.cos(0.2)
    assert data.y.view(4, 3)[:, 0].tolist() == [1, -1, 1, -1]


def test_no_linear_predictor_separates_the_clusters():
    from ibcore.oracles.max_margin import max_margin

    data = four_clusters(2, torch.Generator().manual_seed(0))
    with pytest.raises(NotSeparable):
        max_margin(data.X, data.y)


def test_bad_sizes_are_refused():
    with pytest.raises(InvalidInput):
        four_clusters(0, torch.Generator())
    with pytest.raises(InvalidInput):
        neurons_that_see("both", 3, 0.0, torch.Generator())
