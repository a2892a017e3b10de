import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from ibcore import sweep, verify
from ibcore.claims import Setting
from ibcore.evidence import Check
from ibcore.report.runs import seeds_table
from tests import made_up

ABOUT = {"tag": "derived", "reason": "made up"}
CHECK = {
    "name": "angle",
    "relation": "<=",
    "predicted": 0.1,
    "measured": 0.04,
    "tolerance": 0.0,
    "holds": True,
    "tag": "observed",
    "members": 8,
    "broken": 0,
}
CONTROL = CHECK | {"name": "no margin", "relation": ">=", "measured": 0.3}
RECORD = {
    "id": "a-claim",
    "page": "a/page",
    "kind": "theorem",
    "holds": True,
    "checks": [CHECK],
    "control": {**CONTROL, "refuted": True},
    "seed": 0,
    "preset": "quick",
    "device": "cpu",
    "sizes": {},
}
ERROR = RECORD | {"checks": [], "control": {"refuted": False}, "error": "no memory"}


def records(count, **poison):
    """`count` records, with `poison` in the check of the last; a value None of it is
    JSON's null.
    """
    good = [RECORD | {"seed": seed} for seed in range(count)]
    return [*good[:-1], good[-1] | {"checks": [CHECK | poison]}] if poison else good


def only(found):
    (summary,) = sweep.summarize(found)
    return summary


def row(found):
    return only(found).checks[0]


@pytest.mark.parametrize(
    ("relation", "predicted", "measured", "tolerance", "slack"),
    [
        ("<=", 0.5, 0.25, 0, 0.5),
        ("<=", 0.5, 0.5, 0, 0),
        ("<=", 0.5, 1.0, 0, -1),
        ("<=", -0.5, -1.0, 0, 1),
        ("<=", 0, -3.0, 0, 3),
        (">=", 0.5, 2.0, 0, 3),
        (">=", 0.5, 0.25, 0, -0.5),
        (">=", -1, -3.0, 0, -2),
        (">=", 0, 1e-300, 0, 1e-300),
        ("=", 7, 7.0, 0.5, 1),
        ("=", 7, 6.5, 0.5, 0),
        ("=", 7, 8.0, 0.5, -1),
        ("=", 7, 7, 0, 0),
        ("=", 7, 9, 0, -2),
    ],
)
def test_slack_is_in_units_of_the_bar(relation, predicted, measured, tolerance, slack):
    check = {
        "relation": relation,
        "predicted": predicted,
        "measured": measured,
        "tolerance": tolerance,
    }
    assert sweep.slack(check) == slack


@pytest.mark.parametrize("kind", ["equals", "at_most", "at_least"])
def test_slack_is_not_negative_where_a_check_holds_and_only_there(kind):
    """At the bar, one digit beyond it and one inside, at any scale."""
    draws = np.random.default_rng(1110200)
    for _ in range(300):
        bar = draws.normal() * 10.0 ** draws.integers(-200, 200)
        options = {kind: bar} | ({"rtol": 1e-3} if kind == "equals" else {})
        edge = bar * (1 + 1e-3 * (kind == "equals"))
        for measured in (edge, np.nextafter(edge, np.inf), np.nextafter(edge, -np.inf)):
            check = Check.each("", measured, **options, **ABOUT)
            assert (sweep.slack(check.as_dict()) >= 0) == check.holds


POISON = [None, math.nan, math.inf, -math.inf, "0.1", True]


@pytest.mark.parametrize("value", POISON)
@pytest.mark.parametrize("name", ["predicted", "measured", "tolerance"])
def test_a_number_that_is_none_holds_at_no_seed(name, value):
    found = row(records(5, **{name: value}))
    assert found.missed == (4,)
    assert len(found.slacks) == 4
    assert found.quantiles["q0"] == pytest.approx(0.6)


@pytest.mark.parametrize("value", [False, None, math.nan, 1, "True"])
def test_what_does_not_say_that_it_holds_does_not(value):
    assert row(records(5, holds=value)).missed == (4,)


@pytest.mark.parametrize("relation", [None, "", "<", "~"])
def test_an_unknown_relation_holds_at_no_seed(relation):
    assert row(records(5, relation=relation)).missed == (4,)


