"""Run many claims: in worker processes, with progress, keeping every finished result in a folder."""

from __future__ import annotations

import contextlib
import importlib
import math
import numbers
import os
import sys
from collections.abc import Generator, Iterable, Sequence
from typing import Any

import torch
from tqdm import tqdm

from ibcore import pool
from ibcore.claims import Claim, Setting
from ibcore.ledger import Job, Ledger, Record
from ibcore.provenance import code_digest


def jobs_for(claims: Iterable[Claim], setting: Setting) -> list[Job]:
    """One job a claim, in the same order."""
    return [
        Job(
            claim=claim.id,
            preset=setting.preset,
            seed=setting.seed,
            device=setting.device.type,
            module=claim.experiment.__module__,
            code=code_digest(claim.experiment.__module__),
        )
        for claim in claims
    ]


def finished(jobs: Iterable[Job], ledger: Ledger) -> dict[str, Record]:
    """The results of `jobs`, by claim, that need no second run: of this code, and without an error."""
    found = {job.claim: ledger.find(job) for job in jobs}
    return {
        name: record
        for name, record in found.items()
        if record is not None and "error" not in record
    }


def verify(
    jobs: Sequence[Job],
    ledger: Ledger,
    *,
    workers: int,
    done: dict[str, Record],
    progress: bool,
) -> Generator[Record, None, None]:
    """Records of the jobs as they finish, those in `done` first; new ones are added to `ledger` at once.

    Closing the iterator ends what runs. Raises `ledger.NotKept` where a result cannot be written.
    """
    yield from (done[job.claim] for job in jobs if job.claim in done)
    todo = [job for job in jobs if job.claim not in done]
    with (
        tqdm(
            total=len(jobs),
            initial=len(jobs) - len(todo),
            disable=not progress,
            unit="claim",
            file=sys.stderr,
        ) as bar,
        contextlib.closing(pool.run_all(todo, workers)) as answers,
    ):
        for job, answer in answers:
            record = _broken(job, answer) if isinstance(answer, str) else answer
            record = ledger.add(job, record)
            bar.set_postfix_str(job.claim)
            bar.update()
            yield record


def run_job(job: Job) -> Record | str:
    """The record of one job; where the claim raises, what it said."""
    try:
        claim = _claim(job)
        if code_digest(job.module) != job.code:
            return "its code was changed while the run went on"
        setting = Setting(job.preset, job.seed, torch.device(job.device))
        return dict(_plain(claim.verify(setting, **job.sizes).as_dict()))
    except Exception as error:  # noqa: BLE001 - one broken claim must not lose the others' results
        return f"{type(error).__name__}: {error}"


def _claim(job: Job) -> Claim:
    found = getattr(importlib.import_module(job.module), job.claim.replace("-", "_"))
    if not isinstance(found, Claim):
        raise TypeError(f"{job.module} has no claim {job.claim}")
    return found


def _broken(job: Job, error: str) -> Record:
    """The record of a claim that gave no evidence: it does not hold, and says why."""
    claim = _claim(job)
    return {
        "id": claim.id,
        "page": claim.page,
        "kind": claim.kind,
        "holds": False,
        "checks": [],
        "control": {"name": "not run", "measured": None, "refuted": False},
        "notes": {},
        "broken": [],
        "error": error,
        "seed": job.seed,
        "preset": job.preset,
        "device": job.device,
        "seconds": None,
    }


def _plain(value: Any) -> Any:
    """What JSON can hold; it has no NaN or infinity, which become null."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    raise TypeError(
        f"a record holds a {type(value).__name__}, expected numbers and text"
    )


def single_thread() -> None:
    """A worker computes on one core."""
    torch.set_num_threads(1)


def default_workers() -> int:
    """One process a core that this process may use."""
    return (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )


def stands(record: Record) -> bool:
    """The claim holds and its control is refuted."""
    return bool(record["holds"] and record["control"]["refuted"])
