import math

import torch

from ibcore.dynamics.batches import with_replacement
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Square
from ibcore.measures.sharpness import exact_trace
from ibcore.models.diagonal import Diagonal
from ibcore.pages.further.label_noise import claims as page
from ibcore.pages.further.label_noise import noise, runs
from tests.conformance import Conformance, falls

CLAIMS = {claim.id: claim for claim in (page.label_noise_trace,)}
CPU = torch.device("cpu")


class TestClaims(Conformance):
    """What all claims promise."""


def test_what_is_measured_has_a_kind_in_every_row(verdicts):
    found = verdicts["label-noise-trace"].measured
    assert found.noisy.theta.shape == (4, 16, 200)
    assert found.nets.traces.shape == (3, 2, 8)


def poisoned(values, members, place=None):
    lost = values.clone()
    lost[(..., slice(members)) if place is None else (place, slice(members))] = math.nan
    return lost


def test_programs_that_are_not_solved_or_undercut_make_the_claim_fall():
    zeros, ones = torch.zeros(2, 16).double(), torch.ones(16).double()
    above = torch.zeros(3, 16).double()
    assert falls(page._programs(zeros, ones, above)) == []
    assert falls(page._programs(poisoned(zeros, 1), ones, above)) == [0]
    assert falls(page._programs(zeros + 1e-6, ones, above)) == [0]
    assert falls(page._programs(zeros, poisoned(ones, 1), above)) == [1]
    assert falls(page._programs(zeros, ones + 1e-8, above)) == [1]
    assert falls(page._programs(zeros, ones, poisoned(above, 1, 2))) == [2]
    assert falls(page._programs(zeros, ones, above - 1e-5)) == [2]


def test_regressions_that_did_not_get_there_make_the_claim_fall():
    factors, traces = torch.full((4, 16), 20.0), torch.full((4, 16), 1.01)
    losses = torch.full((4, 16), math.log(5e-6))
    assert falls(page._sparse(factors, traces, losses)) == []
    for place, (few, value) in enumerate(((factors, 9.0), (traces, 1.03), (losses, 0))):
        for bad in (math.nan, float(value)):
            parts = [factors, traces, losses]
            lost = few.clone()
            lost[page.STRONG, :7] = bad
            parts[place] = lost
            assert falls(page._sparse(*parts)) == [place]
            lost = few.clone()
            lost[0] = bad
            parts[place] = lost
            assert falls(page._sparse(*parts)) == []


def test_another_rate_of_forgetting_makes_the_claim_fall():
    rates = torch.full((2, 8), 1.1).double()
    assert page._forgetting(rates).holds
    assert not page._forgetting(poisoned(rates, 1, 0)).holds
    assert not page._forgetting(rates * 2).holds
    assert not page._forgetting(rates / 2).holds


def test_networks_that_stay_or_move_where_they_should_not_make_the_claim_fall():
    ratios = torch.tensor([[1.0], [0.4], [1.5]]).repeat(1, 8).double()
    assert falls(page._networks(ratios)) == []
    for place, bad in ((0, 1.01), (0, math.nan), (1, 0.6), (1, math.nan)):
        wrong = ratios.clone()
        wrong[place, :5] = bad
        assert falls(page._networks(wrong)) == [place]


def test_the_control_could_come_out_the_other_way(verdicts):
    """Where the noise is that of labels, the same judgment does not refute."""
    found = verdicts["label-noise-trace"].measured
    assert not page._isotropic(found.factors[page.STRONG], found.falls[1]).refuted
    lost = poisoned(found.factors[-1], 7)
    assert not page._isotropic(lost, found.falls[-1]).refuted


def small(members=3):
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(members, 6, 4, generator=generator, dtype=torch.float64)
    y = torch.randn(members, 6, generator=generator, dtype=torch.float64)
    start = torch.rand(members, 8, generator=generator, dtype=torch.float64)
    return Objective(Diagonal(X), Square(), y, shared=False), start


def test_turned_noise_has_the_length_of_label_noise_and_another_direction():
    objective, start = small()
    start[1, 4:] = 0
    shake = torch.randn(3, 6, generator=torch.Generator().manual_seed(1)).double()
    turned = noise.isotropic(objective, start, torch.Generator().manual_seed(2))
    plain = objective.at(start).slope[0]
    labels = objective.perturbed(shake).at(start).slope[0] - plain
    other = turned.perturbed(shake).at(start).slope[0] - plain
    sizes = [torch.linalg.vector_norm(part, dim=-1) for part in (labels, other)]
    torch.testing.assert_close(sizes[1], sizes[0])
    assert float((labels - other).abs().max()) > 0.01
    assert bool((other[1, 4:] == 0).all())
    part = turned.select(torch.tensor([2, 1])).select(torch.tensor([1]))
    assert part.members.tolist() == [1]
    assert part.perturbed(shake[1:2]).at(start[1:2]).slope[0].shape == (1, 8)