def test_a_record_that_contradicts_its_numbers_does_not_hold():
    assert row(records(5, measured=0.2)).missed == (4,)


@pytest.mark.parametrize(("name", "value"), [("measured", math.nan), ("refuted", None)])
def test_a_control_without_a_number_is_refuted_at_no_seed(name, value):
    found = records(5)
    found[4] = found[4] | {"control": found[4]["control"] | {name: value}}
    assert only(found).control.missed == (4,)
    assert only(found).checks[0].missed == ()
    assert only(found).stands == 4


@pytest.mark.parametrize("value", [1, math.nan, None])
def test_seeds_with_broken_members_are_named(value):
    assert row(records(5)).broken == ()
    assert row(records(5, broken=value)).broken == (4,)


def test_a_broken_member_fails_a_check_of_each_and_counts_against_a_share():
    values = [0.01] * 7 + [math.nan]
    each = Check.each("angle", values, at_most=0.1, **ABOUT).as_dict()
    share = Check.share("angle", values, at_most=0.1, least=1, **ABOUT).as_dict()
    for check in (each, share):
        found = row([RECORD | {"checks": [check]}])
        assert (found.missed, found.broken) == ((0,), (0,))
    assert found.slacks == (-1 / 8,)


def test_a_run_with_an_error_holds_nowhere_and_says_why():
    found = only([*records(3), ERROR | {"seed": 3}])
    assert found.errors == {3: "no memory"}
    assert found.checks[0].missed == found.control.missed == (3,)
    assert (found.stands, len(found.seeds)) == (3, 4)


def test_a_claim_of_which_every_run_failed_reaches_nothing():
    found = only([ERROR | {"seed": seed} for seed in range(3)])
    assert (found.checks, found.control.held, found.stands) == ((), 0, 0)
    assert not found.reaches
    assert "seed 2: no memory" in seeds_table([found])


def test_a_check_that_a_run_lacks_does_not_hold_there():
    other = CHECK | {"name": "loss"}
    found = only([RECORD, RECORD | {"seed": 1, "checks": [CHECK, other]}])
    assert [(each.name, each.missed) for each in found.checks] == [
        ("angle", ()),
        ("loss", (0,)),
    ]
    assert found.stands == 1


def test_checks_of_the_same_name_are_told_apart():
    twice = RECORD | {"checks": [CHECK, CHECK | {"holds": False}]}
    assert [each.missed for each in only([twice]).checks] == [(), (0,)]


@pytest.mark.parametrize(("held", "count"), [(0, 7), (7, 7), (5, 7), (199, 200)])
def test_the_interval_is_that_of_clopper_and_pearson(held, count):
    """By its definition through the beta distribution."""
    seeds = tuple(range(count))
    found = sweep.Row("", "observed", 0.99, seeds, seeds[held:], (), ())
    low = beta.ppf(0.025, held, count - held + 1) if held else 0
    high = beta.ppf(0.975, held + 1, count - held) if held < count else 1
    assert found.interval == pytest.approx((low, high))
    assert found.share == held / count


@pytest.mark.parametrize(
    ("tag", "more", "stated"),
    [
        ("proved", {}, 1.0),
        ("derived", {}, 0.99),
        ("observed", {}, 0.99),
        ("proved", {"over_seeds": 0.9}, 0.9),
        ("observed", {"over_seeds": 0.5}, 0.5),
    ]
    + [("observed", {"over_seeds": bad}, 1.0) for bad in (*POISON, 0, 2, -1)],
)
def test_the_share_that_a_claim_states(tag, more, stated):
    checks = [CHECK | {"tag": tag} | more]
    assert row([RECORD | {"checks": checks}]).stated == stated
    assert only([RECORD | {"checks": checks}]).control.stated == 0.99


