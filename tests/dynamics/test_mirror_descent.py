import pytest
import torch

from ibcore.dynamics import paces
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.mirror_descent import (
    MirrorStep,
    mirror_descent,
    natural_descent,
)
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.trajectory import CONVERGED, step_limit
from ibcore.losses import Square
from ibcore.models.linear import Linear
from ibcore.oracles.least_squares import minimum_norm
from ibcore.potentials import Entropy, Hypentropy, PNorm
from ibcore.validation import InvalidInput


def problems(count=3, n=6, d=18):
    generator = torch.Generator().manual_seed(3)
    X, w, start = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((count, n, d), (count, d), (count, d))
    )
    return X, (X @ w[..., None])[..., 0], start


def steps_of(mirror, steps, pace=None, **options):
    """Iterates of the loop on the problems, each member its own data."""
    X, y, start = problems()
    return descend(
        Objective(Linear(X), Square(), y, shared=False),
        start,
        pace or paces.ResidualsAgree(),
        direction=MirrorStep(mirror),
        steps=steps,
        **options,
    )


def test_with_the_euclidean_potential_it_is_gradient_descent():
    X, y, start = problems()
    run = mirror_descent(X, y, start, PNorm(2.0))
    fit = minimum_norm(X, y - (X @ start[..., None])[..., 0]).weights
    assert run.status == (CONVERGED,) * len(run.last)
    torch.testing.assert_close(run.last, start + fit, rtol=0, atol=1e-12)
    plain = descend(
        Objective(Linear(X), Square(), y, shared=False),
        start,
        paces.constant(0.01),
        steps=[50],
    )
    step = steps_of(PNorm(2.0), [50], paces.constant(0.01))
    torch.testing.assert_close(step.theta, plain.theta)


def test_the_short_form_is_the_loop():
    X, y, start = problems()
    mirror = Hypentropy(0.1)
    front = mirror_descent(X, y, start, mirror, max_steps=25)
    loop = steps_of(mirror, [25])
    torch.testing.assert_close(front.last, loop.theta[0], rtol=1e-9, atol=1e-9)


def test_steps_are_kept_where_residuals_agree_and_undone_elsewhere():
    X, y, _ = problems()
    run = steps_of(PNorm(3.0), range(200), paces.ResidualsAgree(first=10.0))
    r = (X @ run.theta[..., None])[..., 0] - y
    assert ((r[1:] * r[:-1]).sum(-1) >= 0).all()
    stays = (run.theta.diff(dim=0) == 0).all(-1)
    assert stays[0].all()
    assert (stays.sum(0) >= run.rejected).all()
    assert (run.rejected > 3).all()
    assert (run.steps + run.rejected == 199).all()


def test_members_of_a_batch_are_the_members_alone():
    X, y, start = problems()
    mirror = PNorm(1.5)
    batch = mirror_descent(X, y, start, mirror)
    assert len(set(batch.steps.tolist())) > 1
    for k in range(3):
        one = slice(k, k + 1)
        alone = mirror_descent(X[one], y[one], start[one], mirror)
        torch.testing.assert_close(batch.last[k], alone.last[0], rtol=1e-10, atol=1e-10)


def test_the_entropy_projects_also_where_its_limit_is_on_the_boundary():
    """w_1 + w_2 + w_3 + w_4 = 1 and twice w_2 more: w_2 has to vanish, and the others
    keep their ratios.
    """
    X = torch.tensor([[[1.0, 1, 1, 1], [1, 3, 1, 1]]], dtype=torch.float64)
    y = torch.ones(1, 2, dtype=torch.float64)
    start = torch.tensor([[0.3, 0.4, 0.9, 0.1]], dtype=torch.float64)
    run = mirror_descent(X, y, start, Entropy(), tolerance=1e-7)
    assert run.status == (CONVERGED,)
    assert run.converged.tolist() == [True]
    expected = start.clone()
    expected[0, 1] = 0
    torch.testing.assert_close(run.last, expected / expected.sum(), rtol=0, atol=1e-6)


def test_no_step_moves_away_from_any_interpolant():
    X, y, start = problems()
    mirror = Hypentropy(0.05)
    path = steps_of(mirror, range(400)).theta
    base = start + minimum_norm(X, y - (X @ start[..., None])[..., 0]).weights
    kernel = torch.linalg.svd(X)[2][:, 6:]
    for seed in range(3):
        other = (
            base
            + (
                torch.randn(
                    3, 1, 12, generator=torch.Generator().manual_seed(seed)
                ).double()
                @ kernel
            )[:, 0]
        )
        z = mirror.mirror(path)
        conjugate = mirror.beta * torch.cosh(z)
        away = (conjugate - z * other).sum(-1)
        assert float((away[1:] - away[:-1]).max()) < 1e-11


def test_the_dual_point_moves_in_the_row_space():
    X, _, start = problems()
    mirror = PNorm(3.0)
    run = steps_of(mirror, [300], recall={"z": lambda memory: memory[1]})
    z = run.watched["z"][0]
    torch.testing.assert_close(mirror.unmirror(z), run.theta[0])
    moved = (z - mirror.mirror(start))[..., None]
    inside = X.mT @ torch.linalg.lstsq(X.mT, moved, driver="gelsd").solution
    assert float((moved - inside).norm() / moved.norm()) < 1e-12


def test_the_natural_gradient_approaches_mirror_descent_as_its_steps_shrink():
    X, y, start = problems()
    start, y = start.abs() + 0.1, (X @ torch.ones(3, 18, 1).double())[..., 0]
    limit = mirror_descent(X, y, start, Entropy()).last
    gaps = [
        float(
            (
                natural_descent(
                    X, y, start, Entropy(), step_size=h, tolerance=1e-6
                ).last
                - limit
            ).norm()
        )
        for h in (0.5, 0.25, 0.125)
    ]
    assert gaps[0] > 1e-3
    assert gaps[0] / gaps[1] == pytest.approx(2, rel=0.2)
    assert gaps[1] / gaps[2] == pytest.approx(2, rel=0.2)


def test_a_limit_on_the_steps_is_reported():
    X, y, start = problems()
    run = mirror_descent(X, y, start, Hypentropy(1e-3), max_steps=5)
    assert set(run.status) == {step_limit(5)}
    assert not run.converged.any()
    assert ((X @ run.last[..., None])[..., 0] - y).norm(dim=-1).min() > 1e-3


def test_bad_input_is_refused():
    X, y, start = problems()
    with pytest.raises(InvalidInput, match="domain"):
        mirror_descent(X, y, start, Entropy())
    with pytest.raises(InvalidInput, match=r"expected \(B, n, d\)"):
        mirror_descent(X, y[:, 1:], start, PNorm(2.0))
    with pytest.raises(InvalidInput, match="X has shape"):
        natural_descent(X[0], y, start, PNorm(2.0), step_size=0.1)
    with pytest.raises(InvalidInput, match="domain"):
        natural_descent(X, y, start, Entropy(), step_size=0.1)
    with pytest.raises(InvalidInput, match="tolerance"):
        mirror_descent(X, y, start, PNorm(2.0), tolerance=0.0)
    with pytest.raises(InvalidInput, match="first"):
        paces.ResidualsAgree(first=-1.0)


def test_the_tolerance_is_relative_to_the_targets():
    X, y, start = problems()
    run = mirror_descent(X, 7 * y, start, PNorm(3.0), tolerance=1e-3)
    left = (X @ run.last[..., None])[..., 0] - 7 * y
    share = left.norm(dim=-1) / (7 * y).norm(dim=-1)
    assert run.converged.all()
    assert ((share <= 1e-3) & (share > 1e-6)).all()
