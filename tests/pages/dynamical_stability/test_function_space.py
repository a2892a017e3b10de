import dataclasses
import math

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.measures.sharpness import sharpness
from ibcore.models.diagonal import Diagonal
from ibcore.models.network import Network
from ibcore.oracles.stable_functions import least_sharpness, mean_load
from ibcore.pages.dynamical_stability.function_space import claims as page
from ibcore.pages.dynamical_stability.function_space import runs
from ibcore.pages.dynamical_stability.function_space.claims.diag_large_step_l1 import (
    SparseEnds,
    SparseProblems,
)
from ibcore.pages.dynamical_stability.function_space.claims.univariate_second_derivative import (
    SplineRuns,
    _fall,
)
from ibcore.validation import InvalidInput
from tests.conformance import Conformance, outcome

CPU = torch.device("cpu")
CLAIMS = {
    claim.id: claim
    for claim in (
        page.univariate_second_derivative,
        page.sgd_sobolev,
        page.diag_large_step_l1,
    )
}


class TestClaims(Conformance):
    """What all claims promise."""


def few_splines(gain=runs.WIGGLY, count=3):
    points = runs.sine_points(range(5, 5 + count), CPU)
    return runs.splines(points, range(20, 20 + count), gain)


def test_the_starts_interpolate_and_their_kinks_cover_the_interval():
    problem = few_splines()
    assert float(problem.objective.mean(problem.theta).max()) < 1e-20
    positions, _ = runs.bends(problem.theta)
    for x, kinks in zip(problem.x, positions, strict=True):
        counts = np.histogram(kinks.numpy(), x.numpy())[0]
        assert counts.min() >= 1


def test_the_integral_is_that_of_the_function():
    """|f''| g summed over the jumps of the slope that a fine grid sees, where no two
    kinks cancel.
    """
    problem = few_splines(1.0)
    positions, jumps = runs.bends(problem.theta)
    for k, x in enumerate(problem.x):
        order = positions[k].argsort()
        place, jump = positions[k][order], jumps[k][order]
        inside = (place > x.min()) & (place < x.max())
        place, jump = place[inside], jump[inside]
        middles = torch.cat(
            [x.min()[None], (place[1:] + place[:-1]) / 2, x.max()[None]]
        )
        ends = torch.stack([middles - 1e-7, middles + 1e-7], 1).flatten()[:, None]
        model = Network(ends, (runs.NEURONS,), "relu")
        values = model.outputs(problem.theta[k : k + 1])[0].view(-1, 2)
        slope = (values[:, 1] - values[:, 0]) / 2e-7
        torch.testing.assert_close(slope.diff(), jump, rtol=1e-3, atol=1e-5)
        weight = page_weight(x, place)
        total = (slope.diff().abs() * weight).sum()
        found = runs.weighted_bends(problem.x, problem.theta)[k]
        torch.testing.assert_close(total, found, rtol=1e-3, atol=1e-5)


def page_weight(x, t):
    """The smaller of P(X < t)^2 E[t - X | X < t] sqrt(1 + E[X | X < t]^2) and its
    mirror image.
    """
    rows = []
    for s in t:
        sides = [x[x < s], x[x > s]]
        rows.append(
            min(
                (len(side) / len(x)) ** 2
                * float((side - s).abs().mean())
                * math.sqrt(1 + float(side.mean()) ** 2)
                for side in sides
            )
        )
    return torch.tensor(rows).double()


def test_sharpness_is_that_of_the_dense_hessian():
    problem = few_splines()
    moved = problem.theta * 1.01
    found = sharpness(problem.objective, moved)
    model = problem.objective.model
    jacobian = model.jacobian(moved)
    rest = model.outputs(moved) - problem.y
    hessian = (2 / runs.POINTS) * (jacobian.mT @ jacobian + model.hessian(moved, rest))
    expected = torch.linalg.eigvalsh(hessian)[:, -1]
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=0)
    lost = moved.clone()
    lost[1, 0] = math.nan
    assert sharpness(problem.objective, lost).isnan().tolist() == [
        False,
        True,
        False,
    ]


