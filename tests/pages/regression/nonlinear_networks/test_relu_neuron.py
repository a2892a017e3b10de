"""Both claims, and what the one without a regularizer is made of."""

import dataclasses

import numpy as np
import pytest
import torch

from ibcore.claim import Setting
from ibcore.dynamics.stiff_flow import NO_EVENT, StiffRun
from ibcore.pages.regression.nonlinear_networks.relu_neuron import claims as page
from ibcore.pages.regression.nonlinear_networks.relu_neuron import links, runs
from ibcore.pages.regression.nonlinear_networks.relu_neuron.claims.relu_neuron_no_regularizer import (
    Flows,
    SameFits,
    draw_sets,
    measure_planes,
)
from ibcore.problems.relu_pairs import Shape, pair
from tests.conformance import UnbrokenConformance

CLAIMS = {
    claim.id: claim
    for claim in (page.relu_neuron_no_regularizer, page.relu_neuron_factor_two)
}
judge = page.relu_neuron_no_regularizer.judge


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def test_every_link_of_the_chain_was_run(verdicts):
    verdict = verdicts["relu-neuron-no-regularizer"]
    found = verdict.measured
    assert len(found.links.errors) == verdict.evidence.notes["links"] > 0
    start, end = found.targets[0]
    assert start.norm() <= end.norm() <= 1.15 * start.norm()


def test_the_height_of_a_link_can_be_chosen():
    for angle in (0.01, links.MAX_ANGLE):
        shape = links.shape_for(angle)
        assert links.rise(shape) == pytest.approx(np.tan(angle), rel=1e-10)
    assert links.rise(Shape(tilt=0.0)) == pytest.approx(0, abs=1e-15)


def test_a_chain_arrives_whether_it_is_passed_up_or_down():
    short, long = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.3, 0.0])
    for start, goal in ((short, long), (long, short)):
        chain = links.Chain.between(start, goal)
        last = chain.links[-1]
        arrived = last.high if chain.rises else last.low
        np.testing.assert_allclose(arrived, goal, atol=1e-15)
        assert chain.rises == (goal is long)


def test_limits_differ_in_space_and_not_in_the_plane():
    sizes = {"pairs": 1, "chains": (3,), "stretch": 1.1, "planes": 2}
    problems = draw_sets(Setting("quick", 11), **sizes)
    apart, above = measure_planes(problems.planes)
    assert apart.shape == (2,)
    assert above.shape == (4,)
    assert bool((apart < 1e-6).all())
    assert bool((above < 1e-8).all())
    limits = problems.pairs[0].trained()
    assert max(limits.error, limits.misfit) < 1e-8
    assert limits.gap > 0.15


def test_a_flow_that_ends_at_a_limit_has_no_end(monkeypatch):
    w = torch.ones(3).double()
    stopped = StiffRun(w, 1.0, w[None], NO_EVENT, steps=1, evaluations=1)
    monkeypatch.setattr(runs, "train", lambda _, **__: stopped)
    assert np.isnan(runs.end(pair(Shape())[0])).all()
    link = links.Link.of(np.array([1.0, 0, 0]), np.array([1.0, 0.2, 0]), Shape())
    limits = link.trained()
    assert np.isnan([limits.error, limits.misfit, limits.gap]).all()


def made_up(**changes):
    """Perfect pairs, links and planes, but for `changes` of the first member."""
    names = ("pair_errors", "pair_misfits", "errors", "misfits", "arrivals", "above")
    parts = {name: torch.zeros(8).double() for name in names}
    parts["gaps"] = torch.full((8,), 0.25).double()
    for name, value in changes.items():
        parts[name][0] = value
    return SameFits(
        Flows(parts["pair_errors"], parts["pair_misfits"]),
        parts["gaps"],
        Flows(parts["errors"], parts["misfits"]),
        parts["arrivals"],
        (),
        torch.zeros(8).double(),
        parts["above"],
    )


def fallen(measured):
    return [check.name for check in judge(measured).checks if not check.holds]


@pytest.mark.parametrize(
    ("part", "wrong", "name"),
    [
        ("errors", 1e-3, "chains: error to the target of a link"),
        ("misfits", 1e-3, "chains: misfit on either data set"),
        ("arrivals", 1e-3, "chains: error to the end of the chain"),
        ("pair_errors", 1e-3, "pairs: error to the flow by linear pieces"),
        ("pair_misfits", 1e-3, "pairs: misfit on either data set"),
        ("gaps", 0.05, "pairs: relative distance of limits"),
        ("above", 1e-3, "plane: distance to the shortest weights"),
    ],
)
def test_one_wrong_or_missing_flow_is_noticed(part, wrong, name):
    assert fallen(made_up()) == []
    for value in (wrong, np.nan):
        assert fallen(made_up(**{part: value})) == [name]


def test_a_pair_apart_or_missing_in_the_plane_refutes_nothing():
    measured = made_up()
    assert judge(measured).control.refuted
    for wrong in (1e-3, np.nan):
        measured.apart[3] = wrong
        assert not judge(measured).control.refuted


def test_the_control_survives_with_pairs_in_space(verdicts):
    found = verdicts["relu-neuron-no-regularizer"].measured
    space = dataclasses.replace(found, apart=found.gaps)
    assert not judge(space).control.refuted
