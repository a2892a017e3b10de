"""How the command line ends: what resumes, signals, full disks and closed streams."""

import json
import subprocess
import sys

import pytest

from ibcore import __main__, __version__, command_line, ledger, stopping, verify

BOTH = ("holding", "failing")


def test_resume_runs_what_is_missing(cli):
    cli("verify", "holding", claims=BOTH)
    path = cli.directory / ledger.NAME
    before = path.read_text()
    path.write_text(before + before[: len(before) // 2])
    code, out, err = cli("verify", "--json", "--resume", claims=BOTH)
    assert code == 1
    assert cli.calls == ["holding", "failing"]
    assert [json.loads(line)["id"] for line in out.splitlines()] == list(BOTH)
    assert path.read_text().startswith(before)
    assert "1 line(s) (2)" in err
    assert "left out" in err


def test_one_claim_leaves_the_results_of_the_others(cli):
    cli("verify", claims=BOTH)
    cli("verify", "holding", claims=BOTH)
    cli("verify", "--resume", claims=BOTH)
    assert cli.calls == ["holding", "failing", "holding"]


def test_results_of_other_code_are_run_again_with_a_word(cli, monkeypatch):
    cli("verify")
    monkeypatch.setattr(verify, "code_digest", lambda _: "changed")
    _, _, err = cli("verify", "--resume")
    assert cli.calls == ["holding"] * 2
    assert "1 result(s) of other code or other library versions are run again" in err


def test_a_claim_that_raised_is_run_again(cli):
    for _ in range(2):
        _, _, err = cli("verify", "--resume", claims=("holding", "raising"))
    assert cli.calls == ["holding", "raising", "raising"]
    assert "1 of 2 runs ended with an error (raising at seed 0)" in err


def test_another_seed_or_preset_resumes_nothing(cli):
    cli("verify")
    cli("verify", "--resume", "--seed", "1")
    cli("verify", "--resume", "--preset", "book")
    assert cli.calls == ["holding"] * 3


def test_without_resume_everything_runs_again(cli):
    cli("verify")
    cli("verify")
    assert cli.calls == ["holding"] * 2


def test_a_signal_keeps_what_is_finished(cli):
    def stopped(jobs, workers):
        yield next(original(jobs, workers))
        raise stopping.Stopped

    original, cli.pool = cli.pool, stopped
    code, out, err = cli("verify", "--json", claims=BOTH)
    assert code == 130
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["holding"]
    assert "1 of 2 results" in err
    assert "--resume" in err


def test_a_signal_while_the_program_starts(monkeypatch, capsys):
    def stopped(_):
        raise stopping.Stopped

    monkeypatch.setattr(__main__, "stop_on_signals", lambda: None)
    monkeypatch.setattr(command_line, "run", stopped)
    assert __main__.main(["claims"]) == 130
    assert capsys.readouterr().err == "ibcore: stopped.\n"


def test_information_for_a_report(capsys):
    assert command_line.run(["info"]) == 0
    assert f"ibcore {__version__}" in " ".join(capsys.readouterr().out.split())
    assert command_line.run(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["versions"]["ibcore"] == __version__


def test_results_that_cannot_be_written(cli):
    blocked = cli.directory / "file"
    blocked.write_text("")
    code, _, err = cli("verify", "--out", str(blocked / "below"))
    assert code == 2
    assert "cannot be written" in err
    assert "--out" in err
    assert not cli.calls


def test_the_program_starts():
    done = subprocess.run(
        [sys.executable, "-m", "ibcore", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (
        0,
        f"ibcore {__version__}",
        "",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is a device of Linux")
def test_an_output_on_a_full_disk():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "ibcore", "claims"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr == (
        "ibcore: the output cannot be written (No space left on device). Make room, "
        "and run it again.\n"
    )


def test_a_run_whose_output_and_errors_are_closed(tmp_path):
    """As a daemon starts it; results are kept."""
    command = (
        f"exec {sys.executable} -m ibcore verify gd-convex-rate --out '{tmp_path}'"
    )
    done = subprocess.run(["/bin/sh", "-c", f"{command} >&- 2>&-"], check=False)
    assert done.returncode == 0
    [line] = (tmp_path / ledger.NAME).read_text(encoding="utf-8").splitlines()
    assert "error" not in json.loads(line)["record"]
