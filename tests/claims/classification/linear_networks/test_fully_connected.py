import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from ibcore.claims import Setting
from ibcore.claims.classification.linear_networks import fully_connected as page
from ibcore.dynamics.log_time import flow
from ibcore.losses import Exponential
from ibcore.measures.layers import singular_pairs
from ibcore.models.deep_linear import DeepLinear, balanced_start
from ibcore.oracles.support_vectors import distinctness, spans
from ibcore.problems.separable import planted_margin

CLAIMS = {
    claim.id: claim
    for claim in (page.deep_linear_max_margin, page.deep_linear_alignment)
}


@pytest.fixture(scope="module")
def verdicts():
    """Each claim at quick sizes for seed 0, and at another depth for seed 1."""
    first = {
        (name, 0): claim.verify(Setting("quick", 0)) for name, claim in CLAIMS.items()
    }
    other = {"deep-linear-max-margin": (2,), "deep-linear-alignment": (4,)}
    return first | {
        (name, 1): claim.verify(Setting("quick", 1), depths=other[name])
        for name, claim in CLAIMS.items()
    }


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name, seed):
    evidence = verdicts[name, seed].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


@pytest.mark.parametrize("name", CLAIMS)
def test_figures_get_finite_arrays_on_the_cpu(verdicts, name):
    for values in verdicts[name, 0].data.values():
        for value in values.values() if isinstance(values, dict) else ():
            assert value.device.type == "cpu"
            assert bool(value.isfinite().all())


def fallen(checks):
    return [check.name for check in checks if not check.holds]


def test_one_run_that_broke_down_makes_the_direction_fall(verdicts):
    data = verdicts["deep-linear-max-margin", 0].data
    measured = data["batch"], data["log_loss"]
    assert fallen(page.judge_direction(*measured, data["sines"])) == []
    for member, statements in ((0, 3), (4, 2)):
        sines = data["sines"][3].clone()
        sines[-1, member] = math.nan
        assert len(fallen(page.judge_direction(*measured, {3: sines}))) == statements


def test_another_rate_and_another_constant_are_told(verdicts):
    data = verdicts["deep-linear-max-margin", 0].data
    log_loss, sines = data["log_loss"][3], data["sines"][3]
    slower = {3: sines * (-log_loss) ** 0.01}
    assert len(fallen(page.judge_direction(data["batch"], {3: log_loss}, slower))) == 3
    larger = {3: 1.02 * sines}
    assert len(fallen(page.judge_direction(data["batch"], {3: log_loss}, larger))) == 1
    shown = fallen(page.judge_direction(data["batch"], {3: log_loss}, {3: 50 * sines}))
    assert len(shown) == 2


def made_up_alignment(depth, members=8):
    """Runs that follow both laws exactly, with constants of one half."""
    log_loss = torch.tensor(page.LEVELS, dtype=torch.float64)[:, None].repeat(
        1, members
    )
    ratios, sines = (-log_loss) ** (-1 / depth) / 2, (-log_loss) ** (-2 / depth) / 2
    exact = torch.ones(members, dtype=torch.float64)
    return page.Alignment(
        0 * exact, exact, log_loss, ratios, sines, -exact / depth, -2 * exact / depth
    )


def test_every_number_of_the_alignment_counts():
    runs = {depth: made_up_alignment(depth) for depth in (2, 4)}
    assert fallen(page.judge_alignment(runs)) == []
    for field in fields(page.Alignment):
        values = getattr(runs[4], field.name).clone()
        values[..., 5] = math.nan
        broken = replace(runs[4], **{field.name: values})
        assert fallen(page.judge_alignment(runs | {4: broken})), field.name
    turned = replace(runs[4], turning=runs[4].turning * 1.1)
    assert len(fallen(page.judge_alignment(runs | {4: turned}))) == 1


def test_both_kinds_of_data_are_what_they_are_called():
    batch, notes = page.draw_batch(Setting("quick", 3), 2, "any")
    kinds = [
        spans(p.signed, s.dual)
        for p, s in zip(batch.problems, batch.solutions, strict=True)
    ]
    assert kinds == batch.spanned.tolist() == [True, True, False, False]
    for problem, solution in zip(batch.problems, batch.solutions, strict=True):
        assert float(distinctness(problem.signed, solution.dual).min()) >= page.DISTINCT
    assert notes["problems"] == 4


def test_where_the_support_vectors_do_not_span_the_spanned_rate_would_not_hold(
    verdicts,
):
    data = verdicts["deep-linear-max-margin", 0].data
    late = -data["log_loss"][3][:, 4], data["sines"][3][:, 4]
    falls = math.log(late[1][-1] / late[1][1]) / math.log(late[0][-1] / late[0][1])
    assert falls > -0.5


@pytest.mark.parametrize("depth", [2, 3])
def test_from_a_balanced_start_the_predictor_follows_its_own_equation(depth):
    """dw/dt = |w|^(2 - 2/k) (g + (k - 1) (g.u) u), u = w/|w|, integrated by SciPy without any layers."""
    data = planted_margin(8, 3, 0.1, torch.Generator().manual_seed(4))
    rows = data.signed.numpy()
    model = DeepLinear(data.signed, (4,) * (depth - 1))
    start = balanced_start(model, 1, 0.6, torch.Generator().manual_seed(5))

    def field(_, w):
        g, norm = np.exp(-rows @ w) @ rows / len(rows), np.linalg.norm(w)
        return norm ** (2 - 2 / depth) * (g + (depth - 1) * (g @ w) / norm**2 * w)

    alone = solve_ivp(
        field,
        (0, 40),
        model.end_to_end(start)[0].numpy(),
        method="DOP853",
        rtol=1e-10,
        atol=1e-12,
    )
    run = flow(model, Exponential(), start, log_time=math.log(40), tolerance=1e-9)
    np.testing.assert_allclose(
        model.end_to_end(run.theta[0])[0].numpy(), alone.y[:, -1], rtol=1e-7
    )
    second = singular_pairs(model.layers(run.theta[0]))[1]
    assert float(second.max()) < 1e-7


@pytest.mark.parametrize(
    ("name", "phase", "lost", "lost_in_control"),
    [
        ("deep-linear-max-margin", 0, 1, 1),
        ("deep-linear-max-margin", 1, 0, 1),
        ("deep-linear-max-margin", 2, 1, 0),
        ("deep-linear-alignment", 0, 1, 0),
        ("deep-linear-alignment", 1, 1, 0),
        ("deep-linear-alignment", 2, 0, 1),
    ],
)
def test_a_run_that_ends_early_takes_nobody_with_it(
    monkeypatch, name, phase, lost, lost_in_control
):
    """One call of `flow`, the number `phase`, gives no numbers for its first member."""
    phases = iter(range(3))

    def ends_early(*arguments, **options):
        run = flow(*arguments, **options)
        if next(phases) != phase:
            return run
        for values in (run.theta, run.log_loss):
            values[:, 0] = math.nan
        for values in run.drift.values():
            values[0] = math.nan
        return replace(run, status=("step limit of 3", *run.status[1:]))

    monkeypatch.setattr(page, "flow", ends_early)
    evidence = CLAIMS[name].verify(Setting("quick", 0)).evidence
    assert max(check.broken for check in evidence.checks) == lost
    assert evidence.holds is (lost == 0)
    assert evidence.control.failure.broken == lost_in_control
    assert evidence.control.refuted
    assert evidence.broken != ()