@pytest.mark.parametrize(
    ("stated", "missed", "count", "reaches"),
    [
        (1.0, 0, 1, True),
        (1.0, 1, 100_000, False),
        (0.99, 0, 1, True),
        (0.99, 1, 1, False),
        (0.99, 1, 20, True),  # the upper end is 0.9987
        (0.99, 3, 20, False),  # 0.9679
        (0.99, 5, 200, True),  # 0.9918
        (0.99, 6, 200, False),  # 0.9889
        (0.5, 30, 40, False),
    ],
)
def test_a_share_is_missed_where_the_interval_lies_below_it(
    stated, missed, count, reaches
):
    seeds = tuple(range(count))
    found = sweep.Row("", "observed", stated, seeds, seeds[:missed], (), ())
    assert found.reaches is reaches
    control = replace(found, tag="control")
    good = sweep.Row("", "observed", 0.99, seeds, (), (), ())
    summary = replace(only(records(1)), checks=(good,), control=control)
    assert summary.reaches is reaches
    assert replace(summary, checks=(found,), control=good).reaches is reaches


def test_quantiles_of_the_slack():
    found = [
        RECORD | {"seed": seed, "checks": [CHECK | {"measured": 0.1 * (1 - seed / 20)}]}
        for seed in range(21)
    ]
    assert row(found).quantiles == pytest.approx(
        {"q0": 0, "q5": 0.05, "q50": 0.5, "q95": 0.95, "q100": 1}, abs=1e-12
    )
    assert set(row(records(1, measured=None)).quantiles.values()) == {None}


def test_claims_presets_devices_and_sizes_are_summed_apart():
    others = ({"id": "b"}, {"preset": "book"}, {"device": "cuda"}, {"sizes": {"n": 2}})
    found = sweep.summarize([RECORD, *(RECORD | other for other in others)])
    assert [len(each.seeds) for each in found] == [1] * 5


def test_a_seed_counts_once_and_the_last_record_counts():
    (found,) = sweep.summarize([ERROR, RECORD])
    assert (found.seeds, found.stands, found.errors) == ((0,), 1, {})


def test_records_of_before_the_field_of_sizes_are_read():
    old = {name: value for name, value in RECORD.items() if name != "sizes"}
    assert only([old]).sizes == {}


def test_the_summary_line():
    line = only([*records(3, measured=None), ERROR | {"seed": 9}]).as_dict()
    assert json.loads(json.dumps(line, allow_nan=False)) == line
    (check,), control = line.pop("checks"), line.pop("control")
    assert line == {
        "summary": "seeds",
        "id": "a-claim",
        "page": "a/page",
        "kind": "theorem",
        "preset": "quick",
        "device": "cpu",
        "sizes": {},
        "seeds": 4,
        "stands": 2,
        "reaches": False,
        "errors": [{"seed": 9, "error": "no memory"}],
    }
    assert check == {
        "name": "angle",
        "tag": "observed",
        "stated": 0.99,
        "held": 2,
        "share": 0.5,
        "interval": pytest.approx([0.0676, 0.9324], abs=1e-4),
        "reaches": False,
        "missed": [2, 9],
        "broken": [],
        "slack": {"known": 2} | dict.fromkeys(sweep.QUANTILES, pytest.approx(0.6)),
    }
    assert list(control) == list(check)
    assert (control["tag"], control["held"]) == ("control", 3)


def test_records_that_claims_make_are_summed():
    todo = verify.jobs_for(
        made_up.named("fails-at-odd-seeds").values(),
        Setting(),
        seeds=range(1110210, 1110216),
    )
    summary = only(map(verify.run_job, todo))
    assert summary.checks[0].missed == (1110211, 1110213, 1110215)
    assert summary.control.missed == ()
    assert summary.checks[0].quantiles == pytest.approx(
        {"q0": -9.5, "q5": -9.5, "q50": -4.5, "q95": 0.5, "q100": 0.5}
    )
    assert not summary.reaches


def test_the_table_names_what_is_below_and_where_it_was_missed():
    low = [
        RECORD | {"checks": [CHECK | {"holds": False}], "seed": k} for k in range(14)
    ]
    text = seeds_table([only(records(2)), replace(only(low), id="b-claim")])
    assert "a-claim (theorem): reaches its shares; stands at 2 of 2 seeds" in text
    assert "b-claim (theorem): BELOW ITS SHARES; stands at 0 of 14 seeds" in text
    assert "BELOW: missed at seed 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 4 more" in text
    assert text.endswith(
        "1 of 2 claims reach the shares of seeds that they state.\nBelow: b-claim."
    )
    assert max(map(len, text.splitlines())) < 110
