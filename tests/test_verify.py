import json
import os
from concurrent.futures import Future

import pytest
import torch

from ibcore import verify
from ibcore.claims import Setting
from ibcore.validation import InvalidInput

RECORD = {"holds": True, "control": {"refuted": True}}


class InProcess:
    """Stands for a process pool; finishes tasks at once."""

    made = ()

    def __init__(self, workers, **_):
        InProcess.made = (*InProcess.made, workers)

    def submit(self, function, *arguments):
        future = Future()
        future.set_result(function(*arguments))
        return future

    def shutdown(self, **_):
        pass


def run(tmp_path, names, *, done, workers=1):
    path = tmp_path / "out.jsonl"
    return path, list(
        verify.verify(
            names, Setting(), path=path, workers=workers, done=done, progress=False
        )
    )


@pytest.fixture
def recorded(monkeypatch):
    monkeypatch.setattr(
        verify,
        "run_claim",
        lambda name, setting: {**RECORD, "id": name, "seed": setting.seed},
    )


@pytest.mark.usefixtures("recorded")
def test_finished_records_come_first_and_new_ones_are_appended(tmp_path):
    path, records = run(
        tmp_path, ["a", "b", "c"], done={"b": {**RECORD, "id": "b"}, "other": {}}
    )
    assert [record["id"] for record in records] == ["b", "a", "c"]
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == [
        "a",
        "c",
    ]


@pytest.mark.usefixtures("recorded")
def test_many_workers_find_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "ProcessPoolExecutor", InProcess)
    _, records = run(tmp_path, ["a", "b", "c"], done={}, workers=8)
    assert sorted(record["id"] for record in records) == ["a", "b", "c"]
    assert InProcess.made == (3,)


def test_what_is_on_disk_survives_a_cut_off_line(tmp_path):
    path = tmp_path / "deep" / "results.jsonl"
    assert verify.open_results(path, resume=True) == {}
    path.write_text('{"id": "a", "holds": true}\n{"no id": 1}\n{"id": "b", "ho')
    assert verify.open_results(path, resume=True) == {"a": {"id": "a", "holds": True}}
    assert path.read_text() == '{"id": "a", "holds": true}\n'
    assert verify.open_results(path, resume=False) == {}
    assert path.read_text() == ""


def test_a_directory_that_is_a_file(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InvalidInput, match="cannot be written"):
        verify.open_results(tmp_path / "taken" / "x.jsonl", resume=False)


def test_a_claim_stands_only_with_its_control_refuted():
    assert verify.stands(RECORD)
    assert not verify.stands({"holds": False, "control": {"refuted": True}})
    assert not verify.stands({"holds": True, "control": {"refuted": False}})


def test_workers_follow_the_cores_of_this_process(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert verify.default_workers() == 3


def test_results_are_kept_apart(tmp_path):
    names = {
        verify.results_file(tmp_path, preset, seed, device)
        for preset in ("quick", "book")
        for seed in (0, 1)
        for device in ("cpu", "cuda")
    }
    assert len(names) == 8


def test_numbers_that_json_lacks_become_null():
    plain = verify._plain(
        {"a": [float("nan"), 1.0, {"b": float("-inf")}], "c": "nan", "d": True}
    )
    assert plain == {"a": [None, 1.0, {"b": None}], "c": "nan", "d": True}
    json.dumps(plain, allow_nan=False)


def test_a_worker_computes_on_one_core(monkeypatch):
    import signal

    seen = []
    monkeypatch.setattr(signal, "signal", lambda *arguments: seen.append(arguments))
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    verify._single_thread()
    assert seen == [(signal.SIGINT, signal.SIG_IGN), 1]
