import math
from dataclasses import replace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.regression.linear_networks import diagonal_networks as page
from ibcore.oracles.basis_pursuit import basis_pursuit
from ibcore.oracles.q_alpha import (
    inverse_link,
    q_alpha_minimizer,
    q_value,
    start_scale,
)
from ibcore.problems.sparse_regression import sparse_regression

CLAIMS = {
    claim.id: claim
    for claim in (
        page.diag_q_alpha,
        page.diag_l1_l2_transition,
        page.diag_depth,
        page.diag_init_shape,
    )
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


def test_networks_leave_the_predictions_for_other_scales_and_depths(verdicts):
    problems = verdicts["diag-q-alpha"].data["problems"]
    runs = verdicts["diag-q-alpha"].data["runs"]
    assert len(runs) == 4 * len(problems)
    for k, one in enumerate(runs):
        data = problems[k // 4]
        for depth, alpha in (
            (one.depth, one.alpha * 1.1),
            (2 if one.depth > 2 else 3, one.alpha + 0.1),
        ):
            other = q_alpha_minimizer(data.X, data.y, alpha, depth).primal
            assert page.relative_distance(one.predictor, other) > page.EXACT


@pytest.mark.parametrize(("depth", "alpha"), [(2, 0.1), (2, 1.0), (3, 0.3), (4, 0.5)])
def test_training_in_the_weights_ascends_the_dual_until_it_fits(depth, alpha):
    """zeta = h^-1(beta / s) is X^T nu, and G(nu) = nu.y - beta.zeta + Q(beta) rises from 0 to its maximum.

    The solver's tolerance of 1e-11 a step, over thousands of steps, leaves 1e-7.
    """
    data = sparse_regression(4, 9, 2, torch.Generator().manual_seed(1105030))
    net, s = page.Diagonal(data.X, depth), start_scale(alpha, depth)
    start = page.even_start(net.features, torch.tensor([alpha]).double())[0]
    end = page.stiff_flow(net, data.y, start, tolerance=1e-9).time
    times = [end * 2.0**-k for k in range(30, -1, -1)]
    run = page.stiff_flow(
        net, data.y, start, tolerance=1e-11, target_loss=0, times=times
    )
    best = q_alpha_minimizer(data.X, data.y, alpha, depth)
    betas = torch.cat([net.coefficients(run.path), best.primal[None]])
    zeta = inverse_link(betas / s, depth)
    nu = torch.linalg.lstsq(data.X.T, zeta.T).solution.T
    assert float((nu @ data.X - zeta).abs().max()) < 1e-7
    dual = nu @ data.y - (betas * zeta).sum(-1) + q_value(betas, s, depth)
    size = float(dual[-1])
    assert float(dual[0]) > -1e-7 * size
    assert float(dual.diff().min()) > -1e-7 * size
    assert float(dual[-2]) == pytest.approx(size, rel=1e-7)


def stopped(data, alpha, depth=2):
    """A network that a limit stopped before it fitted the data."""
    net = page.Diagonal(data.X, depth)
    start = page.even_start(net.features, torch.tensor([alpha]).double())[0]
    run = page.stiff_flow(net, data.y, start, max_steps=3)
    found = page._fitted(net.coefficients(run.state), run)
    return page.Trained(alpha, depth, 0.0, found, page.relative_distance(found, 0), run)


def test_a_network_that_did_not_fit_is_no_number_and_says_why():
    data = sparse_regression(4, 9, 2, torch.Generator().manual_seed(1))
    runs, reasons = page.train_all(lambda alpha: stopped(data, alpha), [0.1])
    assert bool(runs[0].predictor.isnan().all())
    assert math.isnan(runs[0].distance)
    assert reasons == (f"alpha = 0.1, depth 2: {runs[0].run.status}",)
    assert not page._at_minimizer("", [runs[0].distance, 1e-12]).holds


def test_one_network_that_breaks_down_takes_nobody_with_it(monkeypatch):
    train = page.train

    def breaks_once(data, alpha, depth=2):
        if depth == 3:
            raise ArithmeticError("made up")
        return train(data, alpha, depth)

    monkeypatch.setattr(page, "train", breaks_once)
    for claim, falling in ((page.diag_q_alpha, {2}), (page.diag_depth, {0, 4})):
        evidence = claim.verify(Setting("quick", 4)).evidence
        assert {k for k, c in enumerate(evidence.checks) if not c.holds} == falling
        assert evidence.broken == ("ArithmeticError: made up",) * 2
    assert not evidence.control.refuted


def test_a_run_that_did_not_fit_refutes_nothing(monkeypatch):
    flow = page.stiff_flow
    monkeypatch.setattr(
        page,
        "stiff_flow",
        lambda *arguments, **options: flow(*arguments, **{**options, "max_steps": 3}),
    )
    setting = Setting("quick", 4)
    data = [
        sparse_regression(4, 9, 2, torch.Generator().manual_seed(k)) for k in (0, 1)
    ]
    control, _ = page._uneven_start(setting, data)
    assert not control.refuted
    for claim in (page.diag_depth, page.diag_init_shape):
        evidence = claim.verify(setting).evidence
        assert not evidence.control.refuted
        assert any("step limit" in reason for reason in evidence.broken)


def test_minimizers_without_certificate_are_noticed():
    data = sparse_regression(4, 9, 2, torch.Generator().manual_seed(1))
    good = q_alpha_minimizer(data.X, data.y, 0.1)
    assert page._certified([good, good]).holds
    for bad in ({"residual": math.nan}, {"correction": math.nan}, {"residual": 1e-6}):
        assert not page._certified([replace(good, **bad), good]).holds
    pursuit = basis_pursuit(data.X, data.y)
    assert page._pursued([pursuit]).holds
    for bad in ({"gap": math.nan}, {"residual": math.nan}, {"gap": 1e-6}):
        assert not page._pursued([pursuit, replace(pursuit, **bad)]).holds


@pytest.mark.parametrize(
    ("name", "value", "falls"),
    [
        ("residual", 1e-9, 1),
        ("residual", math.nan, 1),
        ("bounded", 1.1, 2),
        ("bounded", math.nan, 2),
        ("exponent", 1.2, 4),
        ("exponent", 0.8, 4),
        ("far", -3.9, 5),
        ("far", -4.1, 5),
    ],
)
def test_one_bad_curve_makes_its_check_fall(verdicts, name, value, falls):
    data = verdicts["diag-l1-l2-transition"].data
    pursuits = [pursuit for _, pursuit in data["kept"]]
    curves = [*data["curves"][1:], replace(data["curves"][0], **{name: value})]
    checks = page._curve_checks(curves, pursuits)
    assert [k for k, check in enumerate(checks) if not check.holds] == [falls]


def test_samples_are_judged_by_their_shares():
    d = 100
    enough = torch.full((12,), page.predicted_samples(d), dtype=torch.float64)
    most = torch.full((12,), 0.9 * d, dtype=torch.float64)
    near, few, many = page._sample_checks(d, torch.stack([0.8 * enough, most]))
    assert all(check.holds for check in (near, few, many))
    near, few, many = page._sample_checks(d, torch.stack([1.1 * enough, 0.8 * most]))
    assert not any(check.holds for check in (near, few, many))
    near, few, _ = page._sample_checks(d, torch.stack([0 * enough + 1, most]))
    assert not near.holds
    assert few.holds


@pytest.mark.parametrize(
    ("changes", "falls"),
    [
        ({}, []),
        ({"exponent": 1.3}, [1]),
        ({"exponent": 0.7}, [1]),
        ({"exponent": math.nan}, [1]),
        ({"bounded": 1.1}, [0]),
        ({"bounded": math.nan}, [0]),
    ],
)
def test_trained_falls_are_judged_by_their_exponents_and_bounds(changes, falls):
    good = page.Fall(exponent=1.01, bounded=0.05)
    checks = page._fall_checks([good] * 3 + [replace(good, **changes)] * 5)
    assert [k for k, check in enumerate(checks) if not check.holds] == falls


def test_a_fall_is_read_from_two_trained_networks():
    """On the data that the claim draws the power has set in, up to the bend of data that nearly tie."""
    (case,), _ = Setting("quick", 1295050).draw(
        1, "any", lambda g: page._with_slack(6, 16, g)
    )
    found = page._fall(*case)
    assert found.exponent == pytest.approx(1, abs=0.4)
    assert 0 < found.bounded < 1


def test_the_control_of_shapes_survives_where_the_layers_are_equal():
    (case,), _ = Setting("quick", 1295051).draw(
        1, "any", lambda g: page._with_slack(6, 14, g)
    )
    corners, broken = page._corners([case[0]], 1e-4, (0.0, 0.99))
    assert broken == ()
    assert [one.shape for one in corners.runs] == [0.0, 0.99, 0.99]
    assert corners.apart[0] < 1e-9
    assert page._scale_alone(1e-4, 0.99, corners.missed * 8).refuted
    equal = page._from_equal(case[0], corners.runs[0])
    assert not page._scale_alone(1e-4, 0.0, [equal] * 8).refuted
    assert not page._scale_alone(1e-4, 0.99, [math.nan] * 8).refuted


def test_depths_are_judged_over_data_sets():
    gaps = torch.tensor([[1.0, 0.1, 0.01]]).double().expand(8, 3)
    laws = {3: [1.0] * 8, 4: [1.0] * 8}
    good = page._depth_checks([0.0], gaps, laws, [0.001])
    assert all(check.holds for check in good)
    flat = gaps.clone()
    flat[:5, 2] = 0.2
    bad = page._depth_checks(
        [math.nan], flat, {3: [*laws[3][1:], 1.2], 4: [*laws[4][1:], math.nan]}, [0.1]
    )
    assert not any(check.holds for check in bad)


def test_notes_count_networks_and_data_sets(verdicts):
    notes = {name: verdict.evidence.notes for name, verdict in verdicts.items()}
    data = {name: verdict.data for name, verdict in verdicts.items()}
    assert notes["diag-q-alpha"]["networks"] == len(data["diag-q-alpha"]["runs"]) == 8
    shape = data["diag-init-shape"]
    networks = len(shape["runs"]) + len(shape["equal"]) + 3 * 3
    assert notes["diag-init-shape"]["networks"] == networks
    assert notes["diag-depth"]["data sets"] == len(data["diag-depth"]["kept"])
    assert all(
        notes[name][page.REJECTED] >= 0 for name in notes if name != "diag-depth"
    )


def test_excesses_rise_with_the_scale(verdicts):
    for curve in verdicts["diag-l1-l2-transition"].data["curves"]:
        shown = curve.excess[curve.excess > 1e-10]
        assert bool((shown.diff() < 0).all())
        assert abs(float(curve.l2[0])) < 1e-9


def test_samples_lie_between_the_sparsity_and_the_dimension(verdicts):
    needed = verdicts["diag-l1-l2-transition"].data["needed"][60]
    assert needed.shape == (2, 12)
    assert bool((needed[0] >= page.nonzeros(60)).all())
    assert bool((needed[0] < needed[1]).all())


def test_bisection_finds_the_first_sufficient_sample():
    data = sparse_regression(20, 20, 2, torch.Generator().manual_seed(0))
    count = page._least_count(data, 1e-3)
    for n, found in ((count, True), (count - 1, False)):
        part = data.first(n)
        beta = q_alpha_minimizer(part.X, part.y, 1e-3).primal
        error = float((beta - data.truth).square().sum() / data.truth.square().sum())
        assert (error <= page.RECOVERED) is found


def test_the_two_answers_are_apart(verdicts):
    data = verdicts["diag-depth"].data
    for problem, pursuit in data["kept"]:
        assert basis_pursuit(problem.X, problem.y).norm == pytest.approx(pursuit.norm)
        assert int(pursuit.support.sum()) == 3
    assert min(data["far"]) > 10 * max(data["near"])


def test_excess_is_a_function_of_c(verdicts):
    data = verdicts["diag-init-shape"].data
    for c, excess in data["points"]:
        below = data["curve"][data["curve"][:, 0] <= c, 1].max()
        above = data["curve"][data["curve"][:, 0] >= c, 1].min()
        assert float(below) * (1 - 1e-6) <= excess <= float(above) * (1 + 1e-6)
