import json
import subprocess
import sys

import pytest
import torch

from ibcore import __main__, __version__, command_line, ledger, pool, stopping, verify
from ibcore.claims import all_claims
from tests.made_up import named

RECORD = [
    "id",
    "page",
    "kind",
    "holds",
    "checks",
    "control",
    "seed",
    "preset",
    "device",
    "seconds",
]
CHECK = ["name", "predicted", "measured", "tolerance", "holds"]
CONTROL = ["name", "measured", "refuted"]


@pytest.fixture
def cli(monkeypatch, tmp_path, capsys):
    """Run the command line on made-up claims, in this process; returns exit code, output and errors."""

    def in_process(jobs, _workers):
        for job in jobs:
            run.calls.append(job.claim)
            run.seeds.append(job.seed)
            yield job, verify.run_job(job)

    def run(*arguments, claims=("holding",)):
        monkeypatch.setattr(command_line, "all_claims", lambda: named(*claims))
        monkeypatch.setattr(pool, "run_all", run.pool)
        given = "--out" in arguments or arguments[0] != "verify"
        code = command_line.run(
            [*arguments, *([] if given else ["--out", str(tmp_path)])]
        )
        return code, *capsys.readouterr()

    run.calls, run.seeds = [], []
    run.directory, run.pool = tmp_path, in_process
    return run


def test_claims_as_json_lines(capsys):
    assert command_line.run(["claims", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(row) for row in rows] == [["id", "page", "kind", "source"]] * len(
        all_claims()
    )
    assert {row["kind"] for row in rows} <= {"theorem", "empirical", "open"}
    assert len({row["id"] for row in rows}) == len(rows)


def test_claims_as_a_list(cli):
    code, out, _ = cli("claims")
    assert code == 0
    assert "holding" in out
    assert "nobody" in out


def test_records_have_the_promised_fields(cli):
    code, out, _ = cli("verify", "--json", "--seed", "5", "--device", "cpu")
    (record,) = map(json.loads, out.splitlines())
    assert code == 0
    assert [key for key in record if key in RECORD] == RECORD
    assert all(
        [key for key in check if key in CHECK] == CHECK for check in record["checks"]
    )
    assert [key for key in record["control"] if key in CONTROL] == CONTROL
    assert (record["seed"], record["preset"], record["device"]) == (5, "quick", "cpu")
    assert record["holds"] is record["control"]["refuted"] is True


@pytest.mark.parametrize(
    ("claim", "code", "told"),
    [
        ("holding", 0, "1 of 1 claims stand"),
        ("failing", 1, "FAILS: equal: 2, expected = 1 +- 0.1"),
        ("unrefuted", 1, "NOT REFUTED"),
        ("raising", 1, "ZeroDivisionError: no steps"),
        ("not-a-number", 1, "equal: not a finite number"),
        ("breaking", 1, "broke down: problem 3: singular matrix"),
    ],
)
def test_exit_codes_and_reasons(cli, claim, code, told):
    got, out, err = cli("verify", "--device", "cpu", claims=(claim,))
    assert got == code
    assert told in out
    assert "claims stand" in out
    # Standard error is no terminal: no progress bar.
    assert ("ended with an error" in err) if claim == "raising" else (err == "")


def test_one_broken_claim_does_not_lose_the_others(cli):
    code, out, _ = cli(
        "verify", "--json", claims=("raising", "not-a-number", "holding")
    )
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [record["holds"] for record in records] == [False, False, True]
    assert "NaN" not in out
    assert records[0]["seconds"] is None
    assert records[1]["checks"][0]["measured"] is None
    assert records[1]["control"] == {
        **records[1]["control"],
        "measured": None,
        "refuted": False,
    }


def test_an_unknown_claim_names_its_neighbors(cli):
    code, out, err = cli("verify", "holdin", claims=("holding", "failing"))
    assert (code, out) == (2, "")
    assert "no claim or page 'holdin'. Did you mean holding" in err
    assert "ibcore claims" in cli("verify", "zzzz")[2]
    assert not cli.calls


def test_a_device_that_is_not_there(cli, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, _, err = cli("verify", "--device", "cuda")
    assert code == 2
    assert "no CUDA device" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "--seed", "-1"],
        ["verify", "--seed", "x"],
        ["verify", "--seed", "1" * 240],
        ["verify", "--seed", str(2**63)],
        ["verify", "--seed", "²"],
        ["verify", "--seeds", "0"],
        ["verify", "--seeds", "9:9"],
        ["verify", "--seeds", "1,,2"],
        ["verify", "--seeds", "1" * 240],
        ["verify", "--seed", "0", "--seeds", "3"],
        ["verify", "--seeds", "3", "--seed", "7"],
        ["verify", "--workers", "0"],
        ["verify", "--workers", "9" * 5000],
        ["verify", "--preset", "huge"],
        ["nonsense"],
        [],
    ],
)
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        command_line.run(arguments)
    assert exit_.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_ids_choose_and_repeat_once(cli):
    cli(
        "verify",
        "failing",
        "holding",
        "failing",
        claims=("holding", "failing", "raising"),
    )
    assert cli.calls == ["failing", "holding"]