def test_turned_noise_is_alike_in_all_directions():
    objective, start = small(1)
    turned = noise.isotropic(objective, start, torch.Generator().manual_seed(2))
    draws = torch.stack([turned.direction()[0] for _ in range(4000)])
    torch.testing.assert_close(
        draws.T @ draws / 4000,
        torch.eye(8, dtype=torch.float64) / 8,
        rtol=0,
        atol=0.01,
    )


def test_label_noise_at_zero_loss_has_the_shape_of_the_hessian():
    """Covariance of the gradient of a batch of two: 2 sigma^2 / B times the Hessian."""
    objective, start = small(1)
    targets = objective.model.outputs(start)
    objective = Objective(objective.model, Square(), targets, shared=False)
    product = objective.curvature(start)
    hessian = torch.stack([product(row[None])[0] for row in torch.eye(8).double()])
    draw = noise.signs(torch.tensor([1.5]), torch.Generator().manual_seed(3))
    rows = with_replacement(2, torch.Generator().manual_seed(4))(1, 6)
    slopes = []
    for _ in range(20_000):
        batch = objective.minibatch(next(rows)).perturbed(draw((1, 2)).double())
        slopes.append(batch.at(start).slope[0][0])
    slopes = torch.stack(slopes)
    expected = 2 * 1.5**2 / 2 * hessian
    size = float(expected.diagonal().max())
    torch.testing.assert_close(
        slopes.T @ slopes / len(slopes), expected, rtol=0, atol=0.05 * size
    )


def test_the_product_is_multiplied_as_the_page_says():
    objective, start = small(2)
    draw = noise.signs(torch.ones(2), torch.Generator().manual_seed(5))
    kept = draw((2, 6))
    run = descend(objective, start, constant(0.05), steps=[1], label_noise=lambda _: kept)  # fmt: skip
    rest = objective.model.outputs(start) - objective.targets - kept
    g = 2 / 6 * (objective.model.inputs.mT @ rest[..., None])[..., 0]
    before, after = (u * v for u, v in (t.chunk(2, -1) for t in (start, run.theta[0])))
    torch.testing.assert_close(after, before * (1 - 4 * 0.05**2 * g**2))


def test_the_exact_trace_is_the_formula_of_the_page():
    objective, start = small()
    start[2] = math.nan
    found = exact_trace(objective, start)
    expected = runs.trace(objective.model.inputs, start)
    torch.testing.assert_close(found[:2], expected[:2])
    assert bool(found[2].isnan())
    model = Diagonal(objective.model.inputs.repeat(3, 1, 1))
    thrice = Objective(model, Square(), objective.targets.repeat(3, 1), shared=False)
    again = exact_trace(thrice, start, 3)
    torch.testing.assert_close(again[:2], expected[:2])


def test_without_label_noise_a_fitted_problem_stays_where_it_is():
    objective, start = small()
    targets = objective.model.outputs(start)
    objective = Objective(objective.model, Square(), targets, shared=False)
    generator = torch.Generator().manual_seed(0)
    run = descend(objective, start, constant(0.05), steps=[500],
                  batches=with_replacement(2, generator))  # fmt: skip
    assert torch.equal(run.theta[0], start)


def test_a_run_that_is_lost_stays_lost_after_the_noise():
    objective, start = small()
    start[1] = math.nan
    run = runs.polish(objective, start, objective.model.inputs)
    assert run.last.isnan().any(-1).tolist() == [False, True, False]
    assert run.last_log_loss.isnan().tolist() == [False, True, False]


def test_problems_are_the_same_with_and_without_signs():
    data = runs.Sparse.draw([1, 2], CPU)
    assert data.X.shape == (4, 40, 100)
    torch.testing.assert_close(data.truth[:2], data.truth[2:].abs())
    best = torch.stack([one.primal for one in data.least])
    torch.testing.assert_close(best, data.truth, rtol=1e-6, atol=1e-6)
    sizes = data.start.square().unflatten(-1, (2, -1)).sum(1)
    torch.testing.assert_close(sizes, torch.full_like(sizes, 0.25))
    assert bool((data.start[:2, 100:] == 0).all())


def test_networks_that_do_not_come_back_to_zero_loss_have_no_trace(monkeypatch):
    data = runs.Nets.draw([3, 4], torch.device("cpu"))
    monkeypatch.setattr(runs, "_NET_POLISH_MOST", 10)
    assert bool(runs.train_nets(data, 20, 5, 1).traces.isnan().all())
