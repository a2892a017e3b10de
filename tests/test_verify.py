import json
import multiprocessing
import os
import re
from concurrent.futures import (
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ibcore import pool, verify
from ibcore.claims import Claim, Setting, all_claims
from ibcore.evidence import Check, Control, Evidence
from ibcore.ledger import Ledger
from ibcore.validation import InvalidInput
from tests import made_up
from tests.made_up import steps

RECORD = {"holds": True, "control": {"refuted": True}}


def jobs(*names, seed=0):
    return verify.jobs_for(made_up.named(*names).values(), Setting("quick", seed))


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run jobs in this process; returns their records, and keeps the numbers of workers
    asked for.
    """

    def in_process(todo, workers):
        asked.append(workers)
        yield from ((job, verify.run_job(job)) for job in todo)

    def records(todo, *, resume=True, workers=1):
        return list(verify.run(todo, Ledger(tmp_path), workers=workers, resume=resume))

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
    assert run([job]) == [record]
    assert Ledger(tmp_path).find(job) == record


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
    room = "ibcore.pages.classification.logistic_regression"
    assert job.module == f"{room}.claims.logistic_max_margin"


def test_sizes_of_a_job_replace_those_of_the_preset():
    (job,) = jobs("sized")
    sizes = (job, replace(job, sizes={"runs": 5}))
    measured = [verify.run_job(each)["checks"][0]["measured"] for each in sizes]
    assert measured == [1, 5]


def test_a_job_for_each_claim_and_seed_with_sizes_of_its_claim():
    claims = made_up.named("sized", "holding").values()
    todo = verify.jobs_for(
        claims, Setting(), seeds=range(1110000, 1110002), override={"runs": 5}
    )
    assert [(job.claim, job.seed, job.sizes) for job in todo] == [
        (name, seed, {"runs": 5})
        for seed in (1110000, 1110001)
        for name in ("sized", "holding")
    ]
    (same,) = verify.jobs_for(list(claims)[:1], Setting(), override={"runs": 1})
    assert same.sizes == {}
    for wrong in ({"seeds": [-1]}, {"override": {"run": 1}}):
        with pytest.raises(InvalidInput):
            verify.jobs_for(claims, Setting(), **wrong)


def test_a_record_tells_the_sizes_of_its_job():
    (job,) = jobs("holding")
    todo = (job, replace(job, sizes={"runs": 5}), replace(job, claim="raising"))
    found = [verify.run_job(each) for each in todo[:2]]
    assert [record["sizes"] for record in found] == [{}, {"runs": 5}]
    assert verify._broken(todo[2], "no memory")["sizes"] == {}


class Inline(Executor):
    """Made up: runs a job where it is submitted."""

    def __init__(self):
        self.submitted = 0

    def submit(self, function, /, *arguments, **options):
        self.submitted += 1
        future = Future()
        future.set_result(function(*arguments, **options))
        return future


class Lost(Executor):
    """Made up: jobs end with these errors, or run where there is None; the others never
    begin.
    """

    def __init__(self, *errors):
        self.errors, self.futures = list(errors), []

    def submit(self, function, /, *arguments, **_options):
        future = Future()
        self.futures.append(future)
        error = self.errors.pop(0) if self.errors else future
        if error is None:
            future.set_result(function(*arguments))
        elif error is not future:
            future.set_exception(error)
        return future


def processes():
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


@pytest.mark.parametrize("make", [Inline, lambda: ThreadPoolExecutor(2), processes])
def test_any_executor_runs_jobs_into_the_store(tmp_path, make):
    names = ("holding", "raising", "fails-at-odd-seeds")
    todo = verify.jobs_for(
        made_up.named(*names).values(), Setting(), seeds=(1110010, 1110011)
    )
    with make() as executor:
        records = list(verify.run(todo, Ledger(tmp_path), executor))
    found = {(record["id"], record["seed"]): record for record in records}
    assert {key: record["holds"] for key, record in found.items()} == {
        ("holding", 1110010): True,
        ("holding", 1110011): True,
        ("raising", 1110010): False,
        ("raising", 1110011): False,
        ("fails-at-odd-seeds", 1110010): True,
        ("fails-at-odd-seeds", 1110011): False,
    }
    assert "no steps" in found["raising", 1110010]["error"]
    ledger = Ledger(tmp_path)
    assert [ledger.find(job) for job in todo] == [
        found[job.claim, job.seed] for job in todo
    ]


def test_the_lines_of_the_readme_run_jobs(tmp_path, monkeypatch, capsys):
    """As written, but for a pool of threads and fewer seeds."""
    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    (lines,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        if "verify.run(" in block
    )
    lines = lines.replace("ProcessPoolExecutor", "ThreadPoolExecutor")
    monkeypatch.chdir(tmp_path)
    exec(lines.replace("range(200)", "[1110400, 1110401]"), {"__name__": "__main__"})  # noqa: S102
    assert capsys.readouterr().out.startswith("gd-convex-rate True (")
    kept = (tmp_path / "ibcore-results" / "results.jsonl").read_text().splitlines()
    assert len(kept) == 2


def test_an_executor_takes_only_what_is_missing(tmp_path):
    todo = jobs("holding", "failing")
    first, second = Inline(), Inline()
    list(verify.run(todo[:1], Ledger(tmp_path), first))
    found = list(verify.run(todo, Ledger(tmp_path), second, resume=True))
    assert ids(found) == ["holding", "failing"]
    assert (first.submitted, second.submitted) == (1, 1)


def test_each_result_is_kept_before_the_next_job_is_submitted(tmp_path):
    executor = Inline()
    results = verify.run(jobs("holding", "failing"), Ledger(tmp_path), executor)
    next(results)
    results.close()
    assert executor.submitted == 1
    assert Ledger(tmp_path).find(jobs("holding")[0]) is not None


def test_a_job_that_an_executor_loses_is_an_error_and_the_run_goes_on(tmp_path):
    executor = Lost(MemoryError(), RuntimeError("node 7 is gone"), None)
    todo = jobs("holding", "failing", "sized")
    *lost, last = verify.run(todo, Ledger(tmp_path), executor)
    assert [record["error"] for record in lost] == [
        "MemoryError",
        "RuntimeError: node 7 is gone",
    ]
    assert (last["id"], last["holds"]) == ("sized", True)


def test_a_process_pool_that_broke_loses_its_jobs_only_as_errors(tmp_path):
    todo = verify.jobs_for(
        made_up.named("dies-at-seed-1").values(), Setting(), seeds=(0, 1)
    )
    with processes() as executor:
        found = list(verify.run(todo, Ledger(tmp_path), executor))
        found += verify.run(jobs("holding"), Ledger(tmp_path), executor)
    assert ["error" in record for record in found] == [False, True, True]
    assert "BrokenProcessPool" in found[1]["error"]


def test_closing_cancels_what_an_executor_has_not_begun(tmp_path):
    executor = Lost(MemoryError())
    results = verify.run(jobs("holding", "failing"), Ledger(tmp_path), executor)
    next(results)
    results.close()
    assert all(future.done() for future in executor.futures)
    results = verify.run(jobs("holding"), Ledger(tmp_path), ThreadPoolExecutor)
    with pytest.raises(InvalidInput, match="expected an object of a class"):
        next(results)


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
        return Claim("one", "page", kind, "made up", "one", sizes, **steps(experiment))

    with pytest.raises(ValueError, match="none of its checks is tagged 'proved'"):
        made("theorem").verify()
    assert made("empirical").verify().evidence.holds
