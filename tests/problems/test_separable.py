import math

import pytest
import torch

from ibcore.oracles.max_margin import max_margin
from ibcore.problems.separable import (
    bounded_margin,
    orthogonally_separable,
    planted_margin,
    planted_split,
    separators,
)
from ibcore.validation import InvalidInput


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_planted_margin_is_kept_by_its_teacher():
    problem = planted_margin(500, 7, 0.3, seeded())
    assert float((problem.signed @ problem.teacher).min()) >= 0.3 - 1e-12
    assert float(problem.teacher.norm()) == pytest.approx(1)
    assert set(problem.y.tolist()) == {-1.0, 1.0}
    assert torch.equal(problem.X, planted_margin(500, 7, 0.3, seeded()).X)
    assert not torch.equal(problem.X, planted_margin(500, 7, 0.3, seeded(1)).X)


def test_orthogonally_separable_points():
    data = orthogonally_separable(9, 4, seeded())
    products = data.X @ data.X.T
    agree = data.y[:, None] == data.y
    assert bool((products[agree] >= 1).all())
    assert bool((products[~agree] <= -1).all())
    assert data.y.sum() == 1


def test_bounded_margin_lies_in_its_ball():
    problem = bounded_margin(500, 6, 0.8, seeded())
    heights = problem.signed @ problem.teacher
    assert float(heights.min()) >= 0.8
    assert float(heights.max()) <= 1.8
    assert float(problem.X.norm(dim=1).max()) <= problem.radius
    across = problem.X - (problem.X @ problem.teacher)[:, None] * problem.teacher
    torch.testing.assert_close(
        across.norm(dim=1), torch.full((500,), math.sqrt(5), dtype=torch.float64)
    )


@pytest.mark.parametrize("d", [3, 20])
def test_error_agrees_with_fresh_points(d):
    generator, count = seeded(5), 100_000
    fresh = bounded_margin(count, d, 0.2, generator)
    for tilt in (0.5, 1.0, 3.0):
        across = torch.randn(d, generator=generator, dtype=torch.float64)
        w = fresh.teacher + tilt * across / across.norm()
        error = float(fresh.error(w))
        drawn = float((fresh.signed @ w < 0).double().mean())
        assert abs(drawn - error) <= 4 * math.sqrt(max(error, 1e-5) / count)


def test_error_of_special_directions():
    problem = bounded_margin(1, 5, 0.2, seeded())
    orthogonal = torch.linalg.svd(problem.teacher[None], full_matrices=True).Vh[1]
    errors = problem.error(
        torch.stack([problem.teacher, orthogonal, -problem.teacher, 7 * orthogonal])
    )
    torch.testing.assert_close(
        errors, torch.tensor([0, 0.5, 1, 0.5], dtype=torch.float64), rtol=0, atol=1e-9
    )
    w = torch.randn(5, generator=seeded(6), dtype=torch.float64)
    assert float(problem.error(w) + problem.error(-w)) == pytest.approx(1, abs=1e-6)


def test_separators_stay_feasible():
    problem = planted_margin(15, 6, 0.5, seeded())
    best = max_margin(problem.X, problem.y)
    level = 0.5 * best.margin
    start = best.primal * best.margin * 0.75
    w = separators(
        problem.signed, level, start, count=50, steps=200, generator=seeded(1)
    )
    assert w.shape == (50, 6)
    assert float((w @ problem.signed.T).min()) >= level - 1e-12
    assert float(w.norm(dim=1).max()) <= 1 + 1e-12
    assert bool((w - start).norm(dim=1).gt(1e-3).all())


def test_chains_of_several_levels_run_side_by_side():
    problem = planted_margin(15, 6, 0.5, seeded())
    best = max_margin(problem.X, problem.y)
    levels = torch.tensor([0.0, 0.3, 0.8], dtype=torch.float64) * best.margin
    start = best.primal * (best.margin + levels[:, None]) / 2
    w = separators(
        problem.signed, levels, start, count=3, steps=100, generator=seeded(1)
    )
    assert bool(((w @ problem.signed.T).amin(1) >= levels - 1e-12).all())


def test_separators_are_uniform_on_a_half_disk():
    # {w_1 >= 0, |w| <= 1}: the mean of w_1 is 4 / (3 pi), that of w_1^2 is 1/4
    row, start = (
        torch.tensor([[1.0, 0.0]], dtype=torch.float64),
        torch.tensor([0.5, 0.0], dtype=torch.float64),
    )
    w = separators(row, 0.0, start, count=10_000, steps=60, generator=seeded(2))
    assert float(w[:, 0].mean()) == pytest.approx(4 / (3 * math.pi), abs=5 * 0.27 / 100)
    assert float(w[:, 1].mean()) == pytest.approx(0, abs=5 * 0.5 / 100)
    assert float(w[:, 0].square().mean()) == pytest.approx(0.25, abs=5 * 0.25 / 100)


def test_a_start_outside_is_refused():
    row = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    for start in ([-0.1, 0.0], [1.0, 0.5]):
        with pytest.raises(InvalidInput, match="interior point"):
            separators(
                row,
                0.0,
                torch.tensor(start, dtype=torch.float64),
                count=1,
                steps=1,
                generator=seeded(),
            )


def test_planted_split_separates_off_its_subspace():
    problem = planted_split(16, 12, 6, 2, seeded())
    assert problem.X.shape == (28, 6)
    inside = problem.X[problem.overlap]
    torch.testing.assert_close(
        inside @ problem.basis @ problem.basis.T, inside, rtol=0, atol=1e-12
    )
    rest = problem.signed[~problem.overlap]
    off = rest - rest @ problem.basis @ problem.basis.T
    assert bool((max_margin(off, torch.ones(12)).primal @ off.T >= 1 - 1e-9).all())


@pytest.mark.parametrize(
    "draw",
    [
        lambda: planted_margin(0, 3, 0.1, seeded()),
        lambda: planted_margin(3, 1, 0.1, seeded()),
        lambda: planted_margin(3, 3, -0.1, seeded()),
        lambda: planted_margin(3, 3, math.nan, seeded()),
        lambda: bounded_margin(3, 2, 0.1, seeded()),
        lambda: planted_split(0, 1, 3, 1, seeded()),
        lambda: planted_split(1, 1, 2, 2, seeded()),
    ],
)
def test_bad_input_is_refused(draw):
    with pytest.raises(InvalidInput):
        draw()
