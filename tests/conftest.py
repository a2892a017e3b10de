"""Settings of every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_limits

from ibcore import command_line, pool, verify
from ibcore.claims import Setting
from tests.made_up import named


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """The problems are small and the test processes many: more threads would only wait
    for each other.
    """
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def verdicts(request):
    """The claims that the test module lists in `CLAIMS`, by their ids, at quick sizes
    and seed 0.
    """
    return {
        name: claim.verify(Setting("quick", 0))
        for name, claim in request.module.CLAIMS.items()
    }


@pytest.fixture
def cli(monkeypatch, tmp_path, capsys):
    """Run the command line on made-up claims, in this process; returns exit code,
    output and errors.
    """

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