def made_up_minima(bends, *, sharp=20.0, step=0.05, loss=1e-9, count=8):
    full = torch.full((count,), 1.0).double()
    return runs.Minima(
        full[:, None], step * full, loss * full, sharp * full, bends * full
    )


def with_one(part, name, value, members=1):
    values = getattr(part, name).clone()
    values[:members] = value
    return dataclasses.replace(part, **{name: values})


def spline_runs(**parts):
    default = {
        "start": made_up_minima(4.0),
        "end": made_up_minima(1.0, sharp=10.0, step=0.1),
        "small": made_up_minima(4.0),
    }
    return SplineRuns(few_splines(count=8), **{**default, **parts})


judge_splines = page.univariate_second_derivative.judge


def test_a_made_up_violation_makes_each_inequality_fall():
    assert outcome(judge_splines(spline_runs())) == ([], True)
    assert judge_splines(spline_runs()).notes["minima"] == 24
    end = made_up_minima(1.0, sharp=10.0, step=0.1)
    assert outcome(judge_splines(spline_runs(end=with_one(end, "sharpness", 5.9))))[
        0
    ] == [0]
    assert outcome(judge_splines(spline_runs(end=with_one(end, "sharpness", 21.0))))[
        0
    ] == [1]
    assert outcome(judge_splines(spline_runs(end=with_one(end, "bends", 4.6))))[0] == [
        0,
        2,
    ]
    for name, which in (("sharpness", [0, 1]), ("bends", [0, 2])):
        lost = judge_splines(spline_runs(end=with_one(end, name, math.nan)))
        assert outcome(lost)[0] == which


def test_residuals_may_take_from_a_sharpness_what_they_can_and_no_more():
    for loss, which in ((9e-7, []), (1e-12, [0])):
        end = made_up_minima(1.0, sharp=6 - 1e-3, step=0.1, loss=loss)
        assert outcome(judge_splines(spline_runs(end=end)))[0] == which
    ends = made_up_ends()
    load = mean_load(ends.problems.shifted.X, ends.problems.shifted.truth)
    for loss, which in ((9e-7, []), (1e-20, [1])):
        short = {"sharpness": 2 * load - 1e-3, "loss": loss + 0 * load}
        assert outcome(judge_sparse(made_up_ends(**short)))[0] == which


def test_ends_that_are_not_fitted_count_as_failing_and_refute_no_control():
    end = with_one(made_up_minima(1.0, sharp=10.0, step=0.1), "loss", 1e-3, 5)
    assert outcome(judge_splines(spline_runs(end=end))) == ([3], True)
    small = with_one(made_up_minima(4.0), "loss", math.nan, 3)
    assert outcome(judge_splines(spline_runs(small=small))) == ([], False)
    small = with_one(made_up_minima(4.0), "bends", 1.0, 3)
    assert outcome(judge_splines(spline_runs(small=small))) == ([], False)


def test_a_step_that_may_grow_would_let_the_control_survive(verdicts):
    """The control with its assumption restored: a third or less."""
    runs_of = verdicts["univariate-second-derivative"].measured
    assert _fall(runs_of.start, runs_of.end, most=0.25).holds is False
    assert _fall(runs_of.start, runs_of.small, least=0.9).holds is False


def test_minima_of_ordinary_starts_meet_the_bound_and_show_no_fall():
    problem = few_splines(runs.ORDINARY)
    start, _, end = runs.spline_runs(problem, torch.Generator().manual_seed(0))
    for part in (start, end):
        fitted = part.fitted
        bound = least_sharpness(part.bends)
        assert bool((part.sharpness >= bound)[fitted].all())
    ratio = (end.bends / start.bends)[end.fitted & start.fitted]
    assert bool((ratio > 0.5).all())


