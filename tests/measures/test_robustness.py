import math

import pytest
import torch

from ibcore.measures.robustness import (
    Neurons,
    attacked_margins,
    certified_margins,
    flipped_shares,
    norms_to_flip,
)


def random_net(members=3, n=5, m=7, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    net = Neurons(normal(members, m), normal(members, m), normal(members, m, d))
    X = normal(members, n, d)
    return net, X, torch.where(net.outputs(X) > 0, 1.0, -1.0).double(), normal


def unit(vectors):
    return vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)


def test_the_norm_is_the_first_zero_on_a_fine_grid():
    net, X, y, normal = random_net(members=6)
    e = unit(normal(*X.shape))
    found = norms_to_flip(net, X, y, e)
    grid = torch.linspace(0, 8, 4001, dtype=torch.float64)
    values = torch.stack([y * net.outputs(X + t * e) for t in grid])
    crossed = values <= 0
    first = torch.where(
        crossed.any(0), grid[crossed.to(torch.int8).argmax(0)], math.inf
    )
    inside = first.isfinite()
    assert 5 < int(inside.sum()) < first.numel()
    # a dip below zero between two grid points is found by the exact search only
    assert bool((found <= first + 1e-12).all())
    assert float((first - found)[inside].median()) <= 8 / 4000
    finite = found.isfinite()
    values = (y * net.outputs(X + torch.where(finite, found, 0.0)[..., None] * e))[
        finite
    ]
    torch.testing.assert_close(values, torch.zeros_like(values), rtol=0, atol=1e-10)


def test_norms_of_a_linear_predictor_in_closed_form():
    """relu(w.x) - relu(-w.x) = w.x: every line but those along the hyperplane crosses
    it, or leads away.
    """
    w = torch.tensor([5.0, 0.0]).double()
    net = Neurons(
        torch.tensor([[1.0, -1.0]]).double(),
        torch.zeros(1, 2).double(),
        torch.stack([w, -w])[None],
    )
    X = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]]).double()
    e = torch.tensor([[[-0.6, 0.8], [0.6, 0.8], [0.0, -1.0], [1.0, 0.0]]]).double()
    found = norms_to_flip(net, X, torch.ones(1, 4).double(), e)
    expected = torch.tensor([[5 / 3, math.inf, math.inf, 0.0]]).double()
    torch.testing.assert_close(found, expected)


def test_a_network_that_is_not_known_has_norms_that_are_not_known():
    net, X, y, normal = random_net()
    net.a[1, 2] = math.nan
    found = norms_to_flip(net, X, y, unit(normal(*X.shape)))
    assert found.isnan().all(-1).tolist() == [False, True, False]
    assert not bool(found[0].isnan().any())
    generator = torch.Generator().manual_seed(0)
    shares = flipped_shares(net, X, y, 1.0, 10, generator)
    assert shares.isnan().tolist() == [False, True, False]


def test_certificates_lie_below_what_attacks_find_and_below_the_margins():
    net, X, y, normal = random_net(members=8)
    radius = torch.linspace(0.01, 1, 8).double()
    sure = certified_margins(net, X, y, radius)
    found = attacked_margins(net, X, y, radius, normal(8, 3, *X.shape[1:]))
    assert bool((sure <= found + 1e-12).all())
    assert bool((found <= y * net.outputs(X) + 1e-12).all())
    nothing = certified_margins(net, X, y, torch.zeros(8).double())
    torch.testing.assert_close(nothing, y * net.outputs(X))


def test_the_certificate_of_one_neuron_is_exact_and_the_attack_attains_it():
    w = torch.tensor([[[3.0, 4.0]]]).double()
    net = Neurons(torch.ones(1, 1).double(), -torch.ones(1, 1).double(), w)
    X, y = torch.tensor([[[2.0, 0.0]]]).double(), torch.ones(1, 1).double()
    for radius, least in ((0.5, 2.5), (1.0, 0.0), (2.0, 0.0)):
        size = torch.tensor([radius]).double()
        sure = certified_margins(net, X, y, size)
        start = torch.tensor([[[[0.0, 1.0]]]]).double()
        found = attacked_margins(net, X, y, size, start)
        assert float(sure) == pytest.approx(least)
        assert float(found) == pytest.approx(least, abs=2e-3)


def test_an_attack_begins_at_the_edge_in_the_directions_of_its_starts():
    net, X, y, normal = random_net(members=4)
    radius = torch.tensor([0.1, 0.5, 1.0, 2.0]).double()
    starts = normal(4, 3, *X.shape[1:])
    found = attacked_margins(net, X, y, radius, starts, steps=0)
    edges = X[:, None] + radius[:, None, None, None] * unit(starts)
    margins = torch.stack([y * net.outputs(edges[:, k]) for k in range(3)])
    torch.testing.assert_close(found, margins.amin(0))


def test_attacks_stay_within_their_radius(monkeypatch):
    net, X, y, normal = random_net(members=4)
    radius = torch.tensor([0.1, 0.5, 1.0, 2.0]).double()
    seen = []
    outputs = Neurons.outputs
    monkeypatch.setattr(
        Neurons, "outputs", lambda self, at: seen.append(at) or outputs(self, at)
    )
    attacked_margins(net, X, y, radius, normal(4, 2, *X.shape[1:]))
    far = [torch.linalg.vector_norm(at - X.repeat(1, 2, 1), dim=-1) for at in seen]
    assert bool((torch.stack(far) <= radius[:, None] * (1 + 1e-12)).all())


def test_shares_of_a_linear_predictor_are_those_of_a_normal_component():
    d, norm = 200, 3 * math.sqrt(200)
    w = torch.zeros(1, 1, d).double()
    w[..., 0] = 1
    net = Neurons(
        torch.tensor([[1.0, -1.0]]).double(),
        torch.zeros(1, 2).double(),
        torch.cat([w, -w], 1),
    )
    X = torch.zeros(1, 2, d).double()
    X[0, 0, 0], X[0, 1, 0] = 3.0, -6.0
    y = torch.tensor([[1.0, -1.0]]).double()
    share = flipped_shares(net, X, y, norm, 40_000, torch.Generator().manual_seed(1))
    expected = torch.special.ndtr(torch.tensor([-1.0, -2.0])).mean()
    assert float(share) == pytest.approx(float(expected), rel=0.03)


def test_gradients_and_norms_agree_with_automatic_differentiation():
    net, X, _, _ = random_net()
    at = X.clone().requires_grad_()
    net.outputs(at).sum().backward()
    torch.testing.assert_close(net.gradients(X), at.grad)
    inner = torch.sqrt(net.w.square().sum(-1) + net.b.square())
    scale = (net.a.abs() / inner).sqrt()
    balanced = scale**2 * inner**2 + (net.a / scale) ** 2
    torch.testing.assert_close(net.squared_norm, balanced.sum(-1))


@pytest.mark.parametrize("count", [1, 3, 500, 501, 1203])
def test_every_direction_is_tried_once_at_every_point(count):
    """Of a network that is -1 everywhere all pairs of label 1 are flipped, and of
    label -1 none.
    """
    net = Neurons(
        -torch.ones(1, 1).double(),
        torch.ones(1, 1).double(),
        torch.zeros(1, 1, 2).double(),
    )
    X = torch.zeros(1, 4, 2).double()
    for labels, share in (
        ([1.0] * 4, 1.0),
        ([-1.0] * 4, 0.0),
        ([1.0, -1, -1, -1], 0.25),
    ):
        y = torch.tensor([labels]).double()
        generator = torch.Generator().manual_seed(0)
        assert float(flipped_shares(net, X, y, 1.0, count, generator)) == share
