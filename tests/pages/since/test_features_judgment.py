"""The judgments of the page on features on made-up measurements, each member poisoned."""

import math

import pytest
import torch

from ibcore.pages.since.features import claims as page
from ibcore.pages.since.features.claims.grokking_two_biases import Phases
from ibcore.pages.since.features.claims.modular_addition_margin import Maximizers
from ibcore.pages.since.features.claims.near_homogeneous_kkt import Ends
from ibcore.pages.since.features.claims.saddle_to_saddle import Visits
from tests.conformance import outcome


def eight(value):
    return torch.full((8,), value, dtype=torch.float64)


def pair(value):
    return torch.full((2, 8), value, dtype=torch.float64)


def visits(**changed):
    good = {
        "misses": eight(1e-7),
        "early": eight(0.2),
        "exponents": eight(30.0),
        "delays": eight(0.5),
        "close": 0,
        "ends": eight(1e-12),
        "violation": eight(1e-14),
        "broken": (),
    }
    return Visits(**(good | changed))


def phases(**changed):
    good = {
        "separator": eight(0.995),
        "early": eight(0.01),
        "rise": eight(-1e-3),
        "apart": pair(1e-5),
        "halves": torch.stack([eight(5.5), eight(9.5)]),
        "late": eight(1e-3),
        "final": eight(0.9999),
        "undecayed": eight(0.7),
        "kept": pair(1e-6),
        "gain": eight(0.2),
        "loss": eight(-0.03),
        "small": eight(0.7),
        "broken": (),
    }
    return Phases(**(good | changed))


def maximizers(**changed):
    ratios = torch.full((3, 8), 1 - 1e-4, dtype=torch.float64)
    ratios[2] = 0.85
    good = {
        "ratios": ratios,
        "impurity": pair(1e-5),
        "common": eight(0.9999),
        "usage": eight(1.0),
        "scrambled": eight(0.8),
        "natural": eight(0.9),
        "modulus": 7,
    }
    return Maximizers(**(good | changed))


def ends(**changed):
    good = {
        "residual": eight(0.1),
        "complementarity": eight(0.01),
        "fall": eight(0.0),
        "turning": eight(0.4),
        "over": eight(0.7),
        "began": eight(2.0),
        "uneven": eight(0.7),
        "broken": (),
    }
    return Ends(**(good | changed))


GOOD = {
    "saddle": (page.saddle_to_saddle, visits),
    "grokking": (page.grokking_two_biases, phases),
    "modular": (page.modular_addition_margin, maximizers),
    "nearly": (page.near_homogeneous_kkt, ends),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_measurements_pass(name):
    claim, made = GOOD[name]
    assert outcome(claim.judge(made())) == ([], True)


def ratios(row, value, members=8):
    found = maximizers().ratios.clone()
    found[row, :members] = value
    return {"ratios": found}


CASES = [  # claim, field, the checks that fall, wrong value, members that a NaN needs
    ("saddle", "misses", [0], 1e-4, 1),
    ("saddle", "ends", [1], 1e-6, 1),
    ("saddle", "violation", [2], 1e-6, 1),
    ("saddle", "delays", [3], 5.0, 5),
    ("grokking", "early", [0], 0.2, 1),
    ("grokking", "separator", [1], 0.9, 5),
    ("grokking", "small", [2], 0.99, 5),
    ("grokking", "rise", [3], 1e-3, 1),
    ("grokking", "late", [4], 0.1, 1),
    ("grokking", "final", [5], 0.99, 5),
    ("grokking", "kept", [6], 1e-2, 1),
    ("grokking", "apart", [7], 1e-2, 1),
    ("grokking", "gain", [9], 0.0, 5),
    ("grokking", "loss", [10], 0.1, 5),
    ("modular", "impurity", [2], 1e-3, 1),
    ("modular", "common", [3], 0.9, 5),
    ("modular", "usage", [4], 0.8, 1),
    ("modular", "scrambled", [5], 0.95, 1),
    ("nearly", "fall", [0], 1e-3, 1),
    ("nearly", "turning", [1], 1.1, 1),
    ("nearly", "over", [2], 1.1, 1),
    ("nearly", "residual", [3], 0.5, 5),
    ("nearly", "complementarity", [4], 0.5, 5),
]


@pytest.mark.parametrize(("name", "field", "fallen", "wrong", "members"), CASES)
def test_a_wrong_measurement_falls_and_so_does_a_missing_one(
    name, field, fallen, wrong, members
):
    claim, made = GOOD[name]
    good = getattr(made(), field)
    lost = good.clone()
    lost[..., :members] = math.nan
    for bad in (torch.full_like(good, wrong), lost):
        assert outcome(claim.judge(made(**{field: bad}))) == (fallen, True)


def test_the_delay_of_the_change():
    halves = phases().halves.clone()
    halves[1, 0] += 0.1
    judge = page.grokking_two_biases.judge
    assert outcome(judge(phases(halves=halves))) == ([8], True)
    halves[1, 0] = math.nan
    assert outcome(judge(phases(halves=halves))) == ([8], True)


def test_margins_of_addition():
    judge = page.modular_addition_margin.judge
    assert outcome(judge(maximizers(**ratios(0, 1.01)))) == ([0], True)
    fallen, refuted = outcome(judge(maximizers(**ratios(1, math.nan, 1))))
    assert (fallen, refuted) == ([0, 2], True)
    low = maximizers().ratios.clone()
    low[:2] = 0.9
    assert outcome(judge(maximizers(ratios=low))) == ([1], True)


CONTROLS = [
    ("saddle", {"early": eight(1e-3)}),
    ("saddle", {"early": eight(math.nan)}),
    ("grokking", {"undecayed": eight(0.97)}),
    ("grokking", {"undecayed": eight(math.nan)}),
    ("modular", ratios(2, 0.97)),
    ("modular", ratios(2, math.nan)),
    ("nearly", {"uneven": eight(0.2)}),
    ("nearly", {"uneven": eight(math.nan)}),
]


@pytest.mark.parametrize(("name", "changed"), CONTROLS)
def test_controls_that_do_not_fail(name, changed):
    claim, made = GOOD[name]
    assert outcome(claim.judge(made(**changed))) == ([], False)


def test_a_few_broken_members_do_not_refute_a_control():
    early = eight(0.2)
    early[:3] = math.nan
    assert not page.saddle_to_saddle.judge(visits(early=early)).control.refuted


def test_only_settled_plateaus_and_begun_networks_count():
    short = eight(30.0)
    short[0] = 3.0
    misses = eight(1e-7)
    misses[0] = 1.0
    visited = Visits(**(vars(visits()) | {"misses": misses, "exponents": short}))
    assert page.saddle_to_saddle.judge(visited).checks[0].holds
    missing = eight(math.nan)
    assert outcome(page.near_homogeneous_kkt.judge(ends(began=missing))) == (
        [0, 1, 2, 3, 4],
        False,
    )
