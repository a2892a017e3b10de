import dataclasses
import importlib
import math

import pytest
import torch
from scipy.optimize import linprog

from ibcore.claims import Setting
from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.models.matrix_factorization import SymmetricFactorization, identity_start
from ibcore.models.observations import Sensing
from ibcore.oracles.matrix_entropy import entropy_minimum
from ibcore.oracles.nuclear_minimization import minimum_nuclear_norm
from ibcore.pages.regression.matrix_factorization.nuclear_norm import claims as page
from ibcore.pages.regression.matrix_factorization.nuclear_norm import runs
from ibcore.problems.sensing import (
    commuting_observations,
    corner_completion,
    gaussian_observations,
)
from tests.conformance import UnbrokenConformance, falls

commuting, rip, refuted = (
    importlib.import_module(f"{page.__name__}.{name}")
    for name in ("mf_nuclear_commuting", "mf_sensing_rip", "mf_nuclear_refuted")
)
CLAIMS = {
    claim.id: claim
    for claim in (
        page.mf_nuclear_commuting,
        page.mf_sensing_rip,
        page.mf_nuclear_refuted,
    )
}


class TestClaims(UnbrokenConformance):
    pass


@pytest.mark.parametrize("name", CLAIMS)
def test_all_that_is_measured_is_finite(verdicts, name):
    parts = vars(verdicts[name].measured).values()
    tensors = [part for part in parts if isinstance(part, torch.Tensor)]
    assert len(tensors) >= 4
    assert all(bool(part.isfinite().all()) for part in tensors)


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
    found = runs.least_trace(corner_completion(ratio))
    assert found.value == pytest.approx(least, rel=1e-6)
    assert (2 + 2 * ratio**2 > least + 0.1) == (ratio > 1)


def test_starts_are_symmetric_of_norm_one_and_their_own():
    starts = refuted.random_symmetric_starts(Setting("quick", 0), 3)
    torch.testing.assert_close(starts, starts.mT)
    torch.testing.assert_close(
        torch.linalg.matrix_norm(starts, 2), torch.ones(3).double()
    )
    assert not starts[0].equal(starts[1])
    assert starts[:2].equal(refuted.random_symmetric_starts(Setting("book", 0), 2))


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
    """W_11 = 0 and W_22 + 2 W_33 = 2: no positive definite matrix fits, and the loss
    falls like 1/t^2 only.
    """
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


@pytest.mark.parametrize(
    ("member", "wrong", "place"),
    [("shortest", 0.3, 0), ("shortest", math.nan, 0), ("least", 1e-3, 1)],
)
def test_convex_answers_are_judged_one_by_one(member, wrong, place):
    def judged(**changes):
        parts = {"shortest": torch.full((8,), 0.76), "least": torch.zeros(8)}
        for name, value in changes.items():
            parts[name][: 1 if name == "shortest" else 5] = value
        return falls(rip.convex_answers(**parts))

    assert judged() == []
    assert judged(**{member: wrong}) == [place]


def falling(**changes):
    """Made-up errors that fall by powers of ten, and exponents as predicted, but for
    `changes` of five problems.
    """
    errors = torch.tensor([0.2, 2e-3, 4e-4, 1e-6, 1e-8]).double().repeat(8, 1)
    ratios = torch.ones(8).double()
    for name, value in changes.items():
        if name == "ratios":
            ratios[:5] = value
        else:
            errors[:5, int(name[1:])] = value
    return falls(rip.falling(errors, ratios))


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({}, []),
        ({"e2": 0.1}, [0, 1]),
        ({"e4": 1e-3}, [1]),
        ({"e4": math.nan}, [1]),
        ({"ratios": 1.1}, [2]),
        ({"ratios": math.nan}, [2]),
    ],
)
def test_errors_and_exponents_are_judged_by_every_problem(changes, places):
    assert falling(**changes) == places


def test_the_control_survives_from_a_small_start_on_the_same_observations():
    data = [
        gaussian_observations(
            20, 1, rip.sensed_count(20), torch.Generator().manual_seed(seed)
        )
        for seed in range(1295020, 1295028)
    ]
    assert not rip.large_start(rip.errors_from(data, 1e-3, rip.STEP)).refuted
    assert rip.large_start(rip.errors_from(data, 0.5, rip.STEP / 5)).refuted


def test_starts_that_end_near_or_do_not_fit_refute_nothing():
    errors = torch.ones(8).double()
    assert rip.large_start(errors).refuted
    for wrong in (0.01, math.nan):
        errors[:3] = wrong
        assert not rip.large_start(errors).refuted


def test_so_few_observations_leave_room_for_other_semidefinite_matrices():
    """Where a start of size 0.5 ends fits as well and is positive semidefinite:
    positivity does not decide.
    """
    d = gaussian_observations(
        20, 1, rip.sensed_count(20), torch.Generator().manual_seed(1295030)
    )
    errors, losses = rip.recovery(d, torch.tensor([0.5]).double(), 0.02, 3000)
    assert float(losses[0]) < 1e-6
    assert float(errors[0]) > 0.5


