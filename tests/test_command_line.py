import json
import math
import subprocess
import sys

import pytest
import torch

from ibcore import __main__, __version__, verify
from ibcore.claims import Claim, all_claims
from ibcore.evidence import Check, Control, Evidence

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


def holding(setting, *, runs):  # noqa: ARG001 - the sizes of a claim are passed by name
    return Evidence(
        (Check.close("equal", 1, 1.0, atol=0.1),),
        Control("broken", Check.at_least("gap", 2, 1)),
    )


def failing(setting, *, runs):  # noqa: ARG001
    return Evidence(
        (Check.at_most("small", 2, 1),), Control("broken", Check.at_least("gap", 2, 1))
    )


def unrefuted(setting, *, runs):  # noqa: ARG001
    return Evidence(
        (Check.at_most("small", 0, 1),), Control("broken", Check.at_least("gap", 0, 1))
    )


def raising(setting, *, runs):  # noqa: ARG001
    raise ZeroDivisionError("no steps")


def not_a_number(setting, *, runs):  # noqa: ARG001
    return Evidence(
        (Check.at_most("small", math.nan, 1),),
        Control("broken", Check.at_least("gap", math.inf, 1)),
    )


def interrupted(setting, *, runs):  # noqa: ARG001
    raise KeyboardInterrupt


@pytest.fixture
def cli(monkeypatch, tmp_path, capsys):
    """Run the command line on made-up claims; returns exit code, standard output and standard error."""
    calls = []

    def claim(experiment):
        def counted(setting, *, runs):
            calls.append(experiment.__name__.replace("_", "-"))
            return experiment(setting, runs=runs)

        name = experiment.__name__.replace("_", "-")
        return Claim(
            name,
            "introduction",
            "theorem",
            "nobody",
            "It holds.",
            {preset: {"runs": 1} for preset in ("quick", "book", "full")},
            counted,
        )

    def run(*arguments, claims=(holding,)):
        registry = {entry.id: entry for entry in map(claim, claims)}
        for module in (verify, __main__):
            monkeypatch.setattr(module, "all_claims", lambda: registry)
        out = (
            []
            if "--out" in arguments or arguments[0] != "verify"
            else ["--out", str(tmp_path), "--workers", "1"]
        )
        code = __main__.main([*arguments, *out])
        return code, *capsys.readouterr()

    run.calls, run.directory = calls, tmp_path
    return run


def test_claims_as_json_lines(capsys):
    assert __main__.main(["claims", "--json"]) == 0
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
    ("experiment", "code", "told"),
    [
        (holding, 0, "1 of 1 claims stand"),
        (failing, 1, "FAILS: small: 2, expected <= 1"),
        (unrefuted, 1, "NOT REFUTED"),
        (raising, 1, "ZeroDivisionError: no steps"),
        (not_a_number, 1, "small: not a finite number"),
    ],
)
def test_exit_codes_and_reasons(cli, experiment, code, told):
    got, out, err = cli("verify", "--device", "cpu", claims=(experiment,))
    assert got == code
    assert told in out
    assert err == ""  # standard error is no terminal: no progress bar


def test_one_broken_claim_does_not_lose_the_others(cli):
    code, out, _ = cli("verify", "--json", claims=(raising, not_a_number, holding))
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
    code, out, err = cli("verify", "holdin", claims=(holding, failing))
    assert (code, out) == (2, "")
    assert "no claim 'holdin'. Did you mean holding" in err
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
        ["verify", "--workers", "0"],
        ["verify", "--preset", "huge"],
        ["nonsense"],
        [],
    ],
)
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        __main__.main(arguments)
    assert exit_.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_ids_choose_and_repeat_once(cli):
    cli("verify", "failing", "holding", "failing", claims=(holding, failing, raising))
    assert cli.calls == ["failing", "holding"]


def test_resume_runs_what_is_missing(cli):
    cli("verify", "holding", "--device", "cpu", claims=(holding, failing))
    path = verify.results_file(cli.directory, "quick", 0, "cpu")
    kept = path.read_text()
    path.write_text(kept + kept[: len(kept) // 2])
    code, out, _ = cli(
        "verify", "--json", "--resume", "--device", "cpu", claims=(holding, failing)
    )
    assert code == 1
    assert cli.calls == ["holding", "failing"]
    assert [json.loads(line)["id"] for line in out.splitlines()] == [
        "holding",
        "failing",
    ]
    assert list(verify.finished(path)) == ["holding", "failing"]
    assert path.read_text().startswith(kept)


def test_another_seed_or_preset_resumes_nothing(cli):
    cli("verify")
    cli("verify", "--resume", "--seed", "1")
    cli("verify", "--resume", "--preset", "book")
    assert cli.calls == ["holding"] * 3


def test_without_resume_everything_runs_again(cli):
    cli("verify")
    cli("verify")
    assert cli.calls == ["holding"] * 2


def test_ctrl_c_keeps_what_is_finished(cli):
    code, out, err = cli("verify", "--json", claims=(holding, interrupted, failing))
    assert code == 130
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["holding"]
    assert "1 of 3 results" in err
    assert "--resume" in err
    (path,) = cli.directory.iterdir()
    assert list(verify.finished(path)) == ["holding"]


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
