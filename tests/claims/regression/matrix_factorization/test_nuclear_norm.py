import math

import pytest
import torch
from scipy.optimize import linprog

from ibcore.claims import Setting
from ibcore.claims.regression.matrix_factorization import nuclear_norm as page
from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.models.matrix_factorization import SymmetricFactorization, identity_start
from ibcore.models.observations import Sensing
from ibcore.oracles.matrix_entropy import entropy_minimum
from ibcore.oracles.nuclear_minimization import minimum_nuclear_norm
from ibcore.problems.sensing import (
    commuting_observations,
    corner_completion,
    gaussian_observations,
)

CLAIMS = {
    claim.id: claim
    for claim in (
        page.mf_nuclear_commuting,
        page.mf_sensing_rip,
        page.mf_nuclear_refuted,
    )
}


@pytest.fixture(scope="module")
def verdicts():
    """Each claim at quick sizes."""
    return {name: claim.verify(Setting("quick", 1)) for name, claim in CLAIMS.items()}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


@pytest.mark.parametrize("name", CLAIMS)
def test_figures_get_finite_arrays_on_the_cpu(verdicts, name):
    for values in verdicts[name].data.values():
        assert values.device.type == "cpu"
        assert bool(values.isfinite().all())


def test_for_commuting_observations_the_least_nuclear_norm_is_a_linear_program():
    data = commuting_observations(6, 3, torch.Generator().manual_seed(5))
    basis = torch.linalg.eigh(
        torch.einsum("n,nab->ab", torch.tensor([1.0, 2.0, 3.0]).double(), data.matrices)
    )[1]
    rows = (basis.mT @ data.matrices @ basis).diagonal(dim1=1, dim2=2)
    program = linprog([1.0] * 6, A_eq=rows.numpy(), b_eq=data.targets.numpy())
    found = minimum_nuclear_norm(data.matrices, data.targets, semidefinite=True)
    assert found.value == pytest.approx(program.fun, rel=1e-8)


@pytest.mark.parametrize(("ratio", "least"), [(3.0, 12.0), (1.5, 6.0), (0.5, 2.5)])
def test_rank_and_nuclear_norm_part_only_for_ratios_above_one(ratio, least):
    found = page.least_trace(corner_completion(ratio))
    assert found.value == pytest.approx(least, rel=1e-6)
    assert (2 + 2 * ratio**2 > least + 0.1) == (ratio > 1)


def test_starts_are_symmetric_of_norm_one_and_their_own():
    starts = page.random_symmetric_starts(Setting("quick", 0), 3)
    torch.testing.assert_close(starts, starts.mT)
    torch.testing.assert_close(
        torch.linalg.matrix_norm(starts, 2), torch.ones(3).double()
    )
    assert not starts[0].equal(starts[1])
    assert starts[:2].equal(page.random_symmetric_starts(Setting("book", 0), 2))


def followed(matrices, targets, scale, times):
    """Losses (K,) and W (K, d, d) of the raw flow from U = scale I at `times`."""
    model = SymmetricFactorization(Sensing(matrices))
    start = identity_start(model, [scale])[0]
    run = stiff_flow(model, targets, start, target_loss=0, times=times, tolerance=1e-10)
    losses = (model.outputs(run.path) - targets).square().mean(1)
    return losses, model.product(run.path)


def divergence(fit, scale):
    """sum_k v_k log(v_k / alpha^2) - v_k + alpha^2 for a diagonal fit v (d,)."""
    return float((torch.xlogy(fit, fit / scale**2) - fit + scale**2).sum())


