"""The claims on the geometry of optimizers, their controls and own data."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_iris

from ibcore.dynamics.directions import Adam, Steepest
from ibcore.dynamics.matrix_directions import Schatten
from ibcore.dynamics.potential_flow import capped_cosh
from ibcore.pages.since.optimizer_geometry import claims as page
from ibcore.pages.since.optimizer_geometry import decays, runs
from ibcore.pages.since.optimizer_geometry.claims.adam_linf_margin import (
    BETAS,
    adam_run,
    step_bounds,
    with_epsilon,
)
from ibcore.pages.since.optimizer_geometry.claims.decoupled_decay_constraint import (
    coupled,
)
from ibcore.pages.since.optimizer_geometry.claims.mirror_flow_horizon import (
    another_horizon,
    follow,
)
from ibcore.pages.since.optimizer_geometry.claims.muon_spectral_margin import (
    by_entries,
)
from ibcore.validation import InvalidInput, NotSeparable
from tests.conformance import UnbrokenConformance

CLAIMS = {
    claim.id: claim
    for claim in (
        page.adam_linf_margin,
        page.muon_spectral_margin,
        page.decoupled_decay_constraint,
        page.mirror_flow_horizon,
    )
}


class TestClaims(UnbrokenConformance):
    """What all claims promise, and no run breaks down."""


def iris():
    """Two kinds of iris, and a column of ones."""
    X, y = load_iris(return_X_y=True)
    X = np.column_stack([X[:100:4] - X[:100].mean(0), np.ones(25)])
    return X, y[:100:4] * 2 - 1


def proved(verdict):
    found = [check for check in verdict.evidence.checks if check.tag == "proved"]
    assert found
    return [check.name for check in found if not check.holds]


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("adam-linf-margin", {"steps": 500}), ("mirror-flow-horizon", {})],
)
def test_a_readers_two_classes(name, sizes):
    X, y = iris()
    assert proved(CLAIMS[name].verify(data=(X, y), **sizes)) == []
    with pytest.raises(NotSeparable):
        CLAIMS[name].verify(data=(0 * X + 1, y), **sizes)
    with pytest.raises(InvalidInput, match="labels"):
        CLAIMS[name].verify(data=(X, y + 1), **sizes)


def test_units_of_a_readers_data_change_nothing():
    X, y = iris()
    found = [
        page.adam_linf_margin.verify(data=(scale * X, y), steps=300).measured.ratios
        for scale in (1.0, 1e4)
    ]
    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-8)


def test_a_readers_several_classes():
    X, digits = load_digits(return_X_y=True)
    X, digits = X[digits < 3][:20] / 16, digits[digits < 3][:20]
    verdict = page.muon_spectral_margin.verify(data=(X, digits), steps=200)
    assert proved(verdict) == []
    assert verdict.measured.late.shape == (6, 1, 3)
    with pytest.raises(InvalidInput, match="class"):
        page.muon_spectral_margin.verify(data=(X, 0 * digits), steps=200)
    with pytest.raises(NotSeparable):
        page.muon_spectral_margin.verify(data=(0 * X + 1, digits), steps=200)


def test_a_readers_targets():
    X, _ = load_iris(return_X_y=True)
    X = X - X.mean(0)
    claim = page.decoupled_decay_constraint
    verdict = claim.verify(data=(X[:, :3], X[:, 3]), steps=300)
    assert proved(verdict) == []
    assert verdict.measured.vectors.shape[1] == 1
    with pytest.raises(InvalidInput, match="as many"):
        claim.verify(data=(X[:, :3], X[:-1, 3]), steps=300)
    with pytest.raises(InvalidInput, match="zero"):
        claim.verify(data=(X[:, :3], 0 * X[:, 3]), steps=300)


def test_without_epsilon_the_control_survives(verdicts):
    """The same measurement with epsilon so small that gradients stay above it."""
    problems = verdicts["adam-linf-margin"].measured.problems
    run = adam_run(problems, [10_000], (1e-300,))
    ratios = problems.ratios(run.theta[-1])[:, 1]
    assert not with_epsilon(ratios).refuted
    assert with_epsilon(
        verdicts["adam-linf-margin"].measured.ratios[-1, 1, :, 1]
    ).refuted


def test_with_the_orthogonal_factor_the_control_survives(verdicts):
    late = verdicts["muon-spectral-margin"].measured.late
    assert not by_entries(late[0, :, 0]).refuted
    assert by_entries(late[2, :, 0]).refuted


def test_with_decoupled_decay_the_control_survives(verdicts):
    measured = verdicts["decoupled-decay-constraint"].measured
    assert not coupled(measured.boxes[decays.VECTORS.index("AdamW")]).refuted
    assert coupled(measured.boxes[-1]).refuted


def test_with_a_cap_out_of_reach_the_control_survives(verdicts):
    """cosh up to 40 has the same weights as cosh without a cap at |w|_inf = 14."""
    measured = verdicts["mirror-flow-horizon"].measured
    problems = measured.problems
    states = [
        follow(signed, capped_cosh(40.0), math.inf, [14.0])[0][-1]
        for signed in problems.signed
    ]
    assert not another_horizon(problems.gaps(torch.stack(states))[:, 0]).refuted
    assert another_horizon(measured.capped[:, 0]).refuted


def test_the_capped_potential_goes_to_the_l2_margin(verdicts):
    measured = verdicts["mirror-flow-horizon"].measured
    assert bool((measured.capped[:, 2] < 0.05).all())


def test_no_step_of_adam_is_longer_than_its_bound():
    """Gradients that are worst for it: g_j rising like (beta2 / beta1)^j."""
    bounds = step_bounds(40, BETAS)
    assert float(bounds[0]) == pytest.approx(1)
    one, two = BETAS
    g = (two / one) ** torch.arange(1, 41).double()
    direction, state = Adam(*BETAS, 0.0), None
    zero = torch.zeros(1).double()
    state = direction.begin(torch.zeros(1, 1).double())
    for k in range(40):
        step, state = direction(g[k : k + 1, None], zero, zero, state)
        assert float(step.abs()) <= float(bounds[k]) * (1 + 1e-12)
    assert float(step.abs()) == pytest.approx(float(bounds[-1]), rel=1e-9)


def test_two_methods_with_a_row_of_one_class_agree():
    """Ratios of a matrix's margins: scaling data changes none."""
    X, digits = load_digits(return_X_y=True)
    X, digits = X[digits < 3][:20] / 16, digits[digits < 3][:20]
    spectral = runs.class_ratios(X, digits, Schatten(math.inf, 3), 0.3, steps=400)
    sign = Steepest(math.inf, normalized=True)
    entries = runs.class_ratios(X, digits, sign, 0.03, steps=400)
    assert spectral["spectral"] > entries["spectral"]
    assert entries["max"] > spectral["max"]
    assert max(*spectral.values(), *entries.values()) <= 1 + 1e-6
