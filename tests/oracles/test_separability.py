import math

import pytest
import torch
from torch.nn.functional import softplus

from ibcore.oracles.separability import is_separable, nonseparable_limit, separable_part
from ibcore.problems.separable import planted_margin, planted_split
from ibcore.validation import InvalidInput


def by_direction_scan(signed):
    """The points that some weakly separating direction of the plane puts strictly on
    their correct side.
    """
    angles = torch.linspace(0, 2 * math.pi, 3601, dtype=torch.float64)[:-1]
    margins = torch.stack([angles.cos(), angles.sin()], 1) @ signed.T
    feasible = margins[(margins >= -1e-12).all(1)]
    return (
        (feasible > 1e-9).any(0)
        if len(feasible)
        else torch.zeros(len(signed), dtype=torch.bool)
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1.0, 0.0], [0.0, 1.0]], [True, True]),
        ([[1.0, 0.0], [-1.0, 0.0]], [False, False]),
        (
            [[1.0, 0.0], [-2.0, 0.0], [5.0, 1.0], [-3.0, 0.5]],
            [False, False, True, True],
        ),
        ([[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]], [False, False, False]),
        ([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [False] * 4),
        ([[0.0, 0.0], [0.0, 1.0]], [False, True]),
    ],
)
def test_small_examples_by_hand(rows, expected):
    signed = torch.tensor(rows, dtype=torch.float64)
    part = separable_part(signed, torch.ones(len(rows)))
    assert part.separable.tolist() == expected
    assert is_separable(signed, torch.ones(len(rows))) == all(expected)
    assert by_direction_scan(signed).tolist() == expected
    margins = signed @ part.direction
    assert bool((margins[part.separable] >= 1 - 1e-9).all())
    assert bool((margins[~part.separable].abs() < 1e-9).all())


def test_separable_data_are_separable():
    problem = planted_margin(30, 4, 0.1, torch.Generator().manual_seed(0))
    assert bool(separable_part(problem.X, problem.y).separable.all())
    assert is_separable(problem.X, problem.y)
    limit = nonseparable_limit(problem.X, problem.y)
    assert limit.basis.shape == (4, 0)
    assert not limit.minimizer.any()


def test_a_contradictory_pair():
    problem = planted_margin(10, 3, 0.1, torch.Generator().manual_seed(1))
    X, y = torch.cat([problem.X, problem.X[:1]]), torch.cat([problem.y, -problem.y[:1]])
    part = separable_part(X, y).separable
    assert not part[0]
    assert not part[-1]


def test_minimizer_has_no_gradient_and_lies_in_the_span():
    problem = planted_split(16, 12, 6, 2, torch.Generator().manual_seed(3))
    limit = nonseparable_limit(problem.X, problem.y)
    assert torch.equal(~limit.separable, problem.overlap)
    torch.testing.assert_close(
        limit.basis @ limit.basis.T, problem.basis @ problem.basis.T, rtol=0, atol=1e-12
    )
    torch.testing.assert_close(
        limit.basis.T @ limit.basis,
        torch.eye(2, dtype=torch.float64),
        rtol=0,
        atol=1e-12,
    )
    w = limit.minimizer.clone().requires_grad_()
    softplus(-(problem.signed[problem.overlap] @ w)).mean().backward()
    assert float(w.grad.norm()) < 1e-12
    assert limit.gradient_norm < 1e-12
    torch.testing.assert_close(
        limit.basis @ (limit.basis.T @ limit.minimizer),
        limit.minimizer,
        rtol=0,
        atol=1e-12,
    )


def test_two_opposed_points_have_a_closed_form():
    # n log-odds: three copies at +1 and one at -1 are fitted by sigmoid(w) = 3/4
    limit = nonseparable_limit([[1.0], [1.0], [1.0], [1.0]], [1, 1, 1, -1])
    assert float(limit.minimizer[0]) == pytest.approx(math.log(3), rel=1e-12)


@pytest.mark.parametrize("function", [separable_part, nonseparable_limit])
@pytest.mark.parametrize(
    ("X", "y"),
    [([[1.0]], [0]), ([[math.inf]], [1]), ([[1.0]], [1, 1]), ([[0.0], [0.0]], [1, 1])],
)
def test_bad_input_is_refused(function, X, y):
    with pytest.raises(InvalidInput):
        function(X, y)
