import json

import pytest
import torch

from ibcore import command_line
from ibcore.claims import all_claims

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
