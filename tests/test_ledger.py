import errno
import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ibcore import ledger, provenance
from ibcore.ledger import Job, Ledger, NotKept
from ibcore.validation import InvalidInput

ROOT = Path(__file__).resolve().parent.parent
JOB = Job("a", "quick", 0, "cpu", "somewhere", "c0de")
RECORD = {"id": "a", "holds": True, "checks": [{"measured": 0.1 + 0.2}]}


def lines(directory):
    return [
        json.loads(line) for line in (directory / ledger.NAME).read_text().splitlines()
    ]


def test_a_result_is_found_again(tmp_path):
    Ledger(tmp_path / "deep" / "folder").add(JOB, RECORD)
    again = Ledger(tmp_path / "deep" / "folder")
    assert again.find(JOB) == RECORD
    assert again.left_out == []


@pytest.mark.parametrize(
    "other",
    [
        {"claim": "b"},
        {"preset": "book"},
        {"seed": 1},
        {"device": "cuda"},
        {"sizes": {"runs": 2}},
        {"code": "other"},
    ],
)
def test_results_of_another_job_never_count(tmp_path, other):
    Ledger(tmp_path).add(JOB, RECORD)
    again = Ledger(tmp_path)
    job = replace(JOB, **other)
    assert again.find(job) is None
    assert again.outdated(job) == ("code" in other)
    again.add(job, {"id": "other"})
    assert Ledger(tmp_path).find(JOB) == RECORD


def test_other_library_versions_count_as_other_code(tmp_path, monkeypatch):
    Ledger(tmp_path).add(JOB, RECORD)
    monkeypatch.setattr(provenance, "versions", lambda: {"numpy": "0.1"})
    assert Ledger(tmp_path).find(JOB) is None
    assert Ledger(tmp_path).outdated(JOB)


def test_the_newest_result_wins_and_the_older_stays(tmp_path):
    Ledger(tmp_path).add(JOB, RECORD)
    Ledger(tmp_path).add(JOB, {"id": "newer"})
    assert Ledger(tmp_path).find(JOB) == {"id": "newer"}
    assert [line["record"] for line in lines(tmp_path)] == [RECORD, {"id": "newer"}]


def test_two_runs_at_once_keep_one_result_of_a_job(tmp_path):
    one, two = Ledger(tmp_path), Ledger(tmp_path)
    assert one.add(JOB, RECORD) == RECORD
    assert two.add(JOB, {"id": "slower"}) == RECORD
    assert len(lines(tmp_path)) == 1


def test_a_result_is_not_held_back_by_an_error_of_another_run(tmp_path):
    one, two = Ledger(tmp_path), Ledger(tmp_path)
    one.add(JOB, {"error": "no memory"})
    assert two.add(JOB, RECORD) == RECORD
    assert Ledger(tmp_path).find(JOB) == RECORD


