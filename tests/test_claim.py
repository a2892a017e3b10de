"""Settings and claims: randomness that belongs to a purpose, and three steps in order."""

import pytest
import torch

from ibcore.claim import REGISTRY, Claim, Setting, claim, page_of
from ibcore.evidence import Check, Control, Evidence
from ibcore.validation import InvalidInput

ABOUT = {"tag": "proved", "reason": "made up"}


def evidence(value=1.0, control=2.0, tag="proved", members=8):
    about = {"tag": tag, "reason": "made up"}
    checks = (
        Check.each("one", value, at_most=1.0, **about),
        Check.share("most", [value] * members, at_most=1.0, least=0.9, **about),
    )
    failure = Check.each("gap", control, at_least=1.5, tag="observed", reason="half")
    return Evidence(checks, Control("broken", failure))


def made(judge=evidence, *, kind="theorem", own=None):
    return Claim(
        "made-up",
        "introduction",
        kind,
        "nobody",
        "It holds.",
        {"quick": {"size": 1.0}, "book": {"size": 0.5}, "full": {"size": 0.25}},
        draw=lambda _setting, size: size,
        measure=lambda problems, _setting: problems,
        judge=judge,
        own=own,
    )


def test_seeds_belong_to_a_seed_and_a_purpose_alone():
    setting = Setting(seed=3)
    first = setting.seeds(5, "data")
    assert len(set(first)) == 5
    assert Setting("full", 3).seeds(5, "data") == first
    assert setting.seeds(3, "data") == first[:3]
    assert not set(setting.seeds(5, "starts")) & set(first)
    assert not set(Setting(seed=4).seeds(5, "data")) & set(first)
    assert all(0 <= seed < 2**63 for seed in setting.seeds(200, "range"))
    assert any(seed > 2**62 for seed in setting.seeds(200, "range"))


def test_draws_are_kept_where_a_condition_is_met_and_the_others_counted():
    setting, tried = Setting(seed=1), []

    def keep(generator):
        number = float(torch.rand(1, generator=generator))
        tried.append(number)
        return number if number > 0.5 else None

    kept, rejected = setting.draw(20, "half", keep)
    assert kept == [number for number in tried if number > 0.5]
    assert len(kept) == 20
    assert rejected == len(tried) - 20 > 0
    assert setting.draw(20, "half", keep) == (kept, rejected)
    expected = torch.rand(
        1, generator=torch.Generator().manual_seed(setting.seeds(1, "half")[0])
    )
    assert tried[0] == float(expected)


def test_a_condition_that_is_hardly_ever_met_is_an_error():
    count = []
    with pytest.raises(RuntimeError, match="0 of 400 draws for 'never'"):
        Setting().draw(2, "never", lambda _: count.append(1))
    assert len(count) == 400


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"preset": "slow"}, "preset"),
        ({"seed": -1}, "seed"),
        ({"device": "abacus"}, "device"),
    ],
)
def test_settings_that_are_not_there_are_refused(words, message):
    with pytest.raises(InvalidInput, match=message):
        Setting.create(**words)


def test_a_claim_draws_measures_and_judges_at_the_sizes_of_its_preset():
    found = made().verify(Setting("book"))
    assert found.measured == 0.5
    assert found.stands
    assert made().verify(size=0.75).measured == 0.75
    assert not made().verify(size=1.5).stands
    assert not made(lambda m: evidence(m, control=1.0)).verify().stands
    record = found.as_dict()
    assert (record["id"], record["preset"], record["holds"]) == (
        "made-up",
        "book",
        True,
    )
    assert [check["name"] for check in record["checks"]] == ["one", "most"]
    assert record["control"]["refuted"]
    assert record["control"]["threshold"] == 1.5


def test_sizes_that_a_claim_does_not_have_are_named():
    with pytest.raises(InvalidInput, match="no size length; its sizes are size"):
        made().verify(length=3)


def test_a_readers_data_take_the_place_of_the_draw():
    one = made(own=lambda _setting, X, y, size: X + y + size)
    assert one.verify(data=(0.25, 0.5), size=0.125).measured == 0.875
    with pytest.raises(InvalidInput, match="takes no data"):
        made().verify(data=(1, 2))


def test_a_share_of_few_members_is_refused_where_the_draw_decides_how_many():
    few = made(lambda m: evidence(m, members=7), own=lambda _s, X, _y, size: X * size)
    with pytest.raises(InvalidInput, match="share of 7 members, expected at least 8"):
        few.verify()
    assert few.verify(data=(1.0, 0), size=0.5).stands


def test_a_theorem_has_a_check_that_is_proved():
    with pytest.raises(ValueError, match="none of its checks"):
        made(lambda m: evidence(m, tag="observed")).verify()
    assert made(lambda m: evidence(m, tag="observed"), kind="open").verify().stands


def test_a_decorated_judgment_is_registered_under_its_name(monkeypatch):
    monkeypatch.setattr("ibcore.claim.REGISTRY", {})
    steps = {
        "quick": {},
        "book": {},
        "full": {},
        "draw": lambda _setting: 1.0,
        "measure": lambda problems, _setting: problems,
    }

    @claim(kind="open", source="nobody", statement="It holds.", **steps)
    def my_own_claim(measured):
        return evidence(measured)

    assert my_own_claim.id == "my-own-claim"
    assert my_own_claim.id not in REGISTRY
    assert my_own_claim.verify().stands
    with pytest.raises(InvalidInput, match="kind"):
        claim(kind="guess", source="", statement="", **steps)


@pytest.mark.parametrize(
    ("module", "page"),
    [
        ("ibcore.pages.introduction.claims", "introduction"),
        ("ibcore.pages.a.b.claims.one_claim", "a/b"),
        ("ibcore.pages.a.b.claims", "a/b"),
    ],
)
def test_a_page_is_the_room_of_its_claims(module, page):
    assert page_of(module) == page
