import math

import torch

from ibcore.oracles.kernels import output_layer_kernel, tangent_kernel
from ibcore.oracles.lazy_limit import (
    first_layer_kernel,
    least_movement,
    limit_movement,
    movement_spread,
)


def task(points=6, features=3):
    generator = torch.Generator().manual_seed(11)
    X = torch.randn(2, points, features, generator=generator, dtype=torch.float64)
    y = torch.randn(2, points, generator=generator, dtype=torch.float64)
    return X, y


def directions(features, count, seed):
    generator = torch.Generator().manual_seed(seed)
    u = torch.randn(count, features, generator=generator, dtype=torch.float64)
    return u / u.norm(dim=-1, keepdim=True) * math.sqrt(features)


def sampled(X, y, u):
    """sqrt(m) times the movement to first order for output weights +-1 and hidden
    weights u (m, d + 1), by hand.
    """
    inputs = torch.cat([X, torch.ones_like(X[..., :1])], -1)
    z = inputs @ u.T
    gates, m = (z > 0).double(), len(u)
    first = (gates @ gates.mT) * (inputs @ inputs.mT) / m
    v = torch.linalg.solve(first + z.relu() @ z.relu().mT / m, y[..., None])
    return ((v.mT @ first @ v)[..., 0, 0] / u.shape[-1]).sqrt()


def test_the_kernel_has_two_parts():
    X, _ = task()
    total = first_layer_kernel(X, X) + output_layer_kernel(X, X)
    torch.testing.assert_close(total, tangent_kernel(X, X))


def test_the_limit_is_that_of_many_neurons():
    X, y = task()
    found = sampled(X, y, directions(4, 200_000, 1))
    torch.testing.assert_close(found, limit_movement(X, y), rtol=0.02, atol=0)


def test_movement_is_proportional_to_the_targets():
    X, y = task()
    torch.testing.assert_close(limit_movement(X, 3 * y), 3 * limit_movement(X, y))


def test_the_spread_is_that_of_many_starts():
    """Three standard errors of 800 starts."""
    X, y = task()
    half = 500
    draws = [sampled(X, y, directions(4, half, seed)) for seed in range(800)]
    errors = torch.stack(draws) / limit_movement(X, y) - 1
    found = errors.std(0) * math.sqrt(2 * half)
    torch.testing.assert_close(found, movement_spread(X, y), rtol=0.08, atol=0)


def test_no_movement_of_one_neuron_does_more_than_allowed():
    """f = a relu(u.x) with a = 1 and u moved along x reaches the bound where p q is the
    only term.
    """
    X = torch.tensor([[[2.0, 2.0]]]).double()
    one = torch.ones(1).double()
    outputs = torch.tensor([[3.0 * 6.0]]).double()  # a = 3 and u = 2 x / |x|
    least = least_movement(outputs, X, 1, one, one)
    torch.testing.assert_close(least, torch.tensor([6.0]).double())
    assert float(2.0 + 1.0 + 2.0 * 1.0) >= 0.5 * float(least)


def test_random_movements_obey_the_bound():
    X, _ = task()
    generator = torch.Generator().manual_seed(4)
    inputs = torch.cat([X, torch.ones_like(X[..., :1])], -1)
    m, u = 40, directions(4, 20, 2)
    a = torch.ones(20).double()
    a, u = torch.cat([a, -a]), torch.cat([u, u])
    for size in (1e-3, 0.1, 3.0):
        da = size * torch.randn(m, generator=generator, dtype=torch.float64)
        du = size * torch.randn(m, 4, generator=generator, dtype=torch.float64)
        outputs = ((inputs @ (u + du).T).relu() @ (a + da)) / math.sqrt(m)
        p, q = da.norm() / a.norm(), du.norm() / u.norm()
        least = least_movement(outputs, X, m, a.norm(), u.norm())
        assert bool((p + q + p * q >= least).all())
        assert bool((least > 0).all())
