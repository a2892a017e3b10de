import math

import numpy as np
import pytest
import torch

from ibcore.measures.kkt import kkt
from ibcore.models.activations import LeakyReLU
from ibcore.models.margins import Margins
from ibcore.models.network import Network
from ibcore.oracles.margin_trap import (
    BEST,
    MULTIPLIERS,
    RISE,
    TRAP,
    TRAP_SHARE,
    escape,
    escape_margin,
    landscape,
    trapped,
)
from ibcore.problems.plane import shallow_pair

DATA = shallow_pair()
NETWORK = Margins(Network(DATA.X, (2,), LeakyReLU(0.0), biases=False), DATA.y)


def normalized_margin(theta):
    return NETWORK.outputs(theta).amin(-1) / (theta.square().sum(-1) / 2)


def test_the_trap_satisfies_the_kkt_conditions_with_the_stated_multipliers():
    theta = trapped()[None]
    assert torch.equal(NETWORK.outputs(theta), torch.ones(1, 2, dtype=torch.float64))
    combined = (
        torch.tensor(MULTIPLIERS, dtype=torch.float64) @ NETWORK.jacobian(theta)[0]
    )
    assert torch.equal(combined, theta[0])
    found = kkt(theta[0], NETWORK.outputs(theta)[0], NETWORK.jacobian(theta)[0])
    assert found.residual < 1e-12
    assert torch.allclose(
        found.multipliers, torch.tensor(MULTIPLIERS, dtype=torch.float64)
    )
    assert float(normalized_margin(theta)) == TRAP


def test_the_escape_rises_as_computed_and_starts_at_the_trap():
    epsilon = torch.logspace(-3, 0, 7, dtype=torch.float64)
    assert torch.allclose(
        normalized_margin(escape(epsilon)), escape_margin(epsilon), rtol=1e-13
    )
    assert torch.equal(escape(0.0), trapped())
    assert float((escape_margin(1e-3) - TRAP) / 1e-6) == pytest.approx(RISE, rel=1e-5)


def test_random_small_steps_that_leave_the_second_neuron_dead_never_gain():
    generator = torch.Generator().manual_seed(0)
    noise = 0.05 * torch.randn(2000, 6, generator=generator, dtype=torch.float64)
    noise[:, 2:4] = torch.stack([torch.zeros(2000), -noise[:, 3].abs()], -1).double()
    assert float(normalized_margin(trapped() + noise).max()) <= TRAP + 1e-12


def test_the_landscape_is_the_best_split_of_two_neurons():
    generator = np.random.default_rng(0)
    first, second = generator.uniform(0, 2 * np.pi, (2, 200))
    shares = np.linspace(0, 1, 2001)[:, None]

    def response(angles, sign):
        return np.maximum(sign * np.cos(angles) + np.sin(angles) / 4, 0)

    brute = np.minimum(
        *(
            shares * response(first, s) + (1 - shares) * response(second, s)
            for s in (1, -1)
        )
    ).max(0)
    exact = landscape(first, second)
    assert np.all(exact >= brute - 1e-15)
    assert np.all(exact - brute <= 1e-3)
    along = math.atan(1 / 4)
    assert landscape(np.array(along), np.array(math.pi - along)) == pytest.approx(BEST)
    assert landscape(np.array(math.pi / 2), np.array(-math.pi / 2)) == pytest.approx(
        TRAP
    )


def test_the_share_of_trapped_starts_is_that_of_gaussian_starts():
    generator = torch.Generator().manual_seed(0)
    a, w = (
        torch.randn(200_000, 2, generator=generator),
        torch.randn(200_000, 2, 2, generator=generator),
    )
    seen = (w @ DATA.X.float().T) > 0
    alive, dead = seen.all(-1) & (a > 0), (~seen).all(-1)
    share = float(((alive & dead.flip(-1)).any(-1)).double().mean())
    assert share == pytest.approx(TRAP_SHARE, abs=4 * math.sqrt(TRAP_SHARE / 200_000))