def test_commuting_observations_are_fitted_also_where_only_singular_matrices_fit():
    """W_11 = 0 and W_22 + 2 W_33 = 2: no positive definite matrix fits, and the loss falls like 1/t^2 only."""
    matrices = torch.stack(
        [torch.diag(torch.tensor(row)) for row in ([1.0, 0.0, 0.0], [0.0, 1.0, 2.0])]
    ).double()
    targets, scale = torch.tensor([0.0, 2.0], dtype=torch.float64), 0.5
    times = [1.0, 10.0, 100.0, 1e4]
    losses, products = followed(matrices, targets, scale, times)
    first = scale**2 / (1 + 4 * scale**2 * torch.tensor(times).double())
    torch.testing.assert_close(products[:, 0, 0], first, rtol=1e-6, atol=0)
    for fit in ([0.0, 2.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.5]):
        bound = divergence(torch.tensor(fit).double(), scale)
        assert all(
            loss <= bound / (8 * t) for loss, t in zip(losses, times, strict=True)
        )
    rest = entropy_minimum(matrices[1:, 1:, 1:], targets[1:], [scale]).matrix[0]
    torch.testing.assert_close(products[-1, 1:, 1:], rest, rtol=1e-6, atol=1e-6)


def test_the_loss_of_commuting_observations_is_below_the_divergence_over_8_t():
    data = commuting_observations(5, 3, torch.Generator().manual_seed(1106010))
    basis = torch.linalg.eigh(
        torch.einsum("n,nab->ab", torch.tensor([1.0, 2.0, 3.0]).double(), data.matrices)
    )[1]
    fit, times = (basis.mT @ data.truth @ basis).diagonal(), [0.1, 1.0, 10.0]
    losses, _ = followed(data.matrices, data.targets, 0.1, times)
    bound = divergence(fit, 0.1)
    assert all(
        0 < loss <= bound / (8 * t) for loss, t in zip(losses, times, strict=True)
    )


def fallen(checks):
    return [k for k, check in enumerate(checks) if not check.holds]


@pytest.mark.parametrize(
    ("member", "wrong", "falls"),
    [("shortest", 0.3, 0), ("shortest", math.nan, 0), ("least", 1e-3, 1)],
)
def test_convex_answers_are_judged_one_by_one(member, wrong, falls):
    def judged(**changes):
        parts = {"shortest": torch.full((8,), 0.76), "least": torch.zeros(8)}
        for name, value in changes.items():
            parts[name][: 1 if name == "shortest" else 5] = value
        return fallen(page._recovered(**parts))

    assert judged() == []
    assert judged(**{member: wrong}) == [falls]


def falling(**changes):
    """Made-up errors that fall by powers of ten, and exponents as predicted, but for `changes` of five problems."""
    errors = torch.tensor([0.2, 2e-3, 4e-4, 1e-6, 1e-8]).double().repeat(8, 1)
    ratios = torch.ones(8).double()
    for name, value in changes.items():
        if name == "ratios":
            ratios[:5] = value
        else:
            errors[:5, int(name[1:])] = value
    return fallen(page._falling(errors, ratios))


@pytest.mark.parametrize(
    ("changes", "falls"),
    [
        ({}, []),
        ({"e2": 0.1}, [0, 1]),
        ({"e4": 1e-3}, [1]),
        ({"e4": math.nan}, [1]),
        ({"ratios": 1.1}, [2]),
        ({"ratios": math.nan}, [2]),
    ],
)
def test_errors_and_exponents_are_judged_by_every_problem(changes, falls):
    assert falling(**changes) == falls


def test_the_control_survives_from_a_small_start_on_the_same_observations():
    data = [
        gaussian_observations(
            20, 1, page.sensed_count(20), torch.Generator().manual_seed(seed)
        )
        for seed in range(1295020, 1295028)
    ]
    assert not page.large_start(page._started(data, 1e-3, page.STEP)).refuted
    assert page.large_start(page._started(data, 0.5, page.STEP / 5)).refuted


def test_starts_that_end_near_or_do_not_fit_refute_nothing():
    errors = torch.ones(8).double()
    assert page.large_start(errors).refuted
    for wrong in (0.01, math.nan):
        errors[:3] = wrong
        assert not page.large_start(errors).refuted


def test_so_few_observations_leave_room_for_other_semidefinite_matrices():
    """Where a start of size 0.5 ends fits as well and is positive semidefinite: positivity does not decide."""
    d = gaussian_observations(
        20, 1, page.sensed_count(20), torch.Generator().manual_seed(1295030)
    )
    errors, losses = page._recovery(d, torch.tensor([0.5]).double(), 0.02, 3000)
    assert float(losses[0]) < 1e-6
    assert float(errors[0]) > 0.5