def limits(**changes):
    """Made-up ends of flows on eight commuting problems at three scales, with the first
    changed at the last scale.
    """
    parts = {
        "certificates": torch.full((8, 3), 1e-11).double(),
        "residual": torch.full((8, 3), 1e-15).double(),
        "complete": torch.ones(8, 3).bool(),
        "distances": torch.full((8, 3), 1e-11).double(),
        "excess": torch.tensor([0.3, 0.1, 0.01]).double().repeat(8, 1),
        "apart": torch.full((8,), 0.1).double(),
    }
    for name, (count, value) in changes.items():
        parts[name].view(-1)[-count:] = value
    scales = torch.tensor([1.0, 0.1, 0.001]).double()
    return commuting.Limits(scales=scales, broken=(), **parts)


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({}, []),
        ({"certificates": (1, 1e-8)}, [0]),
        ({"certificates": (1, math.nan)}, [0]),
        ({"residual": (1, 1e-10)}, [1]),
        ({"residual": (1, math.nan)}, [1]),
        ({"complete": (1, False)}, [2]),
        ({"distances": (9, 1e-8)}, [3]),
        ({"distances": (1, 1e-5)}, [4]),
        ({"distances": (9, math.nan)}, [3, 4]),
        ({"excess": (1, 0.2)}, [5]),
        ({"excess": (1, -1e-6)}, [6]),
        ({"excess": (1, math.nan)}, [5, 6]),
    ],
)
def test_ends_of_the_flow_are_judged_problem_by_problem(changes, places):
    evidence = page.mf_nuclear_commuting.judge(limits(**changes))
    assert falls(evidence.checks) == places


def test_matrices_that_do_not_commute_refute_unless_they_are_near_or_lost():
    def refutes(*change):
        found = limits(apart=change)
        return page.mf_nuclear_commuting.judge(found).control.refuted

    assert refutes(2, 1e-6)
    assert not refutes(3, 1e-6)
    assert not refutes(3, math.nan)


def test_the_control_of_the_entropy_program_survives_where_matrices_commute():
    data = [
        commuting_observations(6, 3, torch.Generator().manual_seed(seed))
        for seed in range(1295040, 1295048)
    ]
    apart = torch.tensor([commuting.distance_at_one_scale(one) for one in data])
    assert not commuting.not_commuting(apart).refuted


def test_a_flow_that_ends_early_is_told_and_fails(monkeypatch):
    whole = runs.stiff_flow

    def cut(*given, **settings):
        return dataclasses.replace(whole(*given, **settings), status="out of steps")

    monkeypatch.setattr(runs, "stiff_flow", cut)
    sizes = {"size": 4, "observations": 2, "problems": 1, "scales": (1.0, 0.1)}
    problems = page.mf_nuclear_commuting.problems(Setting("quick", 3), **sizes)
    found = commuting.measure_limits(problems, Setting("quick", 3))
    assert found.broken == ("flow: out of steps",) * 2
    assert not found.complete.any()


def completions(**changes):
    """Made-up ends from eight starts at three scales; the first start has other
    eigenvalues at one of them.
    """
    second = 0.5 * torch.tensor([1e-1, 1e-12, 1e-14], dtype=torch.float64) ** 0.5
    eigenvalues = torch.zeros(8, 3, 4, dtype=torch.float64)
    eigenvalues[..., 0] = torch.tensor([14.0, 19.9999, 20.0]).double()
    eigenvalues[..., 1] = eigenvalues[..., 0] * second
    complete, least = torch.ones(8, 3).bool(), 12.0
    for name, (place, value) in changes.items():
        if name == "least":
            least = value
        elif name == "complete":
            complete[0, place] = value
        else:
            eigenvalues[0, place, int(name[1:])] = value
    return refuted.Completions(
        torch.tensor([1e-1, 1e-12, 1e-14], dtype=torch.float64),
        eigenvalues,
        complete,
        torch.full((1, 3), 1e-11).double(),
        least,
        0.5,
        (),
    )


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({}, []),
        ({"least": (0, 12.1)}, [1]),
        ({"least": (0, math.nan)}, [1]),
        ({"complete": (0, False)}, [2]),
        ({"e0": (2, 19.9)}, [3, 7]),
        ({"e1": (2, 0.03)}, [3, 4, 5, 6]),
        ({"e1": (2, 2e-6)}, [5]),
        ({"e1": (2, math.nan)}, [3, 4, 5, 6, 7]),
        ({"e1": (1, 11.0)}, [5, 6, 7]),
        ({"e0": (0, math.nan)}, [6]),
    ],
)
def test_completions_are_judged_start_by_start(changes, places):
    evidence = page.mf_nuclear_refuted.judge(completions(**changes))
    assert falls(evidence.checks) == places


def test_the_certificate_of_the_least_norm_counts():
    found = completions()
    for wrong in (1e-8, math.nan):
        found.certificates[0, 1] = wrong
        evidence = page.mf_nuclear_refuted.judge(found)
        assert falls(evidence.checks) == [0]


def test_the_control_of_the_refutation_survives_from_a_small_start(verdicts):
    ratios = verdicts["mf-nuclear-refuted"].measured.ratios
    assert refuted.start_of_size(0.1, ratios[:, 0]).refuted
    assert not refuted.start_of_size(1e-14, ratios[:, -1]).refuted
    lost = ratios[:, 0].clone()
    lost[:3] = math.nan
    assert not refuted.start_of_size(0.1, lost).refuted
