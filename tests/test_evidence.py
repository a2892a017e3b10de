import math

import numpy as np
import pytest
import torch

from ibcore.claims import Claim, Setting
from ibcore.evidence import Check, Control, Evidence, attempt
from ibcore.report import show_verdicts, verdict_table
from ibcore.validation import InvalidInput
from tests.made_up import steps

NAN, INF = math.nan, math.inf
ABOUT = {"tag": "proved", "reason": "a theorem"}


def close(predicted, measured, *, atol=0.0, rtol=0.0):
    return Check.each("a", measured, equals=predicted, atol=atol, rtol=rtol, **ABOUT)


def at_most(measured, bar):
    return Check.each("a", measured, at_most=bar, **ABOUT)


def at_least(measured, bar):
    return Check.each("a", measured, at_least=bar, **ABOUT)


@pytest.mark.parametrize(
    ("check", "holds"),
    [
        (close(1, 1.1, atol=0.2), True),
        (close(1, 1.3, atol=0.2), False),
        (close(-10, -9.5, rtol=0.1), True),
        (close(2, 2), True),
        (at_most(1, 1), True),
        (at_most(1.1, 1), False),
        (at_least(1, 1), True),
        (at_least(0.9, 1), False),
        (at_most(torch.tensor(0.5), np.float64(1)), True),
    ],
)
def test_checks_compare(check, holds):
    assert check.holds is holds
    assert isinstance(check.measured, float)


@pytest.mark.parametrize(
    "check",
    [
        close(1, NAN, atol=INF),
        close(NAN, 1, atol=1),
        at_most(NAN, 1),
        at_least(NAN, 1),
        at_most(1, NAN),
        close(1, INF, atol=1),
        at_least([], 0.5),
    ],
)
def test_nan_never_holds(check):
    assert not check.holds
    assert not Control("broken", check).refuted


def test_an_infinite_measurement_refutes_nothing():
    assert at_least(INF, 1).holds
    assert not Control("diverged", at_least(INF, 1)).refuted
    assert Control("clear", at_least(2, 1)).refuted


@pytest.mark.parametrize(
    ("values", "bar", "worst"),
    [
        ([1.0, 3.0, 2.0], {"at_most": 3}, (3.0, 3.0, True)),
        ([1.0, 3.0, 2.0], {"at_most": [0.5, 4, 4]}, (1.0, 0.5, False)),
        ([1.0, 3.0, 2.0], {"at_least": 1.5}, (1.0, 1.5, False)),
        ([0.9, 1.2, 1.0], {"equals": 1, "atol": 0.25}, (1.2, 1.0, True)),
        ([0.95, 21.0], {"equals": [1, 20], "rtol": 0.1}, (0.95, 1.0, True)),
        ([0.9, 23.0], {"equals": [1, 20], "rtol": 0.1}, (23.0, 20.0, False)),
        (torch.tensor(2.0), {"at_most": 1}, (2.0, 1.0, False)),
    ],
)
def test_each_reports_the_member_farthest_beyond_its_bar(values, bar, worst):
    check = Check.each("a", values, **bar, **ABOUT)
    assert (check.measured, check.predicted, check.holds) == worst
    assert check.members == torch.as_tensor(values).numel()


@pytest.mark.parametrize("poison", range(9))
@pytest.mark.parametrize(
    "bar", [{"at_most": 1e9}, {"at_least": -1e9}, {"equals": 0, "atol": INF}]
)
def test_one_member_without_a_number_fells_each_and_largest(poison, bar):
    values = np.ones(9)
    values[poison] = NAN
    for check in (
        Check.each("a", values, **bar, **ABOUT),
        Check.largest("a", values, growth=0.5, **bar, **ABOUT),
    ):
        assert not check.holds
        assert check.broken == 1
        assert not Control("broken", check).refuted


def test_a_bar_without_a_number_and_no_members_fell_each():
    assert not Check.each("a", [1.0, 1.0], at_most=[2.0, NAN], **ABOUT).holds
    assert not Check.each("a", [], at_most=2.0, **ABOUT).holds


def test_a_share_loses_exactly_the_member_that_broke_down():
    values = np.array([0.1] * 15 + [NAN])
    for few, kind in (({"least": 0.9}, 15 / 16), ({"most": 0.1}, 1 / 16)):
        bar = {"at_most": 1} if "least" in few else {"at_most": 0.01}
        check = Check.share("a", values, **bar, **few, **ABOUT)
        assert check.measured == kind
        assert (check.members, check.broken, check.typical) == (16, 1, 0.1)


