"""What is kept at the stops, member by member."""

from __future__ import annotations

import math
import time

import pytest
import torch

from ibcore.dynamics.recorder import Drift, Ends, Recorder, Stops
from ibcore.validation import InvalidInput

LIKE = torch.zeros(1, dtype=torch.float64)


def test_stops_rise_in_their_own_variable():
    times = Stops.of(None, [1.0, 2.0], LIKE)
    assert times.by_time
    assert times.values.tolist() == [1, 2]
    losses = Stops.of([-1.0, -3.0], None, LIKE)
    assert not losses.by_time
    assert losses.values.tolist() == [1, 3]
    assert Stops.of(-2.0, None, LIKE).values.tolist() == [2]
    assert losses.values.dtype == LIKE.dtype


@pytest.mark.parametrize(
    ("losses", "times", "words"),
    [
        (None, None, "exactly one"),
        ([-1.0], [1.0], "exactly one"),
        (None, [1.0, 1.0], "do not rise"),
        ([-1.0, 1.0], None, "do not fall"),
        ([-1.0, -1.0], None, "do not fall"),
        (None, [[1.0, 2.0]], "do not rise"),
    ],
)
def test_other_stops_are_refused(losses, times, words):
    with pytest.raises(InvalidInput, match=words):
        Stops.of(losses, times, LIKE)


def test_each_member_is_kept_at_its_own_stops():
    recorder = Recorder(torch.tensor([1.0, 2.0]), {"x": torch.zeros(3, 2)})
    assert recorder.target.tolist() == [1, 1, 1]
    values = {"x": torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])}
    recorder.keep(torch.tensor([True, False, True]), values)
    assert recorder.target.tolist() == [2, 1, 2]
    recorder.keep(torch.tensor([True, False, False]), {"x": -values["x"]})
    assert recorder.pending.tolist() == [False, True, True]
    assert recorder.target.tolist() == [2, 1, 2]
    recorder.keep(torch.tensor([True, False, False]), {"x": 9 * values["x"]})
    kept = recorder.kept["x"]
    assert kept[:, 0].tolist() == [[1, 2], [-1, -2]]
    assert bool(kept[:, 1].isnan().all())
    assert kept[0, 2].tolist() == [5, 6]
    assert bool(kept[1, 2].isnan().all())


def test_a_member_may_come_to_several_stops_at_once():
    recorder = Recorder(torch.tensor([1.0, 2.0, 3.0]), {"x": torch.zeros(3)})
    here = torch.tensor([2.5, 0.5, 3.5])
    done = recorder.keep_arrived(lambda stops: stops <= here, {"x": here})
    assert done.tolist() == [False, False, True]
    assert recorder.next.tolist() == [2, 0, 3]
    assert recorder.kept["x"][:, 2].tolist() == [3.5] * 3
    here = torch.tensor([3.0, 0.5, 4.0])
    done = recorder.keep_arrived(lambda stops: stops <= here, {"x": here})
    assert done.tolist() == [True, False, False]
    assert recorder.kept["x"][:, 2].tolist() == [3.5] * 3


def test_seconds_are_counted_from_the_beginning(monkeypatch):
    clock = iter([10.0, 10.5, 12.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    recorder = Recorder(torch.tensor([1.0, 2.0]), {"x": torch.zeros(2)})
    assert recorder.seconds == 0.5
    recorder.keep(torch.tensor([True, False]), {"x": torch.ones(2)})
    assert recorder.kept["seconds"][0, 0] == 2.0
    assert bool(recorder.kept["seconds"].isnan().sum() == 3)


def test_a_drift_is_relative_to_its_start_where_that_is_large():
    theta = torch.tensor([[10.0, 1.0], [0.1, 1.0]]).double()
    drift = Drift({"first": lambda one: one[:, 0], "all": lambda one: one}, theta)
    drift.watch(theta + torch.tensor([-1.0, 0.3]))
    drift.watch(theta + torch.tensor([0.5, 0.0]))
    assert drift.largest["first"].tolist() == pytest.approx([0.1, 1.0])
    assert drift.largest["all"].tolist() == pytest.approx([0.3, 1.0])
    drift.watch(theta * math.nan)
    assert bool(drift.largest["first"].isnan().all())


def test_rows_are_kept_with_what_is_seen_of_them():
    recorder = Recorder(torch.tensor([1.0, 2.0]), {"x": torch.zeros(3)})
    rows = torch.tensor([2, 0])
    seen = {"y": torch.tensor([[1.0, 2.0], [3.0, 4.0]]).double()}
    recorder.keep_rows(rows, {"x": 5}, seen)
    recorder.keep_rows(rows[:1], {"x": torch.tensor([7.0])})
    assert recorder.next.tolist() == [1, 0, 2]
    assert recorder.kept["x"][:, 2].tolist() == [5, 7]
    assert recorder.kept["x"][0, 0] == 5
    assert bool(recorder.kept["x"][:, 1].isnan().all())
    kept = recorder.seen["y"]
    assert kept.dtype == torch.float64
    assert kept.shape == (2, 3, 2)
    assert kept[0, 2].tolist() == [1, 2]
    assert kept[0, 0].tolist() == [3, 4]
    assert bool(kept[1].isnan().all())


def test_a_member_ends_once():
    ends = Ends(torch.zeros(4), "runs")
    ends.end(torch.tensor([True, True, False, False]), "first")
    ends.end_each(torch.tensor([False, True, True, False]), lambda i: f"{i} later")
    assert ends.active.tolist() == [False, False, False, True]
    assert ends.status == ("first", "first", "2 later", "runs")
    ends.say(torch.tensor([True, False, False, False]), "in other words")
    ends.end_rows(torch.tensor([3]), "last")
    assert ends.status == ("in other words", "first", "2 later", "last")
    assert not ends.active.any()