def test_a_long_seed_is_not_repeated_in_the_message(capsys):
    with pytest.raises(SystemExit):
        command_line.run(["verify", "--seed", "1" * 240])
    said = capsys.readouterr().err
    assert "240 characters" in said
    assert str(2**63 - 1) in said
    assert "1" * 240 not in said


def test_the_largest_seed_is_taken(cli):
    code, out, _ = cli("verify", "--json", "--seed", str(2**63 - 1))
    assert code == 0
    assert json.loads(out)["seed"] == 2**63 - 1


def lines(out):
    """Records and summaries of `--json`."""
    found = [json.loads(line) for line in out.splitlines()]
    records = [one for one in found if "summary" not in one]
    assert found[: len(records)] == records
    return records, found[len(records) :]


def test_a_page_chooses_its_claims(cli):
    code, _, _ = cli("verify", "introduction", claims=("holding", "also-holding"))
    assert code == 0
    assert cli.calls == ["holding", "also-holding"]


def test_many_seeds_give_a_line_a_run_and_a_line_a_claim(cli):
    code, out, _ = cli("verify", "--json", "--seeds", "1110300:1110308", claims=TWO)
    records, summaries = lines(out)
    assert code == 1
    assert cli.calls == [*TWO] * 8
    assert [record["seed"] for record in records] == cli.seeds
    assert [(each["id"], each["stands"]) for each in summaries] == [
        ("holding", 8),
        ("fails-at-odd-seeds", 4),
    ]
    assert [each["reaches"] for each in summaries] == [True, False]
    assert "NaN" not in out


TWO = ("holding", "fails-at-odd-seeds")


@pytest.mark.parametrize(
    ("claim", "seeds", "code"),
    [
        ("holding", "4", 0),
        ("holding", "1", 0),
        ("failing", "1", 1),
        ("unrefuted", "4", 1),
        ("not-a-number", "4", 1),
        ("raising", "4", 1),
        ("fails-at-odd-seeds", "40,1,3", 1),
        ("fails-at-odd-seeds", "0,2,4", 0),
        ("fails-at-odd-seeds", ",".join(map(str, [1, *range(2, 60, 2)])), 0),
    ],
)
def test_the_exit_code_over_seeds_is_that_of_the_intervals(cli, claim, seeds, code):
    got, out, err = cli("verify", "--seeds", seeds, claims=(claim,))
    assert got == code
    assert f"{1 - code} of 1 claims reach" in out
    assert ("raising at seed 0, raising at seed 1" in err) == (claim == "raising")


def test_one_seed_has_no_summary(cli):
    _, out, _ = cli("verify", "--json", "--seed", "1110310")
    assert len(lines(out)[0]) == 1
    assert lines(out)[1] == []


def test_resume_goes_on_with_the_seeds_that_are_missing(cli):
    cli("verify", "--seeds", "1110320,1110322")
    code, out, _ = cli("verify", "--json", "--resume", "--seeds", "1110320:1110323")
    assert code == 0
    assert cli.seeds == [1110320, 1110322, 1110321]
    ((summary,), records) = lines(out)[::-1]
    assert (summary["seeds"], len(records)) == (3, 3)


def test_a_size_replaces_that_of_the_preset(cli):
    code, out, _ = cli("verify", "--json", "--size", "runs=3", claims=("sized",))
    (record,), _ = lines(out)
    assert code == 1
    assert record["checks"][0]["measured"] == 3
    assert record["sizes"] == {"runs": 3}
    cli("verify", "--resume", claims=("sized",))
    cli("verify", "--resume", "--size", "runs=3", claims=("sized",))
    cli("verify", "--resume", "--size", "runs=1", claims=("sized",))
    assert cli.calls == ["sized"] * 2


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ("run=3", "claim holding has no size run; its sizes are runs. Did you mean runs?"),
        ("runs=many", "expected a whole number, such as 1"),
        ("runs", "pass name=value"),
    ],
)  # fmt: skip
def test_a_size_that_is_none_of_the_claims_is_refused(cli, size, told):
    code, out, err = cli("verify", "--size", size)
    assert (code, out, cli.calls) == (2, "", [])
    assert told in err


def test_the_help_says_what_is_summed_and_what_the_exit_code_means(capsys):
    with pytest.raises(SystemExit):
        command_line.run(["verify", "--help"])
    said = capsys.readouterr().out
    assert "exact\n95 % interval" in said
    assert 'the key "summary"' in said
    assert "exit code" in said


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
