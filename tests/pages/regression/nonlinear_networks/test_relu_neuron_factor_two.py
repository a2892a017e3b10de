import dataclasses

import numpy as np
import pytest
import torch

from ibcore.claim import Setting
from ibcore.oracles.relu_flow import turned_ratio
from ibcore.pages.regression.nonlinear_networks.relu_neuron import claims as page
from ibcore.pages.regression.nonlinear_networks.relu_neuron import teachers
from ibcore.pages.regression.nonlinear_networks.relu_neuron.claims.relu_neuron_factor_two import (
    AHEAD,
    SETTLED,
    Random,
    Ratios,
    draw_behind,
    measure_behind,
    measure_random,
    own_problem,
)
from ibcore.validation import InvalidInput

CLAIMS = {page.relu_neuron_factor_two.id: page.relu_neuron_factor_two}
judge = page.relu_neuron_factor_two.judge


def test_no_run_is_farther_from_the_shortest_weights_than_zero_is():
    batch = teachers.draw_batch(Setting("quick", 12), 50, 3, 6)
    found = measure_random(batch, 200)
    assert float(found.distances.max()) <= 1
    assert found.ratios.shape == found.fits.shape == torch.Size([50])


def test_one_step_beyond_the_bound_can_lead_away():
    within, beyond = teachers.farther((0.99, 2.5), count=50)
    assert within == 0
    assert beyond > 10


def test_unfitted_runs_are_counted(verdicts):
    verdict = verdicts["relu-neuron-factor-two"]
    found, notes = verdict.measured.random, verdict.evidence.notes
    left_out = notes["random problems not fitted within the steps"]
    assert int(found.fits.sum()) + left_out == notes["random problems"]
    typical = [one for one in verdict.evidence.checks if "runs that fit" in one.name]
    judged = int(SETTLED * notes["random problems"])
    assert [check.members for check in typical] == [judged, judged]


def random_runs(**changes):
    """Made-up runs on random problems, all at the shortest weights but for `changes` of
    the last one, unfitted.
    """
    parts = {
        "ratios": torch.ones(2, 400).double(),
        "distances": torch.zeros(2, 400).double(),
        "fits": torch.arange(400).repeat(2, 1) % 2 == 0,
        "gap": torch.zeros(2, 400).double(),
    }
    for name, value in changes.items():
        parts[name][-1, -1] = value
    return Random(**parts)


def family(**changes):
    """Made-up members of the family, at their predictions but for `changes` of the
    first one of N points.
    """
    turns = {
        count: torch.tensor([[ratio - 0.005] * 4, [ratio] * 4]).double()
        for count, ratio in ((8, 1.565), (16, 1.742), (40, 1.885))
    }
    for name, value in changes.items():
        turns[int(name[1:])][0, 0] = value
    return turns


def made_up(random=None, turns=None):
    return Ratios(
        random or random_runs(), turns or family(), torch.full((8,), 2.4).double()
    )


def fallen(measured):
    return [check.name for check in judge(measured).checks if not check.holds]


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
    assert fallen(made_up()) == []
    assert len(fallen(made_up(random_runs(**changes)))) == 1


def test_too_many_runs_away_from_the_shortest_weights_are_noticed():
    runs = random_runs()
    runs.ratios[0, :20] = 1.2
    runs.distances[:, :200] = 0.5
    assert fallen(made_up(runs)) == [
        "random: |w| / |w*| at most 1.1, runs that fit",
        "random: |w - w*| / |w*| at most 0.01, runs that fit",
    ]


def test_too_few_runs_that_fit_are_noticed():
    runs = random_runs()
    runs.fits[:, 100:] = False
    settled = runs.settled(runs.ratios)
    assert settled.shape == (2, 140)
    assert settled.isfinite().sum(1).tolist() == [50, 50]
    assert len(fallen(made_up(runs))) == 2


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
    assert len(fallen(made_up(turns=family(**changes)))) == count


def test_members_that_end_near_or_nowhere_refute_nothing():
    measured = made_up()
    assert judge(measured).control.refuted
    for wrong in (1.5, np.nan):
        measured.behind[:3] = wrong
        assert not judge(measured).control.refuted


def test_the_control_survives_from_zero_and_follows_its_formula_from_behind():
    members = draw_behind(Setting("quick", 1295001))
    from_zero = dataclasses.replace(made_up(), behind=measure_behind(members, 0.0))
    assert not judge(from_zero).control.refuted
    for turns, behind in zip(members[:2], (0.0, 1.0), strict=True):
        assert len(turns.angles) == AHEAD
        predicted = turned_ratio(turns.angles, turns.reach, behind)
        assert turns.predicted(behind) == predicted
        assert turns.ratio(behind) == pytest.approx(predicted, rel=0.01)


SIZES = {
    "shapes": ((5, 4),),
    "each": 8,
    "steps": 4000,
    "counts": (8, 40),
    "members": 1,
}


def test_own_data_take_the_place_of_the_random_problems():
    rng = np.random.default_rng(1295005)
    X = rng.normal(size=(6, 4)) * 100
    problems = own_problem(Setting("quick", 0), X, np.maximum(X @ X[0], 0), **SIZES)
    assert [batch.X.shape for batch in problems.random] == [(1, 6, 4)]


def test_a_bound_is_claimed_of_own_data_and_no_share():
    rng = np.random.default_rng(1295006)
    X = rng.normal(size=(6, 4))
    data = X, np.maximum(X @ X[0], 0)
    verdict = page.relu_neuron_factor_two.verify(data=data, **SIZES)
    assert verdict.stands
    assert not any("runs that fit" in check.name for check in verdict.evidence.checks)
    assert verdict.measured.random.ratios.shape == (1, 1)


@pytest.mark.parametrize(
    ("y", "word"),
    [([-1.0, 1.0], "label"), ([0.0, 0.0], "zero"), ([1.0], "one number")],
)
def test_own_data_that_no_neuron_fits_are_refused(y, word):
    with pytest.raises(InvalidInput, match=word):
        own_problem(Setting("quick", 0), np.eye(2), y, **SIZES)