DAMAGE = {
    "bytes": b"\xff\xfe broken",
    "a list": b"[1, 2]",
    "a number": b"1",
    "no JSON": b'{"schema": 1, "key"',
    "no fields": b'{"schema": 1}',
    "zeros": bytes(1000),
    "nested": b"[" * 100_000,
    "nested in a line": b'{"schema": 1, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "long integer": b'{"schema": 1, "x": ' + b"1" * 5000 + b"}",
    "surrogate": rb'{"schema": 1, "x": "\ud800"}',
    "NaN": b'{"schema": 1, "x": NaN}',
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_lines_are_left_out_with_a_word_and_stay(tmp_path, damage):
    Ledger(tmp_path).add(JOB, RECORD)
    path = tmp_path / ledger.NAME
    good = path.read_bytes()
    path.write_bytes(good + damage + b"\n\n" + good.replace(b'"a"', b'"b"'))
    found = Ledger(tmp_path)
    (said,) = found.left_out
    assert "2 line(s) (2, 4)" in said
    assert str(path) in said
    assert found.find(JOB) == RECORD
    assert found.find(replace(JOB, claim="b")) is None
    found.add(replace(JOB, seed=1), RECORD)
    assert damage in path.read_bytes()


def test_a_changed_digit_is_damage(tmp_path):
    Ledger(tmp_path).add(JOB, RECORD)
    path = tmp_path / ledger.NAME
    path.write_text(path.read_text().replace('"holds": true', '"holds": false'))
    assert Ledger(tmp_path).find(JOB) is None
    assert "were changed" in Ledger(tmp_path).left_out[0]


@pytest.mark.parametrize("draw", range(20))
def test_a_line_with_a_flipped_byte_never_counts(tmp_path, draw):
    Ledger(tmp_path).add(JOB, RECORD)
    path = tmp_path / ledger.NAME
    data = bytearray(path.read_bytes())
    place = random.Random(draw).randrange(len(data) - 1)  # noqa: S311 - no secret
    data[place] ^= 1 + draw % 7
    path.write_bytes(data)
    assert Ledger(tmp_path).find(JOB) is None


def test_a_line_cut_off_by_a_kill_spoils_only_itself(tmp_path):
    Ledger(tmp_path).add(JOB, RECORD)
    path = tmp_path / ledger.NAME
    path.write_bytes(path.read_bytes() * 2)
    os.truncate(path, path.stat().st_size - 20)
    other = replace(JOB, seed=1)
    Ledger(tmp_path).add(other, {"id": "whole"})
    found = Ledger(tmp_path)
    assert (found.find(JOB), found.find(other)) == (RECORD, {"id": "whole"})
    assert "1 line(s) (2)" in found.left_out[0]


def test_lines_and_files_of_other_versions_are_not_used(tmp_path):
    (tmp_path / ledger.NAME).write_text('{"id": "a", "holds": true}\n{"schema": 2}\n')
    (tmp_path / "quick-seed0-cpu.jsonl").write_text('{"id": "a", "holds": true}\n')
    found = Ledger(tmp_path)
    assert found.find(JOB) is None
    assert "2 line(s) (1, 2)" in found.left_out[0]
    assert "another version" in found.left_out[0]
    assert "quick-seed0-cpu.jsonl" in found.left_out[1]


@pytest.mark.parametrize("blocked", [".", "below"])
def test_a_folder_that_cannot_be_written(tmp_path, blocked):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match=r"cannot be written to .*--out"):
        Ledger(tmp_path / "file" / blocked)


@pytest.mark.parametrize("written", [0, 30])
def test_a_full_disk_leaves_no_part_of_a_line(tmp_path, monkeypatch, written):
    kept = Ledger(tmp_path)
    kept.add(JOB, RECORD)
    before = (tmp_path / ledger.NAME).read_bytes()
    write, room = os.write, [written] if written else []

    def full(descriptor, data):
        if room:
            return write(descriptor, data[: room.pop()])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(NotKept, match=r"result of a .*No space left"):
        kept.add(replace(JOB, seed=1), RECORD)
    assert (tmp_path / ledger.NAME).read_bytes() == before


WRITER = """
import sys
from pathlib import Path
from ibcore.ledger import Job, Ledger
ledger = Ledger(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.readline()
for number in range(150):
    job = Job("a", "quick", number, "cpu", "somewhere", "c0de")
    ledger.add(job, {"by": sys.argv[2], "long": "x" * 5000})
"""


def test_processes_that_write_at_once_lose_and_repeat_nothing(tmp_path):
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in ("one", "two")
    ]
    assert [process.stdout.readline() for process in running] == [b"open\n"] * 2
    for process in running:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in running:
        process.communicate(timeout=300)
        assert process.returncode == 0
    assert Ledger(tmp_path).left_out == []
    seeds = [line["key"]["seed"] for line in lines(tmp_path)]
    assert sorted(seeds) == list(range(150))
