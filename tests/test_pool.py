"""The program with its workers, as a shell starts it: killed, interrupted, starved."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DEADLINE = 300  # seconds; an alarm for what hangs, on a machine however busy
PROGRAM = """
import resource, sys
from ibcore import command_line
from ibcore.__main__ import main
from tests import made_up
names, limit = sys.argv.pop(1), int(sys.argv.pop(1))
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
command_line.all_claims = lambda: made_up.named(*names.split(","))
sys.exit(main())
"""


class Program:
    """`ibcore verify` on made-up claims, in a session of its own; its end is the end of
    its workers too.

    They hold its standard error, which ends with the last of them.
    """

    def __init__(self, claims, folder, *arguments, workers=1, limit=0):
        command = ["verify", "--device", "cpu", "--out", str(folder), *arguments]
        command += ["--workers", str(workers)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, claims, str(limit), *command],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_for(self, *lines):
        """Read standard error until these lines have come, in any order."""
        alarm = threading.Timer(DEADLINE, self.process.kill)
        alarm.start()
        missing = list(lines)
        while missing:
            line = self.process.stderr.readline()
            assert line, f"ended before it said {missing}"
            if line.strip() in missing:
                missing.remove(line.strip())
        alarm.cancel()

    def end(self):
        out, err = self.process.communicate(timeout=DEADLINE)
        assert "Traceback" not in err
        return self.process.returncode, out, err


def kept(folder):
    lines = (folder / "results.jsonl").read_text().splitlines()
    return [json.loads(line)["record"]["id"] for line in lines]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_ends_everything_and_keeps_what_is_finished(tmp_path, number, code):
    program = Program("holding,waiting,stubborn", tmp_path, workers=2)
    program.wait_for("started", "started")
    for _ in range(3):
        os.killpg(program.process.pid, number)
    ended, out, err = program.end()
    assert (ended, out) == (code, "")
    (said,) = [line for line in err.splitlines() if line.startswith("ibcore: ")]
    assert said == (
        f"ibcore: stopped; 1 of 3 results are kept in {tmp_path / 'results.jsonl'}; "
        "run the same command with --resume to go on."
    )
    assert kept(tmp_path) == ["holding"]


@pytest.mark.parametrize(
    "claim",
    [
        "waiting",
        pytest.param(
            "stubborn",
            marks=pytest.mark.skipif(
                sys.platform != "linux", reason="the kernel of Linux ends it"
            ),
        ),
    ],
)
def test_no_worker_outlives_a_killed_program(tmp_path, claim):
    program = Program(claim, tmp_path)
    program.wait_for("started")
    program.process.kill()
    assert program.end()[0] == -signal.SIGKILL


def test_a_dead_worker_takes_nobody_with_it_and_its_claim_runs_again(tmp_path):
    claims = "dying,holding,also-holding"
    code, out, err = Program(claims, tmp_path, "--json").end()
    records = {record["id"]: record for record in map(json.loads, out.splitlines())}
    assert code == 1
    assert {name: record["holds"] for name, record in records.items()} == {
        "dying": False,
        "holding": True,
        "also-holding": True,
    }
    assert "SIGKILL" in records["dying"]["error"]
    assert "--workers" in records["dying"]["error"]
    assert "1 of 3 runs ended with an error (dying at seed 0)" in err
    assert "--resume" in err
    before = kept(tmp_path)
    Program(claims, tmp_path, "--json", "--resume").end()
    assert kept(tmp_path) == [*before, "dying"]


def test_a_worker_that_dies_at_one_seed_is_told_and_the_others_go_on(tmp_path):
    program = Program("dies-at-seed-1,holding", tmp_path, "--json", "--seeds", "3")
    code, out, err = program.end()
    lines = list(map(json.loads, out.splitlines()))
    assert code == 1
    assert len(lines) == 8
    dies, holding = lines[6:]
    assert [dies["stands"], holding["stands"]] == [2, 3]
    assert dies["reaches"]  # two of three seeds are no proof of less than 0.99
    ((error,), row) = dies["errors"], dies["checks"][0]
    assert (error["seed"], row["missed"]) == (1, [1])
    assert "SIGKILL" in error["error"]
    assert "1 of 6 runs ended with an error (dies-at-seed-1 at seed 1)" in err


def test_a_full_disk(tmp_path):
    """The size of files is limited to one line and a half, which fails like a full
    disk.
    """
    program = Program("holding,also-holding", tmp_path, "--json", limit=1500)
    code, out, err = program.end()
    assert code == 3
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["holding"]
    assert "the result of also-holding cannot be written" in err
    assert "1 of 2 results are kept" in err
    assert "--resume" in err
    assert kept(tmp_path) == ["holding"]


def test_an_output_that_nobody_reads(tmp_path):
    program = Program("holding,waiting", tmp_path, "--json")
    program.process.stdout.close()
    program.process.wait(timeout=DEADLINE)
    err = program.process.stderr.read()
    program.process.stderr.close()
    assert program.process.returncode == 141
    assert "Broken pipe" in err
    assert "1 of 2 results are kept" in err
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert kept(tmp_path) == ["holding"]


@pytest.mark.parametrize("arguments", [["claims"], ["info", "--json"], ["--help"]])
def test_a_list_that_nobody_reads_ends_quietly(arguments):
    program = [sys.executable, "-m", "ibcore", *arguments]
    with subprocess.Popen(
        program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == (0 if arguments == ["--help"] else 141)
