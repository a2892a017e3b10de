import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from ibcore import pool, verify
from ibcore.claims import Claim, Setting, all_claims
from ibcore.evidence import Check, Control, Evidence
from ibcore.ledger import Ledger
from tests import made_up

RECORD = {"holds": True, "control": {"refuted": True}}


def jobs(*names, seed=0):
    return verify.jobs_for(made_up.named(*names).values(), Setting("quick", seed))


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run jobs in this process; returns their records, and keeps the numbers of workers asked for."""

    def in_process(todo, workers):
        asked.append(workers)
        yield from ((job, verify.run_job(job)) for job in todo)

    def records(todo, *, resume=True, workers=1):
        ledger = Ledger(tmp_path)
        done = verify.finished(todo, ledger) if resume else {}
        return list(
            verify.verify(todo, ledger, workers=workers, done=done, progress=False)
        )

    asked = records.asked = []
    monkeypatch.setattr(pool, "run_all", in_process)
    return records


def ids(records):
    return [record["id"] for record in records]


def test_finished_records_come_first(run):
    run(jobs("failing"))
    assert ids(run(jobs("holding", "failing"), workers=7)) == ["failing", "holding"]
    assert run.asked == [1, 7]


def test_a_record_with_an_error_is_run_again(run, tmp_path):
    (job,) = jobs("holding")
    Ledger(tmp_path).add(job, {"id": "holding", "error": "no memory"})
    (record,) = run([job])
    assert "error" not in record
    assert verify.finished([job], Ledger(tmp_path)) == {"holding": record}


def test_a_record_of_other_code_is_run_again(run, tmp_path):
    (job,) = jobs("holding")
    Ledger(tmp_path).add(replace(job, code="other"), {"id": "holding", "old": True})
    (record,) = run([job])
    assert "old" not in record


def test_a_job_names_claim_code_and_setting():
    (job,) = verify.jobs_for(
        [all_claims()["logistic-max-margin"]], Setting("book", 7, torch.device("cpu"))
    )
    assert job.key == {
        "claim": "logistic-max-margin",
        "preset": "book",
        "seed": 7,
        "device": "cpu",
        "sizes": {},
    }
    assert job.module == "ibcore.claims.classification.logistic_regression"


def test_sizes_of_a_job_replace_those_of_the_preset():
    (job,) = jobs("sized")
    sizes = (job, replace(job, sizes={"runs": 5}))
    measured = [verify.run_job(each)["checks"][0]["measured"] for each in sizes]
    assert measured == [1, 5]


def test_code_that_changes_while_a_run_goes_on_gives_no_result():
    (job,) = jobs("holding")
    assert "changed while the run" in verify.run_job(replace(job, code="older"))


def test_what_is_no_claim_is_an_error():
    (job,) = jobs("holding")
    assert "no claim evidence" in verify.run_job(replace(job, claim="evidence"))


def test_a_claim_stands_only_with_its_control_refuted():
    assert verify.stands(RECORD)
    assert not verify.stands({"holds": False, "control": {"refuted": True}})
    assert not verify.stands({"holds": True, "control": {"refuted": False}})


def test_workers_follow_the_cores_of_this_process(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert verify.default_workers() == 3


def test_numbers_that_json_lacks_become_null():
    plain = verify._plain(
        {"a": [float("nan"), 1.0, {"b": float("-inf")}], "c": "nan", "d": True}
    )
    assert plain == {"a": [None, 1.0, {"b": None}], "c": "nan", "d": True}
    json.dumps(plain, allow_nan=False)


def test_numbers_of_other_libraries_become_plain():
    plain = verify._plain({"a": np.int64(2), "b": (np.float32(0.5), np.float64("nan"))})
    assert json.dumps(plain, allow_nan=False) == '{"a": 2, "b": [0.5, null]}'
    with pytest.raises(TypeError, match="holds a Tensor"):
        verify._plain({"a": torch.ones(2)})


def test_a_worker_computes_on_one_core(monkeypatch):
    seen = []
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    verify.single_thread()
    assert seen == [1]


@pytest.mark.parametrize("tag", ["derived", "observed"])
def test_a_theorem_has_a_check_that_is_proved(tag):
    def experiment(_setting: Setting) -> Evidence:
        check = Check.each("one", 1.0, at_most=2, tag=tag, reason="made up")
        return Evidence((check,), Control("none", check))

    def made(kind: str) -> Claim:
        sizes = {"quick": {}, "book": {}, "full": {}}
        return Claim("one", "page", kind, "made up", "one", sizes, experiment)

    with pytest.raises(ValueError, match="none of its checks is tagged 'proved'"):
        made("theorem").verify()
    assert made("empirical").verify().evidence.holds