def test_broken_members_refute_no_control():
    values = np.array([0.5] * 4 + [NAN] * 12)
    check = Check.share("a", values, at_most=0.1, most=0.25, **ABOUT)
    assert not Control("broken", check).refuted
    unknown = Check.share(
        "a", np.full(16, 0.5), at_most=[0.1] * 4 + [NAN] * 12, most=0.25, **ABOUT
    )
    assert unknown.broken == 12
    assert not Control("broken", unknown).refuted
    clear = Check.share("a", np.full(16, 0.5), at_most=0.1, most=0.25, **ABOUT)
    assert Control("clear", clear).refuted


@pytest.mark.parametrize("count", [8, 16, 40, 400])
def test_the_bar_of_a_share_is_missed_with_a_chance_of_one_in_a_thousand(count):
    check = Check.share("a", np.ones(count, dtype=bool), least=0.95, **ABOUT)
    required = round(check.predicted * count)
    below = [
        math.comb(count, k) * 0.95**k * 0.05 ** (count - k) for k in range(required + 1)
    ]
    assert math.fsum(below[:-1]) < 1e-3 <= math.fsum(below)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_share_of_few_members_leaves_nothing_to_chance(count):
    values = np.ones(count)
    good = Check.share("a", values, at_most=2, least=0.9, **ABOUT)
    assert good.holds
    assert good.predicted == 0.9
    values[0] = 3
    assert not Check.share("a", values, at_most=2, least=0.9, **ABOUT).holds
    assert not Check.share("a", values * np.nan, at_most=2, least=0.9, **ABOUT).holds
    assert not Check.share("a", [], at_most=2, least=0.9, **ABOUT).holds


def test_a_claim_that_draws_too_few_members_for_a_share_is_refused():
    def experiment(_setting: Setting, *, runs: int) -> Evidence:
        check = Check.share("a", np.ones(runs), at_most=2, least=0.9, **ABOUT)
        return Evidence((check,), Control("b", check))

    sizes = {preset: {"runs": 8} for preset in ("quick", "book", "full")}
    made = Claim("a", "page", "theorem", "made up", "a", sizes, **steps(experiment))
    assert made.verify().evidence.holds
    with pytest.raises(InvalidInput, match="share of 7 members, expected at least 8"):
        made.verify(runs=7)
    with pytest.raises(InvalidInput, match="takes no data"):
        made.verify(data=([[1.0]], [1.0]))


def test_a_share_of_all_needs_all():
    met = np.ones(50, dtype=bool)
    assert Check.share("a", met, least=1.0, **ABOUT).holds
    met[7] = False
    assert not Check.share("a", met, least=1.0, **ABOUT).holds


def test_the_bar_of_the_largest_grows_with_the_members():
    few, many = (
        Check.largest("a", np.ones(n), equals=1, atol=0.1, growth=0.5, **ABOUT)
        for n in (8, 32)
    )
    assert (few.tolerance, many.tolerance) == (0.1, pytest.approx(0.2))
    assert Check.largest(
        "a", np.ones(32), at_least=1.9, growth=0.5, **ABOUT
    ).predicted == pytest.approx(0.95)


@pytest.mark.parametrize("bar", [-2.0, 2.0])
def test_a_bar_that_grows_becomes_wider_on_either_side_of_zero(bar):
    for growth in (0.0, 0.5):
        values = np.full(32, bar)
        for relation in ("at_most", "at_least"):
            options = {relation: bar, "growth": growth}
            assert Check.largest("a", values, **options, **ABOUT).holds


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Check.each("a", 1, at_most=2, reason="r"), "needs a tag"),
        (lambda: Check.each("a", 1, at_most=2, tag="proved"), "reason of its bar"),
        (lambda: Check.each("a", 1, **ABOUT), "one of equals=, at_most= and at_least="),
        (lambda: Check.each("a", 1, at_most=2, at_least=0, **ABOUT), "one of equals"),
        (lambda: Check.each("a", 1, at_most=2, atol=1, **ABOUT), "go with equals"),
        (lambda: Check.each("a", 1, at_most=2, bar=1, **ABOUT), "no option bar"),
        (lambda: Check.share("a", [True] * 8, least=0.6, **ABOUT), "from a coin's"),
        (lambda: Check.share("a", [True] * 8, **ABOUT), "one of least= and most="),
        (lambda: Check.share("a", [True] * 8, least=0.5, **ABOUT), "above one half"),
        (lambda: Check.share("a", [True] * 8, most=1.1, **ABOUT), "from 0 to 1"),
        (lambda: Check.each("a", 1, at_most=2, repeats=0.5, **ABOUT), "factor of two"),
        (lambda: Check.each("a", 1, at_most=2, over_seeds=0, **ABOUT), "above 0"),
        (lambda: Check.each("a", 1, at_most=2, over_seeds=1.1, **ABOUT), "at most 1"),
        (lambda: Check.each("a", 1, at_most=2, over_seeds=NAN, **ABOUT), "is nan"),
    ],
)
def test_checks_refuse_what_says_nothing(make, complaint):
    with pytest.raises(InvalidInput, match=complaint):
        make()


