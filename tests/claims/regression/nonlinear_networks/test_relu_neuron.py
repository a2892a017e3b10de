import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.regression.nonlinear_networks import relu_neuron as page
from ibcore.dynamics.stiff_flow import NO_EVENT, StiffRun
from ibcore.oracles.relu_flow import turned_ratio
from ibcore.pages.regression.nonlinear_networks.relu_neuron.runs import (
    MAX_ANGLE,
    rise,
    shape_for,
)
from ibcore.problems.relu_pairs import Shape, pair

CLAIMS = {
    claim.id: claim
    for claim in (page.relu_neuron_no_regularizer, page.relu_neuron_factor_two)
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


def test_every_link_of_the_chain_was_run(verdicts):
    evidence = verdicts["relu-neuron-no-regularizer"].evidence
    assert len(evidence.data["links"].errors) == evidence.notes["links"] > 0
    start, end = evidence.data["targets"][0]
    assert np.linalg.norm(start) <= np.linalg.norm(end) <= 1.15 * np.linalg.norm(start)


def test_the_height_of_a_link_can_be_chosen():
    for angle in (0.01, MAX_ANGLE):
        assert rise(shape_for(angle)) == pytest.approx(np.tan(angle), rel=1e-10)
    assert rise(Shape(tilt=0.0)) == pytest.approx(0, abs=1e-15)


def test_limits_differ_in_space_and_not_in_the_plane():
    apart, above = page.run_planes(Setting("quick", 11), 2)
    assert apart.shape == (2,)
    assert above.shape == (4,)
    assert (apart < 1e-6).all()
    assert (above < 1e-8).all()
    drawn = page.run_pairs(Setting("quick", 11), 1)
    assert (np.maximum(drawn.errors, drawn.misfits) < 1e-8).all()
    assert (drawn.gaps > 0.15).all()


def test_no_run_is_farther_from_the_shortest_weights_than_zero_is():
    drawn = page.run_random(Setting("quick", 12), [(3, 6)], 50, 200)
    assert float(drawn.distances.max()) <= 1
    assert drawn.ratios.shape == drawn.fits.shape == torch.Size([1, 50])


def test_unfitted_runs_are_counted(verdicts):
    evidence = verdicts["relu-neuron-factor-two"].evidence
    left_out = evidence.notes["random problems not fitted within the steps"]
    assert len(evidence.data["ratios"]) + left_out == evidence.notes["random problems"]
    typical = [check for check in evidence.checks if "runs that fit" in check.name]
    judged = int(page.SETTLED * evidence.notes["random problems"])
    assert [check.members for check in typical] == [judged, judged]


def fallen(checks):
    return [check.name for check in checks if not check.holds]


def made_up(**changes):
    """Perfect pairs, links and planes, but for `changes` of the first member."""
    parts = {name: np.zeros(8) for name in ("errors", "misfits", "arrivals", "above")}
    parts["pair_errors"], parts["pair_misfits"] = np.zeros(8), np.zeros(8)
    parts["gaps"] = np.full(8, 0.25)
    for name, value in changes.items():
        parts[name][0] = value
    return (
        page.Pairs(parts["pair_errors"], parts["pair_misfits"], parts["gaps"]),
        page.Links(parts["errors"], parts["misfits"], parts["arrivals"]),
        parts["above"],
    )


@pytest.mark.parametrize(
    ("part", "wrong", "falls"),
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
def test_one_wrong_or_missing_flow_is_noticed(part, wrong, falls):
    assert fallen(page.judge_links(*made_up())) == []
    for value in (wrong, np.nan):
        assert fallen(page.judge_links(*made_up(**{part: value}))) == [falls]


def test_a_pair_apart_or_missing_in_the_plane_refutes_nothing():
    apart = np.zeros(8)
    assert page.control_plane(apart).refuted
    for wrong in (1e-3, np.nan):
        apart[3] = wrong
        assert not page.control_plane(apart).refuted


def test_a_flow_that_ends_at_a_limit_has_no_end(monkeypatch):
    w = torch.ones(3).double()
    stopped = StiffRun(w, 1.0, w[None], NO_EVENT, steps=1, evaluations=1)
    monkeypatch.setattr(page, "train", lambda _, **__: stopped)
    assert np.isnan(page._end(pair(Shape())[0])).all()


def random_runs(**changes):
    """Made-up runs on random problems, all at the shortest weights but for `changes` of the last one, unfitted."""
    parts = {
        "ratios": torch.ones(2, 400).double(),
        "distances": torch.zeros(2, 400).double(),
        "fits": torch.arange(400).repeat(2, 1) % 2 == 0,
        "gap": torch.zeros(2, 400).double(),
    }
    for name, value in changes.items():
        parts[name][-1, -1] = value
    return page.Random(**parts)


@pytest.mark.parametrize(
    "changes",
    [
        {"ratios": 2.01},
        {"ratios": np.nan},
        {"distances": 1.01},
        {"distances": np.nan},
        {"gap": 1e-3},
        {"gap": np.nan},
    ],
)
def test_one_run_beyond_the_bound_is_noticed_whether_it_fits_or_not(changes):
    assert fallen(page.judge_random(random_runs())) == []
    assert len(fallen(page.judge_random(random_runs(**changes)))) == 1


def test_too_many_runs_away_from_the_shortest_weights_are_noticed():
    runs = random_runs()
    runs.ratios[0, :20] = 1.2
    runs.distances[:, :200] = 0.5
    assert fallen(page.judge_random(runs)) == [
        "random: |w| / |w*| at most 1.1, runs that fit",
        "random: |w - w*| / |w*| at most 0.01, runs that fit",
    ]


def test_too_few_runs_that_fit_are_noticed():
    runs = random_runs()
    runs.fits[:, 100:] = False
    settled = runs.settled(runs.ratios)
    assert settled.shape == (2, 140)
    assert settled.isfinite().sum(1).tolist() == [50, 50]
    assert len(fallen(page.judge_random(runs))) == 2


def family(**changes):
    """Made-up members of the family, at their predictions but for `changes` of the first one of N points."""
    turns = {
        count: (np.full(4, ratio - 0.005), np.full(4, ratio))
        for count, ratio in ((8, 1.565), (16, 1.742), (40, 1.885))
    }
    for name, value in changes.items():
        turns[int(name[1:])][0][0] = value
    return turns


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 0),
        ({"n16": 1.70}, 1),
        ({"n16": 2.01}, 2),
        ({"n8": 1.54}, 2),
        ({"n40": np.nan}, 3),
    ],
)
def test_the_family_is_compared_with_its_own_predictions(changes, count):
    assert len(fallen(page.judge_turns(family(**changes)))) == count


def test_members_that_end_near_or_nowhere_refute_nothing():
    ratios = np.full(8, 2.4)
    assert page.control_behind(ratios).refuted
    for wrong in (1.5, np.nan):
        ratios[:3] = wrong
        assert not page.control_behind(ratios).refuted


def test_the_control_survives_from_zero_and_follows_its_formula_from_behind():
    setting = Setting("quick", 1295001)
    from_zero = page.run_behind(setting, 8, 0.0)
    assert not page.control_behind(from_zero).refuted
    seeds = setting.seeds(2, "starts behind")
    for seed, behind in zip(seeds, (0.0, 1.0), strict=True):
        turns = page.Turns.drawn(page.AHEAD, seed)
        predicted = turned_ratio(turns.angles, turns.reach, behind)
        assert turns.ratio(behind) == pytest.approx(predicted, rel=0.01)
