import dataclasses
import math

import numpy as np
import pytest

from ibcore.claims import Setting
from ibcore.pages.since.attention_and_language import claims as page
from ibcore.pages.since.attention_and_language.claims import (
    attention_token_svm as token_claim,
)
from ibcore.pages.since.attention_and_language.claims import (
    next_token_margin as next_claim,
)
from ibcore.validation import InvalidInput, NotSeparable
from tests.conformance import UnbrokenConformance, outcome

CLAIMS = {one.id: one for one in (page.attention_token_svm, page.next_token_margin)}


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def test_the_control_survives_where_the_gap_is_above_one(verdicts):
    """The same measurement of the problems in which the wrong token is far ahead."""
    found = verdicts["attention-token-svm"].measured
    same = dataclasses.replace(found, elsewhere=found.sines[2, -1])
    assert not page.attention_token_svm.judge(same).control.refuted


def test_the_control_survives_where_nothing_is_contradicted(monkeypatch):
    """The same measurement with a context more whose log odds are what they must be."""
    module = page.next_token_margin.measure.__globals__
    monkeypatch.setitem(module, "SHIFT", 0.0)
    verdict = page.next_token_margin.verify(Setting("quick", 3))
    assert verdict.evidence.holds
    assert not verdict.evidence.control.refuted


def poisoned(values, members):
    lost = values.clone()
    lost[..., :members] = math.nan
    return lost


TOKENS = {
    "pace": ([0], 1),
    "joint_pace": ([1], 1),
    "sines": ([2, 3, 4, 5], 1),
    "laws": ([6], 1),
    "exponents": ([7], 1),
    "hits": ([8, 9], 5),
    "descent": ([10], 5),
    "certified": ([11], 1),
}


@pytest.mark.parametrize("name", TOKENS)
def test_attention_that_cannot_be_told(verdicts, name):
    found = verdicts["attention-token-svm"].measured
    places, members = TOKENS[name]
    lost = poisoned(getattr(found, name), members)
    judged = page.attention_token_svm.judge(dataclasses.replace(found, **{name: lost}))
    assert outcome(judged) == (places, True)


def test_attention_that_does_otherwise(verdicts):
    found = verdicts["attention-token-svm"].measured

    def judged(**changed):
        return outcome(
            page.attention_token_svm.judge(dataclasses.replace(found, **changed))
        )

    assert judged() == ([], True)
    assert judged(pace=found.pace * 0.99) == ([0], True)
    assert judged(joint_pace=found.joint_pace * 0.99) == ([1], True)
    assert judged(sines=found.sines * 50) == ([2, 3, 4, 5], True)
    assert judged(laws=found.laws * 1.01) == ([6], True)
    assert judged(exponents=found.exponents * 0.9) == ([7], True)
    assert judged(hits=found.hits * 0.5) == ([8, 9], True)
    assert judged(descent=found.descent * 0.9) == ([10], True)
    assert judged(elsewhere=poisoned(found.elsewhere, 3)) == ([], False)
    assert judged(elsewhere=found.elsewhere * 0) == ([], False)


def test_inputs_that_never_come_below_the_threshold_say_nothing(verdicts):
    """Its hypothesis is not met for them; where it is for none, nothing holds."""
    found = verdicts["attention-token-svm"].measured
    pace, below = found.joint_pace.clone(), found.below.clone()
    pace[:, 0], below[0] = math.inf, False
    one = dataclasses.replace(found, joint_pace=pace, below=below)
    assert outcome(page.attention_token_svm.judge(one)) == ([], True)
    none = dataclasses.replace(one, below=below & False)
    assert outcome(page.attention_token_svm.judge(none)) == ([1], True)


NEXT = {
    "bounds": ([0], 1),
    "odds": ([1], 5),
    "drifts": ([2], 5),
    "laws": ([3], 5),
    "late_laws": ([4], 1),
    "sines": ([5], 1),
    "one_hot": ([6], 5),
    "against_bounds": ([7], 1),
    "against_sines": ([8], 1),
    "certified": ([9], 1),
}


@pytest.mark.parametrize("name", NEXT)
def test_decoders_that_cannot_be_told(verdicts, name):
    found = verdicts["next-token-margin"].measured
    places, members = NEXT[name]
    lost = poisoned(getattr(found, name), members)
    if name == "certified":
        lost = poisoned(found.certified.mT, members).mT
    judged = page.next_token_margin.judge(dataclasses.replace(found, **{name: lost}))
    assert outcome(judged) == (places, True)


def test_decoders_that_do_otherwise(verdicts):
    found = verdicts["next-token-margin"].measured

    def judged(**changed):
        return outcome(
            page.next_token_margin.judge(dataclasses.replace(found, **changed))
        )

    assert judged() == ([], True)
    assert judged(bounds=found.bounds + 1) == ([0], True)
    assert judged(odds=found.odds + 1e-4) == ([1], True)
    assert judged(drifts=found.drifts * 1.5) == ([2], True)
    assert judged(laws=found.laws * 1.1) == ([3], True)
    assert judged(late_laws=found.late_laws * 1.01) == ([4], True)
    assert judged(sines=found.sines * 50) == ([5], True)
    assert judged(one_hot=found.one_hot * 0.1) == ([6], True)
    assert judged(against_bounds=found.against_bounds + 1) == ([7], True)
    assert judged(against_sines=found.against_sines * 50) == ([8], True)
    assert judged(against_odds=poisoned(found.against_odds, 3)) == ([], False)
    assert judged(against_odds=found.against_odds * 0) == ([], False)


def test_contradicting_data_miss_log_odds_by_what_is_proved(verdicts):
    odds = verdicts["next-token-margin"].measured.against_odds
    assert float(odds.min()) >= 2 / 2.5 - 1e-6


def test_own_text():
    words = np.array([0, 1, 2, 0, 3, 2, 0, 1, 4])
    X, y = 100 * np.eye(5)[words[:-1]], words[1:]
    setting = Setting("quick", 0)
    texts = page.next_token_margin.problems(setting, (X, y), texts=3)
    assert len(texts.drawn) == 3
    data = texts.drawn[0].data
    assert float(data.contexts.square().mean()) == pytest.approx(1)
    assert page.next_token_margin.verify(setting, data=(X, y), texts=2).stands


def test_own_text_that_cannot_be():
    setting = Setting("quick", 0)

    def problems(X, y):
        return page.next_token_margin.problems(setting, (X, np.array(y)))

    with pytest.raises(InvalidInput, match="followed by one token"):
        problems(np.eye(3), [0, 1, 2])
    line = [[1.0, 0.0], [1.0, 0.0], [2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [0.0, 1.0]]
    with pytest.raises(InvalidInput, match="log odds"):
        problems(np.array(line), [0, 1, 0, 0, 1, 2])
    with pytest.raises(NotSeparable):
        problems(np.array([[1.0], [1.0], [2.0]]), [0, 1, 2])


def test_modules_have_the_names_of_their_claims():
    assert (token_claim, next_claim) == tuple(CLAIMS.values())
