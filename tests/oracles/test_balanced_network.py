import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad, solve_ivp

from ibcore.oracles.balanced_network import balanced_sine_bound
from ibcore.oracles.max_margin import max_margin
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_bound_is_the_integral_of_its_differential_inequality(depth):
    norms = torch.tensor([[2.0], [3.0], [50.0]], dtype=torch.float64)
    found = balanced_sine_bound(
        norms,
        torch.tensor([0.1], dtype=torch.float64),
        torch.tensor([7.0], dtype=torch.float64),
        n=12,
        depth=depth,
    )
    for r, sine in zip((1.0, 1.5, 25.0), found[:, 0], strict=True):
        area = quad(lambda u: u ** (2 / depth - 2), 1, r)[0]
        square = 0.01 + 2 / depth * math.log(12) / 7 * area
        assert float(sine) == pytest.approx(
            (square * r ** (-2 / depth)) ** 0.5, rel=1e-9
        )


@pytest.mark.parametrize("seed", range(1100101, 1100107))
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_no_balanced_flow_turns_more_slowly(depth, seed):
    """The flow of w alone, by SciPy: dw/ds = |w|^(2 - 2/k) (g + (k - 1) (g.u) u),
    against u = log(1/L).
    """
    data = planted_margin(9, 4, 0.1, torch.Generator().manual_seed(seed))
    best = max_margin(data.X, data.y)
    rows, axis = data.signed.numpy(), best.primal.numpy() * best.margin

    def field(_, w):
        shifted = -rows @ w
        p = np.exp(shifted - shifted.max())
        g = p @ rows / p.sum()
        push = g + (depth - 1) * (g @ w) / (w @ w) * w
        return push / (g @ push)

    def size(w):
        shifted = -rows @ w
        return -shifted.max() - np.log(np.exp(shifted - shifted.max()).mean())

    begin = rows.mean(0)
    levels = np.geomspace(5, 5e4, 9)
    run = solve_ivp(
        field,
        (size(begin), levels[-1]),
        begin,
        method="LSODA",
        t_eval=levels,
        rtol=1e-9,
        atol=1e-9,
    )
    w = torch.from_numpy(run.y.T)
    assert size(run.y[:, -1]) == pytest.approx(levels[-1], rel=1e-6)
    norms = w.norm(dim=1)
    across = w - (w @ torch.from_numpy(axis))[:, None] * torch.from_numpy(axis)
    sines = across.norm(dim=1) / norms
    bound = balanced_sine_bound(
        norms[:, None],
        sines[:1],
        torch.tensor([levels[0] - math.log(9)]),
        n=9,
        depth=depth,
    )[:, 0]
    assert bool((sines[1:] <= bound[1:]).all())
    assert float(bound[-1]) < float(bound[-3])


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_direction_that_stays_breaks_the_bound(depth):
    norms = torch.tensor([[1e2], [1e10]], dtype=torch.float64)
    sine = torch.tensor([0.1], dtype=torch.float64)
    least = torch.tensor([97.0], dtype=torch.float64)
    bound = balanced_sine_bound(norms, sine, least, n=10, depth=depth)
    assert float(bound[1]) < 0.1


def test_bad_input_is_refused():
    one = torch.ones(1, 1, dtype=torch.float64)
    with pytest.raises(InvalidInput):
        balanced_sine_bound(one, one[0], one[0], n=0, depth=2)
    with pytest.raises(InvalidInput):
        balanced_sine_bound(one, one[0], one[0], n=3, depth=0)
