"""Lists of claims on pages without code: what is stored is what they say, and every
link leads to a verdict.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest
from claim_lists import Stored, all_stored, counts, listed, stored_verdicts

from ibcore.claims import Claim, Setting, Verdict, all_claims
from ibcore.evidence import Check, Control, Evidence
from ibcore.report.text import summary_table
from tests.made_up import steps

KINDS = ("theorem", "empirical", "open")


def verdict(measured: float, failure: float) -> Verdict:
    """A verdict on `some-claim`, of a proved and a derived check at most 1 and a
    control at least 1.
    """
    checks = [
        Check.each("x", value, at_most=1, tag=tag, reason="a bar")
        for value, tag in ((measured, "proved"), (0.0, "derived"))
    ]
    control = Check.each("y", failure, at_least=1, tag="observed", reason="a bar")
    claim = Claim("some-claim", "page", "theorem", "", "", {}, **steps(dict))
    evidence = Evidence(tuple(checks), Control("", control))
    return Verdict(claim, Setting(), evidence, 0.0)


@pytest.mark.parametrize(
    ("measured", "failure", "expected"),
    [
        (0.5, 2.0, Stored("stands", "1 proved, 1 derived", "refuted")),
        (0.5, 0.5, Stored("DOES NOT STAND", "1 proved, 1 derived", "NOT REFUTED")),
        (1.5, 2.0, Stored("DOES NOT STAND", "1 proved, 1 derived, 1 FAIL", "refuted")),
    ],
)
def test_a_stored_line_is_read_as_it_was_written(measured, failure, expected):
    found = stored_verdicts(summary_table(verdict(measured, failure)))
    assert found == {"some-claim": expected}
    assert found["some-claim"].stands == (expected.outcome == "stands")
    assert found["some-claim"].checks == Counter(proved=1, derived=1)


def test_other_text_of_a_cell_is_no_verdict():
    assert (
        stored_verdicts("some-claim (theorem): stands (1 proved)\n  holds  ≤ 1  x")
        == {}
    )


def test_every_claim_has_a_stored_verdict():
    assert set(all_stored()) == set(all_claims())


def test_counts_add_up():
    found = {name: int(number) for name, number in counts(all_stored()).items()}
    assert found["claims"] == len(all_claims())
    assert (
        found["theorems"] + found["observations"] + found["questions"]
        == found["claims"]
    )
    parts = [found[f"checks_{tag}"] for tag in ("proved", "derived", "observed")]
    assert sum(parts) == found["checks"]
    assert min(parts) > 0


def test_counts_are_of_what_is_stored():
    good = Stored("stands", "1 proved, 2 derived", "refuted")
    bad = Stored("DOES NOT STAND", "3 observed, 1 FAIL", "NOT REFUTED")
    found = counts({"a": good, "b": bad})
    assert (found["standing"], found["refuted"], found["checks"]) == ("1", "1", "6")


def test_every_claim_is_listed_once_under_its_kind():
    lines = [line for kind in KINDS for line in listed(kind, all_stored())]
    named = [re.search(r"\{claim\}`([\w-]+)`", line) for line in lines]
    assert sorted(name[1] for name in named if name) == sorted(all_claims())


def test_a_claim_that_does_not_stand_is_listed_so():
    bad = Stored("DOES NOT STAND", "1 proved, 1 FAIL", "NOT REFUTED")
    lines = list(listed("open", dict.fromkeys(all_claims(), bad)))
    assert (
        sum(
            "*DOES NOT STAND: 1 proved, 1 FAIL; control NOT REFUTED*" in line
            for line in lines
        )
        == 2
    )
