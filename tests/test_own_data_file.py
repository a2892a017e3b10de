"""Data of a reader from a file: what is read, what is refused, and how a claim runs on
them.
"""

import json

import numpy as np
import pytest

from ibcore import own_data
from ibcore.command_line import run
from ibcore.validation import InvalidInput

X = np.array([[2.0, 1.0], [1.0, 3.0], [-1.0, -2.0], [-3.0, 0.5]])
Y = np.array([1.0, 1.0, -1.0, -1.0])
CSV = "\n".join(f"{a},{b},{c:g}" for (a, b), c in zip(X, Y, strict=True))


@pytest.fixture
def files(tmp_path):
    np.savez(tmp_path / "data.npz", X=X, y=Y)
    (tmp_path / "data.csv").write_text(CSV)
    (tmp_path / "head.csv").write_text(f"width,height,kind\n{CSV}\n")
    (tmp_path / "mark.csv").write_text(f"\ufeff{CSV}\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", ["data.npz", "data.csv", "head.csv", "mark.csv"])
def test_the_same_data_in_every_form(files, name):
    read = own_data.read(files / name)
    np.testing.assert_array_equal(read.X, X)
    np.testing.assert_array_equal(read.y, Y)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.csv", None),
        ("text.csv", b"a,b\nc,d\n"),
        ("one.csv", b"1\n2\n"),
        ("ragged.csv", b"1,2\n1,2,3\n"),
        ("empty.csv", b""),
        ("data.txt", b"1,2\n"),
        ("data.npz", b"no archive"),
        ("binary.csv", b"\xff\xfe\x00"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_what_cannot_be_read_is_refused(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match="cannot be read as data"):
        own_data.read(tmp_path / name)


def test_an_archive_without_labels_is_refused(tmp_path):
    np.savez(tmp_path / "half.npz", X=X)
    with pytest.raises(InvalidInput, match="X and y"):
        own_data.read(tmp_path / "half.npz")


def test_a_claim_runs_on_a_file_and_its_result_is_kept_apart(files, capsys):
    common = ["verify", "mirror-descent-margin", "--json", "--out", str(files / "out")]
    run([*common, "--data", str(files / "data.csv")])
    record = json.loads(capsys.readouterr().out)
    assert record["notes"] == {"data sets": 1}
    assert "error" not in record
    (line,) = (files / "out" / "results.jsonl").read_text().splitlines()
    digest = own_data.read(files / "data.csv").digest
    assert json.loads(line)["key"]["data"] == digest
    run([*common, "--resume", "--data", str(files / "data.csv")])
    assert json.loads(capsys.readouterr().out) == record
    run([*common, "--resume", "--data", str(files / "head.csv")])
    assert len((files / "out" / "results.jsonl").read_text().splitlines()) == 2


def test_claims_that_plant_their_truth_take_no_data(files, capsys):
    answer = run(["verify", "kkt-not-optimal", "--data", str(files / "data.csv")])
    assert answer == 2
    assert "mirror-descent-margin" in capsys.readouterr().err


def test_data_that_do_not_fit_the_claim_are_refused_before_it_runs(files, capsys):
    np.savez(files / "odd.npz", X=X, y=Y * 2)
    common = ["verify", "mirror_descent", "--json", "--out", str(files / "out")]
    assert run([*common, "--data", str(files / "odd.npz")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "labels" in printed.err