def test_own_points_take_the_place_of_drawn_ones():
    x = np.array([0.0, 1.0, 1.5, 2.5, 3.0, 4.0])
    y = np.array([0.0, 0.5, 0.2, 0.9, 0.4, 0.3])
    claim = page.univariate_second_derivative
    problem = claim.problems(Setting("quick", 0), data=(x, y), datasets=3)
    assert problem.x.shape == (3, 6)
    assert float(problem.objective.mean(problem.theta).max()) < 1e-20
    with pytest.raises(InvalidInput, match="twice"):
        claim.problems(Setting("quick", 0), data=(x * 0, y), datasets=3)


def few_sparse(mean=runs.MEAN):
    return runs.sparse_sets([1, 2], 2, mean, CPU)


def test_vanishing_steps_lead_where_the_convex_program_says():
    sets = few_sparse()
    assert float(sets.gap.max()) < 1e-8
    start = runs.even_start(runs.FEATURES, sets.y.new_full((2,), runs.SCALE))
    objective = sets.objective
    end, log_loss = runs.settle(
        objective,
        start,
        0.5 / sharpness(objective, start),
        steps=30_000,
        rest=1e-14,
        kick=1e-12,
        generator=torch.Generator().manual_seed(0),
    )
    beta = Diagonal(sets.X).coefficients(end)
    assert float(log_loss.max()) < math.log(1e-8)
    assert float((beta - sets.flow).abs().max() / sets.flow.abs().max()) < 0.02


def made_up_ends(**changes):
    """Ends of 8 data sets at the truth, shifted and centered, with a sharpness of twice
    the load and more.
    """
    shifted, centered = (
        runs.sparse_sets(range(8), 2, mean, CPU) for mean in (runs.MEAN, 0.0)
    )
    ends = []
    for sets, beta in ((shifted, shifted.truth), (centered, 1.5 * centered.flow)):
        theta = torch.cat([beta.clamp(min=0), (-beta).clamp(min=0)], -1).sqrt()
        load = mean_load(sets.X, beta)
        ends.append(runs.SparseMinima(theta, 0.85 / load, 1e-9 + 0 * load, 2.1 * load))
    ends[0] = dataclasses.replace(ends[0], **changes)
    problems = SparseProblems(shifted, centered, 200)
    return SparseEnds(problems, *ends)


judge_sparse = page.diag_large_step_l1.judge


def test_made_up_ends_at_the_truth_stand():
    assert outcome(judge_sparse(made_up_ends())) == ([], True)


def test_a_sparse_run_that_breaks_the_bound_makes_it_fall():
    good = made_up_ends().shifted
    for name, factor, which in (
        ("sharpness", 0.9, [1]),
        ("sharpness", math.nan, [1]),
        ("step", 1.2, [2]),
        ("step", math.nan, [2]),
    ):
        values = getattr(good, name).clone()
        values[0] *= factor
        assert outcome(judge_sparse(made_up_ends(**{name: values})))[0] == which


def test_sparse_runs_that_have_not_settled_count_as_failing():
    good = made_up_ends().shifted
    loss = good.loss.clone()
    loss[:5] = 1e-3
    assert outcome(judge_sparse(made_up_ends(loss=loss)))[0] == [3, 4, 5]
    ends = made_up_ends()
    lost = dataclasses.replace(
        ends.centered, loss=torch.full_like(ends.centered.loss, math.nan)
    )
    evidence = judge_sparse(dataclasses.replace(ends, centered=lost))
    assert not evidence.control.refuted


def test_the_control_survives_where_the_inputs_have_a_mean():
    ends = made_up_ends()
    whole = dataclasses.replace(
        ends,
        problems=SparseProblems(ends.problems.shifted, ends.problems.shifted, 200),
        centered=ends.shifted,
    )
    assert outcome(judge_sparse(whole)) == ([], False)


def test_a_step_without_a_number_lets_no_bound_stand(verdicts):
    found = verdicts["univariate-second-derivative"].measured
    step = found.end.step.clone()
    step[int(found.end.fitted.nonzero()[0])] = torch.nan
    lost = dataclasses.replace(found, end=dataclasses.replace(found.end, step=step))
    evidence = page.univariate_second_derivative.judge(lost)
    assert [check.holds for check in evidence.checks] == [True, False, False, True]
