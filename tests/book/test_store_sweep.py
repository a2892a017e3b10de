"""Counts over seeds that the repository keeps for the ledger."""

from __future__ import annotations

import json

import pytest
import store_sweep

from ibcore.claims import all_claims
from ibcore.sweep import interval, summarize


def records(name: str, seeds, missed=()) -> list[dict]:
    """Made-up records of a claim with one check, which misses at some seeds."""
    check = {"name": "a check", "tag": "proved", "relation": "<=", "predicted": 1.0}
    about = {"id": name, "page": "p", "kind": "theorem", "preset": "quick"}
    return [
        {
            **about,
            "device": "cpu",
            "seed": seed,
            "checks": [
                {
                    **check,
                    "measured": 2.0 if seed in missed else 0.5,
                    "tolerance": 0.0,
                    "holds": seed not in missed,
                }
            ],
            "control": {
                "name": "c",
                "relation": ">=",
                "predicted": 1.0,
                "measured": 2.0,
                "tolerance": 0.0,
                "refuted": True,
            },
        }
        for seed in seeds
    ]


def summary(name, seeds, missed=()):
    [found] = summarize(records(name, seeds, missed))
    return found.as_dict()


def test_a_sweep_is_cut_into_parts_of_twenty_that_cover_it():
    assert list(store_sweep.parts(5, 50)) == [(5, 25), (25, 45), (45, 50)]


def test_counts_name_the_seeds_that_missed():
    counts = store_sweep.counts(summary("a-claim", range(20), missed=(3, 7)))
    assert (counts["seeds"], counts["stands"]) == (20, 18)
    assert counts["interval"] == list(interval(18, 20))
    assert counts["missed"] == {"a check": [3, 7]}
    assert not counts["reaches"]
    assert counts["errors"] == 0


def test_summaries_are_told_from_records():
    lines = [*records("a-claim", range(2)), summary("a-claim", range(2))]
    printed = "\n".join(map(json.dumps, lines))
    assert [found["id"] for found in store_sweep.summaries(printed)] == ["a-claim"]


def test_a_sweep_of_some_claims_leaves_the_others():
    before = {"claims": {"a": {"seeds": 40}, "b": {"seeds": 40}}}
    kept = store_sweep.merged(before, [summary("b", range(20))], "0:20")["claims"]
    assert kept["a"] == {"seeds": 40}
    assert kept["b"]["seeds"] == 20
    assert kept["b"]["run"]["seeds"] == "0:20"


def test_the_interval_is_that_of_clopper_and_pearson():
    low, high = interval(20, 20)
    assert low == pytest.approx(0.025 ** (1 / 20))
    assert high == 1.0


def test_a_sweep_runs_and_stores(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(store_sweep, "STORED", tmp_path / "book" / "sweep.json")
    monkeypatch.setattr(store_sweep, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(
        "sys.argv", ["store_sweep.py", "gd-convex-rate", "--seeds", "1:2"]
    )
    (tmp_path / "book").mkdir()
    assert store_sweep.main() == 0
    kept = json.loads(store_sweep.STORED.read_text(encoding="utf-8"))["claims"]
    assert kept["gd-convex-rate"]["stands"] == 1
    assert "1 claims stored" in capsys.readouterr().out


def test_what_is_stored_is_of_claims_that_exist():
    if store_sweep.STORED.exists():
        stored = json.loads(store_sweep.STORED.read_text(encoding="utf-8"))["claims"]
        assert set(stored) <= set(all_claims())
