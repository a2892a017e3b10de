import math

import numpy as np
import pytest
import torch

from ibcore.claims import Claim, Setting
from ibcore.evidence import Check, Control, Evidence, fraction
from ibcore.report import show_verdicts, verdict_table
from ibcore.validation import InvalidInput

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("check", "holds"),
    [
        (Check.close("a", 1, 1.1, atol=0.2), True),
        (Check.close("a", 1, 1.3, atol=0.2), False),
        (Check.close("a", -10, -9.5, rtol=0.1), True),
        (Check.close("a", 2, 2), True),
        (Check.at_most("a", 1, 1), True),
        (Check.at_most("a", 1.1, 1), False),
        (Check.at_least("a", 1, 1), True),
        (Check.at_least("a", 0.9, 1), False),
        (Check.at_most("a", torch.tensor(0.5), np.float64(1)), True),
    ],
)
def test_checks_compare(check, holds):
    assert check.holds is holds
    assert isinstance(check.measured, float)


@pytest.mark.parametrize(
    "check",
    [
        Check.close("a", 1, NAN, atol=INF),
        Check.close("a", NAN, 1, atol=1),
        Check.at_most("a", NAN, 1),
        Check.at_least("a", NAN, 1),
        Check.at_most("a", 1, NAN),
        Check.close("a", 1, INF, atol=1),
        fraction("a", 0, 0, at_least=0.5),
    ],
)
def test_nan_never_holds(check):
    assert not check.holds
    assert not Control("broken", check).refuted


def test_an_infinite_measurement_refutes_nothing():
    assert Check.at_least("a", INF, 1).holds
    assert not Control("diverged", Check.at_least("a", INF, 1)).refuted
    assert Control("clear", Check.at_least("a", 2, 1)).refuted


def test_fraction():
    assert fraction("share", 9, 10, at_least=0.9).holds
    assert not fraction("share", 8, 10, at_least=0.9).holds


def test_evidence_needs_a_check_and_all_of_them():
    control = Control("c", Check.at_least("c", 2, 1))
    good, bad = Check.at_most("good", 0, 1), Check.at_most("bad", 2, 1)
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
                Check.at_most("bounded", measured, 1),
                Check.close("equal", 1, 1.0004, atol=1e-2),
            ),
            Control("reversed", Check.at_least("gap", control, 1)),
            {"array": np.ones(count)},
            {"seed": setting.seed},
        )

    sizes = {"quick": {"count": 1}, "book": {"count": 2}, "full": {"count": 3}}
    return Claim("made-up", "page", "theorem", "nobody", "It holds.", sizes, experiment)


def test_a_verdict_carries_its_record():
    verdict = made().verify(Setting("book", seed=7))
    assert verdict.stands
    assert len(verdict.data["array"]) == 2
    record = verdict.as_dict()
    assert (record["id"], record["seed"], record["preset"], record["device"]) == (
        "made-up",
        7,
        "book",
        "cpu",
    )
    assert record["notes"] == {"seed": 7}
    assert not made(measured=2).verify().stands
    assert not made(control=0).verify().stands


def test_sizes_can_be_replaced_one_by_one():
    assert len(made().verify(count=9).data["array"]) == 9
    with pytest.raises(InvalidInput, match=r"no size number; its sizes are count"):
        made().verify(number=9)


def test_tables_tell_what_failed(capsys):
    show_verdicts(made().verify(), made(measured=NAN, control=0).verify())
    printed = capsys.readouterr().out
    first, second = printed.split("\n\n")
    assert "stands" in first
    assert "refuted" in first
    assert "DOES NOT STAND" in second
    assert "FAILS" in second
    assert "NOT REFUTED" in second
    assert verdict_table(made().verify()) == first


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