def test_a_share_of_seeds_is_recorded_where_it_is_stated():
    stated = Check.each("a", 1, at_most=2, over_seeds=0.9, **ABOUT).as_dict()
    assert stated["over_seeds"] == 0.9
    assert "over_seeds" not in at_most(1, 2).as_dict()


def test_members_that_break_down_take_nobody_with_them():
    def measure(value):
        if value == 2:
            raise np.linalg.LinAlgError("singular")
        return Check.each("a", 1 / value, at_most=2, **ABOUT)

    results, broken = attempt(measure, [1, 2, 0, 4])
    assert broken == ("LinAlgError: singular", "ZeroDivisionError: division by zero")
    assert [one.measured for one in results if not math.isnan(one.measured)] == [
        1,
        0.25,
    ]
    assert math.isnan(float(results[1]))
    with pytest.raises(TypeError):
        attempt(len, [1])


def test_evidence_needs_a_check_and_all_of_them():
    control = Control("c", at_least(2, 1))
    good, bad = at_most(0, 1), at_most(2, 1)
    assert Evidence((good, good), control).holds
    assert not Evidence((good, bad), control).holds
    assert not Evidence((), control).holds


def test_seeds_do_not_depend_on_preset_or_device():
    quick, full = (
        Setting("quick", 3).seeds(5, "split"),
        Setting("full", 3, torch.device("meta")).seeds(5, "split"),
    )
    assert quick == full
    assert Setting("quick", 3).seeds(2, "split") == quick[:2]
    assert len(set(quick)) == 5
    assert not set(quick) & set(Setting("quick", 4).seeds(5, "split"))
    assert not set(quick) & set(Setting("quick", 3).seeds(5, "other"))
    for seed in quick:
        torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    "words",
    [
        ("small", 0, "cpu"),
        ("quick", -1, "cpu"),
        ("quick", 1.5, "cpu"),
        ("quick", 0, "tpu"),
    ],
)
def test_a_setting_refuses_what_it_does_not_know(words):
    with pytest.raises(InvalidInput):
        Setting.create(*words)


def made(measured=0.5, control=2.0):
    def experiment(setting, *, count):
        return Evidence(
            (
                at_most(measured, 1),
                close(1, 1.0004, atol=1e-2),
            ),
            Control("reversed", at_least(control, 1)),
            {"seed": setting.seed, "count": count},
        )

    sizes = {"quick": {"count": 1}, "book": {"count": 2}, "full": {"count": 3}}
    return Claim(
        "made-up", "page", "theorem", "nobody", "It holds.", sizes, **steps(experiment)
    )


def test_a_verdict_carries_its_record():
    verdict = made().verify(Setting("book", seed=7))
    assert verdict.stands
    assert verdict.evidence.notes["count"] == 2
    record = verdict.as_dict()
    assert (record["id"], record["seed"], record["preset"], record["device"]) == (
        "made-up",
        7,
        "book",
        "cpu",
    )
    assert record["notes"] == {"seed": 7, "count": 2}
    assert not made(measured=2).verify().stands
    assert not made(control=0).verify().stands


def test_sizes_can_be_replaced_one_by_one():
    assert made().verify(count=9).evidence.notes["count"] == 9
    with pytest.raises(InvalidInput, match=r"no size number; its sizes are count"):
        made().verify(number=9)


def test_tables_tell_what_failed(capsys):
    show_verdicts(made().verify(), made(measured=NAN, control=0).verify())
    printed = capsys.readouterr().out
    first, second = printed.strip().split("\n\n")
    assert "stands" in first
    assert "refuted" in first
    assert "DOES NOT STAND" in second
    assert "FAILS" in second
    assert "NOT REFUTED" in second
    assert verdict_table(made().verify(), numbers=False) == first


def test_draws_that_break_the_condition_are_counted_and_the_others_kept_in_order():
    setting = Setting("quick", 3)

    def keep(generator):
        value = float(torch.rand(1, generator=generator))
        return value if value > 0.5 else None

    every = [
        float(torch.rand(1, generator=torch.Generator().manual_seed(seed)))
        for seed in setting.seeds(50, "coin")
    ]
    kept, rejected = setting.draw(5, "coin", keep)
    assert kept == [value for value in every if value > 0.5][:5]
    assert rejected == every.index(kept[-1]) + 1 - 5


def test_a_condition_that_no_draw_meets_is_an_error():
    with pytest.raises(RuntimeError, match="0 of 400 draws for 'never'"):
        Setting().draw(2, "never", lambda _: None)
