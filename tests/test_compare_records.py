"""The net of stored measurements notices what changes, appears and vanishes."""

from __future__ import annotations

import pytest
from compare_records import differences, joined, measured, only

RECORD = {
    "checks": [
        {"name": "a", "measured": 0.5, "holds": True, "precision": False},
        {"name": "b", "measured": 1e-15, "holds": True, "precision": True},
    ],
    "control": {"name": "c", "measured": 2.0, "refuted": True},
}


def test_a_precision_counts_by_whether_it_holds():
    assert measured(RECORD) == {"a": 0.5, "b": True, "control: c": 2.0}


@pytest.mark.parametrize(
    ("changed", "count"),
    [
        ({"a": 0.5 + 1e-9, "b": True}, 0),
        ({"a": 0.6, "b": True}, 1),
        ({"a": 0.5, "b": False}, 1),
        ({"a": None, "b": True}, 1),
        ({"a": 0.5}, 1),
        ({"a": 0.5, "b": True, "c": 1.0}, 1),
    ],
)
def test_changes_are_told(changed, count):
    kept = {"quick 0": {"claim": {"a": 0.5, "b": True}}}
    found = {"quick 0": {"claim": changed}}
    assert len(list(differences(found, kept, 1e-6))) == count


def test_claims_that_were_run_replace_what_was_kept_of_them_alone():
    kept = {"quick 0": {"a": {"x": 1.0}, "c": {"x": 3.0}}}
    found = {"quick 0": {"b": {"x": 2.0}, "a": {"y": 4.0}}}
    text = {"quick 0": {"a": {"y": 4.0}, "b": {"x": 2.0}, "c": {"x": 3.0}}}
    assert joined(kept, found) == text
    assert list(joined(kept, found)["quick 0"]) == ["a", "b", "c"]
    assert only(kept, found) == {"quick 0": {"a": {"x": 1.0}}}
