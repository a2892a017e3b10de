import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.evidence import attempt
from ibcore.measures.members import rows
from ibcore.measures.relative import relative_distance
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.oracles.q_alpha import (
    inverse_link,
    q_alpha_minimizer,
    q_value,
    start_scale,
)
from ibcore.pages.regression.linear_networks.diagonal_networks import bars, networks
from ibcore.pages.regression.linear_networks.diagonal_networks.claims.diag_q_alpha import (
    diag_q_alpha,
    draw_problems,
    measure_networks,
    own_problems,
    uneven_distance,
)
from ibcore.problems.sparse_regression import sparse_regression
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {diag_q_alpha.id: diag_q_alpha}
QUICK = diag_q_alpha.sizes["quick"]


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def sparse(seed):
    return sparse_regression(4, 9, 2, torch.Generator().manual_seed(seed))


def test_networks_leave_the_predictions_for_other_scales_and_depths():
    problems = draw_problems(Setting("quick", 0), **QUICK)
    for data in problems.data:
        for alpha, depth in problems.networks:
            found = networks.train(data, alpha, depth)
            for other in ((alpha * 1.1, depth), (alpha + 0.1, 2 if depth > 2 else 3)):
                best = q_alpha_minimizer(data.X, data.y, *other).primal
                assert float(relative_distance(found, best)) > bars.EXACT


@pytest.mark.parametrize(("depth", "alpha"), [(2, 0.1), (2, 1.0), (3, 0.3), (4, 0.5)])
def test_training_in_the_weights_ascends_the_dual_until_it_fits(depth, alpha):
    """zeta = h^-1(beta / s) is X^T nu, and G(nu) = nu.y - beta.zeta + Q(beta) rises
    from 0 to its maximum.

    The solver's tolerance of 1e-11 a step, over thousands of steps, leaves 1e-7.
    """
    data = sparse(1105030)
    net, s = Diagonal(data.X, depth), start_scale(alpha, depth)
    start = even_start(net.features, torch.tensor([alpha]).double())[0]
    end = stiff_flow(net, data.y, start, tolerance=1e-9).time
    times = [end * 2.0**-k for k in range(30, -1, -1)]
    run = stiff_flow(net, data.y, start, tolerance=1e-11, target_loss=0, times=times)
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


def test_a_network_that_did_not_fit_is_no_number_and_says_why():
    data = sparse(1)
    runs, reasons = attempt(
        lambda alpha: networks.train(data, alpha, max_steps=3), [0.1]
    )
    assert bool(rows(runs, 9).isnan().all())
    assert len(reasons) == 1
    assert "alpha = 0.1, depth 2" in reasons[0]
    assert "step limit" in reasons[0]
    assert not bars.at_minimizer("", torch.tensor([math.nan, 1e-12])).holds


def test_one_network_that_breaks_down_takes_nobody_with_it(monkeypatch):
    train = networks.train

    def breaks_once(data, alpha, depth=2):
        if depth == 3:
            raise ArithmeticError("made up")
        return train(data, alpha, depth)

    monkeypatch.setattr(networks, "train", breaks_once)
    evidence = diag_q_alpha.verify(Setting("quick", 4)).evidence
    assert falls(evidence.checks) == [2]
    assert evidence.broken == ("ArithmeticError: made up",) * 2
    assert evidence.control.refuted


def test_a_run_that_did_not_fit_refutes_nothing(monkeypatch):
    flow = networks.stiff_flow
    monkeypatch.setattr(
        networks,
        "stiff_flow",
        lambda *arguments, **options: flow(*arguments, **{**options, "max_steps": 3}),
    )
    evidence = diag_q_alpha.verify(Setting("quick", 4)).evidence
    assert not evidence.control.refuted
    assert falls(evidence.checks) == [1, 2, 3]
    assert any("uneven start: " in reason for reason in evidence.broken)
    assert all("step limit" in reason for reason in evidence.broken)


def test_the_control_survives_where_all_coordinates_start_at_one_size():
    data = sparse(2)
    apart = uneven_distance(data, torch.full((9,), 0.1).double())
    assert float(apart) < 1e-5
    found = diag_q_alpha.verify(Setting("quick", 4)).measured
    even = diag_q_alpha.judge(replace(found, uneven=apart.expand(2)))
    assert not even.control.refuted
    assert even.holds


@pytest.mark.parametrize(
    ("name", "place", "bad", "fallen"),
    [
        ("missing", (0, 0), 1e-10, 0),
        ("missing", (1, 2), math.nan, 0),
        ("networks", (0, 0), 1e-8, 1),
        ("networks", (1, 1), math.nan, 1),
        ("networks", (1, 2), 1e-8, 2),
        ("networks", (0, 3), math.nan, 3),
    ],
)
def test_one_bad_member_makes_its_check_fall(verdicts, name, place, bad, fallen):
    found = verdicts["diag-q-alpha"].measured
    poisoned = getattr(found, name).clone()
    poisoned[place] = bad
    judged = diag_q_alpha.judge(replace(found, **{name: poisoned}))
    assert falls(judged.checks) == [fallen]


@pytest.mark.parametrize("bad", [math.nan, 0.009])
def test_one_network_that_is_not_far_refutes_nothing(verdicts, bad):
    found = verdicts["diag-q-alpha"].measured
    uneven = found.uneven.clone()
    uneven[1] = bad
    judged = diag_q_alpha.judge(replace(found, uneven=uneven))
    assert not judged.control.refuted


def test_notes_count_networks(verdicts):
    notes = verdicts["diag-q-alpha"].evidence.notes
    assert notes["networks"] == 8
    assert notes[networks.REJECTED] >= 0


def test_drawn_data_have_a_slack():
    cases, _ = Setting("quick", 0).draw(
        4, "any", lambda g: networks.with_slack(6, 16, g)
    )
    assert all(case.pursuit.slack >= networks.SLACK for case in cases)
    assert all(float(case.excess(case.pursuit.primal)) == 0 for case in cases)


class TestOwnData:
    def data(self):
        rng = np.random.default_rng(7501)
        X = rng.normal(size=(5, 12)) * 300
        return X, X[:, 3] - 2 * X[:, 7]

    def test_they_take_the_place_of_drawn_ones_in_units_of_their_own(self):
        X, y = self.data()
        problems = own_problems(Setting("quick", 0), X, y, **QUICK)
        (data,) = problems.data
        assert float(data.X.square().mean()) == pytest.approx(1)
        assert float(data.truth.abs().max()) == pytest.approx(1)
        torch.testing.assert_close(data.X @ data.truth, data.y)
        assert problems.networks == ((1.0, 2), (1e-6, 2), (0.3, 3), (0.3, 4))
        assert problems.uneven[0].shape == (12,)

    def test_the_claim_stands_on_them(self):
        problems = own_problems(Setting("quick", 0), *self.data(), **QUICK)
        judged = diag_q_alpha.judge(measure_networks(problems, Setting("quick", 0)))
        assert judged.holds
        assert judged.control.refuted

    def test_others_are_refused_before_work_starts(self):
        X, y = self.data()
        twin = X.copy()
        twin[:, 4] = 1.0001 * twin[:, 3]
        for bad, targets, words in (
            (X.T, X[0], "fewer rows than columns"),
            (np.ones((3, 201)), y[:3], "at most 200 of these"),
            (X[[0, 1, 0]], y[:3], "dependent"),
            (X, 0 * y, "zero"),
            (X, y[:3], "one number a row"),
            (twin, y, "dual slack"),
        ):
            with pytest.raises(InvalidInput, match=words):
                own_problems(Setting("quick", 0), bad, targets, **QUICK)
